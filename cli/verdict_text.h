/*
 * verdict_text.h: outcomes and verdicts in a sentence each, for people. The words themselves are storage's and
 * verify's.
 */
#ifndef CLI_VERDICT_TEXT_H
#define CLI_VERDICT_TEXT_H

/* "" for a word that is not known here. */
const char *verdict_sentence(const char *verdict);
const char *outcome_sentence(const char *outcome);

#endif

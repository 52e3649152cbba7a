/*
 * audit_check.h: the offline check behind `expunge audit verify` and `expunge-verify`: one receipt, or a whole log
 * folder.
 *
 * Needs files and a key, nothing else: no daemon, no database, no network. The key has to come from somewhere else than
 * the evidence. Threads: one.
 */
#ifndef CLI_AUDIT_CHECK_H
#define CLI_AUDIT_CHECK_H

#include <stdbool.h>

#include "base/error.h"
#include "cli/option.h"

struct audit_check {
	const char *path;       /* a receipt, or the folder of a log */
	const char *key;        /* verifier key, or @FILE */
	const char *identity;   /* type:value, or @FILE; NULL: not asked */
	const char *checkpoint; /* file of a pinned checkpoint; NULL: none */
};

enum { AUDIT_CHECK_OPTIONS = 4 };

/* They fill a struct audit_check. */
extern const struct option_row audit_check_options[AUDIT_CHECK_OPTIONS];

/* What the options mean, in a few lines under 100 columns. */
extern const char audit_check_text[];

/*
 * Prints the steps taken, or a JSON document, to standard output. EXP_EVERIFY: the evidence is refused, err names the
 * first thing that is wrong with it. Other codes mean that the check could not be made: an unusable key or identity, a
 * file that cannot be read.
 */
EXP_NODISCARD int audit_check_run(const struct audit_check *c, bool json, struct exp_error *err);

#endif

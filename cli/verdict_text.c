#include "cli/verdict_text.h"

#include <stddef.h>
#include <string.h>

struct entry {
	const char *word, *sentence;
};

static const struct entry verdicts[] = {
	{ "none", "nothing was tested" },
	{ "pass/by_construction",
	  "the served model was trained without these rows; the tests beside it are diagnostics" },
	{ "pass/consistent",
	  "the test would have noticed the unchanged model and does not notice this one: consistent with never seen" },
	{ "inconclusive/no_evidence",
	  "the test does not notice this model, but it would not have noticed the unchanged one either, or hardly "
	  "tells the two apart" },
	{ "inconclusive/underpowered", "the test notices too few models that saw these rows to say anything" },
	{ "inconclusive/not_exchangeable",
	  "there are no reference models that the served one can be compared with: the test cannot speak" },
	{ "fail/residual", "the model still treats these rows like rows it was trained on" },
	{ "fail/over_forgotten", "the model treats these rows conspicuously worse than rows it never saw" },
	{ "fail/utility", "the model lost too much on the rows that stay or on held-out rows" },
};

static const struct entry outcomes[] = {
	{ "mitigated",
	  "an approximate method took the person out of the served model; exact retraining is still owed" },
	{ "erased", "no served model is made with the person's rows, and the rows are overwritten" },
	{ "not_found", "no registered dataset holds rows of this person" },
	{ "exempt", "an exemption applies" },
	{ "already_erased", "an earlier request has erased this person's rows" },
};

static const char *find(const struct entry *entries, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(entries[i].word, word))
			return entries[i].sentence;
	return "";
}

const char *verdict_sentence(const char *verdict)
{
	return find(verdicts, sizeof(verdicts) / sizeof(verdicts[0]), verdict);
}

const char *outcome_sentence(const char *outcome)
{
	return find(outcomes, sizeof(outcomes) / sizeof(outcomes[0]), outcome);
}

/*
 * evidence_view.h: what verification found for one request on one model, as a table: the statistics of the person's
 * rows under models that never saw them, under the unchanged model, and after each attempt; what the test says of each;
 * what the model is still worth; what it took.
 *
 * Input is the JSON of erasure/evidence.h as the API hands it on. Fields that are absent are shown as "-".
 */
#ifndef CLI_EVIDENCE_VIEW_H
#define CLI_EVIDENCE_VIEW_H

#include "base/json.h"

enum { EVIDENCE_ATTEMPTS = 8 };

/* One attempt; all borrowed. */
struct evidence_column {
	const char *method, *verdict;
	const char *started;            /* RFC 3339; columns stand in this order */
	const json_t *evidence;         /* NULL: none */
	double seconds, verify_seconds; /* negative: not known */
	bool is_accepted;
	const char *reason; /* why it was discarded, or "" */
};

struct evidence_view {
	struct evidence_column columns[EVIDENCE_ATTEMPTS];
	size_t count;
};

void evidence_view_print(const struct evidence_view *v);

#endif

/*
 * ladder_internal.h: what the parts of a job's run share: ladder.c decides, ladder_search.c finds
 * parameters, ladder_attempt.c edits, ladder_verify.c judges.
 */
#ifndef ERASURE_LADDER_INTERNAL_H
#define ERASURE_LADDER_INTERNAL_H

#include "erasure/ladder.h"

/* One request: its frame and what the unchanged model got in it. */
struct ladder_request {
	struct row_list rows;
	bool has_frame;
	struct subject_frame frame;
	struct subject_controls controls;
	struct subject_result before;
	struct rowlevel row_before;
};

struct ladder {
	const struct erasure_job *job;
	struct session *session;
	size_t *forget_rows, *retained_rows, *scored_rows; /* owned */
	struct row_list forget, retained;                  /* of all requests together; what stays */
	struct row_list scored;                            /* forget and held-out rows, rising: what tests look at */
	struct source_subset forget_source, retained_source;
	struct predictions retained_before, heldout_before;
	struct ladder_request *requests;          /* [request_count] */
	float *tested;                            /* [columns, STATISTICS] of the model under test */
	struct importance all, forget_importance; /* all: only when the job brought none */
	const struct band *band;                  /* NULL without references */
};

/* Everything that attempts share. ladder_fini also after a failure. */
EXP_NODISCARD int ladder_init(struct ladder *l, const struct erasure_job *job, struct exp_error *err);
void ladder_fini(struct ladder *l);

/* The importance over all training rows, and that of the forget rows, at the live weights; computed once. */
EXP_NODISCARD int ladder_importances(struct ladder *l, const struct importance **all, struct exp_error *err);

/* Finds a method's parameters: values are filled; reason (of size bytes) is set where nothing was found. */
typedef int ladder_search(struct ladder *l, double *values, char *reason, size_t size, struct exp_error *err);

/* ladder_search.c: SSD's alpha, by sweep.h, under the utility guard. */
EXP_NODISCARD ladder_search ladder_search_ssd;

/* Runs the attempt's method on a copy of the live weights: *params is new. The attempt's parameters, edited, ran,
 * reason and seconds are filled; *params stays NULL where the method does not apply. */
EXP_NODISCARD int ladder_edit(struct ladder *l, struct erasure_attempt *a, struct params **params,
			      struct exp_error *err);

/* Fills utility, findings and verify_seconds for the weights that ladder_edit made. */
EXP_NODISCARD int ladder_verify(struct ladder *l, const struct params *params, struct erasure_attempt *a,
				struct exp_error *err);

/* The unchanged model's tests, before any attempt. */
EXP_NODISCARD int ladder_verify_before(struct ladder *l, struct exp_error *err);

#endif

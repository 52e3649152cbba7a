/*
 * upkeep.h: importances kept in step with an edited model, at a cost that does not grow with the dataset.
 *
 * After an approximate edit the forgotten rows' importance (at the weights before) is subtracted; then a fixed number
 * of seeded retained rows is measured before and after the edit, and the sum moves by the difference, scaled up:
 *
 *   O' = max(0, O - F + (rows left / rows sampled) * (S_after - S_before))        S over the same sampled rows
 *
 * The difference of two measurements on the same rows keeps what the exact sum knew and has no sampling noise where the
 * edit changed nothing.
 */
#ifndef ERASURE_UPKEEP_H
#define ERASURE_UPKEEP_H

#include "engine/importance.h"
#include "verify/population.h"

struct upkeep_job {
	const struct importance *all, *forget; /* before the edit, at the weights before */
	const struct params *before, *after;
	const struct source *source;
	struct row_list retained;
	size_t refresh_rows;
	uint64_t seed;
	const struct progress *progress;
};

/* *out is new; importance_fini. */
EXP_NODISCARD int upkeep_importance(const struct upkeep_job *job, struct session *s, struct importance *out,
				    struct exp_error *err);

#endif

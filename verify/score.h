/*
 * score.h: the statistics of rows under one model.
 *
 * All models of a comparison are scored by one struct scoring, so that served model, attempts and references are
 * treated alike: the same neighbours for each row, the same fine-tune. The fine-tune runs the recipe's optimiser at the
 * recipe's learning rate and batch from a fresh optimiser state on the model's own training rows: finetune_epochs of
 * them, below 1 one pass over a seeded share of the rows, from 1 on the nearest whole number of epochs.
 */
#ifndef VERIFY_SCORE_H
#define VERIFY_SCORE_H

#include "engine/recipe.h"
#include "engine/session.h"
#include "verify/population.h"
#include "verify/statistic.h"

struct scoring {
	const struct source *source; /* as in the population */
	const struct recipe *recipe;
	size_t neighbours;           /* K >= 1 */
	double neighbour_spread;     /* perturbation's standard deviation, in standard deviations of the feature */
	double finetune_epochs;      /* > 0 */
	const float *feature_spread; /* [row_floats], from score_spread */
	uint64_t seed;
};

/* Rows of a session that trains by the recipe and scores: the recipe's batch, at least 128. */
size_t score_batch(const struct recipe *r);

/* The standard deviation of each input float over the rows, [row_floats]. EXP_EMEMORY, EXP_EIO. */
EXP_NODISCARD int score_spread(const struct source *source, struct row_list rows, float *spread, struct exp_error *err);

/* A model to be scored. */
struct scored_model {
	const struct params *params;
	struct row_list finetune_on; /* the rows that it was trained on and that stay */
	uint64_t finetune_seed;      /* tells models apart */
};

/*
 * Statistics of rows under a model: out [rows.count, STATISTICS]. Batches have session_batch(s) rows, which must be at
 * least the recipe's batch. EXP_ENONFINITE when the model gives no finite statistic (the row is not named),
 * EXP_EMEMORY, EXP_ERANGE.
 */
EXP_NODISCARD int score_rows(struct session *s, const struct scoring *how, const struct scored_model *model,
			     struct row_list rows, float *out, struct exp_error *err);

#endif

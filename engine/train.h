/*
 * train.h: training by a recipe. The same recipe, rows (in their order) and seed give the same bits.
 *
 * Shuffling, initialisation and nothing else draw random numbers, from purposes of the seed ("shuffle/EPOCH",
 * "init/NAME"). The last, short batch of an epoch is used unless the recipe drops it. Batch norm runs with
 * its stored statistics.
 */
#ifndef ENGINE_TRAIN_H
#define ENGINE_TRAIN_H

#include "engine/importance.h"
#include "engine/recipe.h"
#include "engine/session.h"

/* Fills p with fresh weights by the recipe's initialisation. initial: the file's weights, used by RECIPE_FILE and for
 * parameters that no rule of the operator covers. */
EXP_NODISCARD int train_initialize(const struct recipe *r, uint64_t seed, const struct params *initial,
				   struct params *p, struct exp_error *err);

/* Trains p in place for r->epochs over source. s must have a batch >= r->batch. seed replaces the recipe's own.
 * EXP_ENONFINITE when the loss diverges (epoch and step are named), EXP_ECANCELLED, EXP_EMEMORY. */
EXP_NODISCARD int train_run(struct session *s, const struct recipe *r, uint64_t seed, const struct source *source,
			    struct params *p, const struct progress *progress, struct exp_error *err);

#endif

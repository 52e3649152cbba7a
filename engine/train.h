/*
 * train.h: training by a recipe. The same recipe, rows (in their order) and seed give the same bits, whether a run is
 * done in one go or stopped and taken up again.
 *
 * Shuffling, initialisation and nothing else draw random numbers, from purposes of the seed ("shuffle/EPOCH",
 * "init/NAME"). The loss is the mean cross-entropy of a batch, with the recipe's label smoothing. The last, short batch
 * of an epoch is used unless the recipe drops it. Batch norm takes the statistics of each batch and moves the stored
 * ones, as PyTorch does in training mode; they are the tail of the block of parameters, which optimiser, decay and
 * clipping leave alone.
 */
#ifndef ENGINE_TRAIN_H
#define ENGINE_TRAIN_H

#include "engine/importance.h"
#include "engine/recipe.h"
#include "engine/session.h"

/* EXP_EUNSUPPORTED at "/start", below the recipe, names the first parameter for which neither its layer's default nor
 * the recipe says how it starts. */
EXP_NODISCARD int train_check_start(const struct recipe *r, const struct graph *g, struct exp_error *err);

/* Fills p with fresh weights by the recipe's initialisation; initial: the file's weights, for RECIPE_FILE. Otherwise
 * nothing of them is kept: see train_check_start. */
EXP_NODISCARD int train_initialize(const struct recipe *r, uint64_t seed, const struct params *initial,
				   struct params *p, struct exp_error *err);

/* Trains p in place for r->epochs over source. s must have a batch >= r->batch. seed replaces the recipe's own.
 * EXP_ENONFINITE when the loss diverges (epoch and step are named), EXP_ECANCELLED, EXP_EMEMORY. */
EXP_NODISCARD int train_run(struct session *s, const struct recipe *r, uint64_t seed, const struct source *source,
			    struct params *p, const struct progress *progress, struct exp_error *err);

/* A run that can be stopped and taken up again; all is borrowed. */
struct train_job {
	struct session *session;
	const struct recipe *recipe;
	uint64_t seed;
	const struct source *source;
	const struct progress *progress; /* may be NULL */
	const char *checkpoint;          /* a file, see engine/checkpoint.h; NULL: none */
	uint64_t every;                  /* steps from one checkpoint to the next; 0: only when cancelled */
};

/* As train_run. When the checkpoint is there, the run goes on from it and p's values do not count; a cancelled run
 * leaves one behind, a completed one destroys it. Its writing and reading fail as engine/checkpoint.h says. With a
 * checkpoint the data are read once before the first step, for their digest. */
EXP_NODISCARD int train_run_job(const struct train_job *job, struct params *p, struct exp_error *err);

#endif

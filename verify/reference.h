/*
 * reference.h: training reference models, to know what "never saw them" looks like.
 *
 * Models are trained by the served recipe on the complements of folds (verify/fold.h), one session and one thread each,
 * scored on every row of the population and thrown away. Results depend on the setup and its seed, never on threads or
 * on how often the work was interrupted.
 */
#ifndef VERIFY_REFERENCE_H
#define VERIFY_REFERENCE_H

#include "engine/importance.h"
#include "verify/score.h"
#include "verify/scores.h"

struct reference_job {
	const struct population *population;
	const struct recipe *recipe;
	const struct params *served, *initial; /* churn is counted against served */
	size_t rounds, folds, threads;
	size_t neighbours;
	double neighbour_spread, finetune_epochs;
	uint64_t seed;
	const char *folder;              /* of the score table */
	const struct progress *progress; /* in models; called on the calling thread */
};

/* Trains what is missing. EXP_ECANCELLED leaves finished models for the next call; EXP_ENONFINITE names a reference
 * whose training diverged; EXP_ECONFLICT: the folder holds a table of another setup. */
EXP_NODISCARD int reference_train(const struct reference_job *job, struct exp_error *err);

/* What scores a model as the references were scored. */
struct reference_scorer {
	const struct scores *scores;
	const struct source *source; /* the population's */
	const struct recipe *recipe;
};

/* Scores those rows that the table knows: out [columns, STATISTICS], NaN elsewhere. As score_rows otherwise. */
EXP_NODISCARD int reference_score(struct session *s, const struct reference_scorer *how,
				  const struct scored_model *model, struct row_list rows, float *out,
				  struct exp_error *err);

#endif

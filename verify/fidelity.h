/*
 * fidelity.h: does the recipe really give models like the served one? If not, references say nothing about it.
 *
 * A few full models are trained by the recipe. The served model must lie inside what they span, widened by a margin;
 * and, when references exist, its held-out z (mean over held-out rows, under all references) must lie within ±1 for
 * every statistic. Otherwise verdicts are capped at inconclusive/not_exchangeable.
 */
#ifndef VERIFY_FIDELITY_H
#define VERIFY_FIDELITY_H

#include "engine/importance.h"
#include "engine/recipe.h"
#include "verify/scores.h"

struct fidelity_limits {
	double accuracy_margin; /* added on both sides of what the retrained models span */
	double loss_ratio;      /* losses: low / ratio - 0.02 to high * ratio + 0.02 nats */
	double heldout_z;       /* largest |mean held-out z| */
};

struct fidelity {
	size_t models;
	double retrain_seconds; /* mean over the models: one thread, the whole training set */
	struct behaviour served;
	struct band band;
	double heldout_z[STATISTICS]; /* NaN until fidelity_check_references */
	bool exchangeable;
	char reason[160]; /* why not, or "" */
};

struct fidelity_job {
	const struct population *population;
	const struct recipe *recipe;
	const struct params *served, *initial;
	size_t models; /* >= 1 */
	uint64_t seed;
	struct fidelity_limits limits;
	const struct progress *progress; /* in models */
};

EXP_NODISCARD int fidelity_measure(const struct fidelity_job *job, struct session *s, struct fidelity *out,
				   struct exp_error *err);

/* Widens the band by the references' behaviour and judges the served model's held-out z. served_scores [columns,
 * STATISTICS] as from reference_score over the held-out rows. */
EXP_NODISCARD int fidelity_check_references(const struct scores *scores, const float *served_scores,
					    const struct fidelity_limits *limits, struct fidelity *f,
					    struct exp_error *err);

/* Everything but heldout_z. */
json_t *fidelity_to_json(const struct fidelity *f); /* new reference */
EXP_NODISCARD int fidelity_from_json(const json_t *json, struct fidelity *out, struct exp_error *err);

#endif

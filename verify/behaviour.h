/*
 * behaviour.h: how well a model does its work, in the five numbers that utility is judged by, and the band that honest
 * retraining spans.
 */
#ifndef VERIFY_BEHAVIOUR_H
#define VERIFY_BEHAVIOUR_H

#include "base/json.h"
#include "engine/session.h"
#include "verify/population.h"

struct behaviour {
	double accuracy, loss; /* on rows that the model was trained on (and that stay) */
	double churn;          /* share of those rows predicted otherwise than by the model before */
	double heldout_accuracy, heldout_loss;
};

/* The extremes over models trained by the recipe (full retrains and references). */
struct band {
	struct behaviour low, high;
	size_t models;
};

/* What one model says of a list of rows; arrays [rows.count] in its order, owned. */
struct predictions {
	int32_t *classes, *labels;
	float *losses;
	size_t count;
};

EXP_NODISCARD int predictions_of(struct session *s, const struct params *p, const struct source *source,
				 struct row_list rows, struct predictions *out, struct exp_error *err);
void predictions_fini(struct predictions *p);

double predictions_accuracy(const struct predictions *p);
double predictions_loss(const struct predictions *p);
double predictions_churn(const struct predictions *a, const struct predictions *b); /* same rows */

/* before: what the model before says of the trained rows. */
struct behaviour behaviour_of(const struct predictions *trained, const struct predictions *before,
			      const struct predictions *heldout);

void band_add(struct band *band, const struct behaviour *b); /* start from a zeroed band */

json_t *behaviour_to_json(const struct behaviour *b); /* new reference */
EXP_NODISCARD int behaviour_from_json(const json_t *json, const char *base, struct behaviour *out,
				      struct exp_error *err);
json_t *band_to_json(const struct band *b);
EXP_NODISCARD int band_from_json(const json_t *json, const char *base, struct band *out, struct exp_error *err);

#endif

#include "verify/fidelity.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"
#include "engine/train.h"
#include "verify/fold.h"

static uint64_t model_seed(uint64_t seed, size_t model)
{
	char purpose[32];
	struct rng rng;

	snprintf(purpose, sizeof(purpose), "fidelity/%zu", model);
	rng_init(&rng, seed, purpose);
	return rng_u64(&rng);
}

struct forwarding {
	const struct progress *progress;
	size_t done, total;
};

/* Steps inside a model only carry the wish to cancel. */
static bool forward(void *arg, uint64_t done, uint64_t total)
{
	struct forwarding *f = arg;

	(void)done;
	(void)total;
	return f->progress && f->progress->report(f->progress->arg, f->done, f->total);
}

/* A training that ends within one step of the clock took time all the same: 0 would read as never measured. */
static const double CLOCK_STEP_MS = 1;

static int train_full(const struct fidelity_job *job, struct session *s, size_t model, struct params *p,
		      double *seconds, struct exp_error *err)
{
	struct forwarding forwarding = { job->progress, model, job->models };
	struct progress progress = { forward, &forwarding };
	uint64_t seed = model_seed(job->seed, model);
	struct source_subset subset;
	int64_t start = clock_monotonic_ms();
	int rc;

	source_subset_init(&subset, job->population->source, job->population->train.index,
			   job->population->train.count);
	params_copy(p, job->initial);
	rc = train_initialize(job->recipe, seed, job->initial, p, err);
	if (!rc)
		rc = train_run(s, job->recipe, seed, &subset.source, p, &progress, err);
	*seconds += fmax((double)(clock_monotonic_ms() - start), CLOCK_STEP_MS / 2) / 1000;
	return rc;
}

static int behave(const struct fidelity_job *job, struct session *s, const struct params *p,
		  const struct predictions *served_train, struct behaviour *out, struct exp_error *err)
{
	struct predictions train = { 0 }, heldout = { 0 };
	int rc = predictions_of(s, p, job->population->source, job->population->train, &train, err);

	if (!rc)
		rc = predictions_of(s, p, job->population->source, job->population->heldout, &heldout, err);
	if (!rc)
		*out = behaviour_of(&train, served_train, &heldout);
	predictions_fini(&train);
	predictions_fini(&heldout);
	return rc;
}

static const double LOSS_SLACK = 0.02;

/* One comparison of the served model with what retrained ones span, already widened. */
struct span {
	const char *what;
	double value, low, high;
};

static void judge(struct fidelity *f, const struct fidelity_limits *l)
{
	const struct behaviour *b = &f->served, *low = &f->band.low, *high = &f->band.high;
	const struct span spans[] = {
		{ "training accuracy", b->accuracy, low->accuracy - l->accuracy_margin,
		  high->accuracy + l->accuracy_margin },
		{ "training loss", b->loss, low->loss / l->loss_ratio - LOSS_SLACK,
		  high->loss * l->loss_ratio + LOSS_SLACK },
		{ "held-out accuracy", b->heldout_accuracy, low->heldout_accuracy - l->accuracy_margin,
		  high->heldout_accuracy + l->accuracy_margin },
		{ "held-out loss", b->heldout_loss, low->heldout_loss / l->loss_ratio - LOSS_SLACK,
		  high->heldout_loss * l->loss_ratio + LOSS_SLACK },
	};

	f->exchangeable = true;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]) && f->exchangeable; i++) {
		if (spans[i].value >= spans[i].low && spans[i].value <= spans[i].high)
			continue;
		f->exchangeable = false;
		snprintf(f->reason, sizeof(f->reason),
			 "the served model's %s is %.4f; models trained by the recipe "
			 "allow %.4f to %.4f",
			 spans[i].what, spans[i].value, spans[i].low, spans[i].high);
	}
}

static int measure(const struct fidelity_job *job, struct session *s, const struct predictions *served_train,
		   struct params *p, struct fidelity *f, struct exp_error *err)
{
	double seconds = 0;
	int rc = behave(job, s, job->served, served_train, &f->served, err);

	for (size_t m = 0; !rc && m < job->models; m++) {
		struct behaviour b;

		rc = train_full(job, s, m, p, &seconds, err);
		if (!rc)
			rc = behave(job, s, p, served_train, &b, err);
		if (!rc)
			band_add(&f->band, &b);
	}
	f->models = job->models;
	f->retrain_seconds = seconds / (double)job->models;
	return rc;
}

int fidelity_measure(const struct fidelity_job *job, struct session *s, struct fidelity *out, struct exp_error *err)
{
	struct predictions served = { 0 };
	struct params *p = NULL;
	struct fidelity f = { 0 };
	int rc = predictions_of(s, job->served, job->population->source, job->population->train, &served, err);

	for (size_t i = 0; i < STATISTICS; i++)
		f.heldout_z[i] = NAN;
	if (!rc)
		rc = params_clone(job->initial, &p);
	if (!rc)
		rc = measure(job, s, &served, p, &f, err);
	if (!rc) {
		judge(&f, &job->limits);
		*out = f;
	}
	predictions_fini(&served);
	params_free(p);
	return rc;
}

static double heldout_z(const struct scores *s, const float *served, size_t statistic)
{
	const double floor = 1e-3; /* as in subject_test.c: statistics are in nats */
	double sum = 0;
	size_t rows = 0;

	for (size_t c = 0; c < s->columns; c++) {
		double mean = 0, squares = 0, n = 0;

		if (s->fold[c] != FOLD_HELDOUT || isnan(served[c * STATISTICS + statistic]))
			continue;
		for (size_t m = 0; m < s->models; m++) {
			double value = (double)scores_at(s, m, c)[statistic], step = value - mean;

			mean += step / ++n;
			squares += step * (value - mean);
		}
		sum += ((double)served[c * STATISTICS + statistic] - mean) / fmax(sqrt(squares / (n - 1)), floor);
		rows++;
	}
	return rows ? sum / (double)rows : NAN;
}

int fidelity_check_references(const struct scores *scores, const float *served_scores,
			      const struct fidelity_limits *limits, struct fidelity *f, struct exp_error *err)
{
	if (!scores_complete(scores))
		return error_set(err, EXP_ECONFLICT, "the reference models are not complete");
	for (size_t m = 0; m < scores->models; m++)
		band_add(&f->band, &scores->behaviour[m]);
	for (size_t s = 0; s < STATISTICS; s++) {
		f->heldout_z[s] = heldout_z(scores, served_scores, s);
		if (!f->exchangeable || fabs(f->heldout_z[s]) <= limits->heldout_z)
			continue;
		f->exchangeable = false;
		snprintf(f->reason, sizeof(f->reason),
			 "on held-out rows the served model's %s lies %.2f spreads from the references'",
			 statistic_names[s], f->heldout_z[s]);
	}
	return 0;
}

/* The parts that JSON keeps; heldout_z follows from the references. */
struct fidelity_parts {
	int64_t models;
	double retrain_seconds;
	json_t *served, *band;
	bool exchangeable;
	char reason[160];
};

static const struct json_field fields[] = {
	{ "models", JSON_FIELD_INT, true, offsetof(struct fidelity_parts, models), 0, 1, 1e6, NULL },
	{ "retrain_seconds", JSON_FIELD_NUMBER, true, offsetof(struct fidelity_parts, retrain_seconds), 0, 0, 1e12,
	  NULL },
	{ "served", JSON_FIELD_OBJECT, true, offsetof(struct fidelity_parts, served), 0, 0, 0, NULL },
	{ "band", JSON_FIELD_OBJECT, true, offsetof(struct fidelity_parts, band), 0, 0, 0, NULL },
	{ "exchangeable", JSON_FIELD_BOOL, true, offsetof(struct fidelity_parts, exchangeable), 0, 0, 0, NULL },
	{ "reason", JSON_FIELD_TEXT, true, offsetof(struct fidelity_parts, reason), 160, 0, 0, NULL },
};

json_t *fidelity_to_json(const struct fidelity *f)
{
	return json_pack("{s:I, s:f, s:o, s:o, s:b, s:s}", "models", (json_int_t)f->models, "retrain_seconds",
			 f->retrain_seconds, "served", behaviour_to_json(&f->served), "band", band_to_json(&f->band),
			 "exchangeable", f->exchangeable, "reason", f->reason);
}

int fidelity_from_json(const json_t *json, struct fidelity *out, struct exp_error *err)
{
	struct fidelity_parts parts = { 0 };
	struct fidelity f = { 0 };
	int rc = json_fill(json, "", fields, sizeof(fields) / sizeof(fields[0]), &parts, err);

	if (!rc)
		rc = behaviour_from_json(parts.served, "/served", &f.served, err);
	if (!rc)
		rc = band_from_json(parts.band, "/band", &f.band, err);
	if (rc)
		return rc;
	f.models = (size_t)parts.models;
	f.retrain_seconds = parts.retrain_seconds;
	f.exchangeable = parts.exchangeable;
	snprintf(f.reason, sizeof(f.reason), "%s", parts.reason);
	for (size_t i = 0; i < STATISTICS; i++)
		f.heldout_z[i] = NAN;
	*out = f;
	return 0;
}

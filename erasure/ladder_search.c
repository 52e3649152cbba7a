#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/evaluate.h"
#include "erasure/ladder_internal.h"
#include "erasure/sweep.h"

/* Some rows of a list, and what the live model says of them. */
struct sample {
	size_t *index;
	struct row_list rows;
	struct predictions before;
};

/* What the points of a sweep are scored by; read only while threads run. */
struct aim {
	struct ladder *l;
	double *wanted; /* [request_count] mean confidence on each request's rows */
	struct sample retained, heldout;
};

/* The confidence of every row, and its label. */
struct confidences {
	double *phi;
	int32_t *labels;
	size_t count;
};

static void confidences_fini(struct confidences *c)
{
	mem_free(c->phi);
	mem_free(c->labels);
}

static int confidences_of(struct session *s, const struct params *p, const struct source *source, struct row_list rows,
			  struct confidences *out, struct exp_error *err)
{
	size_t classes = graph_classes(session_graph(s)), places;
	float *log_probs = mem_size(rows.count, classes, &places) ? mem_try_alloc(places, sizeof(*log_probs)) : NULL;
	struct confidences made = { .count = rows.count };
	struct evaluation e = { .log_probs = log_probs };
	struct source_subset subset;
	int rc = EXP_EMEMORY;

	source_subset_init(&subset, source, rows.index, rows.count);
	made.phi = mem_try_alloc(rows.count, sizeof(*made.phi));
	made.labels = e.labels = mem_try_alloc(rows.count, sizeof(*made.labels));
	if (log_probs && made.phi && made.labels)
		rc = evaluate(s, p, &subset.source, &e, err);
	else
		error_set(err, EXP_EMEMORY, "no memory for the scores of %zu rows", rows.count);
	for (size_t i = 0; !rc && i < rows.count; i++)
		made.phi[i] = statistic_confidence(log_probs + i * classes, classes, made.labels[i]);
	mem_free(log_probs);
	if (rc)
		confidences_fini(&made);
	else
		*out = made;
	return rc;
}

static double mean_where(const struct confidences *c, int32_t label, bool any)
{
	double sum = 0, n = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (!any && c->labels[i] != label)
			continue;
		sum += c->phi[i];
		n++;
	}
	return n > 0 ? sum / n : NAN;
}

/* Without references: what the live model says of held-out rows of the same class, of all where a class has none. */
static double wanted_from_heldout(const struct confidences *subject, const struct confidences *heldout)
{
	double sum = 0;

	for (size_t i = 0; i < subject->count; i++) {
		double mean = mean_where(heldout, subject->labels[i], false);

		sum += isnan(mean) ? mean_where(heldout, 0, true) : mean;
	}
	return sum / (double)subject->count;
}

static int want_without_references(struct aim *aim, size_t request, struct exp_error *err)
{
	const struct erasure_job *job = aim->l->job;
	const struct population *p = job->population;
	struct confidences subject = { 0 }, heldout = { 0 };
	int rc = confidences_of(aim->l->session, job->live, p->source, job->requests[request], &subject, err);

	if (!rc)
		rc = confidences_of(aim->l->session, job->live, p->source, p->heldout, &heldout, err);
	if (!rc)
		aim->wanted[request] = wanted_from_heldout(&subject, &heldout);
	confidences_fini(&subject);
	confidences_fini(&heldout);
	return rc;
}

static int want(struct aim *aim, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < aim->l->job->request_count; i++) {
		const struct ladder_request *r = &aim->l->requests[i];

		if (r->has_frame && !r->frame.refused)
			aim->wanted[i] = r->before.reference[STATISTIC_CONFIDENCE];
		else
			rc = want_without_references(aim, i, err);
	}
	return rc;
}

static int by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

static int sample_init(struct sample *s, struct ladder *l, struct row_list from, const char *purpose,
		       struct exp_error *err)
{
	size_t most = (size_t)l->job->policy->guard_rows;
	struct rng rng;

	s->index = mem_try_alloc(from.count, sizeof(*s->index));
	if (!s->index)
		return error_set(err, EXP_EMEMORY, "no memory to sample %zu rows", from.count);
	memcpy(s->index, from.index, from.count * sizeof(*s->index));
	s->rows = (struct row_list){ s->index, from.count };
	if (from.count > most) {
		rng_init(&rng, l->job->seed, purpose);
		rng_shuffle(&rng, s->index, from.count);
		qsort(s->index, most, sizeof(*s->index), by_number);
		s->rows.count = most;
	}
	return predictions_of(l->session, l->job->live, l->job->population->source, s->rows, &s->before, err);
}

static void sample_fini(struct sample *s)
{
	mem_free(s->index);
	predictions_fini(&s->before);
}

static int measure_distance(const struct aim *aim, struct session *s, const struct params *p, double *distance,
			    struct exp_error *err)
{
	const struct erasure_job *job = aim->l->job;
	double sum = 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < job->request_count; i++) {
		struct confidences c = { 0 };

		rc = confidences_of(s, p, job->population->source, job->requests[i], &c, err);
		if (!rc)
			sum += fabs(mean_where(&c, 0, true) - aim->wanted[i]);
		confidences_fini(&c);
	}
	if (!rc)
		*distance = sum / (double)job->request_count;
	return rc;
}

static int guard(const struct aim *aim, struct session *s, const struct params *p, bool *admitted,
		 struct exp_error *err)
{
	const struct ladder *l = aim->l;
	const struct source *source = l->job->population->source;
	struct predictions retained = { 0 }, heldout = { 0 };
	struct utility_input in = { &aim->retained.before,           &retained, &aim->heldout.before, &heldout, l->band,
				    graph_classes(session_graph(s)), false };
	struct utility u;
	int rc = predictions_of(s, p, source, aim->retained.rows, &retained, err);

	if (!rc)
		rc = predictions_of(s, p, source, aim->heldout.rows, &heldout, err);
	if (!rc) {
		utility_judge(&in, &l->job->policy->utility, &u);
		*admitted = utility_guard(&u, &l->job->policy->utility);
	}
	predictions_fini(&retained);
	predictions_fini(&heldout);
	return rc;
}

/* Weights that give no finite output are a point that is not admitted, not an error of the job. */
static int score(void *arg, struct session *s, const struct params *p, struct sweep_score *out, struct exp_error *err)
{
	const struct aim *aim = arg;
	int rc = measure_distance(aim, s, p, &out->distance, err);

	if (!rc)
		rc = guard(aim, s, p, &out->admitted, err);
	if (rc == EXP_ENONFINITE) {
		*out = (struct sweep_score){ .distance = INFINITY };
		rc = 0;
	}
	return rc;
}

static int sweep(struct aim *aim, const struct importance *all, struct sweep_choice *out, struct exp_error *err)
{
	const struct erasure_job *job = aim->l->job;
	struct watch_stage stage;
	struct sweep s = {
		.live = job->live,
		.all = all,
		.forget = &aim->l->forget_importance,
		.points = (size_t)job->policy->sweep_points,
		.batch = session_batch(aim->l->session),
		.threads = job->threads,
		.score = score,
		.arg = aim,
		.progress = watch_stage_init(&stage, job->watch, "ssd"),
	};

	return sweep_run(&s, out, err);
}

int ladder_search_ssd(struct ladder *l, double *values, char *reason, size_t size, struct exp_error *err)
{
	struct aim aim = { .l = l, .wanted = mem_alloc(l->job->request_count * sizeof(double)) };
	const struct importance *all = NULL;
	struct sweep_choice choice = { 0 };
	int rc = ladder_importances(l, &all, err);

	if (!rc)
		rc = want(&aim, err);
	if (!rc)
		rc = sample_init(&aim.retained, l, l->retained, "guard/retained", err);
	if (!rc)
		rc = sample_init(&aim.heldout, l, l->job->population->heldout, "guard/heldout", err);
	if (!rc)
		rc = sweep(&aim, all, &choice, err);
	if (!rc) {
		values[SSD_ALPHA] = choice.alpha;
		values[SSD_LAMBDA] = 1;
	}
	if (!rc && choice.alpha >= ssd_alpha_ceiling(all, &l->forget_importance))
		snprintf(reason, size, "no dampening inside the utility guard came nearer to the references");
	sample_fini(&aim.retained);
	sample_fini(&aim.heldout);
	mem_free(aim.wanted);
	return rc;
}

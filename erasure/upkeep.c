#include "erasure/upkeep.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

static void take_sample(const struct upkeep_job *job, size_t *order, struct row_list *sample)
{
	struct rng rng;

	memcpy(order, job->retained.index, job->retained.count * sizeof(*order));
	rng_init(&rng, job->seed, "upkeep");
	rng_shuffle(&rng, order, job->retained.count);
	sample->index = order;
	sample->count = job->refresh_rows < job->retained.count ? job->refresh_rows : job->retained.count;
}

/* O - F + scale (S_after - S_before), floored at zero. */
static void combine(const struct upkeep_job *job, const struct importance *before, const struct importance *after,
		    float *out)
{
	double scale = (double)job->retained.count / (double)before->rows;

	for (size_t i = 0; i < job->all->sum->count; i++) {
		double kept = (double)job->all->sum->values[i] - (double)job->forget->sum->values[i];
		double moved = (double)after->sum->values[i] - (double)before->sum->values[i];
		double sum = kept + scale * moved;

		out[i] = sum > 0 ? (float)sum : 0;
	}
}

static int refresh(const struct upkeep_job *job, struct session *s, struct row_list sample, struct importance *out,
		   struct exp_error *err)
{
	struct importance before = { 0 }, after = { 0 };
	struct source_subset subset;
	struct params *sum = NULL;
	int rc;

	source_subset_init(&subset, job->source, sample.index, sample.count);
	rc = importance_compute(s, job->before, &subset.source, job->progress, &before, err);
	if (!rc)
		rc = importance_compute(s, job->after, &subset.source, job->progress, &after, err);
	if (!rc && params_new(session_graph(s), &sum))
		rc = error_set(err, EXP_EMEMORY, "no memory for an importance");
	if (!rc) {
		combine(job, &before, &after, sum->values);
		*out = (struct importance){ .sum = sum, .rows = job->retained.count };
	}
	importance_fini(&before);
	importance_fini(&after);
	return rc;
}

int upkeep_importance(const struct upkeep_job *job, struct session *s, struct importance *out, struct exp_error *err)
{
	size_t *order = mem_try_alloc(job->retained.count, sizeof(*order));
	struct row_list sample;
	int rc;

	if (!order)
		return error_set(err, EXP_EMEMORY, "no memory to sample %zu rows", job->retained.count);
	take_sample(job, order, &sample);
	rc = refresh(job, s, sample, out, err);
	mem_free(order);
	return rc;
}

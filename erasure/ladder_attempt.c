#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "erasure/ladder_internal.h"

int ladder_importances(struct ladder *l, const struct importance **all, struct exp_error *err)
{
	const struct population *p = l->job->population;
	struct watch_stage stage;
	const struct progress *progress = watch_stage_init(&stage, l->job->watch, "importance");
	struct source_subset train;
	int rc = 0;

	if (!l->forget_importance.sum)
		rc = importance_compute(l->session, l->job->live, &l->forget_source.source, progress,
					&l->forget_importance, err);
	if (!rc && !l->job->importance && !l->all.sum) {
		source_subset_init(&train, p->source, p->train.index, p->train.count);
		rc = importance_compute(l->session, l->job->live, &train.source, progress, &l->all, err);
	}
	if (!rc)
		*all = l->job->importance ? l->job->importance : &l->all;
	return rc;
}

/* Methods whose parameters are found in closed loop; the others run with their defaults. */
static const struct tuner {
	const char *method;
	ladder_search *search;
} tuners[] = {
	{ "ssd", ladder_search_ssd },
};

static int find_parameters(struct ladder *l, struct erasure_attempt *a, double *values, struct exp_error *err)
{
	for (size_t i = 0; i < sizeof(tuners) / sizeof(tuners[0]); i++)
		if (strcmp(tuners[i].method, a->method->name) == 0)
			return tuners[i].search(l, values, a->reason, sizeof(a->reason), err);
	return method_parse(a->method, NULL, "", values, err);
}

static int prepare(struct ladder *l, struct erasure_attempt *a, struct method_input *in, struct exp_error *err)
{
	int rc = 0;

	if (a->method->needs & METHOD_NEEDS_IMPORTANCE)
		rc = ladder_importances(l, &in->importance, err);
	if (!rc && in->importance)
		in->forget_importance = &l->forget_importance;
	if (!rc)
		rc = find_parameters(l, a, in->parameters, err);
	if (rc)
		return rc;
	json_decref(a->parameters);
	a->parameters = method_parameters_json(a->method, in->parameters);
	return 0;
}

/* Whether the job has what the method needs; importances are always to be had. */
static bool applies(const struct method_input *in, struct erasure_attempt *a)
{
	unsigned missing = method_missing(a->method, in) & ~(unsigned)METHOD_NEEDS_IMPORTANCE;

	if (missing)
		snprintf(a->reason, sizeof(a->reason), "not applicable: the model has no %s",
			 missing & METHOD_NEEDS_RECIPE ? "training recipe" : method_need_name(missing & -missing));
	return !missing;
}

int ladder_edit(struct ladder *l, struct erasure_attempt *a, struct params **params, struct exp_error *err)
{
	const struct erasure_job *job = l->job;
	struct watch_stage stage;
	struct method_input in = {
		.session = l->session,
		.forget = &l->forget_source.source,
		.retain = &l->retained_source.source,
		.original = job->live,
		.initial = job->initial,
		.recipe = job->recipe,
		.seed = a->seed,
		.progress = watch_stage_init(&stage, job->watch, a->method->name),
	};
	struct method_report report = { 0 };
	struct params *made = NULL;
	int64_t start = clock_monotonic_ms();
	int rc;

	if (!applies(&in, a))
		return 0;
	rc = prepare(l, a, &in, err);
	if (!rc && params_clone(job->live, &made))
		rc = error_set(err, EXP_EMEMORY, "no memory for a copy of the model");
	if (!rc)
		rc = method_run(a->method, &in, made, &report, err);
	if (rc) {
		params_free(made);
		return rc;
	}
	a->seconds = (double)(clock_monotonic_ms() - start) / 1000;
	a->edited = report.edited;
	a->ran = true;
	*params = made;
	return 0;
}

#include "erasure/ladder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "erasure/ladder_internal.h"
#include "erasure/upkeep.h"

static int by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

static bool is_subset(struct row_list part, struct row_list whole)
{
	size_t k = 0;

	for (size_t i = 0; i < part.count; i++) {
		while (k < whole.count && whole.index[k] < part.index[i])
			k++;
		if (k == whole.count || whole.index[k] != part.index[i])
			return false;
	}
	return true;
}

static int check_requests(const struct erasure_job *job, struct exp_error *err)
{
	if (job->request_count == 0)
		return error_set(err, EXP_EINVAL, "there is no request to serve");
	for (size_t i = 0; i < job->request_count; i++) {
		if (job->requests[i].count == 0)
			return error_set(err, EXP_EINVAL, "request %zu of the job has no training rows", i);
		if (!is_subset(job->requests[i], job->population->train))
			return error_set(err, EXP_EINVAL,
					 "request %zu of the job has rows that are not live training rows", i);
	}
	return 0;
}

/* The requests' rows together, rising; two requests must not share one. */
static int join_requests(struct ladder *l, struct exp_error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < l->job->request_count; i++)
		for (size_t k = 0; k < l->job->requests[i].count; k++) {
			if (n == l->job->population->train.count)
				return error_set(err, EXP_EINVAL, "two requests of the job share a row");
			l->forget_rows[n++] = l->job->requests[i].index[k];
		}
	qsort(l->forget_rows, n, sizeof(*l->forget_rows), by_number);
	for (size_t i = 1; i < n; i++)
		if (l->forget_rows[i] == l->forget_rows[i - 1])
			return error_set(err, EXP_EINVAL, "two requests of the job share a row");
	l->forget = (struct row_list){ l->forget_rows, n };
	return 0;
}

static int split_rows(struct ladder *l, struct exp_error *err)
{
	const struct population *p = l->job->population;
	size_t n;

	l->forget_rows = mem_try_alloc(p->train.count, sizeof(*l->forget_rows));
	l->retained_rows = mem_try_alloc(p->train.count, sizeof(*l->retained_rows));
	l->scored_rows = mem_try_alloc(p->train.count + p->heldout.count, sizeof(*l->scored_rows));
	if (!l->forget_rows || !l->retained_rows || !l->scored_rows)
		return error_set(err, EXP_EMEMORY, "no memory to split %zu rows", p->train.count);
	if (join_requests(l, err))
		return EXP_EINVAL;
	n = row_list_without(p->train, l->forget, l->retained_rows);
	if (n == 0)
		return error_set(err, EXP_EINVAL, "no training rows would be left");
	l->retained = (struct row_list){ l->retained_rows, n };
	memcpy(l->scored_rows, l->forget.index, l->forget.count * sizeof(size_t));
	memcpy(l->scored_rows + l->forget.count, p->heldout.index, p->heldout.count * sizeof(size_t));
	l->scored = (struct row_list){ l->scored_rows, l->forget.count + p->heldout.count };
	qsort(l->scored_rows, l->scored.count, sizeof(*l->scored_rows), by_number);
	source_subset_init(&l->forget_source, p->source, l->forget.index, l->forget.count);
	source_subset_init(&l->retained_source, p->source, l->retained.index, l->retained.count);
	return 0;
}

int ladder_init(struct ladder *l, const struct erasure_job *job, struct exp_error *err)
{
	const struct calibration *c = job->calibration;
	size_t batch = job->recipe ? score_batch(job->recipe) : 128;
	int rc = population_check(job->population, err);

	*l = (struct ladder){ .job = job, .band = c && c->band.models ? &c->band : NULL };
	if (!rc)
		rc = check_requests(job, err);
	if (!rc)
		rc = split_rows(l, err);
	if (!rc)
		rc = session_open(job->live->graph,
				  &(struct session_options){ .batch = batch, .threads = (unsigned)job->threads },
				  &l->session, err);
	if (!rc)
		rc = predictions_of(l->session, job->live, job->population->source, l->retained, &l->retained_before,
				    err);
	if (!rc)
		rc = predictions_of(l->session, job->live, job->population->source, job->population->heldout,
				    &l->heldout_before, err);
	l->requests = mem_alloc((job->request_count + 1) * sizeof(*l->requests));
	return rc;
}

void ladder_fini(struct ladder *l)
{
	for (size_t i = 0; l->requests && i < l->job->request_count; i++)
		subject_frame_fini(&l->requests[i].frame);
	mem_free(l->requests);
	mem_free(l->forget_rows);
	mem_free(l->retained_rows);
	mem_free(l->scored_rows);
	mem_free(l->tested);
	predictions_fini(&l->retained_before);
	predictions_fini(&l->heldout_before);
	importance_fini(&l->all);
	importance_fini(&l->forget_importance);
	session_free(l->session);
}

/* Retraining that is quick enough comes first and alone. */
static bool exact_only(const struct erasure_job *job)
{
	const struct calibration *c = job->calibration;

	if (job->exact_only)
		return true;
	return job->recipe && c && c->has_recipe && c->retrain_seconds < job->policy->retrain_first_below_s;
}

static size_t choose_rungs(const struct erasure_job *job, const struct method *rungs[POLICY_MAX_RUNGS])
{
	bool only = exact_only(job);
	size_t n = 0;

	for (size_t i = 0; i < job->policy->rungs; i++)
		if (!only || job->policy->ladder[i]->class == METHOD_EXACT)
			rungs[n++] = job->policy->ladder[i];
	return n;
}

static bool has_recipe_rung(const struct policy *p)
{
	for (size_t i = 0; i < p->rungs; i++)
		if (p->ladder[i]->class == METHOD_EXACT)
			return true;
	return false;
}

static void count_verdicts(const struct erasure_attempt *a, size_t count, size_t *passes, size_t *fails)
{
	*passes = *fails = 0;
	for (size_t i = 0; i < count; i++) {
		*passes += verdict_is_pass(a->findings[i].verdict);
		*fails += verdict_is_fail(a->findings[i].verdict);
	}
}

/* Whether the attempt may be published, and which requests that closes. */
static void decide(const struct ladder *l, struct erasure_attempt *a)
{
	const struct policy *policy = l->job->policy;
	size_t passes, fails, count = l->job->request_count;

	count_verdicts(a, count, &passes, &fails);
	if (a->method->class == METHOD_EXACT) {
		a->accepted = a->utility.pass;
	} else {
		a->accepted = fails == 0 && (passes > 0 || policy->publish_inconclusive);
	}
	if (!a->accepted && fails)
		snprintf(a->reason, sizeof(a->reason), "%zu of %zu requests: the verdict is a fail", fails, count);
	else if (!a->accepted)
		snprintf(a->reason, sizeof(a->reason), "no request's verdict is a pass");
	for (size_t i = 0; a->accepted && i < count; i++)
		a->findings[i].closes = a->method->class == METHOD_EXACT || policy->publish_inconclusive ||
					verdict_is_pass(a->findings[i].verdict);
}

static int attempt(struct ladder *l, const struct method *method, struct erasure_result *r, struct exp_error *err)
{
	struct erasure_attempt *a = &r->attempts[r->attempt_count++];
	struct params *params = NULL;
	int rc;

	a->method = method;
	a->seed = l->job->seed;
	a->parameters = json_object();
	rc = ladder_edit(l, a, &params, err);
	if (!rc && params)
		rc = ladder_verify(l, params, a, err);
	if (rc == EXP_ENONFINITE && a->ran && method->class != METHOD_EXACT) {
		snprintf(a->reason, sizeof(a->reason), "the edited model gives numbers that are not finite");
		rc = 0;
	} else if (!rc && params) {
		decide(l, a);
	}
	if (!rc && a->accepted) {
		r->accepted = (int)r->attempt_count - 1;
		r->params = params;
		params = NULL;
	}
	params_free(params);
	return rc;
}

/* Exact work leaves nothing of the old importance; an approximate edit moves it. */
static int bring_up_to_date(struct ladder *l, struct erasure_result *r, struct exp_error *err)
{
	struct watch_stage stage;
	const struct progress *progress = watch_stage_init(&stage, l->job->watch, "refreshing");
	struct upkeep_job upkeep = {
		.forget = &l->forget_importance,
		.before = l->job->live,
		.after = r->params,
		.source = l->job->population->source,
		.retained = l->retained,
		.refresh_rows = (size_t)l->job->policy->refresh_rows,
		.seed = l->job->seed,
		.progress = progress,
	};
	int rc;

	if (r->attempts[r->accepted].method->class == METHOD_EXACT)
		return importance_compute(l->session, r->params, &l->retained_source.source, progress, &r->importance,
					  err);
	rc = ladder_importances(l, &upkeep.all, err);
	return rc ? rc : upkeep_importance(&upkeep, l->session, &r->importance, err);
}

static int run(struct ladder *l, struct erasure_result *r, struct exp_error *err)
{
	const struct method *rungs[POLICY_MAX_RUNGS];
	size_t count = choose_rungs(l->job, rungs);
	int rc = ladder_verify_before(l, err);

	for (size_t i = 0; !rc && i < count && r->accepted < 0; i++)
		rc = attempt(l, rungs[i], r, err);
	if (!rc && r->accepted >= 0)
		rc = bring_up_to_date(l, r, err);
	return rc;
}

int erasure_run(const struct erasure_job *job, struct erasure_result *out, struct exp_error *err)
{
	struct erasure_result r = { .accepted = -1, .request_count = job->request_count };
	struct ladder l = { .job = job };
	int rc = 0;

	if (job->exact_only && !has_recipe_rung(job->policy))
		return error_set(err, EXP_EINVAL, "the policy %s has no exact method in its ladder", job->policy->name);
	rc = ladder_init(&l, job, err);
	if (!rc)
		rc = run(&l, &r, err);
	ladder_fini(&l);
	if (rc)
		erasure_result_fini(&r);
	else
		*out = r;
	return rc;
}

static void attempt_fini(struct erasure_attempt *a, size_t requests)
{
	for (size_t i = 0; a->findings && i < requests; i++)
		json_decref(a->findings[i].evidence);
	mem_free(a->findings);
	json_decref(a->parameters);
}

void erasure_result_fini(struct erasure_result *r)
{
	for (size_t i = 0; i < r->attempt_count; i++)
		attempt_fini(&r->attempts[i], r->request_count);
	params_free(r->params);
	importance_fini(&r->importance);
	*r = (struct erasure_result){ .accepted = -1 };
}

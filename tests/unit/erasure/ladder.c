/*
 * Whole jobs over real people and a network that knows them by heart: a few references, few epochs, real weights.
 */
#include "erasure/ladder.h"

#include <math.h>

#include "tests/unit/verify/people_fixture.h"

struct fixture {
	struct people people;
	struct policy policy;
	struct calibration calibration;
	struct scores scores;
	struct importance importance;
	size_t person[PEOPLE_TRAIN]; /* rows of requests, one after the other */
	struct row_list requests[8];
	struct erasure_job job;
};

/* Few references where only the course of a job matters; as many as a verdict needs where it does. */
static const char *const quick =
    "{\"rounds\": 4, \"folds\": 3, \"min_power\": 0.3, \"retrain_first_below_s\": 0, \"neighbours\": 2, "
    "\"pseudo_subjects\": 60, \"sweep_points\": 8}";
static const char *const thorough = "{\"rounds\": 12, \"folds\": 5, \"retrain_first_below_s\": 0, \"neighbours\": 2}";

static void load_policy(struct policy *p, const char *text)
{
	json_t *json = NULL;
	struct exp_error err = { 0 };

	cr_assert_eq(json_parse(text, strlen(text), &json, NULL), 0);
	cr_assert_eq(policy_from_json(json, "", p, &err), 0, "%s", err.message);
	json_decref(json);
}

static void calibrate_people(struct fixture *f, const struct recipe *recipe, struct calibration *out)
{
	struct calibrate_job job = { .policy = &f->policy,
				     .population = &f->people.population,
				     .recipe = recipe,
				     .served = f->people.served,
				     .seed = 3,
				     .threads = 2,
				     .folder = f->people.folder };
	struct exp_error err = { 0 };

	cr_assert_eq(calibrate(&job, out, &err), 0, "%s", err.message);
}

static void request(struct fixture *f, size_t i, int32_t unit)
{
	size_t *rows = i ? (size_t *)f->requests[i - 1].index + f->requests[i - 1].count : f->person, n = 0;

	for (size_t k = 0; k < PEOPLE_TRAIN; k++)
		if (f->people.train_units[k] == unit)
			rows[n++] = f->people.train[k];
	f->requests[i] = (struct row_list){ rows, n };
	f->job.request_count = i + 1;
}

static void set_up(struct fixture *f, const char *policy)
{
	char *path;

	people_open(&f->people, 4);
	load_policy(&f->policy, policy);
	calibrate_people(f, &f->people.recipe, &f->calibration);
	path = calibrate_scores_path(f->people.folder);
	cr_assert_eq(scores_load(path, &f->scores, NULL), 0);
	mem_free(path);
	path = calibrate_importance_path(f->people.folder);
	cr_assert_eq(importance_load(f->people.graph, path, &f->importance, NULL), 0);
	mem_free(path);
	f->job = (struct erasure_job){ .policy = &f->policy,
				       .population = &f->people.population,
				       .live = f->people.served,
				       .initial = f->people.served,
				       .recipe = &f->people.recipe,
				       .importance = &f->importance,
				       .scores = &f->scores,
				       .calibration = &f->calibration,
				       .requests = f->requests,
				       .seed = 77,
				       .threads = 2 };
}

static void tear_down(struct fixture *f)
{
	importance_fini(&f->importance);
	scores_fini(&f->scores);
	people_close(&f->people);
}

static struct erasure_result run(struct fixture *f)
{
	struct exp_error err = { 0 };
	struct erasure_result r;

	cr_assert_eq(erasure_run(&f->job, &r, &err), 0, "%s", err.message);
	return r;
}

Test(ladder, escalates_from_dampening_to_retraining)
{
	struct fixture f;
	struct erasure_result r;
	const struct erasure_attempt *last;
	json_t *evidence;

	set_up(&f, quick);
	request(&f, 0, 5);
	r = run(&f);
	cr_assert_geq(r.accepted, 0, "%s", r.attempts[1].utility.reason);
	last = &r.attempts[r.accepted];
	cr_assert(last->accepted && last->findings[0].closes);
	cr_assert(verdict_is_pass(last->findings[0].verdict));
	cr_assert_eq(r.importance.rows, PEOPLE_TRAIN - 4);
	cr_assert_neq(memcmp(r.params->values, f.people.served->values, r.params->count * sizeof(float)), 0);
	if (r.accepted == 1)
		cr_assert(!r.attempts[0].accepted && r.attempts[0].reason[0]);
	evidence = last->findings[0].evidence;
	cr_assert_str_eq(json_string_value(json_object_get(evidence, "verdict")),
			 verdict_names[last->findings[0].verdict]);
	cr_assert(json_is_object(json_object_get(evidence, "before")));
	cr_assert(json_is_object(json_object_get(evidence, "after")));
	cr_assert(json_is_object(json_object_get(evidence, "utility")));
	cr_assert_eq(last->findings[0].numbers.references, 4);
	erasure_result_fini(&r);
	tear_down(&f);
}

/* Exact weights are those of training on the retained rows with the committed seed, and nothing else. */
Test(ladder, exact_work_is_a_retraining_with_the_committed_seed)
{
	struct fixture f;
	struct erasure_result r;
	struct source_subset retained;
	size_t rows[PEOPLE_TRAIN], n;
	struct params *p = NULL;

	set_up(&f, quick);
	request(&f, 0, 9);
	f.job.exact_only = true;
	r = run(&f);
	cr_assert_eq(r.attempt_count, 1);
	cr_assert_eq(r.attempts[0].findings[0].verdict, VERDICT_PASS_BY_CONSTRUCTION, "%s",
		     r.attempts[0].utility.reason);
	n = row_list_without(f.people.population.train, f.requests[0], rows);
	source_subset_init(&retained, &f.people.source.source, rows, n);
	cr_assert_eq(params_clone(f.people.served, &p), 0);
	cr_assert_eq(train_initialize(&f.people.recipe, 77, f.people.served, p, NULL), 0);
	cr_assert_eq(train_run(f.people.session, &f.people.recipe, 77, &retained.source, p, NULL, NULL), 0);
	cr_assert_eq(memcmp(p->values, r.params->values, p->count * sizeof(float)), 0);
	params_free(p);
	erasure_result_fini(&r);
	tear_down(&f);
}

Test(ladder, quick_retraining_comes_first_and_alone)
{
	struct fixture f;
	struct erasure_result r;

	set_up(&f, quick);
	request(&f, 0, 2);
	f.policy.retrain_first_below_s = 1000;
	r = run(&f);
	cr_assert_eq(r.attempt_count, 1);
	cr_assert_str_eq(r.attempts[0].method->name, "retrain");
	erasure_result_fini(&r);
	tear_down(&f);
}

/* A no-op is planted by importances so large that nothing is ever selected. Whoever asks, it is never published. */
Test(ladder, a_planted_no_op_never_passes)
{
	struct fixture f;
	size_t residual = 0;

	set_up(&f, thorough);
	for (size_t i = 0; i < f.importance.sum->count; i++)
		f.importance.sum->values[i] = 1e20f;
	f.policy.rungs = 1;
	for (int32_t unit = 0; unit < 12; unit++) {
		struct erasure_result r;
		const struct erasure_finding *finding;

		request(&f, 0, unit);
		r = run(&f);
		finding = &r.attempts[0].findings[0];
		cr_assert_eq(r.attempts[0].edited, 0);
		cr_assert_eq(r.accepted, -1);
		cr_assert_null(r.params);
		cr_assert(!verdict_is_pass(finding->verdict) && !finding->closes);
		cr_assert_eq(finding->numbers.z_ppm, finding->numbers.before_z_ppm);
		residual += finding->verdict == VERDICT_RESIDUAL;
		erasure_result_fini(&r);
	}
	cr_assert_geq(residual, 4, "most of these people are seen plainly");
	tear_down(&f);
}

/* Not even where the policy publishes what is inconclusive: a fail stays a fail. */
Test(ladder, a_fail_is_never_published)
{
	struct fixture f;
	size_t fails = 0;

	set_up(&f, thorough);
	for (size_t i = 0; i < f.importance.sum->count; i++)
		f.importance.sum->values[i] = 1e20f;
	f.policy.rungs = 1;
	f.policy.publish_inconclusive = true;
	for (int32_t unit = 0; unit < 12; unit++) {
		struct erasure_result r;
		bool fail;

		request(&f, 0, unit);
		r = run(&f);
		fail = verdict_is_fail(r.attempts[0].findings[0].verdict);
		cr_assert_eq(r.accepted, fail ? -1 : 0);
		cr_assert_eq(r.attempts[0].findings[0].closes, !fail);
		fails += fail;
		erasure_result_fini(&r);
	}
	cr_assert(fails > 2 && fails < 12, "%zu", fails);
	tear_down(&f);
}

/* With a margin of nothing, no search may cost a single row's prediction, on either side. */
Test(ladder, the_guard_bounds_the_search)
{
	struct fixture f;
	size_t edits = 0;

	set_up(&f, quick);
	f.policy.rungs = 1;
	f.policy.utility.guard_margin = 0;
	for (int32_t unit = 0; unit < 12; unit++) {
		struct erasure_result r;

		request(&f, 0, unit);
		r = run(&f);
		cr_assert_geq(r.attempts[0].utility.retained_change.estimate, 0);
		cr_assert_geq(r.attempts[0].utility.heldout_change.estimate, 0);
		edits += r.attempts[0].edited > 0;
		erasure_result_fini(&r);
	}
	cr_assert_gt(edits, 3, "it is bounded, not idle");
	tear_down(&f);
}

/* A recipe that learns nothing gives a model at chance: exact by construction, useless, and not published. */
Test(ladder, a_collapsed_model_never_passes)
{
	struct fixture f;
	struct recipe broken;
	struct erasure_result r;

	set_up(&f, quick);
	request(&f, 0, 3);
	broken = f.people.recipe;
	broken.learning_rate = 1e-12;
	f.job.recipe = &broken;
	f.job.exact_only = true;
	r = run(&f);
	cr_assert_eq(r.accepted, -1);
	cr_assert_eq(r.attempts[0].findings[0].verdict, VERDICT_UTILITY);
	cr_assert_gt(strlen(r.attempts[0].findings[0].reason), 10);
	erasure_result_fini(&r);
	tear_down(&f);
}

Test(ladder, serves_several_requests_as_one_and_judges_each)
{
	struct fixture f;
	struct erasure_result r;

	set_up(&f, quick);
	for (size_t i = 0; i < 3; i++)
		request(&f, i, (int32_t)(4 * i + 1));
	r = run(&f);
	cr_assert_geq(r.accepted, 0, "%s", r.attempts[1].utility.reason);
	cr_assert_eq(r.importance.rows, PEOPLE_TRAIN - 12);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(r.attempts[0].findings[i].numbers.rows, 4);
		cr_assert_not_null(r.attempts[0].findings[i].evidence);
	}
	cr_assert_neq(r.attempts[0].findings[0].numbers.before_z_ppm, r.attempts[0].findings[1].numbers.before_z_ppm);
	erasure_result_fini(&r);
	tear_down(&f);
}

/* The same job twice, on one thread and on two: the same weights and the same numbers. */
Test(ladder, is_a_function_of_its_inputs)
{
	struct fixture f;
	struct erasure_result a, b;

	set_up(&f, quick);
	request(&f, 0, 7);
	a = run(&f);
	f.job.threads = 1;
	b = run(&f);
	cr_assert_eq(a.accepted, b.accepted);
	cr_assert_eq(memcmp(a.params->values, b.params->values, a.params->count * sizeof(float)), 0);
	cr_assert_eq(memcmp(&a.attempts[0].findings[0].numbers, &b.attempts[0].findings[0].numbers,
			    sizeof(struct evidence_numbers)),
		     0);
	cr_assert_eq(memcmp(a.importance.sum->values, b.importance.sum->values, a.params->count * sizeof(float)), 0);
	erasure_result_fini(&a);
	erasure_result_fini(&b);
	tear_down(&f);
}

Test(ladder, without_a_recipe_nothing_passes_unless_the_policy_says_so)
{
	struct fixture f;
	struct erasure_result r;

	set_up(&f, quick);
	calibrate_people(&f, NULL, &f.calibration);
	cr_assert(!f.calibration.exchangeable && f.calibration.capped[0]);
	f.job.recipe = NULL;
	f.job.scores = NULL;
	request(&f, 0, 5);
	r = run(&f);
	cr_assert_eq(r.accepted, -1);
	cr_assert_eq(r.attempts[0].findings[0].verdict, VERDICT_NOT_EXCHANGEABLE, "%s", r.attempts[0].reason);
	cr_assert(!r.attempts[1].ran);
	cr_assert_not_null(strstr(r.attempts[1].reason, "recipe"));
	erasure_result_fini(&r);
	f.policy.publish_inconclusive = true;
	r = run(&f);
	cr_assert_eq(r.accepted, 0);
	cr_assert(r.attempts[0].findings[0].closes);
	erasure_result_fini(&r);
	tear_down(&f);
}

Test(ladder, refuses_requests_that_cannot_be)
{
	struct fixture f;
	struct exp_error err = { 0 };
	struct erasure_result r;

	set_up(&f, quick);
	f.job.request_count = 0;
	cr_assert_eq(erasure_run(&f.job, &r, &err), EXP_EINVAL);
	request(&f, 0, 5);
	request(&f, 1, 5);
	cr_assert_eq(erasure_run(&f.job, &r, &err), EXP_EINVAL);
	cr_assert_not_null(strstr(err.message, "share"));
	f.requests[0] = (struct row_list){ f.people.heldout, 1 };
	f.job.request_count = 1;
	cr_assert_eq(erasure_run(&f.job, &r, &err), EXP_EINVAL);
	cr_assert_not_null(strstr(err.message, "not live training rows"));
	f.requests[0] = f.people.population.train;
	cr_assert_eq(erasure_run(&f.job, &r, &err), EXP_EINVAL);
	cr_assert_not_null(strstr(err.message, "left"));
	tear_down(&f);
}

static bool cancel(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	(void)done;
	(void)total;
	return strcmp(stage, arg) == 0;
}

Test(ladder, stops_in_every_stage)
{
	static const char *const stages[] = { "scoring", "importance", "ssd", "verifying", "retrain", "refreshing" };
	struct fixture f;

	set_up(&f, quick);
	request(&f, 0, 5);
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		struct watch watch = { cancel, (void *)stages[i] };
		struct exp_error err = { 0 };
		struct erasure_result r;

		f.job.watch = &watch;
		f.job.exact_only = strcmp(stages[i], "retrain") == 0;
		cr_assert_eq(erasure_run(&f.job, &r, &err), EXP_ECANCELLED, "%s: %s", stages[i], err.message);
	}
	tear_down(&f);
}

/* Reference models of real people: the same scores whatever the threads and however often the work was cut off. */
#include "verify/reference.h"

#include <math.h>

#include "tests/unit/verify/people_fixture.h"
#include "verify/fidelity.h"
#include "verify/fold.h"

static struct reference_job job_of(const struct people *p, const char *folder, size_t threads)
{
	struct reference_job job = { .population = &p->population,
				     .recipe = &p->recipe,
				     .served = p->served,
				     .initial = p->initial,
				     .rounds = 3,
				     .folds = 2,
				     .threads = threads,
				     .neighbours = 3,
				     .neighbour_spread = 0.1,
				     .finetune_epochs = 0.25,
				     .seed = 5,
				     .folder = folder };

	return job;
}

static void train(const struct reference_job *job, struct scores *out)
{
	struct exp_error err = { 0 };

	cr_assert_eq(reference_train(job, &err), 0, "%s", err.message);
	cr_assert_eq(scores_load(job->folder, out, &err), 0, "%s", err.message);
	cr_assert(scores_complete(out));
}

static bool same_scores(const struct scores *a, const struct scores *b)
{
	return memcmp(a->values, b->values, a->models * a->columns * STATISTICS * sizeof(float)) == 0;
}

/* Says stop when two models are done. */
static bool stop_at_two(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)total;
	return done >= 2;
}

Test(reference, gives_the_same_scores_for_any_threads_and_interruptions)
{
	struct people p;
	struct scores one, two;
	struct reference_job job;
	struct progress progress = { stop_at_two, NULL };
	struct exp_error err = { 0 };
	char *first, *second;
	int calls = 0, rc;

	people_open(&p, 2);
	first = mem_format("%s/one", p.folder);
	second = mem_format("%s/two", p.folder);
	job = job_of(&p, first, 1);
	train(&job, &one);
	job = job_of(&p, second, 2);
	job.progress = &progress;
	rc = reference_train(&job, &err);
	cr_assert_eq(rc, EXP_ECANCELLED, "%s", err.message);
	cr_assert_eq(scores_load(second, &two, NULL), 0);
	for (size_t m = 0; m < two.models; m++)
		calls += two.done[m];
	cr_assert_geq(calls, 2, "finished models are kept");
	cr_assert_lt(calls, 6);
	scores_fini(&two);
	job.progress = NULL;
	train(&job, &two);
	cr_assert(same_scores(&one, &two));
	scores_fini(&one);
	scores_fini(&two);
	mem_free(first);
	mem_free(second);
	people_close(&p);
}

/* Members score higher than the same rows do under models that left them out: there is something to forget. */
Test(reference, tells_members_apart)
{
	struct people p;
	struct scores s;
	struct reference_job job;
	double in[STATISTICS] = { 0 }, out[STATISTICS] = { 0 };

	people_open(&p, 1);
	job = job_of(&p, p.folder, 2);
	train(&job, &s);
	for (size_t m = 0; m < s.models; m++)
		for (size_t c = 0; c < s.columns; c++)
			for (size_t k = 0; s.fold[c] != FOLD_HELDOUT && k < STATISTICS; k++)
				*(scores_is_out(&s, m, c) ? &out[k] : &in[k]) += (double)scores_at(&s, m, c)[k];
	for (size_t k = 0; k < STATISTICS; k++)
		cr_assert_gt(in[k] - out[k], 0.5 * PEOPLE_TRAIN * 3, "%s", statistic_names[k]);
	for (size_t m = 0; m < s.models; m++) {
		cr_assert_gt(s.behaviour[m].accuracy, s.behaviour[m].heldout_accuracy);
		cr_assert_gt(s.behaviour[m].churn, 0);
	}
	scores_fini(&s);
	people_close(&p);
}

Test(reference, scores_tested_models_in_the_tables_columns)
{
	size_t rows[] = { 0, 0, 533 };
	struct people p;
	struct scores s;
	struct reference_job job;
	struct reference_scorer how;
	struct scored_model model;
	float *out;

	people_open(&p, 1);
	job = job_of(&p, p.folder, 2);
	train(&job, &s);
	how = (struct reference_scorer){ &s, p.population.source, &p.recipe };
	rows[0] = p.train[1];
	rows[1] = p.heldout[1];
	model = (struct scored_model){ p.served, p.population.train, 1 };
	out = mem_alloc(s.columns * STATISTICS * sizeof(*out));
	cr_assert_eq(reference_score(p.session, &how, &model, (struct row_list){ rows, 3 }, out, NULL), 0);
	for (size_t c = 0; c < s.columns; c++)
		for (size_t k = 0; k < STATISTICS; k++)
			cr_assert_eq(!isnan(out[c * STATISTICS + k]), s.rows[c] == rows[0] || s.rows[c] == rows[1]);
	mem_free(out);
	scores_fini(&s);
	people_close(&p);
}

static struct fidelity measure(const struct people *p, const struct params *served)
{
	struct fidelity_job job = { .population = &p->population,
				    .recipe = &p->recipe,
				    .served = served,
				    .initial = p->initial,
				    .models = 3,
				    .seed = 9,
				    .limits = { 0.05, 1.5, 1 } };
	struct fidelity f;
	struct exp_error err = { 0 };

	cr_assert_eq(fidelity_measure(&job, p->session, &f, &err), 0, "%s", err.message);
	return f;
}

Test(fidelity, accepts_a_model_of_the_recipe)
{
	struct people p;
	struct fidelity f, back;
	json_t *json;

	people_open(&p, 1);
	f = measure(&p, p.served);
	cr_assert(f.exchangeable, "%s", f.reason);
	cr_assert_eq(f.band.models, 3);
	cr_assert_gt(f.retrain_seconds, 0);
	json = fidelity_to_json(&f);
	cr_assert_eq(fidelity_from_json(json, &back, NULL), 0);
	cr_assert_eq(back.band.high.loss, f.band.high.loss);
	cr_assert_eq(back.served.accuracy, f.served.accuracy);
	cr_assert(back.exchangeable);
	json_decref(json);
	people_close(&p);
}

/* The fresh weights of an untrained model are nothing that the recipe gives. */
Test(fidelity, refuses_a_model_of_another_making)
{
	struct people p;
	struct fidelity f;
	struct params *fresh = NULL;

	people_open(&p, 1);
	cr_assert_eq(params_clone(p.initial, &fresh), 0);
	cr_assert_eq(train_initialize(&p.recipe, 4, p.initial, fresh, NULL), 0);
	f = measure(&p, fresh);
	cr_assert(!f.exchangeable);
	cr_assert_not_null(strstr(f.reason, "training accuracy"));
	params_free(fresh);
	people_close(&p);
}

Test(fidelity, looks_at_the_references_heldout_rows)
{
	struct people p;
	struct scores s;
	struct reference_job job;
	struct fidelity f;
	struct fidelity_limits limits = { 0.05, 1.5, 1 };
	float *served;

	people_open(&p, 1);
	job = job_of(&p, p.folder, 2);
	train(&job, &s);
	f = measure(&p, p.served);
	served = mem_alloc(s.columns * STATISTICS * sizeof(*served));
	memcpy(served, scores_at(&s, 0, 0), s.columns * STATISTICS * sizeof(*served));
	cr_assert_eq(fidelity_check_references(&s, served, &limits, &f, NULL), 0);
	cr_assert_eq(f.band.models, 3 + 6);
	cr_assert_lt(fabs(f.heldout_z[STATISTIC_CONFIDENCE]), 1.5);
	for (size_t i = 0; i < s.columns; i++)
		served[i * STATISTICS + STATISTIC_GRADIENT] += 50;
	f.exchangeable = true;
	cr_assert_eq(fidelity_check_references(&s, served, &limits, &f, NULL), 0);
	cr_assert(!f.exchangeable);
	cr_assert_not_null(strstr(f.reason, "references"));
	mem_free(served);
	scores_fini(&s);
	people_close(&p);
}

/* Registration's work: what it finds, how it goes on after a kill, when it starts over. */
#include "erasure/calibrate.h"

#include <math.h>

#include "base/file.h"
#include "tests/unit/verify/people_fixture.h"

struct fixture {
	struct people people;
	struct policy policy;
	struct calibrate_job job;
};

static void set_up(struct fixture *f)
{
	people_open(&f->people, 4);
	policy_default(&f->policy);
	f->policy.rounds = 3;
	f->policy.folds = 4;
	f->policy.neighbours = 2;
	f->job = (struct calibrate_job){ .policy = &f->policy,
					 .population = &f->people.population,
					 .recipe = &f->people.recipe,
					 .served = f->people.served,
					 .seed = 3,
					 .threads = 2,
					 .folder = f->people.folder };
}

static char *text_of(const struct calibration *c)
{
	json_t *json = calibration_to_json(c);
	struct buf text = { 0 };

	json_write(json, false, &text);
	json_decref(json);
	return buf_take(&text);
}

static char *run(struct fixture *f, struct calibration *c)
{
	struct exp_error err = { 0 };

	cr_assert_eq(calibrate(&f->job, c, &err), 0, "%s", err.message);
	return text_of(c);
}

Test(calibrate, finds_a_baseline_and_controls)
{
	struct fixture f;
	struct calibration c, back;
	char *text, *again;
	json_t *json = NULL;

	set_up(&f);
	text = run(&f, &c);
	cr_assert(c.has_recipe && c.exchangeable, "%s", c.capped);
	cr_assert_eq(c.references, 12);
	cr_assert_eq(c.band.models, 12 + 3);
	cr_assert_eq(c.heldout_subjects, PEOPLE_HELDOUT);
	cr_assert_gt(c.retrain_seconds, 0);
	cr_assert_gt(c.positive_control, c.negative_control);
	cr_assert_lt(fabs(c.heldout_z[STATISTIC_GRADIENT]), 1);
	cr_assert_eq(json_parse(text, strlen(text), &json, NULL), 0);
	cr_assert_eq(calibration_from_json(json, &back, NULL), 0);
	again = text_of(&back);
	cr_assert_str_eq(text, again);
	json_decref(json);
	mem_free(again);
	mem_free(text);
	people_close(&f.people);
}

/* Cancels when the given number of calls of a stage have been made. */
struct stopper {
	const char *stage;
	uint64_t done;
};

static bool stop(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	const struct stopper *s = arg;

	(void)total;
	return strcmp(stage, s->stage) == 0 && done >= s->done;
}

Test(calibrate, goes_on_where_it_stood)
{
	static const struct stopper stops[] = { { "importance", 0 }, { "fidelity", 1 }, { "references", 3 } };
	struct fixture f;
	struct calibration whole, resumed;
	char *expected, *found, *scores;
	char first[48];
	struct exp_error err = { 0 };
	struct scores table;
	size_t done = 0;

	set_up(&f);
	snprintf(first, sizeof(first), "%s/whole", f.people.folder);
	f.job.folder = first;
	expected = run(&f, &whole);
	f.job.folder = f.people.folder;
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		struct watch watch = { stop, (void *)&stops[i] };

		f.job.watch = &watch;
		cr_assert_eq(calibrate(&f.job, &resumed, &err), EXP_ECANCELLED, "%s", stops[i].stage);
	}
	scores = calibrate_scores_path(f.people.folder);
	cr_assert_eq(scores_load(scores, &table, NULL), 0);
	for (size_t m = 0; m < table.models; m++)
		done += table.done[m];
	cr_assert(done >= 3 && done < 12, "%zu", done);
	scores_fini(&table);
	f.job.watch = NULL;
	mem_free(run(&f, &resumed));
	resumed.retrain_seconds = whole.retrain_seconds; /* a measured time is never the same */
	found = text_of(&resumed);
	cr_assert_str_eq(found, expected);
	mem_free(found);
	mem_free(scores);
	mem_free(expected);
	people_close(&f.people);
}

Test(calibrate, starts_over_when_the_setup_changed)
{
	struct fixture f;
	struct calibration c;
	char *scores;
	struct scores table;

	set_up(&f);
	mem_free(run(&f, &c));
	f.policy.neighbours = 4;
	f.people.population.train.count -= 4; /* somebody's rows are gone */
	mem_free(run(&f, &c));
	cr_assert_eq(c.train_rows, PEOPLE_TRAIN - 4);
	scores = calibrate_scores_path(f.people.folder);
	cr_assert_eq(scores_load(scores, &table, NULL), 0);
	cr_assert_eq(table.neighbours, 4);
	cr_assert_eq(table.columns, PEOPLE_TRAIN - 4 + PEOPLE_HELDOUT);
	cr_assert(scores_complete(&table));
	scores_fini(&table);
	mem_free(scores);
	people_close(&f.people);
}

Test(calibrate, caps_verdicts_without_a_recipe)
{
	struct fixture f;
	struct calibration c;
	char *text, *path;

	set_up(&f);
	f.job.recipe = NULL;
	f.people.population.heldout.count = 10;
	text = run(&f, &c);
	cr_assert(!c.has_recipe && !c.exchangeable);
	cr_assert_not_null(strstr(c.capped, "recipe"));
	cr_assert_gt(c.served.accuracy, 0.5);
	cr_assert_null(strstr(text, "negative_control"));
	path = calibrate_importance_path(f.people.folder);
	cr_assert(file_exists(path));
	mem_free(path);
	mem_free(text);
	people_close(&f.people);
}

Test(calibrate, refuses_what_does_not_fit)
{
	struct fixture f;
	struct calibration c;
	struct exp_error err = { 0 };
	struct source narrow;

	set_up(&f);
	f.people.population.heldout.count = 20;
	cr_assert_eq(calibrate(&f.job, &c, &err), EXP_EINVAL);
	cr_assert_not_null(strstr(err.message, "held-out subjects"));
	f.people.population.heldout.count = PEOPLE_HELDOUT;
	narrow = f.people.source.source;
	narrow.row_floats--;
	f.people.population.source = &narrow;
	cr_assert_eq(calibrate(&f.job, &c, &err), EXP_ESHAPE);
	people_close(&f.people);
}

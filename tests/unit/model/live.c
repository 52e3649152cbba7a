#include "model/live.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"
#include "model/predict.h"
#include "tests/unit/model/fixture.h"

static struct fixture f;
static struct models *models;

static void init(void)
{
	fixture_init(&f);
	models = models_new(f.root);
}

static void fini(void)
{
	models_free(models);
	fixture_fini(&f);
}

TestSuite(live, .init = init, .fini = fini);

static struct models_drained drain(const char *name, int64_t version, int64_t timeout_ms)
{
	struct models_drained d = { 0 };

	cr_assert_eq(models_drain(models, name, version, timeout_ms, &d, NULL), 0);
	return d;
}

Test(live, takes_the_live_version_only)
{
	struct exp_error err = { 0 };
	struct snapshot *s;

	cr_assert_eq(models_take(models, "a", 0, &s, &err), EXP_ENOTFOUND);
	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	models_swap(models, fixture_snapshot(&f, "b", 2), 5);
	cr_assert_eq(models_take(models, "b", 0, &s, NULL), 0);
	cr_assert_eq(s->version, 5);
	cr_assert_str_eq(s->model, "b");
	models_give(models, s);
	cr_assert_eq(models_take(models, "a", 1, &s, NULL), 0);
	models_give(models, s);
	models_swap(models, fixture_snapshot(&f, "a", 3), 2);
	cr_assert_eq(models_take(models, "a", 1, &s, &err), EXP_ENOTFOUND);
	cr_assert_str_eq(err.message, "version 1 is not the one that is served");
	cr_assert_eq(models_take(models, "a", 2, &s, NULL), 0);
	models_give(models, s);
}

Test(live, a_held_version_drains_when_it_is_given_back)
{
	struct exp_error err = { 0 };
	struct snapshot *old, *new;
	float *before = fixture_outputs(&f, 1), *outputs = calloc(f.golden.classes, sizeof(*outputs));
	int64_t served;

	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	cr_assert_eq(models_take(models, "a", 0, &old, NULL), 0);
	cr_assert_eq(models_drain(models, "a", 1, 0, &(struct models_drained){ 0 }, &err), EXP_ECONFLICT);
	models_swap(models, fixture_snapshot(&f, "a", 2), 2);
	cr_assert_not(drain("a", 1, 20).drained);
	cr_assert_eq(predict(old, f.golden.inputs, 1, outputs, NULL), 0, "a reader keeps its version");
	for (size_t k = 0; k < f.golden.classes; k++)
		cr_assert_float_eq(outputs[k], before[k], 1e-5f);
	served = atomic_load(&old->last_served_ms);
	cr_assert_eq(drain("a", 1, 0).last_served_ms, served);
	models_give(models, old);
	cr_assert(drain("a", 1, 0).drained);
	cr_assert_eq(models_take(models, "a", 0, &new, NULL), 0);
	cr_assert_eq(new->version, 2);
	models_give(models, new);
	free(before);
	free(outputs);
}

Test(live, drain_gives_the_last_service_once_and_then_forgets)
{
	float *outputs = calloc(f.golden.classes, sizeof(*outputs));
	struct models_drained d;
	struct snapshot *s;
	int64_t served;

	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	cr_assert_eq(models_take(models, "a", 0, &s, NULL), 0);
	cr_assert_eq(predict(s, f.golden.inputs, 1, outputs, NULL), 0);
	served = atomic_load(&s->last_served_ms);
	models_give(models, s);
	models_swap(models, fixture_snapshot(&f, "a", 2), 2);
	d = drain("a", 1, 1000);
	cr_assert(d.drained);
	cr_assert_eq(d.last_served_ms, served);
	cr_assert_gt(served, 0);
	d = drain("a", 1, 1000);
	cr_assert(d.drained);
	cr_assert_eq(d.last_served_ms, 0);
	cr_assert(drain("nobody", 3, 1000).drained);
	free(outputs);
}

Test(live, publishing_the_live_version_again_changes_nothing)
{
	struct snapshot *first, *again;

	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	cr_assert_eq(models_take(models, "a", 0, &first, NULL), 0);
	models_swap(models, fixture_snapshot(&f, "a", 2), 1);
	cr_assert_eq(models_take(models, "a", 0, &again, NULL), 0);
	cr_assert_eq(first, again);
	models_give(models, first);
	models_give(models, again);
}

Test(live, a_withdrawn_model_is_not_served)
{
	struct snapshot *s;

	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	models_withdraw(models, "a");
	models_withdraw(models, "a");
	models_withdraw(models, "nobody");
	cr_assert_eq(models_take(models, "a", 0, &s, NULL), EXP_ENOTFOUND);
	cr_assert(drain("a", 1, 1000).drained);
}

static void note_name(const struct snapshot *s, void *arg)
{
	buf_format(arg, "%s:%lld ", s->model, (long long)s->version);
}

Test(live, each_goes_by_name)
{
	struct buf names = { 0 };

	models_swap(models, fixture_snapshot(&f, "b", 1), 1);
	models_swap(models, fixture_snapshot(&f, "c", 1), 1);
	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	models_swap(models, fixture_snapshot(&f, "b", 1), 2);
	models_each(models, note_name, &names);
	cr_assert_str_eq(names.data, "a:1 b:2 c:1 ");
	buf_fini(&names);
}

static void give_later(void *arg)
{
	models_give(models, arg);
}

Test(live, drain_wakes_for_the_last_reader)
{
	struct thread t = { 0 };
	struct snapshot *one, *two;

	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	cr_assert_eq(models_take(models, "a", 0, &one, NULL), 0);
	cr_assert_eq(models_take(models, "a", 0, &two, NULL), 0);
	models_swap(models, fixture_snapshot(&f, "a", 2), 2);
	models_give(models, one);
	cr_assert_not(drain("a", 1, 0).drained);
	cr_assert_eq(thread_start(&t, "giver", give_later, two), 0);
	cr_assert(drain("a", 1, 60000).drained);
	thread_join(&t);
}

enum { VARIANTS = 6, READERS = 4, SWAPS = 200 };

struct reader {
	struct thread thread;
	float **expected; /* [VARIANTS] outputs of each */
	atomic_bool *stop;
	long served;
	int wrong;
};

/* Held weights may round otherwise in the last bit; variants differ by far more. */
static bool differs(const float *outputs, const float *expected, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!(fabsf(outputs[i] - expected[i]) < 1e-5f))
			return true;
	return false;
}

/* A version is variant version % VARIANTS: every answer must be wholly that version's, and versions must not go back.
 */
static void read_often(void *arg)
{
	size_t count = f.golden.rows * f.golden.classes;
	float *outputs = calloc(count, sizeof(*outputs));
	struct reader *r = arg;
	int64_t newest = 0;

	do {
		struct snapshot *s;

		if (models_take(models, "a", 0, &s, NULL)) {
			r->wrong++;
			continue;
		}
		r->wrong += s->version < newest;
		newest = s->version;
		r->wrong += predict(s, f.golden.inputs, f.golden.rows, outputs, NULL) != 0;
		r->wrong += differs(outputs, r->expected[s->version % VARIANTS], count);
		models_give(models, s);
		r->served++;
	} while (!atomic_load(r->stop));
	free(outputs);
}

Test(live, no_reader_sees_a_gap_or_a_mixture)
{
	struct reader readers[READERS] = { 0 };
	float *expected[VARIANTS];
	atomic_bool stop = false;

	for (int v = 0; v < VARIANTS; v++)
		expected[v] = fixture_outputs(&f, v);
	models_swap(models, fixture_snapshot(&f, "a", 1), 1);
	for (int i = 0; i < READERS; i++) {
		readers[i].expected = expected;
		readers[i].stop = &stop;
		cr_assert_eq(thread_start(&readers[i].thread, "reader", read_often, &readers[i]), 0);
	}
	for (int64_t version = 2; version <= SWAPS; version++) {
		models_swap(models, fixture_snapshot(&f, "a", (int)(version % VARIANTS)), version);
		cr_expect(drain("a", version - 1, 60000).drained);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++) {
		thread_join(&readers[i].thread);
		cr_assert_eq(readers[i].wrong, 0);
		cr_assert_gt(readers[i].served, 0);
	}
	for (int v = 0; v < VARIANTS; v++)
		free(expected[v]);
}

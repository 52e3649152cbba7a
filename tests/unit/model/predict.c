#include "model/predict.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tests/unit/model/fixture.h"

static struct fixture f;
static struct snapshot *snapshot;

static void init(void)
{
	fixture_init(&f);
	snapshot = fixture_snapshot(&f, "m", 0);
}

static void fini(void)
{
	snapshot_free(snapshot);
	fixture_fini(&f);
}

TestSuite(predict, .init = init, .fini = fini);

/* Batches are of 3 rows here; the golden rows are what PyTorch computed. */
Test(predict, any_number_of_rows)
{
	float *outputs = calloc(f.golden.rows * f.golden.classes, sizeof(*outputs));

	for (size_t n = 0; n <= f.golden.rows; n++) {
		memset(outputs, 0, f.golden.rows * f.golden.classes * sizeof(*outputs));
		cr_assert_eq(predict(snapshot, f.golden.inputs, n, outputs, NULL), 0);
		golden_compare("mlp_logits", "outputs", outputs, f.golden.outputs, n * f.golden.classes, 1e-5);
		for (size_t i = n * f.golden.classes; i < f.golden.rows * f.golden.classes; i++)
			cr_assert_eq(outputs[i], 0.0f);
	}
	free(outputs);
}

static int64_t fixed_time(void)
{
	return 1234567;
}

Test(predict, marks_the_time_of_service)
{
	float *outputs = calloc(f.golden.classes, sizeof(*outputs));

	cr_assert_eq(atomic_load(&snapshot->last_served_ms), 0);
	clock_set_source(fixed_time);
	cr_assert_eq(predict(snapshot, f.golden.inputs, 1, outputs, NULL), 0);
	clock_set_source(NULL);
	cr_assert_eq(atomic_load(&snapshot->last_served_ms), 1234567);
	free(outputs);
}

Test(predict, outputs_that_are_not_finite_are_an_error)
{
	float *inputs = calloc(f.golden.row_floats, sizeof(*inputs)),
	      *outputs = calloc(f.golden.classes, sizeof(*outputs));
	struct exp_error err = { 0 };

	inputs[0] = INFINITY;
	cr_assert_eq(predict(snapshot, inputs, 1, outputs, &err), EXP_ENONFINITE);
	cr_assert(err.message[0]);
	free(inputs);
	free(outputs);
}

struct caller {
	struct thread thread;
	const float *expected;
	int wrong;
};

/* Two sessions, six callers: everybody waits for a turn and nobody gets another's rows. */
static void call_often(void *arg)
{
	struct caller *c = arg;
	float *outputs = calloc(f.golden.rows * f.golden.classes, sizeof(*outputs));

	for (size_t i = 0; i < 300; i++) {
		size_t first = i % f.golden.rows, n = f.golden.rows - first;

		if (predict(snapshot, f.golden.inputs + first * f.golden.row_floats, n, outputs, NULL))
			c->wrong++;
		for (size_t k = 0; k < n * f.golden.classes; k++) {
			float d = outputs[k] - c->expected[first * f.golden.classes + k];

			c->wrong += d > 1e-4f || d < -1e-4f;
		}
	}
	free(outputs);
}

Test(predict, more_callers_than_sessions)
{
	float *expected = fixture_outputs(&f, 0);
	struct caller callers[6] = { 0 };

	for (int i = 0; i < 6; i++) {
		callers[i].expected = expected;
		cr_assert_eq(thread_start(&callers[i].thread, "caller", call_often, &callers[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		thread_join(&callers[i].thread);
		cr_assert_eq(callers[i].wrong, 0);
	}
	free(expected);
}

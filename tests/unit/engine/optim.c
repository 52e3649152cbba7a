#include "engine/optim.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/file.h"
#include "base/mem.h"

enum { COUNT = 5, CASES = 6, STEPS = 7 };

static json_t *load_golden(void)
{
	struct buf text = { 0 };
	json_t *golden = NULL;

	cr_assert_eq(file_read(GOLDEN "/optim.json", 1 << 20, &text, NULL), 0);
	cr_assert_eq(json_parse(text.data, text.size, &golden, NULL), 0);
	buf_fini(&text);
	return golden;
}

static void read_floats(const json_t *from, float out[COUNT])
{
	cr_assert_eq(json_array_size(from), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		out[i] = (float)json_number_value(json_array_get(from, i));
}

static void follow(const json_t *golden, const json_t *one)
{
	const json_t *gradients = json_object_get(golden, "gradients"), *trace = json_object_get(one, "values");
	float values[COUNT], gradient[COUNT], expected[COUNT];
	struct recipe recipe;
	struct optim o;

	cr_assert_eq(recipe_from_json(json_object_get(one, "recipe"), "", &recipe, NULL), 0);
	cr_assert_eq(optim_init(&o, &recipe, COUNT), 0);
	read_floats(json_object_get(golden, "start"), values);
	cr_assert_eq(json_array_size(gradients), STEPS);
	for (size_t step = 0; step < STEPS; step++) {
		read_floats(json_array_get(gradients, step), gradient);
		read_floats(json_array_get(trace, step), expected);
		optim_step(&o, values, gradient);
		for (size_t i = 0; i < COUNT; i++)
			cr_assert_float_eq(values[i], expected[i], 2e-6f * (1 + fabsf(expected[i])),
					   "step %zu, value %zu: %.9g, not %.9g", step, i, (double)values[i],
					   (double)expected[i]);
	}
	optim_fini(&o);
}

/* tools/golden/make_optim_goldens.py */
Test(optim, follows_pytorch)
{
	json_t *golden = load_golden(), *cases = json_object_get(golden, "cases");

	cr_assert_eq(json_array_size(cases), CASES);
	for (size_t i = 0; i < CASES; i++)
		follow(golden, json_array_get(cases, i));
	json_decref(golden);
}

/* With one constant gradient AdamW's corrected moments are g and g^2 at every step, so each moves by the rate. */
Test(optim, adamw_moves_by_the_rate_under_a_constant_gradient)
{
	struct recipe r = {
		.optimizer = RECIPE_ADAMW, .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-12
	};
	float value = 1, gradient = -3;
	struct optim o;

	cr_assert_eq(optim_init(&o, &r, 1), 0);
	for (int step = 1; step <= 50; step++) {
		optim_step(&o, &value, &gradient);
		cr_assert_float_eq(value, 1 + 0.01 * step, 1e-5);
	}
	optim_fini(&o);
}

Test(optim, memory_is_given_back_when_it_is_short)
{
	struct recipe r = { .optimizer = RECIPE_ADAMW };

	for (long n = 1; n <= 2; n++) {
		struct optim o;

		mem_fail_at(n);
		cr_assert_eq(optim_init(&o, &r, 4), EXP_EMEMORY);
	}
}

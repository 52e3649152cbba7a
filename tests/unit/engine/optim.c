#include "engine/optim.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/params.h"

enum { CASES = 14, STEPS = 5, FLOATS = 24 };

/* A dense layer's weight and bias, a scale and a shift, a factor of three: tools/golden/make_offline_goldens.py. */
static struct graph *load_norm(void)
{
	struct graph *g;

	cr_assert_eq(graph_load_file(GOLDEN "/offline/norm.onnx", 1 << 20, &g, NULL), 0);
	cr_assert_eq(graph_trainable_floats(g), FLOATS);
	return g;
}

/* From an object of arrays by name into the block. */
static void read_block(const struct graph *g, const json_t *from, float out[FLOATS])
{
	for (size_t i = 0; i < graph_parameter_count(g); i++) {
		const struct graph_parameter *p = graph_parameter(g, i);
		const json_t *values = json_object_get(from, p->name);

		if (p->offset >= FLOATS)
			continue;
		cr_assert_eq(json_array_size(values), p->count, "%s", p->name);
		for (size_t k = 0; k < p->count; k++)
			out[p->offset + k] = (float)json_number_value(json_array_get(values, k));
	}
}

static void follow(const struct graph *g, const json_t *golden, const json_t *one, float share)
{
	const json_t *gradients = json_object_get(golden, "gradients"), *trace = json_object_get(one, "values");
	float values[FLOATS], gradient[FLOATS], expected[FLOATS];
	char *text = json_dumps(json_object_get(one, "recipe"), JSON_COMPACT);
	struct schedule_point at;
	struct recipe recipe;
	struct optim o;

	cr_assert_eq(recipe_from_json(json_object_get(one, "recipe"), "", &recipe, NULL), 0);
	at.rate = recipe.learning_rate;
	at.momentum = recipe.optimizer == RECIPE_SGD ? recipe.momentum : recipe.beta1;
	cr_assert_eq(optim_init(&o, &recipe, g), 0);
	read_block(g, json_object_get(golden, "start"), values);
	cr_assert_eq(json_array_size(gradients), STEPS);
	for (size_t step = 0; step < STEPS; step++) {
		read_block(g, json_array_get(gradients, step), gradient);
		read_block(g, json_array_get(trace, step), expected);
		for (size_t i = 0; i < FLOATS; i++)
			gradient[i] /= share;
		optim_step(&o, &at, values, gradient, share);
		for (size_t i = 0; i < FLOATS; i++)
			cr_assert_float_eq(values[i], expected[i], 2e-6f * (1 + fabsf(expected[i])),
					   "%s: step %zu, value %zu: %.9g, not %.9g", text, step, i, (double)values[i],
					   (double)expected[i]);
	}
	cr_assert_eq(o.steps, STEPS);
	optim_fini(&o);
	free(text);
}

/* tools/golden/make_train_goldens.py; gradients are sums over the batch, which share makes means of. */
Test(optim, follows_pytorch)
{
	struct graph *g = load_norm();
	struct buf text = { 0 };
	json_t *golden = NULL, *cases;

	cr_assert_eq(file_read(GOLDEN "/train/optim.json", 1 << 20, &text, NULL), 0);
	cr_assert_eq(json_parse(text.data, text.size, &golden, NULL), 0);
	cases = json_object_get(golden, "cases");
	cr_assert_eq(json_array_size(cases), CASES);
	for (size_t i = 0; i < CASES; i++) {
		follow(g, golden, json_array_get(cases, i), 1);
		follow(g, golden, json_array_get(cases, i), 0.125f);
	}
	json_decref(golden);
	buf_fini(&text);
	graph_unref(g);
}

/* With one constant gradient AdamW's corrected moments are g and g^2 at every step, so each moves by the rate. */
Test(optim, adamw_moves_by_the_rate_under_a_constant_gradient)
{
	struct recipe r = { .optimizer = RECIPE_ADAMW, .beta2 = 0.999, .epsilon = 1e-12 };
	struct schedule_point at = { .rate = 0.01, .momentum = 0.9 };
	float values[FLOATS], gradient[FLOATS];
	struct graph *g = load_norm();
	struct optim o;

	for (size_t i = 0; i < FLOATS; i++) {
		values[i] = 1;
		gradient[i] = -3;
	}
	cr_assert_eq(optim_init(&o, &r, g), 0);
	for (int step = 1; step <= 50; step++) {
		optim_step(&o, &at, values, gradient, 1);
		for (size_t i = 0; i < FLOATS; i++)
			cr_assert_float_eq(values[i], 1 + 0.01 * step, 1e-5);
	}
	optim_fini(&o);
	graph_unref(g);
}

/* Without a gradient only decay moves, and only what it covers: the dense layer's weight, 12 floats. */
Test(optim, decay_of_weights_leaves_the_rest_alone)
{
	static const int optimizers[] = { RECIPE_SGD, RECIPE_ADAM, RECIPE_ADAMW };
	float values[FLOATS], gradient[FLOATS] = { 0 };
	struct graph *g = load_norm();

	for (size_t k = 0; k < sizeof(optimizers) / sizeof(optimizers[0]); k++) {
		struct recipe r = { .optimizer = optimizers[k],
				    .decay = RECIPE_DECAY_WEIGHTS,
				    .weight_decay = 0.5,
				    .beta2 = 0.999,
				    .epsilon = 1e-8 };
		struct schedule_point at = { .rate = 0.1, .momentum = 0.9 };
		size_t moved = 0;
		struct optim o;

		for (size_t i = 0; i < FLOATS; i++)
			values[i] = 1;
		cr_assert_eq(optim_init(&o, &r, g), 0);
		optim_step(&o, &at, values, gradient, 1);
		for (size_t i = 0; i < FLOATS; i++)
			moved += values[i] < 1;
		cr_assert_eq(moved, 12);
		optim_fini(&o);
	}
	graph_unref(g);
}

Test(optim, memory_is_given_back_when_it_is_short)
{
	struct recipe r = { .optimizer = RECIPE_ADAMW };
	struct graph *g = load_norm();

	for (long n = 1; n <= 3; n++) {
		struct optim o;

		mem_fail_at(n);
		cr_assert_eq(optim_init(&o, &r, g), EXP_EMEMORY);
	}
	mem_fail_at(0);
	graph_unref(g);
}

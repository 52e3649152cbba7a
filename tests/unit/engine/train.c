#include "engine/train.h"

#include <math.h>
#include <string.h>

#include "engine/evaluate.h"
#include "engine/safetensors.h"
#include "mlp_fixture.h"

static const struct recipe adamw = { .optimizer = RECIPE_ADAMW,
				     .learning_rate = 0.01,
				     .beta1 = 0.9,
				     .beta2 = 0.999,
				     .epsilon = 1e-8,
				     .epochs = 30,
				     .batch = 8 };
static const struct recipe sgd = {
	.optimizer = RECIPE_SGD, .learning_rate = 0.05, .momentum = 0.9, .epochs = 30, .batch = 8
};

static double mean_loss(struct mlp *m, const struct params *p)
{
	float losses[MLP_ROWS];
	struct evaluation e = { .losses = losses };
	double sum = 0;

	cr_assert_eq(evaluate(m->session, p, &m->rows.source, &e, NULL), 0);
	for (size_t i = 0; i < MLP_ROWS; i++)
		sum += (double)losses[i];
	return sum / MLP_ROWS;
}

static struct params *train(struct mlp *m, const struct recipe *r, uint64_t seed)
{
	struct params *p;

	cr_assert_eq(params_new(m->graph, &p), 0);
	cr_assert_eq(train_initialize(r, seed, m->params, p, NULL), 0);
	cr_assert_eq(train_run(m->session, r, seed, &m->rows.source, p, NULL, NULL), 0);
	return p;
}

Test(train, the_loss_falls)
{
	static const struct recipe *const recipes[] = { &adamw, &sgd };
	struct mlp m;

	mlp_open(&m, 8);
	for (size_t i = 0; i < 2; i++) {
		struct params *fresh, *trained = train(&m, recipes[i], 1);

		cr_assert_eq(params_new(m.graph, &fresh), 0);
		cr_assert_eq(train_initialize(recipes[i], 1, m.params, fresh, NULL), 0);
		cr_assert_lt(mean_loss(&m, trained), mean_loss(&m, fresh) / 2);
		params_free(fresh);
		params_free(trained);
	}
	mlp_close(&m);
}

static bool keep_last(void *arg, uint64_t done, uint64_t total)
{
	uint64_t *seen = arg;

	cr_assert_leq(done, total);
	*seen = total;
	return false;
}

Test(train, rows_that_do_not_fill_a_batch_may_be_left_out)
{
	struct recipe keep = adamw, drop = adamw;
	uint64_t seen = 0;
	struct progress progress = { keep_last, &seen };
	struct params *a, *b;
	struct mlp m;

	mlp_open(&m, MLP_ROWS);
	keep.epochs = drop.epochs = 3;
	keep.batch = drop.batch = MLP_ROWS / 2 + 1;
	drop.drop_last = true;
	a = train(&m, &keep, 1);
	b = train(&m, &drop, 1);
	cr_assert_neq(memcmp(a->values, b->values, a->count * sizeof(float)), 0);
	cr_assert_eq(train_run(m.session, &drop, 1, &m.rows.source, b, &progress, NULL), 0);
	cr_assert_eq(seen, 3 * (MLP_ROWS / 2 + 1));
	params_free(a);
	params_free(b);
	keep.batch = drop.batch = MLP_ROWS;
	a = train(&m, &keep, 1);
	b = train(&m, &drop, 1);
	cr_assert_eq(memcmp(a->values, b->values, a->count * sizeof(float)), 0, "a full batch is never left out");
	params_free(a);
	params_free(b);
	mlp_close(&m);
}

Test(train, the_same_recipe_rows_and_seed_give_the_same_bits)
{
	struct params *first, *again, *wider, *other;
	struct mlp m, big;

	mlp_open(&m, 8);
	first = train(&m, &adamw, 1);
	again = train(&m, &adamw, 1);
	other = train(&m, &adamw, 2);
	cr_assert_eq(memcmp(first->values, again->values, first->count * sizeof(float)), 0);
	cr_assert_neq(memcmp(first->values, other->values, first->count * sizeof(float)), 0);
	mlp_open(&big, 32);
	wider = train(&big, &adamw, 1);
	cr_assert_eq(memcmp(first->values, wider->values, first->count * sizeof(float)), 0,
		     "a session with more room changes nothing");
	params_free(wider);
	mlp_close(&big);
	params_free(first);
	params_free(again);
	params_free(other);
	mlp_close(&m);
}

/* tools/golden/make_train_goldens.py follows the same starting weights and order of rows with PyTorch. */
Test(train, follows_pytorch_step_by_step)
{
	static const char *const names[] = { "adamw", "sgd" };
	struct mlp m;

	mlp_open(&m, 8);
	for (size_t i = 0; i < 2; i++) {
		char *path = mem_format(GOLDEN "/offline/mlp_trained_%s.safetensors", names[i]);
		struct params *golden, *ours;
		json_t *metadata, *json;
		struct recipe r;
		const char *text;

		cr_assert_eq(safetensors_load(m.graph, path, &golden, &metadata, NULL), 0);
		text = json_string_value(json_object_get(metadata, "recipe"));
		cr_assert_eq(json_parse(text, strlen(text), &json, NULL), 0);
		cr_assert_eq(recipe_from_json(json, "", &r, NULL), 0);
		ours = train(&m, &r, 1);
		for (size_t k = 0; k < ours->count; k++)
			cr_assert_float_eq(ours->values[k], golden->values[k], 1e-4, "%s, value %zu", names[i], k);
		json_decref(metadata);
		json_decref(json);
		params_free(golden);
		params_free(ours);
		mem_free(path);
	}
	mlp_close(&m);
}

/* One full-batch step of SGD from the file's weights is a closed form: w - rate * mean gradient. */
Test(train, one_step_is_the_mean_gradient)
{
	struct recipe one = { .optimizer = RECIPE_SGD,
			      .initialization = RECIPE_FILE,
			      .learning_rate = 0.5,
			      .epochs = 1,
			      .batch = MLP_ROWS };
	struct accumulation a = { .reduce = SESSION_SUM };
	struct params *gradient, *p;
	struct mlp m;

	mlp_open(&m, MLP_ROWS);
	a.session = m.session;
	a.at = m.params;
	a.source = &m.rows.source;
	cr_assert_eq(accumulate(&a, &gradient, NULL), 0);
	p = train(&m, &one, 1);
	for (size_t i = 0; i < p->count; i++)
		cr_assert_float_eq(p->values[i], m.params->values[i] - 0.5f * gradient->values[i] / MLP_ROWS, 1e-6);
	params_free(p);
	params_free(gradient);
	mlp_close(&m);
}

Test(train, fresh_weights_fill_their_interval_evenly)
{
	struct params *p;
	struct mlp m;

	mlp_open(&m, 1);
	cr_assert_eq(params_new(m.graph, &p), 0);
	for (size_t i = 0; i < graph_parameter_count(m.graph); i++) {
		const struct graph_parameter *g = graph_parameter(m.graph, i);
		float bound = 1 / sqrtf(g->name[0] == 'h' ? 5 : 7); /* hidden: 5 inputs, output: 7 */
		double squares = 0;
		enum { SEEDS = 400 };

		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			cr_assert_eq(train_initialize(&adamw, seed, m.params, p, NULL), 0);
			for (size_t k = 0; k < g->count; k++) {
				float value = p->values[g->offset + k];

				cr_assert_leq(fabsf(value), bound, "%s", g->name);
				squares += (double)value * (double)value;
			}
		}
		/* The variance of U(-b, b) is b^2 / 3. */
		cr_assert_float_eq(squares / (double)(SEEDS * g->count) * 3 / (double)(bound * bound), 1, 0.08, "%s",
				   g->name);
	}
	params_free(p);
	mlp_close(&m);
}

static const float *values_of(const struct params *p, const char *name, size_t *count)
{
	for (size_t i = 0; i < graph_parameter_count(p->graph); i++) {
		const struct graph_parameter *g = graph_parameter(p->graph, i);

		if (strcmp(g->name, name))
			continue;
		*count = g->count;
		return p->values + g->offset;
	}
	cr_assert(false, "no parameter %s", name);
	return NULL;
}

/* Every initializer of the file is 0.25; batch-norm statistics are no parameters. */
Test(train, each_role_has_its_start)
{
	static const struct {
		const char *name;
		float low, high;
	} cases[] = {
		{ "weight", -0.5f, 0.5f }, { "bias", -0.5f, 0.5f },    { "scale", 1, 1 },
		{ "shift", 0, 0 },         { "factor", 0.25f, 0.25f },
	};
	struct params *initial, *p;
	struct graph *g;

	cr_assert_eq(crypto_init(), 0);
	cr_assert_eq(graph_load_file(GOLDEN "/offline/norm.onnx", 1 << 20, &g, NULL), 0);
	cr_assert_eq(graph_parameter_count(g), 5);
	cr_assert_eq(graph_initial_params(g, &initial), 0);
	cr_assert_eq(params_clone(initial, &p), 0);
	cr_assert_eq(train_initialize(&adamw, 1, initial, p, NULL), 0);
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		size_t count = 0;
		const float *values = values_of(p, cases[c].name, &count);

		for (size_t i = 0; i < count; i++)
			cr_assert(values[i] >= cases[c].low && values[i] <= cases[c].high &&
				      (c > 1 || values[i] != 0.25f),
				  "%s", cases[c].name);
	}
	params_free(initial);
	params_free(p);
	graph_unref(g);
}

Test(train, the_file_may_be_the_start)
{
	struct recipe from_file = adamw;
	struct params *p;
	struct mlp m;

	mlp_open(&m, 1);
	from_file.initialization = RECIPE_FILE;
	cr_assert_eq(params_new(m.graph, &p), 0);
	cr_assert_eq(train_initialize(&from_file, 1, m.params, p, NULL), 0);
	cr_assert_eq(memcmp(p->values, m.params->values, p->count * sizeof(float)), 0);
	params_free(p);
	mlp_close(&m);
}

Test(train, says_where_it_diverged)
{
	struct recipe wild = {
		.optimizer = RECIPE_SGD, .learning_rate = 1000, .weight_decay = 1000, .epochs = 30, .batch = 8
	};
	struct exp_error err = { 0 };
	struct mlp m;

	mlp_open(&m, 8);
	cr_assert_eq(train_run(m.session, &wild, 1, &m.rows.source, m.params, NULL, &err), EXP_ENONFINITE);
	cr_assert(strstr(err.message, "epoch") != NULL && strstr(err.message, "learning_rate") != NULL, "%s",
		  err.message);
	mlp_close(&m);
}

static bool stop_at_half(void *arg, uint64_t done, uint64_t total)
{
	(*(int *)arg)++;
	return 2 * done >= total;
}

Test(train, can_be_cancelled)
{
	int calls = 0;
	struct progress progress = { stop_at_half, &calls };
	struct mlp m;

	mlp_open(&m, 8);
	cr_assert_eq(train_run(m.session, &adamw, 1, &m.rows.source, m.params, &progress, NULL), EXP_ECANCELLED);
	cr_assert_eq(calls, 15 * 5, "five batches an epoch, the half of thirty epochs");
	mlp_close(&m);
}

Test(train, refuses_what_cannot_be)
{
	struct source_subset none;
	struct mlp m;

	mlp_open(&m, 7);
	cr_assert_eq(train_run(m.session, &adamw, 1, &m.rows.source, m.params, NULL, NULL), EXP_EINVAL,
		     "a batch of 8 in a session of 7");
	mlp_close(&m);
	mlp_open(&m, 8);
	source_subset_init(&none, &m.rows.source, NULL, 0);
	cr_assert_eq(train_run(m.session, &adamw, 1, &none.source, m.params, NULL, NULL), EXP_EINVAL, "no rows");
	m.rows.source.row_floats = 4;
	cr_assert_eq(train_run(m.session, &adamw, 1, &m.rows.source, m.params, NULL, NULL), EXP_ESHAPE);
	mlp_close(&m);
}

Test(train, gives_memory_back_whenever_it_is_short)
{
	struct mlp m;
	int rc = EXP_EMEMORY;

	mlp_open(&m, 8);
	for (long n = 1; rc; n++) {
		mem_fail_at(n);
		rc = train_run(m.session, &sgd, 1, &m.rows.source, m.params, NULL, NULL);
		mem_fail_at(0);
		cr_assert(rc == 0 || rc == EXP_EMEMORY);
		cr_assert_lt(n, 50);
	}
	mlp_close(&m);
}

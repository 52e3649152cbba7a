#include "engine/train.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "engine/evaluate.h"
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

/* ---- against PyTorch: tools/golden/make_train_goldens.py, from the same starting weights, in the same order of rows
 */

struct family {
	const char *name, *model, *data;
	float scale;
};

static const struct family families[] = {
	{ "mlp", GOLDEN "/offline/mlp.onnx", GOLDEN "/offline/mlp", 1 },
	{ "cnn", GOLDEN "/offline/cnn.onnx", GOLDEN "/offline/cnn", 1.0f / 255 },
	{ "norm_mlp", GOLDEN "/train/norm_mlp.onnx", GOLDEN "/offline/mlp", 1 },
	{ "norm_cnn", GOLDEN "/train/norm_cnn.onnx", GOLDEN "/offline/cnn", 1.0f / 255 },
};

/* A model with its rows. */
struct stage {
	struct graph *graph;
	struct params *initial, *params;
	struct session *session;
	struct npy inputs, labels;
	struct npy_source rows;
};

static void stage_open(struct stage *s, const struct family *f, size_t batch)
{
	char *inputs = mem_format("%s_inputs.npy", f->data), *labels = mem_format("%s_labels.npy", f->data);

	cr_assert_eq(crypto_init(), 0);
	cr_assert_eq(graph_load_file(f->model, 1 << 20, &s->graph, NULL), 0);
	cr_assert_eq(graph_initial_params(s->graph, &s->initial), 0);
	cr_assert_eq(params_new(s->graph, &s->params), 0);
	cr_assert_eq(session_new(s->graph, batch, &s->session, NULL), 0);
	cr_assert_eq(npy_open(inputs, &s->inputs, NULL), 0);
	cr_assert_eq(npy_open(labels, &s->labels, NULL), 0);
	cr_assert_eq(npy_source_init(&s->rows, &s->inputs, &s->labels, f->scale, graph_classes(s->graph), NULL), 0);
	mem_free(inputs);
	mem_free(labels);
}

static void stage_close(struct stage *s)
{
	npy_close(&s->inputs);
	npy_close(&s->labels);
	session_free(s->session);
	params_free(s->initial);
	params_free(s->params);
	graph_unref(s->graph);
}

static const struct family *find_family(const char *name)
{
	size_t i = 0;

	while (i < sizeof(families) / sizeof(families[0]) && strcmp(families[i].name, name))
		i++;
	cr_assert_lt(i, sizeof(families) / sizeof(families[0]), "%s", name);
	return &families[i];
}

static void compare(const struct params *p, const json_t *weights, const char *what)
{
	for (size_t i = 0; i < graph_parameter_count(p->graph); i++) {
		const struct graph_parameter *g = graph_parameter(p->graph, i);
		const json_t *expected = json_object_get(weights, g->name);

		cr_assert_eq(json_array_size(expected), g->count, "%s: %s", what, g->name);
		for (size_t k = 0; k < g->count; k++) {
			double ours = (double)p->values[g->offset + k];
			double theirs = json_number_value(json_array_get(expected, k));

			cr_assert_float_eq(ours, theirs, 1e-5 * (1 + fabs(theirs)), "%s: %s, value %zu: %.9g, not %.9g",
					   what, g->name, k, ours, theirs);
		}
	}
}

static void follow(const json_t *one)
{
	char *what = json_dumps(json_object_get(one, "recipe"), JSON_COMPACT);
	struct exp_error err = { 0 };
	struct recipe r;
	struct stage s;

	cr_assert_eq(recipe_from_json(json_object_get(one, "recipe"), "", &r, NULL), 0, "%s", what);
	stage_open(&s, find_family(json_string_value(json_object_get(one, "model"))), (size_t)r.batch);
	cr_assert_eq(train_initialize(&r, 1, s.initial, s.params, NULL), 0);
	cr_assert_eq(train_run(s.session, &r, 1, &s.rows.source, s.params, NULL, &err), 0, "%s: %s", what, err.message);
	compare(s.params, json_object_get(one, "weights"), what);
	stage_close(&s);
	free(what);
}

/* Optimisers, schedules, clipping, smoothing and batch norm together, the statistics of batch norm included. */
Test(train, follows_pytorch_step_by_step)
{
	struct buf text = { 0 };
	json_t *golden = NULL;

	cr_assert_eq(file_read(GOLDEN "/train/runs.json", 1 << 20, &text, NULL), 0);
	cr_assert_eq(json_parse(text.data, text.size, &golden, NULL), 0);
	cr_assert_eq(json_array_size(golden), 15);
	for (size_t i = 0; i < json_array_size(golden); i++)
		follow(json_array_get(golden, i));
	json_decref(golden);
	buf_fini(&text);
}

/* ---- stopped and taken up again ---- */

static const struct recipe resumed[] = {
	{ .optimizer = RECIPE_SGD, .learning_rate = 0.05, .momentum = 0.9, .epochs = 3, .batch = 8, .drop_last = true },
	{ .optimizer = RECIPE_SGD, .learning_rate = 0.05, .epochs = 3, .batch = 8, .clip_norm = 0.5 },
	{ .optimizer = RECIPE_ADAMW,
	  .learning_rate = 0.01,
	  .beta1 = 0.9,
	  .beta2 = 0.999,
	  .epsilon = 1e-8,
	  .epochs = 3,
	  .batch = 8,
	  .schedule = { .kind = SCHEDULE_COSINE, .unit = SCHEDULE_STEPS, .warmup = 4 } },
};

/* Stops after some steps, and copies the checkpoint that lies there at another. */
struct interruption {
	uint64_t steps, stop_at, copy_at;
	const char *from, *to;
};

static bool interrupt(void *arg, uint64_t done, uint64_t total)
{
	struct interruption *i = arg;
	uint8_t digest[DIGEST_SIZE];

	cr_assert_leq(done, total);
	i->steps++;
	if (i->copy_at && i->steps == i->copy_at)
		cr_assert_eq(file_copy_durable(i->from, i->to, 1 << 20, digest, NULL), 0);
	return i->stop_at && i->steps == i->stop_at;
}

/* From the start, or from the checkpoint when there is one. */
static int go(struct stage *s, const struct recipe *r, const char *path, uint64_t every, struct interruption *i)
{
	struct progress progress = { interrupt, i };
	struct train_job job = { .session = s->session,
				 .recipe = r,
				 .seed = 5,
				 .source = &s->rows.source,
				 .progress = i ? &progress : NULL,
				 .checkpoint = path,
				 .every = every };

	cr_assert_eq(train_initialize(r, 5, s->initial, s->params, NULL), 0);
	return train_run_job(&job, s->params, NULL);
}

static void expect_same(const struct params *a, const struct params *b, uint64_t step)
{
	cr_assert_eq(memcmp(a->values, b->values, a->count * sizeof(float)), 0, "step %llu", (unsigned long long)step);
}

/* Batch norm's statistics go on as well. */
Test(train, stops_anywhere_and_goes_on_with_the_same_bits)
{
	for (size_t k = 0; k < sizeof(resumed) / sizeof(resumed[0]); k++) {
		struct interruption none = { 0 };
		struct params *whole;
		struct stage s;
		struct mlp m;
		char *path;

		mlp_open(&m, 1);
		path = file_join(m.folder, "run.checkpoint");
		stage_open(&s, find_family("norm_mlp"), 8);
		cr_assert_eq(go(&s, &resumed[k], NULL, 0, &none), 0);
		cr_assert_eq(none.steps, resumed[k].drop_last ? 12 : 15);
		cr_assert_eq(params_clone(s.params, &whole), 0);
		for (uint64_t step = 1; step < none.steps; step++) {
			struct interruption once = { .stop_at = step }, rest = { 0 };

			cr_assert_eq(go(&s, &resumed[k], path, 0, &once), EXP_ECANCELLED);
			cr_assert(file_exists(path));
			cr_assert_eq(go(&s, &resumed[k], path, 0, &rest), 0);
			cr_assert_eq(rest.steps, none.steps - step);
			expect_same(s.params, whole, step);
			cr_assert_not(file_exists(path), "weights must not lie about when the run is over");
		}
		params_free(whole);
		stage_close(&s);
		mem_free(path);
		mlp_close(&m);
	}
}

/* A process that dies leaves the checkpoint of a few steps before. */
Test(train, goes_on_from_the_last_checkpoint)
{
	struct interruption watch = { .copy_at = 11 }, rest = { 0 };
	char *path, *copy;
	struct params *whole;
	struct stage s;
	struct mlp m;

	mlp_open(&m, 1);
	path = file_join(m.folder, "run.checkpoint");
	copy = file_join(m.folder, "copy.checkpoint");
	watch.from = path;
	watch.to = copy;
	stage_open(&s, find_family("norm_mlp"), 8);
	cr_assert_eq(go(&s, &resumed[2], path, 4, &watch), 0);
	cr_assert_eq(params_clone(s.params, &whole), 0);
	cr_assert_eq(go(&s, &resumed[2], copy, 4, &rest), 0);
	cr_assert_eq(rest.steps, 15 - 8);
	expect_same(s.params, whole, 8);
	params_free(whole);
	stage_close(&s);
	mem_free(path);
	mem_free(copy);
	mlp_close(&m);
}

/* The same number of rows, but not the same: what was learned from those must not go on. */
Test(train, refuses_the_checkpoint_of_other_rows)
{
	struct interruption once = { .stop_at = 3 };
	struct train_job job = { .recipe = &resumed[0], .seed = 5 };
	struct source_subset reversed;
	struct exp_error err = { 0 };
	size_t index[MLP_ROWS];
	struct stage s;
	struct mlp m;
	char *path;

	mlp_open(&m, 1);
	path = file_join(m.folder, "run.checkpoint");
	stage_open(&s, find_family("norm_mlp"), 8);
	cr_assert_eq(go(&s, &resumed[0], path, 0, &once), EXP_ECANCELLED);
	for (size_t i = 0; i < MLP_ROWS; i++)
		index[i] = MLP_ROWS - 1 - i;
	source_subset_init(&reversed, &s.rows.source, index, MLP_ROWS);
	job.session = s.session;
	job.checkpoint = path;
	job.source = &reversed.source;
	cr_assert_eq(train_run_job(&job, s.params, &err), EXP_ECONFLICT);
	cr_assert(strstr(err.message, "rows") != NULL, "%s", err.message);
	stage_close(&s);
	mem_free(path);
	mlp_close(&m);
}

/* ---- what a run is made of ---- */

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

/* Every initializer of the file is 0.25; the factor's start is no layer's business. */
static struct graph *load_norm(struct params **initial, struct params **p)
{
	struct graph *g;

	cr_assert_eq(crypto_init(), 0);
	cr_assert_eq(graph_load_file(GOLDEN "/offline/norm.onnx", 1 << 20, &g, NULL), 0);
	cr_assert_eq(graph_parameter_count(g), 7);
	cr_assert_eq(graph_initial_params(g, initial), 0);
	cr_assert_eq(params_clone(*initial, p), 0);
	return g;
}

static void expect_within(const struct params *p, const char *name, float low, float high)
{
	size_t count = 0;
	const float *values = values_of(p, name, &count);

	for (size_t i = 0; i < count; i++)
		cr_assert(values[i] >= low && values[i] <= high && values[i] != 0.25f, "%s: %g", name,
			  (double)values[i]);
}

Test(train, each_role_has_its_start)
{
	struct recipe r = adamw;
	struct params *initial, *p;
	struct graph *g = load_norm(&initial, &p);

	r.start_count = 1;
	r.starts[0] = (struct recipe_start){ .parameters = "fact*", .distribution = RECIPE_VALUE, .size = 3 };
	cr_assert_eq(train_initialize(&r, 1, initial, p, NULL), 0);
	expect_within(p, "weight", -0.5f, 0.5f);
	expect_within(p, "bias", -0.5f, 0.5f);
	expect_within(p, "scale", 1, 1);
	expect_within(p, "shift", 0, 0);
	expect_within(p, "factor", 3, 3);
	expect_within(p, "mean", 0, 0);
	expect_within(p, "variance", 1, 1);
	params_free(initial);
	params_free(p);
	graph_unref(g);
}

/* What the file's factor has learned must not be in a model that is trained from nothing. */
Test(train, nothing_of_the_file_is_left_unsaid)
{
	struct exp_error err = { 0 };
	struct params *initial, *p;
	struct graph *g = load_norm(&initial, &p);

	cr_assert_eq(train_initialize(&adamw, 1, initial, p, &err), EXP_EUNSUPPORTED);
	cr_assert(strstr(err.message, "\"factor\"") != NULL && strstr(err.message, "start") != NULL, "%s", err.message);
	cr_assert_eq(memcmp(p->values, initial->values, p->count * sizeof(float)), 0);
	params_free(initial);
	params_free(p);
	graph_unref(g);
}

Test(train, the_recipe_may_say_how_parameters_start)
{
	struct recipe r = adamw;
	double mean = 0, square = 0;
	const float *kept;
	struct params *p;
	size_t count;
	struct mlp m;

	mlp_open(&m, 1);
	r.initialization = RECIPE_FILE;
	r.start_count = 2;
	r.starts[0] = (struct recipe_start){ .parameters = "*.bias", .distribution = RECIPE_VALUE, .size = -2 };
	r.starts[1] = (struct recipe_start){ .parameters = "hidden.*", .distribution = RECIPE_NORMAL, .size = 0.5 };
	cr_assert_eq(params_new(m.graph, &p), 0);
	for (uint64_t seed = 0; seed < 2000; seed++) {
		const float *values = values_of(p, "hidden.weight", &count);

		cr_assert_eq(train_initialize(&r, seed, m.params, p, NULL), 0);
		for (size_t i = 0; i < count; i++) {
			mean += (double)values[i];
			square += (double)values[i] * (double)values[i];
		}
	}
	count *= 2000;
	cr_assert_float_eq(mean / (double)count, 0, 0.01, "%g", mean / (double)count);
	cr_assert_float_eq(square / (double)count, 0.25, 0.006, "%g", square / (double)count);
	expect_within(p, "hidden.bias", -2, -2);
	kept = values_of(m.params, "output.weight", &count);
	cr_assert_eq(memcmp(values_of(p, "output.weight", &count), kept, MLP_CLASSES * 7 * sizeof(float)), 0,
		     "what no rule names comes from the file");
	params_free(p);
	mlp_close(&m);
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
	struct recipe brief = sgd;
	int rc = EXP_EMEMORY;

	brief.epochs = 1;
	for (long n = 1; rc; n++) {
		struct mlp m;

		mlp_open(&m, 8);
		mem_fail_at(n);
		rc = train_run(m.session, &brief, 1, &m.rows.source, m.params, NULL, NULL);
		mem_fail_at(0);
		cr_assert(rc == 0 || rc == EXP_EMEMORY);
		cr_assert_lt(n, 500);
		mlp_close(&m);
	}
}

/*
 * Every operator inside a small model: each parameter's gradient against central differences of the loss (parameters in
 * front of the operator try its input gradient), squares, norms and inner products against one backward pass for each
 * sample, forward mode against backward, and the same bits for one sample, several, and several threads.
 *
 * To add an operator, add a model to operator_models.h.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/session.h"
#include "model_text.h"
#include "operator_models.h"

enum { ROWS = 5, MODELS = sizeof(models) / sizeof(models[0]) };

struct fixture {
	struct graph *graph;
	struct params *params;
	struct session *session;
	float *inputs;    /* [ROWS, row floats] */
	float *cotangent; /* [ROWS, output floats] of the logits */
	float *direction; /* [floats] */
	size_t floats;    /* of all parameters with a gradient */
};

static struct session *open_session(struct graph *g, size_t batch, unsigned threads, size_t shard)
{
	struct session_options options = { .batch = batch, .threads = threads, .shard = shard };
	struct exp_error err = { 0 };
	struct session *s = NULL;

	cr_assert_eq(session_open(g, &options, &s, &err), 0, "%s", err.message);
	return s;
}

static void set_up(struct fixture *f, const char *model)
{
	size_t outputs;
	struct rng rng;

	f->graph = model_text_load(model);
	cr_assert_eq(graph_initial_params(f->graph, &f->params), 0);
	f->session = open_session(f->graph, ROWS + 1, 1, 0);
	f->floats = graph_trainable_floats(f->graph);
	cr_assert_gt(f->floats, 0);
	outputs = graph_output_floats(f->graph);
	f->inputs = calloc(ROWS * graph_input_floats(f->graph), sizeof(*f->inputs));
	f->cotangent = calloc(ROWS * outputs, sizeof(*f->cotangent));
	f->direction = calloc(graph_parameter_floats(f->graph), sizeof(*f->direction));
	model_text_rows(model, ROWS, f->inputs);
	rng_init(&rng, 5, "operators");
	for (size_t i = 0; i < ROWS * outputs; i++)
		f->cotangent[i] = (float)rng_normal(&rng);
	for (size_t i = 0; i < f->floats; i++)
		f->direction[i] = (float)rng_normal(&rng);
}

static void tear_down(struct fixture *f)
{
	free(f->inputs);
	free(f->cotangent);
	free(f->direction);
	session_free(f->session);
	params_free(f->params);
	graph_unref(f->graph);
}

/* The loss of every test: the inner product of the graph's own outputs with the cotangent. */
static int backward_with(struct fixture *f, struct session *s, size_t first, size_t n, enum session_reduce kind,
			 struct session_result *result)
{
	struct loss loss = { .kind = LOSS_UPSTREAM, .targets = f->cotangent + first * graph_output_floats(f->graph) };
	struct session_call call = { .params = f->params,
				     .inputs = f->inputs + first * graph_input_floats(f->graph),
				     .n = n,
				     .loss = &loss,
				     .reduce = kind,
				     .result = result };
	struct exp_error err = { 0 };
	int rc = session_run(s, &call, &err);

	cr_assert_eq(rc, 0, "%s", err.message);
	return rc;
}

static void backward(struct fixture *f, size_t first, size_t n, enum session_reduce kind, float *out, double *dots)
{
	const float *directions[1] = { f->direction };
	struct session_result r = { .out = out, .dots = dots, .directions = directions, .direction_count = 1 };

	backward_with(f, f->session, first, n, kind, &r);
}

static double summed_loss(struct fixture *f)
{
	size_t floats = graph_output_floats(f->graph);
	float *outputs = calloc(ROWS * floats, sizeof(*outputs));
	double loss = 0.0;

	cr_assert_eq(session_forward(f->session, f->params, f->inputs, ROWS, outputs), 0);
	for (size_t i = 0; i < ROWS * floats; i++)
		loss += (double)f->cotangent[i] * (double)outputs[i];
	free(outputs);
	return loss;
}

/* Tests run in processes of their own, to which a number travels but not a pointer. */
static struct criterion_test_params model_numbers(void)
{
	static size_t numbers[MODELS];

	for (size_t i = 0; i < MODELS; i++)
		numbers[i] = i;
	return cr_make_param_array(size_t, numbers, MODELS);
}

/* ---- against differences ---- */

/* Fourth-order central differences. */
static double difference(struct fixture *f, size_t i, double h)
{
	float value = f->params->values[i];
	double loss[4];

	for (int k = 0; k < 4; k++) {
		f->params->values[i] = value + (float)(h * (k < 2 ? k - 2 : k - 1));
		loss[k] = summed_loss(f);
	}
	f->params->values[i] = value;
	return (8.0 * (loss[2] - loss[1]) - (loss[3] - loss[0])) / (12.0 * h);
}

/* A wide step keeps fp32's noise down; a narrow one does not reach across the kinks of Relu and MaxPool. */
#define WIDE   (1.0 / 64.0)
#define NARROW (1.0 / 1024.0)

static bool agrees(struct fixture *f, size_t i, double gradient, double tolerance)
{
	return fabs(difference(f, i, WIDE) - gradient) < tolerance ||
	       fabs(difference(f, i, NARROW) - gradient) < tolerance;
}

ParameterizedTestParameters(operators, gradients)
{
	return model_numbers();
}

ParameterizedTest(const size_t *number, operators, gradients)
{
	const char *model = models[*number];
	struct fixture f;
	float *sum;
	double scale = 0.0;

	set_up(&f, model);
	sum = calloc(graph_parameter_floats(f.graph), sizeof(*sum));
	backward(&f, 0, ROWS, SESSION_SUM, sum, NULL);
	for (size_t i = 0; i < f.floats; i++)
		scale = fmax(scale, fabs((double)sum[i]));
	cr_assert_gt(scale, 1e-3, "the model has no gradient:\n%s", model);
	for (size_t i = 0; i < f.floats; i++)
		cr_assert(agrees(&f, i, (double)sum[i], 3e-3 * scale),
			  "parameter %zu: gradient %g, differences %g and %g in\n%s", i, (double)sum[i],
			  difference(&f, i, WIDE), difference(&f, i, NARROW), model);
	free(sum);
	tear_down(&f);
}

/* ---- per sample ---- */

struct definition {
	double *squares; /* [floats] */
	double norms[ROWS], dots[ROWS];
};

/* One sample at a time, its whole gradient squared, measured, multiplied. */
static void define(struct fixture *f, struct definition *d)
{
	float *one = calloc(graph_parameter_floats(f->graph), sizeof(*one));

	for (size_t n = 0; n < ROWS; n++) {
		memset(one, 0, graph_parameter_floats(f->graph) * sizeof(*one));
		backward(f, n, 1, SESSION_SUM, one, NULL);
		for (size_t i = 0; i < f->floats; i++) {
			d->squares[i] += (double)one[i] * (double)one[i];
			d->norms[n] += (double)one[i] * (double)one[i];
			d->dots[n] += (double)one[i] * (double)f->direction[i];
		}
	}
	free(one);
}

ParameterizedTestParameters(operators, per_sample)
{
	return model_numbers();
}

ParameterizedTest(const size_t *number, operators, per_sample)
{
	const char *model = models[*number];
	struct definition d = { 0 };
	struct fixture f;
	double norms[ROWS], dots[ROWS], largest = 0.0;
	float *out;

	set_up(&f, model);
	d.squares = calloc(f.floats, sizeof(*d.squares));
	out = calloc(graph_parameter_floats(f.graph), sizeof(*out));
	define(&f, &d);
	backward(&f, 0, ROWS, SESSION_SQUARE_SUM, out, NULL);
	backward(&f, 0, ROWS, SESSION_NORM, NULL, norms);
	backward(&f, 0, ROWS, SESSION_DOT, NULL, dots);
	for (size_t i = 0; i < f.floats; i++)
		largest = fmax(largest, d.squares[i]);
	for (size_t i = 0; i < f.floats; i++)
		cr_assert(fabs((double)out[i] - d.squares[i]) < 1e-5 * (d.squares[i] + largest),
			  "square %zu: %g, by definition %g in\n%s", i, (double)out[i], d.squares[i], model);
	for (size_t n = 0; n < ROWS; n++) {
		double size = sqrt(d.norms[n] * (double)f.floats);

		cr_assert(fabs(norms[n] - d.norms[n]) <= 1e-5 * d.norms[n], "norm %zu: %g, by definition %g in\n%s", n,
			  norms[n], d.norms[n], model);
		cr_assert(fabs(dots[n] - d.dots[n]) <= 1e-5 * size, "dot %zu: %g, by definition %g in\n%s", n, dots[n],
			  d.dots[n], model);
	}
	free(d.squares);
	free(out);
	tear_down(&f);
}

/* ---- forward mode: <u, J d> = <J^T u, d> for every sample ---- */

ParameterizedTestParameters(operators, tangents)
{
	return model_numbers();
}

ParameterizedTest(const size_t *number, operators, tangents)
{
	const char *model = models[*number];
	struct exp_error err = { 0 };
	double dots[ROWS], norms[ROWS];
	struct fixture f;
	size_t floats;
	float *tangents;

	set_up(&f, model);
	floats = graph_output_floats(f.graph);
	tangents = calloc(ROWS * floats, sizeof(*tangents));
	backward(&f, 0, ROWS, SESSION_DOT, NULL, dots);
	backward(&f, 0, ROWS, SESSION_NORM, NULL, norms);
	cr_assert_eq(session_tangent(f.session,
				     &(struct session_tangent){ .params = f.params,
								.inputs = f.inputs,
								.n = ROWS,
								.direction = f.direction,
								.tangents = tangents },
				     &err),
		     0, "%s", err.message);
	for (size_t n = 0; n < ROWS; n++) {
		double dot = 0.0, size = sqrt(norms[n] * (double)f.floats);

		for (size_t i = 0; i < floats; i++)
			dot += (double)f.cotangent[n * floats + i] * (double)tangents[n * floats + i];
		cr_assert(fabs(dot - dots[n]) <= 1e-4 * size, "sample %zu: forward %g, backward %g in\n%s", n, dot,
			  dots[n], model);
	}
	free(tangents);
	tear_down(&f);
}

/* ---- threads and shards ---- */

ParameterizedTestParameters(operators, threads)
{
	return model_numbers();
}

/* Shards of two samples: one thread and three give the same bits. */
ParameterizedTest(const size_t *number, operators, threads)
{
	static const enum session_reduce kinds[] = { SESSION_SUM, SESSION_SQUARE_SUM };
	const char *model = models[*number];
	struct fixture f;
	size_t floats;

	set_up(&f, model);
	floats = graph_parameter_floats(f.graph);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		float *out[2];

		for (unsigned i = 0; i < 2; i++) {
			struct session *s = open_session(f.graph, ROWS, i ? 3 : 1, 2);
			struct session_result r = { .out = out[i] = calloc(floats, sizeof(float)) };

			backward_with(&f, s, 0, ROWS, kinds[k], &r);
			session_free(s);
		}
		cr_assert_arr_eq(out[0], out[1], floats * sizeof(float), "reduction %zu differs in\n%s", k, model);
		free(out[0]);
		free(out[1]);
	}
	tear_down(&f);
}

/* Of equal inputs the first in the window gets the gradient, as in PyTorch. */
Test(operators, max_pool_gives_once)
{
	struct graph *g = model_text_load("input x 2 2 2\nparam w 2 2 2\nMul x,w -> h\n"
					  "MaxPool h -> k kernel_shape=[2,2]\nFlatten k -> y");
	static const float want[8] = { -0.5f, 0, 0, 0, 0.5f, 0, 0, 0 };
	float ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, sum[8] = { 0 };
	struct session_result r = { .out = sum };
	struct exp_error err = { 0 };
	struct session *s;
	struct params *p;
	int32_t label = 0;

	cr_assert_eq(session_new(g, 1, &s, &err), 0, "%s", err.message);
	cr_assert_eq(params_new(g, &p), 0);
	for (size_t i = 0; i < 8; i++)
		p->values[i] = 1.0f;
	cr_assert_eq(session_backward(s, p, ones, &label, 1, SESSION_SUM, &r), 0);
	for (size_t i = 0; i < 8; i++)
		cr_assert_float_eq(sum[i], want[i], 1e-6f, "%zu: %g", i, (double)sum[i]);
	session_free(s);
	params_free(p);
	graph_unref(g);
}

/* What a session does beyond forward and backward: taps, other losses, directions, Kronecker factors, forward mode,
 * Gauss-Newton products, statistics of batches; and that repeated calls allocate nothing. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/gauss_newton.h"
#include "engine/session.h"
#include "model_text.h"

enum { ROWS = 5 };

#define MLP                                                                                                            \
	"input x 6\nparam w 6 4\nparam b 4\nparam v 4 3\nMatMul x,w -> h\nAdd h,b -> k\nTanh k -> t\nMatMul t,v -> y"

struct fixture {
	struct graph *graph;
	struct params *params;
	struct session *session;
	float *inputs;
	int32_t labels[ROWS];
	size_t floats, outputs;
};

static void set_up(struct fixture *f, const char *model, const char *tap)
{
	struct session_options options = { .batch = ROWS, .taps = &tap, .tap_count = tap != NULL };
	struct exp_error err = { 0 };

	f->graph = model_text_load(model);
	cr_assert_eq(graph_initial_params(f->graph, &f->params), 0);
	cr_assert_eq(session_open(f->graph, &options, &f->session, &err), 0, "%s", err.message);
	f->floats = graph_parameter_floats(f->graph);
	f->outputs = graph_output_floats(f->graph);
	f->inputs = calloc(ROWS * graph_input_floats(f->graph), sizeof(*f->inputs));
	model_text_rows(model, ROWS, f->inputs);
	for (size_t i = 0; i < ROWS; i++)
		f->labels[i] = (int32_t)(i % graph_classes(f->graph));
}

static void tear_down(struct fixture *f)
{
	free(f->inputs);
	session_free(f->session);
	params_free(f->params);
	graph_unref(f->graph);
}

static float *numbers(size_t count, uint64_t seed)
{
	float *values = calloc(count, sizeof(*values));
	struct rng rng;

	rng_init(&rng, seed, "session_calls");
	for (size_t i = 0; i < count; i++)
		values[i] = (float)rng_normal(&rng);
	return values;
}

static void run(struct fixture *f, const struct session_call *call)
{
	struct session_call c = *call;
	struct exp_error err = { 0 };

	c.params = f->params;
	c.inputs = f->inputs;
	c.n = ROWS;
	cr_assert_eq(session_run(f->session, &c, &err), 0, "%s", err.message);
}

/* ---- taps ---- */

Test(session_calls, a_tap_reads_replaces_and_gives_gradients)
{
	struct loss loss = { .kind = LOSS_CROSS_ENTROPY };
	float read[ROWS * 4], grad[ROWS * 4], outputs[2][ROWS * 3], losses[2][ROWS];
	const float h = 1.0f / 128.0f;
	struct fixture f;

	set_up(&f, MLP, "k");
	loss.labels = f.labels;
	cr_assert_eq(session_tap_floats(f.session, 0), 4);
	run(&f, &(struct session_call){
		    .taps = &(struct session_tap){ .read = read }, .outputs = outputs[0], .reduce = SESSION_NONE });
	run(&f, &(struct session_call){ .taps = &(struct session_tap){ .replace = read, .grad = grad },
					.outputs = outputs[1],
					.loss = &loss,
					.reduce = SESSION_NONE });
	cr_assert_arr_eq(outputs[0], outputs[1], sizeof(outputs[0]), "what was read, put back, changes nothing");
	for (size_t i = 0; i < ROWS * 4; i++) {
		float kept = read[i];

		for (int side = 0; side < 2; side++) {
			struct session_result r = { .losses = losses[side] };

			read[i] = kept + (side ? h : -h);
			run(&f, &(struct session_call){ .taps = &(struct session_tap){ .replace = read },
							.loss = &loss,
							.reduce = SESSION_NONE,
							.result = &r });
		}
		read[i] = kept;
		cr_assert_float_eq(grad[i], (losses[1][i / 4] - losses[0][i / 4]) / (2.0f * h), 1e-3, "%zu", i);
	}
	tear_down(&f);
}

/* Behind a replaced value there is no gradient; a cotangent at a tap alone starts one. */
Test(session_calls, gradients_start_and_end_at_taps)
{
	float replace[ROWS * 4], cotangent[ROWS * 4], behind[24 + 4 + 12] = { 0 }, from[24 + 4 + 12] = { 0 };
	struct session_result r = { .out = behind };
	struct loss loss = { .kind = LOSS_CROSS_ENTROPY };
	struct fixture f;

	for (size_t i = 0; i < ROWS * 4; i++)
		replace[i] = 0.5f;
	set_up(&f, MLP, "k");
	loss.labels = f.labels;
	run(&f, &(struct session_call){ .taps = &(struct session_tap){ .replace = replace },
					.loss = &loss,
					.reduce = SESSION_SUM,
					.result = &r });
	for (size_t i = 0; i < f.floats; i++)
		cr_assert(i < 28 ? behind[i] == 0.0f : behind[i] != 0.0f, "parameter %zu: %g", i, (double)behind[i]);
	for (size_t i = 0; i < ROWS * 4; i++)
		cotangent[i] = 1.0f;
	r.out = from;
	run(&f, &(struct session_call){
		    .taps = &(struct session_tap){ .cotangent = cotangent }, .reduce = SESSION_SUM, .result = &r });
	for (size_t i = 24; i < 28; i++)
		cr_assert_float_eq(from[i], (float)ROWS, 1e-5f, "the bias in front of the tap gets the cotangent");
	for (size_t i = 28; i < f.floats; i++)
		cr_assert_eq(from[i], 0.0f);
	tear_down(&f);
}

/* A view of the input itself: no parameter is behind it. */
Test(session_calls, a_tapped_view_has_a_gradient)
{
	float grad[ROWS * 6], read[ROWS * 6];
	struct loss loss = { .kind = LOSS_SQUARED_NORM };
	struct fixture f;

	set_up(&f, "input x 2 3\nparam w 6 4\nFlatten x -> f\nMatMul f,w -> y", "f");
	run(&f, &(struct session_call){ .taps = &(struct session_tap){ .grad = grad, .read = read },
					.loss = &loss,
					.reduce = SESSION_NONE });
	for (size_t n = 0; n < ROWS; n++)
		for (size_t i = 0; i < 6; i++) {
			double want = 0.0;

			for (size_t k = 0; k < 4; k++)
				for (size_t j = 0; j < 6; j++)
					want += (double)f.params->values[i * 4 + k] *
						(double)f.params->values[j * 4 + k] * (double)f.inputs[n * 6 + j];
			cr_assert_eq(read[n * 6 + i], f.inputs[n * 6 + i]);
			cr_assert_float_eq(grad[n * 6 + i], want, 1e-4);
		}
	tear_down(&f);
}

/* Held weights are prepared for the forward pass alone. */
Test(session_calls, held_weights_serve_forward_and_no_tangents)
{
	float outputs[2][ROWS * 3], tangents[2][ROWS * 3];
	struct exp_error err = { 0 };
	struct fixture f;
	float *direction;

	set_up(&f, MLP, NULL);
	direction = numbers(f.floats, 3);
	for (int held = 0; held < 2; held++) {
		session_hold(f.session, held ? f.params : NULL);
		cr_assert_eq(session_forward(f.session, f.params, f.inputs, ROWS, outputs[held]), 0);
		cr_assert_eq(session_tangent(f.session,
					     &(struct session_tangent){ .params = f.params,
									.inputs = f.inputs,
									.n = ROWS,
									.direction = direction,
									.logits = true,
									.tangents = tangents[held] },
					     &err),
			     0, "%s", err.message);
	}
	for (size_t i = 0; i < ROWS * 3; i++) {
		cr_assert_float_eq(outputs[0][i], outputs[1][i], 1e-5f);
		cr_assert_float_eq(tangents[0][i], tangents[1][i], 1e-4f);
	}
	free(direction);
	tear_down(&f);
}

/* ---- several directions at once ---- */

Test(session_calls, inner_products_with_several_directions)
{
	enum { DIRECTIONS = 7 };
	const float *directions[DIRECTIONS];
	double dots[ROWS * DIRECTIONS];
	struct session_result r = { .dots = dots, .directions = directions, .direction_count = DIRECTIONS };
	struct loss loss = { .kind = LOSS_CROSS_ENTROPY };
	struct fixture f;
	float *one;

	set_up(&f, MLP, NULL);
	loss.labels = f.labels;
	one = calloc(f.floats, sizeof(*one));
	for (size_t k = 0; k < DIRECTIONS; k++)
		directions[k] = numbers(f.floats, k);
	run(&f, &(struct session_call){ .loss = &loss, .reduce = SESSION_DOT, .result = &r });
	for (size_t n = 0; n < ROWS; n++) {
		struct session_result sum = { .out = one };

		memset(one, 0, f.floats * sizeof(*one));
		cr_assert_eq(session_backward(f.session, f.params, f.inputs + n * 6, f.labels + n, 1, SESSION_SUM,
					      &sum),
			     0);
		for (size_t k = 0; k < DIRECTIONS; k++) {
			double want = 0.0;

			for (size_t i = 0; i < f.floats; i++)
				want += (double)one[i] * (double)directions[k][i];
			cr_assert_float_eq(dots[n * DIRECTIONS + k], want, 1e-4, "sample %zu, direction %zu", n, k);
		}
	}
	for (size_t k = 0; k < DIRECTIONS; k++)
		free((void *)(uintptr_t)directions[k]);
	free(one);
	tear_down(&f);
}

/* ---- Kronecker factors: sums of outer products of what goes in and of the gradients that come out ---- */

static void check_factors(const char *model, size_t w, bool transposed)
{
	float in[36] = { 0 }, out[16] = { 0 }, want_in[36] = { 0 }, want_out[16] = { 0 };
	struct session_moments moments[4] = { 0 };
	struct session_result r = { .moments = moments };
	struct loss loss = { .kind = LOSS_CROSS_ENTROPY };
	float grad[ROWS * 4];
	struct fixture f;

	set_up(&f, model, "h");
	loss.labels = f.labels;
	moments[w] = transposed ? (struct session_moments){ .out = out, .in = in }
				: (struct session_moments){ .out = in, .in = out };
	run(&f, &(struct session_call){ .taps = &(struct session_tap){ .grad = grad },
					.loss = &loss,
					.reduce = SESSION_MOMENTS,
					.result = &r });
	for (size_t n = 0; n < ROWS; n++) {
		for (size_t i = 0; i < 36; i++)
			want_in[i] += f.inputs[n * 6 + i / 6] * f.inputs[n * 6 + i % 6];
		for (size_t i = 0; i < 16; i++)
			want_out[i] += grad[n * 4 + i / 4] * grad[n * 4 + i % 4];
	}
	for (size_t i = 0; i < 36; i++)
		cr_assert_float_eq(in[i], want_in[i], 1e-4f, "in %zu: %g, %g", i, (double)in[i], (double)want_in[i]);
	for (size_t i = 0; i < 16; i++)
		cr_assert_float_eq(out[i], want_out[i], 1e-5f, "out %zu: %g, %g", i, (double)out[i],
				   (double)want_out[i]);
	tear_down(&f);
}

/* MatMul's weight is [in, out], so its rows are what goes in; Gemm's with transB the other way round. */
Test(session_calls, kronecker_factors)
{
	check_factors(MLP, 0, false);
	check_factors("input x 6\nparam w 4 6\nparam v 4 3\nGemm x,w -> h transB=1\nTanh h -> t\nMatMul t,v -> y", 0,
		      true);
	check_factors("input x 6\nparam w 4 6\nparam v 4 3\nTranspose w -> u perm=[1,0]\nMatMul x,u -> h\nTanh h -> t\n"
		      "MatMul t,v -> y",
		      0, true);
}

/* ---- Gauss-Newton products ---- */

static int read_rows(const struct source *s, const size_t *index, size_t n, float *inputs, int32_t *labels)
{
	const struct fixture *f = s->self;

	for (size_t i = 0; i < n; i++) {
		memcpy(inputs + i * s->row_floats, f->inputs + index[i] * s->row_floats, s->row_floats * sizeof(float));
		labels[i] = f->labels[index[i]];
	}
	return 0;
}

/* <w, G v> by definition: Jacobians along both directions, the softmax's Hessian between them. */
static double curvature(struct fixture *f, const float *v, const float *w)
{
	float tangents[2][ROWS * 3], scores[ROWS * 3];
	struct exp_error err = { 0 };
	double sum = 0.0;

	for (int i = 0; i < 2; i++)
		cr_assert_eq(session_tangent(f->session,
					     &(struct session_tangent){ .params = f->params,
									.inputs = f->inputs,
									.n = ROWS,
									.direction = i ? w : v,
									.logits = true,
									.tangents = tangents[i],
									.scores = scores },
					     &err),
			     0, "%s", err.message);
	for (size_t n = 0; n < ROWS; n++) {
		double p[3], total = 0.0, mean[2] = { 0 }, both = 0.0;

		for (size_t k = 0; k < 3; k++)
			total += p[k] = exp((double)scores[n * 3 + k]);
		for (size_t k = 0; k < 3; k++) {
			double a = (double)tangents[0][n * 3 + k], b = (double)tangents[1][n * 3 + k];

			mean[0] += p[k] / total * a;
			mean[1] += p[k] / total * b;
			both += p[k] / total * a * b;
		}
		sum += both - mean[0] * mean[1];
	}
	return sum / ROWS;
}

Test(session_calls, gauss_newton_products)
{
	struct exp_error err = { 0 };
	struct source source = { .rows = ROWS, .row_floats = 6, .read = read_rows };
	struct gauss_newton g = { .source = &source };
	struct fixture f;
	float *v, *w, *product;
	double dot = 0.0, want;

	set_up(&f, MLP, NULL);
	source.self = &f;
	g.session = f.session;
	g.at = f.params;
	v = numbers(f.floats, 1);
	w = numbers(f.floats, 2);
	product = calloc(f.floats, sizeof(*product));
	cr_assert_eq(gauss_newton_multiply(&g, v, product, &err), 0, "%s", err.message);
	for (size_t i = 0; i < f.floats; i++)
		dot += (double)product[i] * (double)w[i];
	want = curvature(&f, v, w);
	cr_assert(fabs(dot - want) < 1e-5 * (fabs(want) + 1.0), "%g, %g", dot, want);
	free(v);
	free(w);
	free(product);
	tear_down(&f);
}

/* ---- batch norm in training ---- */

Test(session_calls, training_takes_and_moves_statistics_of_the_batch)
{
	float sum[4 + 4] = { 0 }, statistics[8] = { 0, 0, 0, 0, 1, 1, 1, 1 }, outputs[ROWS * 4];
	struct session_result r = { .out = sum };
	struct loss loss = { .kind = LOSS_SQUARED_NORM };
	struct fixture f;

	set_up(&f,
	       "input x 4\nparam s 4\nparam b 4\nparam m 4\npositive v 4\nBatchNormalization x,s,b,m,v -> y "
	       "momentum=0.75",
	       NULL);
	cr_assert_eq(graph_trainable_floats(f.graph), 8);
	cr_assert_eq(f.floats, 16);
	run(&f, &(struct session_call){ .loss = &loss,
					.reduce = SESSION_SUM,
					.result = &r,
					.outputs = outputs,
					.training = true,
					.statistics = statistics });
	for (size_t c = 0; c < 4; c++) {
		double mean = 0.0, variance = 0.0, y = 0.0;

		for (size_t n = 0; n < ROWS; n++)
			mean += (double)f.inputs[n * 4 + c] / ROWS;
		for (size_t n = 0; n < ROWS; n++)
			variance += pow((double)f.inputs[n * 4 + c] - mean, 2.0) / ROWS;
		for (size_t n = 0; n < ROWS; n++)
			y += (double)outputs[n * 4 + c] / ROWS;
		cr_assert_float_eq(y, f.params->values[4 + c], 1e-4, "outputs are centred on the shift");
		cr_assert_float_eq(statistics[c], 0.25 * mean, 1e-5);
		cr_assert_float_eq(statistics[4 + c], 0.75 + 0.25 * variance * ROWS / (ROWS - 1), 1e-5);
	}
	tear_down(&f);
}

/* ---- memory ---- */

Test(session_calls, repeated_calls_allocate_nothing)
{
	struct session_result r = { 0 };
	struct loss loss = { .kind = LOSS_CROSS_ENTROPY };
	struct fixture f;

	set_up(&f, MLP, NULL);
	loss.labels = f.labels;
	r.out = calloc(f.floats, sizeof(*r.out));
	for (int i = 0; i < 3; i++) {
		if (i > 0)
			mem_fail_at(1);
		run(&f, &(struct session_call){ .loss = &loss, .reduce = SESSION_SUM, .result = &r });
	}
	mem_fail_at(0);
	free(r.out);
	tear_down(&f);
}

Test(session_calls, unknown_taps_and_contradictions_are_refused)
{
	struct session_options options = { .batch = ROWS, .taps = (const char *const[]){ "nothing" }, .tap_count = 1 };
	struct graph *g = model_text_load(MLP);
	struct exp_error err = { 0 };
	struct session *s = NULL;
	struct fixture f;

	cr_assert_eq(session_open(g, &options, &s, &err), EXP_EFIELD);
	cr_assert_not_null(strstr(err.message, "nothing"));
	graph_unref(g);
	g = model_text_load("ids x 5 3\nparam w 3 4\nint two 2\nLess x,two -> b\nCast b -> c to=1\nMatMul c,w -> y");
	options.taps = (const char *const[]){ "b" };
	cr_assert_eq(session_open(g, &options, &s, &err), EXP_EFIELD);
	cr_assert_not_null(strstr(err.message, "no fp32 tensor"), "%s", err.message);
	graph_unref(g);
	set_up(&f, MLP, NULL);
	cr_assert_eq(session_run(f.session,
				 &(struct session_call){
				     .params = f.params, .inputs = f.inputs, .n = ROWS + 1, .reduce = SESSION_NONE },
				 &err),
		     EXP_EINVAL);
	cr_assert_eq(session_run(f.session,
				 &(struct session_call){
				     .params = f.params, .inputs = f.inputs, .n = ROWS, .reduce = SESSION_SUM },
				 &err),
		     EXP_EINVAL, "nowhere to put the sum");
	tear_down(&f);
}

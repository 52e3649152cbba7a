/* Whole models against PyTorch: outputs, losses and every reduction. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/session.h"
#include "golden_model.h"

static char models[][32] = { "mlp_logits",         "mlp_softmax",     "mlp_log_softmax", "views",
			     "views_unfolded",     "views_batch_one", "cnn_max",         "cnn_average",
			     "cnn_average_padded", "residual",        "series" };

ParameterizedTestParameters(session, outputs)
{
	return cr_make_param_array(char[32], models, sizeof(models) / sizeof(models[0]));
}

struct fixture {
	struct golden_model m;
	struct params *params;
	struct session *session;
};

static size_t trainable_count(const struct graph *g)
{
	size_t count = 0;

	while (count < graph_parameter_count(g) && graph_parameter(g, count)->offset < graph_trainable_floats(g))
		count++;
	return count;
}

static void set_up(struct fixture *f, const char *name, size_t batch)
{
	struct exp_error err = { 0 };

	golden_open(&f->m, name);
	cr_assert_eq(graph_initial_params(f->m.graph, &f->params), 0);
	cr_assert_eq(session_new(f->m.graph, batch, &f->session, &err), 0, "%s", err.message);
	cr_assert_eq(graph_classes(f->m.graph), f->m.classes);
	cr_assert_eq(graph_input_floats(f->m.graph), f->m.row_floats);
	cr_assert_eq(trainable_count(f->m.graph), f->m.parameters, "%zu parameters", trainable_count(f->m.graph));
	cr_assert_eq(graph_trainable_floats(f->m.graph), f->m.parameter_floats);
}

static void tear_down(struct fixture *f)
{
	session_free(f->session);
	params_free(f->params);
	golden_close(&f->m);
}

/* The rows in runs of the batch size, the last one shorter. */
static size_t run_length(const struct fixture *f, size_t first)
{
	size_t left = f->m.rows - first, batch = session_batch(f->session);

	return left < batch ? left : batch;
}

ParameterizedTest(const char name[32], session, outputs)
{
	for (size_t batch = 1; batch <= 8; batch += 3) {
		struct fixture f;
		float *y, *lp;

		set_up(&f, name, batch);
		y = calloc(f.m.rows * f.m.classes, sizeof(*y));
		lp = calloc(f.m.rows * f.m.classes, sizeof(*lp));
		for (size_t i = 0; i < f.m.rows; i += batch) {
			const float *x = f.m.inputs + i * f.m.row_floats;
			size_t n = run_length(&f, i);

			cr_assert_eq(session_forward(f.session, f.params, x, n, y + i * f.m.classes), 0);
			cr_assert_eq(session_log_probs(f.session, f.params, x, n, lp + i * f.m.classes), 0);
		}
		golden_compare(name, "outputs", y, f.m.outputs, f.m.rows * f.m.classes, 2e-5);
		golden_compare(name, "log_probs", lp, f.m.log_probs, f.m.rows * f.m.classes, 2e-5);
		free(y);
		free(lp);
		tear_down(&f);
	}
}

ParameterizedTestParameters(session, reductions)
{
	return cr_make_param_array(char[32], models, sizeof(models) / sizeof(models[0]));
}

static void check_reduction(struct fixture *f, const char *name, enum session_reduce kind)
{
	size_t count = f->m.parameter_floats;
	float *out = calloc(count, sizeof(*out)), *losses = calloc(f->m.rows, sizeof(*losses)),
	      *norms = calloc(f->m.rows, sizeof(*norms));
	double *dots = calloc(f->m.rows, sizeof(*dots));

	for (size_t i = 0; i < f->m.rows; i += session_batch(f->session)) {
		struct session_result r = { .losses = losses + i };

		r.out = kind == SESSION_NORM ? NULL : out;
		r.dots = kind == SESSION_NORM ? dots + i : NULL;
		cr_assert_eq(session_backward(f->session, f->params, f->m.inputs + i * f->m.row_floats, f->m.labels + i,
					      run_length(f, i), kind, &r),
			     0);
	}
	for (size_t i = 0; i < f->m.rows; i++)
		norms[i] = (float)dots[i];
	golden_compare(name, "losses", losses, f->m.losses, f->m.rows, 2e-5);
	if (kind == SESSION_SUM)
		golden_compare(name, "sum", out, f->m.sum, count, 5e-5);
	if (kind == SESSION_SQUARE_SUM)
		golden_compare(name, "square_sum", out, f->m.square_sum, count, 5e-5);
	if (kind == SESSION_NORM)
		golden_compare(name, "norms", norms, f->m.norms, f->m.rows, 5e-5);
	free(out);
	free(losses);
	free(norms);
	free(dots);
}

ParameterizedTest(const char name[32], session, reductions)
{
	for (size_t batch = 1; batch <= 8; batch += 3) {
		struct fixture f;

		set_up(&f, name, batch);
		check_reduction(&f, name, SESSION_SUM);
		check_reduction(&f, name, SESSION_SQUARE_SUM);
		check_reduction(&f, name, SESSION_NORM);
		tear_down(&f);
	}
}

Test(session, a_nan_is_not_hidden_by_a_relu)
{
	struct fixture f;
	float *outputs;

	set_up(&f, "mlp_logits", 4);
	outputs = calloc(4 * f.m.classes, sizeof(*outputs));
	f.params->values[0] = NAN;
	cr_assert_eq(session_forward(f.session, f.params, f.m.inputs, 1, outputs), 0);
	cr_assert(isnan(outputs[0]));
	free(outputs);
	tear_down(&f);
}

/* Exact work depends on knowing it. */
Test(session, statistics_of_training_rows_are_told)
{
	struct golden_model m;

	golden_open(&m, "residual");
	cr_assert_not_null(graph_statistics_node(m.graph));
	golden_close(&m);
	golden_open(&m, "cnn_max");
	cr_assert_null(graph_statistics_node(m.graph), "folded into the convolutions");
	golden_close(&m);
}

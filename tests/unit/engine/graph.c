/* What a graph says of itself, and that a written file is the read one but for its weights. */
#include "engine/graph.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/params.h"
#include "engine/session.h"
#include "golden_model.h"
#include "model_text.h"

static const char *const images[] = { "mlp_logits",     "mlp_softmax", "mlp_log_softmax", "views",
				      "views_unfolded", "cnn_max",     "residual" };

Test(graph, describes_itself)
{
	struct graph *g = model_text_load(
	    "opset 12\ninput x 1 4 4\nparam w 2 1 3 3\nparam b 2\npositive s 2\nparam t 2\nparam m 2\npositive v 2\n"
	    "param f 8 3\nparam c 3\nConv x,w,b -> h\nBatchNormalization h,s,t,m,v -> n\nFlatten n -> k\n"
	    "MatMul k,f -> l\nAdd l,c -> p\nSoftmax p -> y");
	static const struct {
		const char *name;
		enum graph_role role;
		size_t fan_in, count;
	} want[] = {
		{ "w", GRAPH_ROLE_WEIGHT, 9, 18 }, { "b", GRAPH_ROLE_BIAS, 9, 2 },     { "s", GRAPH_ROLE_SCALE, 0, 2 },
		{ "t", GRAPH_ROLE_SHIFT, 0, 2 },   { "f", GRAPH_ROLE_WEIGHT, 8, 24 },  { "c", GRAPH_ROLE_BIAS, 8, 3 },
		{ "m", GRAPH_ROLE_MEAN, 0, 2 },    { "v", GRAPH_ROLE_VARIANCE, 0, 2 },
	};
	size_t rank, offset = 0;

	cr_assert_eq(graph_parameter_count(g), 8);
	cr_assert_eq(graph_trainable_floats(g), 51, "statistics come last and have no gradient");
	for (size_t i = 0; i < 8; i++) {
		const struct graph_parameter *p = graph_parameter(g, i);

		cr_assert_str_eq(p->name, want[i].name);
		cr_assert_eq(p->role, want[i].role, "%s", p->name);
		cr_assert_eq(p->fan_in, want[i].fan_in, "%s", p->name);
		cr_assert_eq(p->count, want[i].count);
		cr_assert_eq(p->offset, offset);
		offset += p->count;
	}
	cr_assert_eq(graph_parameter_floats(g), offset);
	cr_assert_null(graph_parameter(g, 8));
	cr_assert_str_eq(graph_input_name(g), "x");
	cr_assert_eq(graph_input_dims(g, &rank)[2], 4);
	cr_assert_eq(rank, 3);
	cr_assert_eq(graph_input_floats(g), 16);
	cr_assert_str_eq(graph_output_name(g), "y");
	cr_assert_eq(graph_classes(g), 3);
	cr_assert_eq(graph_output_kind(g), GRAPH_PROBABILITIES);
	graph_unref(g);
}

static void change(struct params *p)
{
	for (size_t i = 0; i < p->count; i++)
		p->values[i] = (float)i * 0.25f - 7.0f;
}

static void check_save(const struct graph *g, const char *file, size_t size)
{
	struct params *p, *again;
	struct graph *h = NULL;
	struct buf out = { 0 };
	size_t changed = 0;

	buf_add_text(&out, "kept");
	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(graph_save(g, p, &out, NULL), 0);
	cr_assert_eq(out.size, size + 4);
	cr_assert(memcmp(out.data, "kept", 4) == 0 && memcmp(out.data + 4, file, size) == 0,
		  "unchanged weights, unchanged file");
	change(p);
	buf_fini(&out);
	cr_assert_eq(graph_save(g, p, &out, NULL), 0);
	for (size_t i = 0; i < size; i++)
		changed += out.data[i] != file[i];
	cr_assert(changed > 0 && changed <= p->count * sizeof(float), "%zu bytes", changed);
	cr_assert_eq(graph_load(out.data, out.size, &h, NULL), 0);
	cr_assert_eq(graph_initial_params(h, &again), 0);
	cr_assert(again->count == p->count && memcmp(again->values, p->values, p->count * sizeof(float)) == 0);
	cr_assert_eq(graph_save(h, p, &out, NULL), EXP_EINVAL, "parameters of another graph");
	buf_fini(&out);
	params_free(p);
	params_free(again);
	graph_unref(h);
}

Test(graph, writes_only_weights)
{
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		struct golden_model m;

		golden_open(&m, images[i]);
		check_save(m.graph, m.onnx.data, m.onnx.size);
		golden_close(&m);
	}
}

Test(graph, weights_in_every_storage)
{
	static const char *const models[] = { "input x 3\nparam w 3 4\nMatMul x,w -> y",
					      "input x 3\npacked w 3 4\nMatMul x,w -> y",
					      "input x 3\nloose w 3 4\nMatMul x,w -> y",
					      "input x 3\nconstant w 3 4\nMatMul x,w -> y" };
	struct params *first = NULL;

	for (size_t i = 0; i < 4; i++) {
		struct graph *g = model_text_load(models[i]);
		struct buf file = { 0 };
		struct params *p;

		cr_assert_eq(graph_initial_params(g, &p), 0);
		cr_assert_eq(p->count, 12);
		if (first)
			cr_assert(memcmp(first->values, p->values, 12 * sizeof(float)) == 0, "%s", models[i]);
		model_text_write(models[i], &file);
		check_save(g, file.data, file.size);
		buf_fini(&file);
		if (first)
			params_free(p);
		else
			first = p;
		graph_unref(g);
	}
	params_free(first);
}

Test(graph, what_is_no_parameter)
{
	struct graph *g = model_text_load(
	    "input x 3\nparam w 3 4\nparam unused 9\nnumber half 0.5\nconstant shift 4\nMatMul x,w -> h\n"
	    "Add h,shift -> k\nbools off 0\nDropout k,half,off -> y");

	cr_assert_eq(graph_parameter_count(g), 1, "neither unused nor constants nor a dropout's ratio");
	graph_unref(g);
}

Test(params, copies_and_checks)
{
	struct graph *g = model_text_load("input x 3\nparam w 3 4\nparam b 4\nGemm x,w,b -> y");
	struct exp_error err = { 0 };
	struct params *p, *q;
	uint8_t before[DIGEST_SIZE], after[DIGEST_SIZE];

	cr_assert_eq(graph_initial_params(g, &p), 0);
	graph_unref(g);
	cr_assert_eq((uintptr_t)p->values % 64, 0);
	cr_assert_eq(params_clone(p, &q), 0);
	params_digest(p, before);
	params_digest(q, after);
	cr_assert_arr_eq(before, after, DIGEST_SIZE);
	q->values[13] = NAN;
	params_digest(q, after);
	cr_assert(memcmp(before, after, DIGEST_SIZE) != 0);
	cr_assert_eq(params_check_finite(p, &err), 0);
	cr_assert_eq(params_check_finite(q, &err), EXP_ENONFINITE);
	cr_assert_not_null(strstr(err.message, "\"b\""), "%s", err.message);
	params_copy(q, p);
	cr_assert_eq(params_check_finite(q, &err), 0);
	params_free(p);
	params_free(q);
	params_free(NULL);
}

Test(session, refuses_what_does_not_fit)
{
	struct graph *g = model_text_load("input x 3\nparam w 3 4\nMatMul x,w -> y"),
		     *h = model_text_load("input x 3\nparam w 3 4\nMatMul x,w -> y");
	struct exp_error err = { 0 };
	struct session *s;
	struct params *p, *other;
	float x[6] = { 1, 2, 3, 4, 5, 6 }, out[12], before[8];
	int32_t labels[2] = { 3, 4 };
	struct session_result r = { .out = out };

	cr_assert_eq(session_new(g, 0, &s, &err), EXP_EINVAL);
	cr_assert_eq(session_new(g, (size_t)1 << 40, &s, &err), EXP_ELIMIT);
	cr_assert_eq(session_new(g, 2, &s, &err), 0);
	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(graph_initial_params(h, &other), 0);
	cr_assert_eq(session_forward(s, p, x, 3, out), EXP_EINVAL);
	cr_assert_eq(session_forward(s, other, x, 2, out), EXP_EINVAL);
	cr_assert_eq(session_backward(s, p, x, labels, 2, SESSION_SUM, &r), EXP_ERANGE);
	labels[1] = -1;
	cr_assert_eq(session_backward(s, p, x, labels, 2, SESSION_SUM, &r), EXP_ERANGE);
	labels[1] = 0;
	cr_assert_eq(session_backward(s, p, x, labels, 2, SESSION_NORM, &r), EXP_EINVAL, "no room for norms");
	cr_assert_eq(session_forward(s, p, x, 0, out), 0);
	cr_assert_eq(session_forward(s, p, x, 2, before), 0);
	cr_assert_eq(session_forward(s, p, x, 2, out), 0);
	cr_assert_arr_eq(before, out, sizeof(before));
	memset(out, 0, sizeof(out));
	x[4] = INFINITY;
	cr_assert_eq(session_backward(s, p, x, labels, 2, SESSION_SUM, &r), EXP_ENONFINITE);
	session_free(s);
	session_free(NULL);
	params_free(p);
	params_free(other);
	graph_unref(g);
	graph_unref(h);
}

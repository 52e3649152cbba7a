/*
 * Whole models as PyTorch exports them, against what PyTorch computes for them: outputs, losses, every reduction,
 * tangents and Gauss-Newton products. tools/golden/README.md says what the files hold.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "engine/session.h"

enum { LIMIT = 1 << 20, MAGIC = 8 };

static char models[][32] = {
	"resnet",
	"resnet_unfused",
	"resnet_merged",
	"resnet_fixed",
	"mobilenet",
	"vgg",
	"vit",
	"vit_decomposed",
	"vit_fixed",
	"mobilenet_unfused",
	"unet",
	"unet_unfolded",
	"encoder_layers",
	"time_first",
	"time_first_unfolded",
	"bert",
	"bert_unfolded",
	"gpt",
	"gpt_untied",
	"mlp_unfolded",
	"lstm",
	"lstm_unfolded",
	"lstm_fixed",
	"lstm_deep",
	"gru",
	"gcn",
	"gcn_fixed",
	"swin",
	"convnext",
};

/* A file with its numbers, and a session that has to find the same. */
struct whole {
	const char *name;
	uint64_t rows, row_floats, output_floats, row_labels, floats, parameters; /* as in the file */
	const uint64_t *counts;
	const float *inputs, *outputs, *losses, *sum, *square_sum, *norms, *tangents, *product;
	const int32_t *labels;
	const char *names;
	struct buf onnx, bytes;
	struct graph *graph;
	struct params *params;
	struct session *session;
};

static void read_file(const char *name, const char *extension, struct buf *out)
{
	struct exp_error err = { 0 };
	char path[512];

	snprintf(path, sizeof(path), GOLDEN "/engine/models/%s.%s", name, extension);
	cr_assert_eq(file_read(path, LIMIT, out, &err), 0, "%s", err.message);
}

static const void *take(const char **at, size_t size)
{
	const void *here = *at;

	*at += size;
	return here;
}

static void read_numbers(struct whole *w)
{
	const size_t header = 6 * sizeof(uint64_t);
	const char *at = w->bytes.data;

	cr_assert(w->bytes.size > MAGIC + header && memcmp(at, "GOLDEN2\n", MAGIC) == 0, "%s", w->name);
	at += MAGIC;
	memcpy(&w->rows, take(&at, header), header);
	w->counts = take(&at, w->parameters * sizeof(uint64_t));
	w->inputs = take(&at, w->rows * w->row_floats * sizeof(float));
	w->labels = take(&at, w->rows * w->row_labels * sizeof(int32_t));
	w->outputs = take(&at, w->rows * w->output_floats * sizeof(float));
	w->losses = take(&at, w->rows * sizeof(float));
	w->sum = take(&at, w->floats * sizeof(float));
	w->square_sum = take(&at, w->floats * sizeof(float));
	w->norms = take(&at, w->rows * sizeof(float));
	w->tangents = take(&at, w->rows * w->output_floats * sizeof(float));
	w->product = take(&at, w->floats * sizeof(float));
	w->names = at;
	for (size_t i = 0; i < w->parameters; i++)
		at += strlen(at) + 1;
	cr_assert_eq(at - w->bytes.data, (ptrdiff_t)w->bytes.size, "%s: size", w->name);
}

static void set_up(struct whole *w, const char *name, size_t batch, unsigned threads)
{
	const struct session_options options = { .batch = batch, .threads = threads };
	struct exp_error err = { 0 };

	*w = (struct whole){ .name = name };
	read_file(name, "onnx", &w->onnx);
	read_file(name, "golden", &w->bytes);
	read_numbers(w);
	cr_assert_eq(graph_load(w->onnx.data, w->onnx.size, &w->graph, &err), 0, "%s: %s", name, err.message);
	cr_assert_eq(graph_initial_params(w->graph, &w->params), 0);
	cr_assert_eq(session_open(w->graph, &options, &w->session, &err), 0, "%s: %s", name, err.message);
	cr_assert_eq(graph_input_floats(w->graph), w->row_floats, "%s", name);
	cr_assert_eq(graph_output_floats(w->graph), w->output_floats, "%s", name);
	cr_assert_eq(graph_positions(w->graph), w->row_labels, "%s", name);
	cr_assert_eq(graph_trainable_floats(w->graph), w->floats, "%s: %zu trainable floats, PyTorch has %zu", name,
		     graph_trainable_floats(w->graph), (size_t)w->floats);
}

static void tear_down(struct whole *w)
{
	session_free(w->session);
	params_free(w->params);
	graph_unref(w->graph);
	buf_fini(&w->onnx);
	buf_fini(&w->bytes);
}

static float *floats_new(size_t count)
{
	float *out = calloc(count, sizeof(*out));

	cr_assert_not_null(out);
	return out;
}

static double largest(const float *x, size_t count)
{
	double m = 0.0;

	for (size_t i = 0; i < count; i++)
		m = fmax(m, fabs((double)x[i]));
	return m;
}

/* |got - want| <= tolerance everywhere. */
static void compare(const struct whole *w, const char *what, const float *got, const float *want, size_t count,
		    double tolerance)
{
	for (size_t i = 0; i < count; i++)
		cr_assert(fabs((double)got[i] - (double)want[i]) <= tolerance, "%s: %s[%zu] is %g, PyTorch has %g",
			  w->name, what, i, (double)got[i], (double)want[i]);
}

static const struct graph_parameter *find(const struct whole *w, const char *name)
{
	for (size_t i = 0; i < graph_parameter_count(w->graph); i++)
		if (strcmp(graph_parameter(w->graph, i)->name, name) == 0)
			return graph_parameter(w->graph, i);
	cr_assert_fail("%s: no parameter %s", w->name, name);
	return NULL;
}

/* Parameter by parameter, relative to its largest value; floor is the part of the block's largest value below which a
 * parameter counts as nothing (a key's bias has gradient zero but for rounding). */
static void compare_block(const struct whole *w, const char *what, const float *block, const float *want, double floor)
{
	double all = largest(want, w->floats);
	const char *name = w->names;
	char label[256];

	for (size_t i = 0; i < w->parameters; i++) {
		const struct graph_parameter *p = find(w, name);

		cr_assert_eq(p->count, w->counts[i], "%s: %s", w->name, name);
		snprintf(label, sizeof(label), "%s of %s", what, name);
		compare(w, label, block + p->offset, want, p->count, 1e-4 * fmax(largest(want, p->count), floor * all));
		want += p->count;
		name += strlen(name) + 1;
	}
}

/* The direction that the file's tangents are taken along: see tools/golden/README.md. */
static float *direction_new(const struct whole *w)
{
	float *d = floats_new(graph_parameter_floats(w->graph));
	const char *name = w->names;
	uint32_t place = 0;

	for (size_t i = 0; i < w->parameters; i++, name += strlen(name) + 1) {
		const struct graph_parameter *p = find(w, name);

		for (size_t k = 0; k < p->count; k++, place++) {
			uint32_t x = place * 2654435761u + 12345u;

			x = (x ^ x >> 16) * 0x45d9f3bu;
			x ^= x >> 16;
			d[p->offset + k] = (float)(x >> 8) / 8388608.0F - 1.0F;
		}
	}
	return d;
}

/* The rows in runs of the batch size, the last one shorter. */
static size_t run_length(const struct whole *w, size_t first)
{
	size_t left = w->rows - first, batch = session_batch(w->session);

	return left < batch ? left : batch;
}

static const float *row(const struct whole *w, size_t i)
{
	return w->inputs + i * w->row_floats;
}

static void forward(struct whole *w, float *outputs)
{
	for (size_t i = 0; i < w->rows; i += session_batch(w->session))
		cr_assert_eq(session_forward(w->session, w->params, row(w, i), run_length(w, i),
					     outputs + i * w->output_floats),
			     0, "%s", w->name);
}

ParameterizedTestParameters(models, outputs)
{
	return cr_make_param_array(char[32], models, sizeof(models) / sizeof(models[0]));
}

ParameterizedTest(const char name[32], models, outputs)
{
	for (size_t batch = 1; batch <= 4; batch += batch) {
		struct whole w;
		float *y;

		set_up(&w, name, batch == 2 ? 3 : batch, 1);
		y = floats_new(w.rows * w.output_floats);
		forward(&w, y);
		compare(&w, "outputs", y, w.outputs, w.rows * w.output_floats,
			1e-4 * largest(w.outputs, w.rows * w.output_floats));
		free(y);
		tear_down(&w);
	}
}

/* One kind of reduction over all rows. out: a zeroed block; dots and losses [rows]. */
static void reduce_all(struct whole *w, enum session_reduce kind, struct session_result all)
{
	for (size_t i = 0; i < w->rows; i += session_batch(w->session)) {
		struct session_result r = all;

		r.losses = all.losses ? all.losses + i : NULL;
		r.dots = all.dots ? all.dots + i : NULL;
		cr_assert_eq(session_backward(w->session, w->params, row(w, i), w->labels + i * w->row_labels,
					      run_length(w, i), kind, &r),
			     0, "%s", w->name);
	}
}

static void check_sums(struct whole *w)
{
	float *block = floats_new(graph_parameter_floats(w->graph)), *losses = floats_new(w->rows);

	reduce_all(w, SESSION_SUM, (struct session_result){ .out = block, .losses = losses });
	compare(w, "losses", losses, w->losses, w->rows, 1e-4 * largest(w->losses, w->rows));
	compare_block(w, "sum", block, w->sum, 1e-2);
	memset(block, 0, graph_parameter_floats(w->graph) * sizeof(*block));
	reduce_all(w, SESSION_SQUARE_SUM, (struct session_result){ .out = block });
	compare_block(w, "square_sum", block, w->square_sum, 1e-4);
	free(block);
	free(losses);
}

static void check_products(struct whole *w)
{
	float *d = direction_new(w), *losses = floats_new(w->rows), *norms = floats_new(w->rows);
	double *dots = calloc(w->rows, sizeof(*dots)), got = 0.0, want = 0.0, scale = 0.0;
	const float *directions[] = { d }, *sum = w->sum;
	const char *name = w->names;

	cr_assert_not_null(dots);
	reduce_all(w, SESSION_NORM, (struct session_result){ .dots = dots, .losses = losses });
	for (size_t i = 0; i < w->rows; i++)
		norms[i] = (float)dots[i];
	compare(w, "norms", norms, w->norms, w->rows, 1e-4 * largest(w->norms, w->rows));
	reduce_all(w, SESSION_DOT,
		   (struct session_result){ .dots = dots, .directions = directions, .direction_count = 1 });
	for (size_t i = 0; i < w->rows; i++)
		got += dots[i];
	for (size_t i = 0; i < w->parameters; i++, name += strlen(name) + 1) {
		const struct graph_parameter *p = find(w, name);

		for (size_t k = 0; k < p->count; k++, sum++) {
			want += (double)*sum * (double)d[p->offset + k];
			scale += fabs((double)*sum * (double)d[p->offset + k]);
		}
	}
	cr_assert(fabs(got - want) <= 1e-5 * scale, "%s: the products add to %g, PyTorch's to %g", w->name, got, want);
	free(d);
	free(losses);
	free(norms);
	free(dots);
}

ParameterizedTestParameters(models, gradients)
{
	return cr_make_param_array(char[32], models, sizeof(models) / sizeof(models[0]));
}

ParameterizedTest(const char name[32], models, gradients)
{
	for (size_t batch = 1; batch <= 4; batch += batch) {
		struct whole w;

		set_up(&w, name, batch == 2 ? 3 : batch, 1);
		check_sums(&w);
		check_products(&w);
		tear_down(&w);
	}
}

/* J^T H J d: tangents forward, the loss's second derivative, backward from it. */
static void gauss_newton(struct whole *w, const float *scores, float *tangents, float *block)
{
	const struct loss cross_entropy = { .kind = LOSS_CROSS_ENTROPY, .labels = w->labels };
	const struct loss upstream = { .kind = LOSS_UPSTREAM, .targets = tangents };
	struct session_result result = { .out = block };
	const struct session_call call = { .params = w->params,
					   .inputs = w->inputs,
					   .n = w->rows,
					   .loss = &upstream,
					   .reduce = SESSION_SUM,
					   .result = &result };
	float *values = floats_new(w->rows);
	struct exp_error err = { 0 };
	const struct loss_batch b = { .samples = w->rows,
				      .positions = w->row_labels,
				      .classes = w->output_floats / w->row_labels,
				      .scores = scores,
				      .values = values };

	loss_hessian_product(&cross_entropy, &b, tangents, tangents);
	cr_assert_eq(session_run(w->session, &call, &err), 0, "%s: %s", w->name, err.message);
	free(values);
}

ParameterizedTestParameters(models, tangents)
{
	return cr_make_param_array(char[32], models, sizeof(models) / sizeof(models[0]));
}

ParameterizedTest(const char name[32], models, tangents)
{
	struct whole w;
	struct exp_error err = { 0 };
	float *d, *tangents, *scores, *block;
	struct session_tangent call;
	size_t count;

	set_up(&w, name, 4, 1);
	count = w.rows * w.output_floats;
	d = direction_new(&w);
	tangents = floats_new(count);
	scores = floats_new(count);
	block = floats_new(graph_parameter_floats(w.graph));
	call = (struct session_tangent){ .params = w.params,
					 .inputs = w.inputs,
					 .n = w.rows,
					 .direction = d,
					 .tangents = tangents,
					 .scores = scores };
	cr_assert_eq(session_tangent(w.session, &call, &err), 0, "%s: %s", name, err.message);
	compare(&w, "scores", scores, w.outputs, count, 1e-4 * largest(w.outputs, count));
	compare(&w, "tangents", tangents, w.tangents, count, 1e-4 * largest(w.tangents, count));
	gauss_newton(&w, scores, tangents, block);
	compare_block(&w, "product", block, w.product, 1e-2);
	free(d);
	free(tangents);
	free(scores);
	free(block);
	tear_down(&w);
}

ParameterizedTestParameters(models, threads)
{
	return cr_make_param_array(char[32], models, sizeof(models) / sizeof(models[0]));
}

ParameterizedTest(const char name[32], models, threads)
{
	static const enum session_reduce kinds[] = { SESSION_SUM, SESSION_SQUARE_SUM };
	struct whole one, two;
	float *a, *b;
	size_t size;

	set_up(&one, name, 4, 1);
	set_up(&two, name, 4, 3);
	size = graph_parameter_floats(one.graph) * sizeof(*a);
	a = floats_new(graph_parameter_floats(one.graph));
	b = floats_new(graph_parameter_floats(one.graph));
	for (size_t i = 0; i < 2; i++) {
		memset(a, 0, size);
		memset(b, 0, size);
		reduce_all(&one, kinds[i], (struct session_result){ .out = a });
		reduce_all(&two, kinds[i], (struct session_result){ .out = b });
		cr_assert_arr_eq(a, b, size, "%s: three threads make other bits than one", name);
	}
	free(a);
	free(b);
	tear_down(&one);
	tear_down(&two);
}

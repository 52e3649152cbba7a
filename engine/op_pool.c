/*
 * MaxPool, AveragePool, GlobalAveragePool.
 *
 * The gradient of a maximum goes to the first input that attains it, as in PyTorch; that of an average to all that it was taken over.
 * count_include_pad counts padding (but not what lies beyond it) in the average.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/window.h"

enum { MAX, AVERAGE };

struct pool {
	struct window w;
	size_t channels;
	bool include_pad;
};

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct pool *c = b->config;
	const int64_t *kernel = NULL;
	int64_t include_pad = 0;
	size_t count = 0;
	int rc;

	if ((rc = op_need_float(b, 0, err)) || (rc = op_get_ints(b, "kernel_shape", &kernel, &count, err)))
		return rc;
	if (!kernel)
		return error_set(err, EXP_EPARSE, "the attribute kernel_shape is missing");
	if (op->variant == AVERAGE && (rc = op_get_int(b, "count_include_pad", &include_pad, err)))
		return rc;
	rc = window_infer(b, NULL, &c->w, err);
	if (rc)
		return rc;
	for (size_t d = 0; d < WINDOW_DIMS; d++)
		if (c->w.pad[d] >= (c->w.kernel[d] - 1) * c->w.dilation[d] + 1 && c->w.pad[d] > 0)
			return error_set(err, EXP_EUNSUPPORTED, "padding that is as wide as the window leaves windows empty");
	c->include_pad = include_pad != 0;
	c->channels = b->inputs[0]->shape.dims[1];
	window_output(b, &c->w, c->channels);
	b->scratch = 2 * c->w.positions;
	b->flops_per_row = (uint64_t)c->channels * c->w.positions * c->w.taps;
	return 0;
}

/*
 * A plane is done a row of outputs and a tap at a time: the inner loops run over the outputs of a row, without branches. step is
 * the distance between the inputs of neighbouring outputs, a constant where it is 1 or 2 so that these loops become vectors.
 */
static inline __attribute__((always_inline)) void take_max(float *restrict y, const float *restrict x, size_t step, size_t n)
{
	/* NaN counts as largest. */
	for (size_t o = 0; o < n; o++) {
		float v = x[o * step];

		y[o] = (v > y[o]) | (v != v) ? v : y[o];
	}
}

static inline __attribute__((always_inline)) void take_sum(float *restrict y, const float *restrict x, size_t step, size_t n)
{
	for (size_t o = 0; o < n; o++)
		y[o] += x[o * step];
}

static inline __attribute__((always_inline)) void give(float *restrict dx, const float *restrict g, size_t step, size_t n)
{
	for (size_t o = 0; o < n; o++)
		dx[o * step] += g[o];
}

/* What has been given is taken from g, so that later taps with the same value get none. */
static inline __attribute__((always_inline)) void give_max(float *restrict dx, const float *restrict x, const float *restrict y,
							   float *restrict g, size_t step, size_t n)
{
	for (size_t o = 0; o < n; o++) {
		bool hit = x[o * step] == y[o];

		dx[o * step] += hit ? g[o] : 0.0f;
		g[o] = hit ? 0.0f : g[o];
	}
}

#define BY_STEP(call, step) \
	do { \
		if ((step) == 1) \
			call(1); \
		else if ((step) == 2) \
			call(2); \
		else \
			call(step); \
	} while (0)

/* One tap for one row of outputs. */
struct tap {
	int variant;
	size_t first, count, step;         /* outputs, and the distance between their inputs */
	size_t at;                         /* the first one's input, in the plane */
};

KERNEL static void forward_tap(const struct tap *t, const float *x, float *y)
{
#define MAX_CALL(step) take_max(y + t->first, x + t->at, step, t->count)
#define SUM_CALL(step) take_sum(y + t->first, x + t->at, step, t->count)
	if (t->variant == MAX)
		BY_STEP(MAX_CALL, t->step);
	else
		BY_STEP(SUM_CALL, t->step);
}

KERNEL static void backward_tap(const struct tap *t, const float *x, const float *y, float *g, float *dx)
{
#define GIVE_MAX_CALL(step) give_max(dx + t->at, x + t->at, y + t->first, g + t->first, step, t->count)
#define GIVE_CALL(step) give(dx + t->at, g + t->first, step, t->count)
	if (t->variant == MAX)
		BY_STEP(GIVE_MAX_CALL, t->step);
	else
		BY_STEP(GIVE_CALL, t->step);
}

/* The tap (ky, kx) for row oy of outputs; false when it meets padding only. */
static bool find_tap(const struct window *w, size_t oy, size_t ky, size_t kx, struct tap *t)
{
	struct window_range rows = w->ranges[0][ky], columns = w->ranges[1][kx];

	if (oy < rows.first || oy >= rows.end || columns.first >= columns.end)
		return false;
	t->first = columns.first;
	t->count = columns.end - columns.first;
	t->step = w->stride[1];
	t->at = window_reads(w, 0, ky, oy) * w->in[1] + window_reads(w, 1, kx, columns.first);
	return true;
}

/* Taps of output o along dimension d that count in an average. */
static size_t counted(const struct pool *c, size_t d, size_t o)
{
	const struct window *w = &c->w;
	size_t at = o * w->stride[d], end = w->pad[d] + w->in[d] + w->pad_end[d], count = 0;

	if (c->include_pad)
		return w->kernel[d] < end - at ? w->kernel[d] : end - at;
	for (size_t k = 0; k < w->kernel[d]; k++)
		count += o >= w->ranges[d][k].first && o < w->ranges[d][k].end;
	return count;
}

/* out [out, out]: what each output of an average is divided by; the same for all planes. */
static void count_taps(const struct pool *c, float *out)
{
	for (size_t oy = 0; oy < c->w.out[0]; oy++)
		for (size_t ox = 0; ox < c->w.out[1]; ox++)
			out[oy * c->w.out[1] + ox] = (float)(counted(c, 0, oy) * counted(c, 1, ox));
}

static void forward_plane(const struct pool *c, int variant, const float *x, float *y)
{
	const struct window *w = &c->w;
	struct tap t = { .variant = variant };

	for (size_t i = 0; i < w->positions; i++)
		y[i] = variant == MAX ? -INFINITY : 0.0f;
	for (size_t oy = 0; oy < w->out[0]; oy++)
		for (size_t ky = 0; ky < w->kernel[0]; ky++)
			for (size_t kx = 0; kx < w->kernel[1]; kx++)
				if (find_tap(w, oy, ky, kx, &t))
					forward_tap(&t, x, y + oy * w->out[1]);
}

/* g: the output's gradients, for averages divided already; consumed. */
static void backward_plane(const struct pool *c, int variant, const float *x, const float *y, float *g, float *dx)
{
	const struct window *w = &c->w;
	struct tap t = { .variant = variant };

	memset(dx, 0, w->pixels * sizeof(*dx));
	for (size_t oy = 0; oy < w->out[0]; oy++)
		for (size_t ky = 0; ky < w->kernel[0]; ky++)
			for (size_t kx = 0; kx < w->kernel[1]; kx++)
				if (find_tap(w, oy, ky, kx, &t))
					backward_tap(&t, x, y + oy * w->out[1], g + oy * w->out[1], dx);
}

static void forward(const struct op_run *r)
{
	const struct pool *c = r->config;
	size_t positions = c->w.positions;

	if (r->op->variant == AVERAGE)
		count_taps(c, r->scratch);
	for (size_t i = 0; i < r->rows * c->channels; i++) {
		float *y = r->out->data + i * positions;

		forward_plane(c, r->op->variant, r->in[0].data + i * c->w.pixels, y);
		for (size_t k = 0; r->op->variant == AVERAGE && k < positions; k++)
			y[k] /= r->scratch[k];
	}
}

static void backward(const struct op_run *r)
{
	const struct pool *c = r->config;
	size_t positions = c->w.positions;
	float *counts = r->scratch, *g = r->scratch + positions;

	if (!r->in[0].grad)
		return;
	count_taps(c, counts);
	for (size_t i = 0; i < r->rows * c->channels; i++) {
		const float *dy = r->out->grad + i * positions;

		for (size_t k = 0; k < positions; k++)
			g[k] = r->op->variant == AVERAGE ? dy[k] / counts[k] : dy[k];
		backward_plane(c, r->op->variant, r->in[0].data + i * c->w.pixels, r->out->data + i * positions, g,
			       r->in[0].grad + i * c->w.pixels);
	}
}

/* ---- GlobalAveragePool ---- */

struct global {
	size_t planes, pixels;       /* of one row */
};

static int infer_global(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct global *c = b->config;
	const struct shape *s;
	char text[SHAPE_TEXT];
	int rc = op_need_float(b, 0, err);

	(void)op;
	if (rc)
		return rc;
	s = &b->inputs[0]->shape;
	if (s->rank < 3)
		return error_set(err, EXP_ESHAPE, "the input %s has no spatial dimensions",
				 shape_format(s, b->inputs[0]->batched, text));
	c->planes = s->dims[0] * s->dims[1];
	c->pixels = shape_span(s, 2, s->rank);
	b->output->shape = *s;
	for (size_t i = 2; i < s->rank; i++)
		b->output->shape.dims[i] = 1;
	b->flops_per_row = shape_count(s);
	return 0;
}

static void forward_global(const struct op_run *r)
{
	const struct global *c = r->config;

	for (size_t i = 0; i < r->rows * c->planes; i++)
		r->out->data[i] = (float)(kernel_sum(r->in[0].data + i * c->pixels, c->pixels) / (double)c->pixels);
}

static void backward_global(const struct op_run *r)
{
	const struct global *c = r->config;

	for (size_t i = 0; r->in[0].grad && i < r->rows * c->planes; i++)
		for (size_t k = 0; k < c->pixels; k++)
			r->in[0].grad[i * c->pixels + k] = r->out->grad[i] / (float)c->pixels;
}

const struct op op_max_pool = {
	.name = "MaxPool", .min_inputs = 1, .max_inputs = 1,
	.attributes = "auto_pad ceil_mode dilations kernel_shape pads storage_order strides", .config_size = sizeof(struct pool),
	.variant = MAX, .infer = infer, .forward = forward, .backward = backward,
};
const struct op op_average_pool = {
	.name = "AveragePool", .min_inputs = 1, .max_inputs = 1,
	.attributes = "auto_pad ceil_mode count_include_pad kernel_shape pads strides", .config_size = sizeof(struct pool),
	.variant = AVERAGE, .infer = infer, .forward = forward, .backward = backward,
};
const struct op op_global_average_pool = {
	.name = "GlobalAveragePool", .min_inputs = 1, .max_inputs = 1, .config_size = sizeof(struct global), .infer = infer_global,
	.forward = forward_global, .backward = backward_global,
};

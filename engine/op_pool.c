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
	b->flops_per_row = (uint64_t)c->channels * c->w.positions * c->w.taps;
	return 0;
}

/* The taps of one output that lie inside the input, along one dimension: inputs start, start + step, … (count of them). */
struct reach {
	size_t start, count, step;
	size_t padded;               /* taps inside input or padding */
};

static struct reach reach_of(const struct window *w, size_t d, size_t out)
{
	size_t at = out * w->stride[d], step = w->dilation[d], skip = 0, count, end = w->in[d] + w->pad[d];
	struct reach r = { .step = step };

	/* Positions are counted from the start of the padding. */
	if (at < w->pad[d])
		skip = (w->pad[d] - at + step - 1) / step;
	count = at < end ? (end - at + step - 1) / step : 0;
	count = count < w->kernel[d] ? count : w->kernel[d];
	r.start = at + skip * step - w->pad[d];
	r.count = count > skip ? count - skip : 0;
	r.padded = at < end + w->pad_end[d] ? (end + w->pad_end[d] - at + step - 1) / step : 0;
	r.padded = r.padded < w->kernel[d] ? r.padded : w->kernel[d];
	return r;
}

/* Place of the largest input of a window; NaN counts as largest. */
static size_t find_max(const struct window *w, const float *x, const struct reach *rows, const struct reach *columns)
{
	size_t best = rows->start * w->in[1] + columns->start;

	for (size_t i = 0; i < rows->count; i++) {
		size_t at = (rows->start + i * rows->step) * w->in[1] + columns->start;

		for (size_t k = 0; k < columns->count; k++, at += columns->step)
			if (x[at] > x[best] || isnan(x[at]))
				best = at;
	}
	return best;
}

static float average(const struct pool *c, const float *x, const struct reach *rows, const struct reach *columns)
{
	size_t count = c->include_pad ? rows->padded * columns->padded : rows->count * columns->count;
	float sum = 0.0f;

	for (size_t i = 0; i < rows->count; i++) {
		const float *line = x + (rows->start + i * rows->step) * c->w.in[1] + columns->start;

		for (size_t k = 0; k < columns->count; k++)
			sum += line[k * columns->step];
	}
	return sum / (float)count;
}

static void spread(const struct pool *c, float *dx, float dy, const struct reach *rows, const struct reach *columns)
{
	size_t count = c->include_pad ? rows->padded * columns->padded : rows->count * columns->count;
	float part = dy / (float)count;

	for (size_t i = 0; i < rows->count; i++) {
		float *line = dx + (rows->start + i * rows->step) * c->w.in[1] + columns->start;

		for (size_t k = 0; k < columns->count; k++)
			line[k * columns->step] += part;
	}
}

static void forward_plane(const struct pool *c, int variant, const float *x, float *y)
{
	const struct window *w = &c->w;

	for (size_t oy = 0; oy < w->out[0]; oy++) {
		struct reach rows = reach_of(w, 0, oy);

		for (size_t ox = 0; ox < w->out[1]; ox++) {
			struct reach columns = reach_of(w, 1, ox);

			y[oy * w->out[1] + ox] = variant == MAX ? x[find_max(w, x, &rows, &columns)] : average(c, x, &rows, &columns);
		}
	}
}

static void backward_plane(const struct pool *c, int variant, const float *x, const float *dy, float *dx)
{
	const struct window *w = &c->w;

	memset(dx, 0, w->pixels * sizeof(*dx));
	for (size_t oy = 0; oy < w->out[0]; oy++) {
		struct reach rows = reach_of(w, 0, oy);

		for (size_t ox = 0; ox < w->out[1]; ox++) {
			struct reach columns = reach_of(w, 1, ox);
			float g = dy[oy * w->out[1] + ox];

			if (variant == MAX)
				dx[find_max(w, x, &rows, &columns)] += g;
			else
				spread(c, dx, g, &rows, &columns);
		}
	}
}

static void forward(const struct op_run *r)
{
	const struct pool *c = r->config;

	for (size_t i = 0; i < r->rows * c->channels; i++)
		forward_plane(c, r->op->variant, r->in[0].data + i * c->w.pixels, r->out->data + i * c->w.positions);
}

static void backward(const struct op_run *r)
{
	const struct pool *c = r->config;

	for (size_t i = 0; r->in[0].grad && i < r->rows * c->channels; i++)
		backward_plane(c, r->op->variant, r->in[0].data + i * c->w.pixels, r->out->grad + i * c->w.positions,
			       r->in[0].grad + i * c->w.pixels);
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

/*
 * MaxPool, AveragePool, GlobalAveragePool.
 *
 * The gradient of a maximum goes to the first input that attains it, as in PyTorch; that of an average to all that it
 * was taken over. count_include_pad counts padding (but not what lies beyond it) in the average.
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
			return error_set(err, EXP_EUNSUPPORTED,
					 "padding that is as wide as the window leaves windows empty");
	c->include_pad = include_pad != 0;
	c->channels = b->inputs[0]->shape.dims[1];
	window_output(b, &c->w, c->channels);
	b->scratch = 2 * c->w.positions;
	b->flops_per_row = (uint64_t)c->channels * c->w.positions * c->w.taps;
	return 0;
}

/* One tap: where the outputs that it serves lie in their plane, and what they read in the input's. */
struct tap {
	size_t rows, count, step; /* rows of outputs, outputs of a row, inputs between neighbours of a row */
	size_t x, y;              /* the first output's input, the first output */
	size_t x_row, y_row;      /* floats from row to row */
};

/*
 * A plane is done a tap at a time: the inner loops run over the outputs of a row and hold no branches. Vectors do not
 * pay here: rows are short, and most pools step by two.
 */
static void take_max(const struct tap *t, const float *restrict x, float *restrict y)
{
	for (size_t i = 0; i < t->rows; i++) {
		const float *from = x + t->x + i * t->x_row;
		float *to = y + t->y + i * t->y_row;

		for (size_t o = 0; o < t->count; o++) {
			float v = from[o * t->step];

			/* NaN counts as largest. */
			to[o] = (v > to[o]) | (v != v) ? v : to[o];
		}
	}
}

static void take_sum(const struct tap *t, const float *restrict x, float *restrict y)
{
	for (size_t i = 0; i < t->rows; i++)
		for (size_t o = 0; o < t->count; o++)
			y[t->y + i * t->y_row + o] += x[t->x + i * t->x_row + o * t->step];
}

/* What has been given is taken from g, so that later taps with the same value get none. */
static void give_max(const struct tap *t, const float *restrict x, const float *restrict y, float *restrict g,
		     float *restrict dx)
{
	for (size_t i = 0; i < t->rows; i++) {
		size_t from = t->x + i * t->x_row, to = t->y + i * t->y_row;

		for (size_t o = 0; o < t->count; o++) {
			bool hit = x[from + o * t->step] == y[to + o];

			dx[from + o * t->step] += hit ? g[to + o] : 0.0f;
			g[to + o] = hit ? 0.0f : g[to + o];
		}
	}
}

static void give_sum(const struct tap *t, const float *restrict g, float *restrict dx)
{
	for (size_t i = 0; i < t->rows; i++)
		for (size_t o = 0; o < t->count; o++)
			dx[t->x + i * t->x_row + o * t->step] += g[t->y + i * t->y_row + o];
}

/* Tap number i of the window, in row-major order; rows is 0 when it meets padding only. */
static struct tap find_tap(const struct window *w, size_t i)
{
	size_t ky = i / w->kernel[1], kx = i % w->kernel[1];
	struct window_range rows = w->ranges[0][ky], columns = w->ranges[1][kx];
	struct tap t = { .step = w->stride[1], .x_row = w->stride[0] * w->in[1], .y_row = w->out[1] };

	if (rows.first >= rows.end || columns.first >= columns.end)
		return t;
	t.rows = rows.end - rows.first;
	t.count = columns.end - columns.first;
	t.x = window_reads(w, 0, ky, rows.first) * w->in[1] + window_reads(w, 1, kx, columns.first);
	t.y = rows.first * w->out[1] + columns.first;
	return t;
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
	for (size_t i = 0; i < c->w.positions; i++)
		y[i] = variant == MAX ? -INFINITY : 0.0f;
	for (size_t i = 0; i < c->w.taps; i++) {
		struct tap t = find_tap(&c->w, i);

		if (variant == MAX)
			take_max(&t, x, y);
		else
			take_sum(&t, x, y);
	}
}

/* g: the output's gradients, for averages divided already; consumed. */
static void backward_plane(const struct pool *c, int variant, const float *x, const float *y, float *g, float *dx)
{
	memset(dx, 0, c->w.pixels * sizeof(*dx));
	for (size_t i = 0; i < c->w.taps; i++) {
		struct tap t = find_tap(&c->w, i);

		if (variant == MAX)
			give_max(&t, x, y, g, dx);
		else
			give_sum(&t, g, dx);
	}
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
	size_t planes, pixels; /* of one row */
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
	.name = "MaxPool",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "auto_pad ceil_mode dilations kernel_shape pads storage_order strides",
	.config_size = sizeof(struct pool),
	.variant = MAX,
	.infer = infer,
	.forward = forward,
	.backward = backward,
};
const struct op op_average_pool = {
	.name = "AveragePool",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "auto_pad ceil_mode count_include_pad kernel_shape pads strides",
	.config_size = sizeof(struct pool),
	.variant = AVERAGE,
	.infer = infer,
	.forward = forward,
	.backward = backward,
};
const struct op op_global_average_pool = {
	.name = "GlobalAveragePool",
	.min_inputs = 1,
	.max_inputs = 1,
	.config_size = sizeof(struct global),
	.infer = infer_global,
	.forward = forward_global,
	.backward = backward_global,
};

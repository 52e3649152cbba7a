/*
 * MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool: planes [B * C] of inputs to planes of outputs.
 *
 * The gradient of a maximum goes to the first input that attains it, as in PyTorch; that of an average to all that it
 * was taken over. count_include_pad counts padding (but not what lies beyond it) in the average.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/window.h"

enum { MAX, AVERAGE };
enum { Y, INDICES };

struct pool {
	struct window w;
	size_t planes;
	bool include_pad;
	bool by_column; /* Indices count columns first */
};

static int infer_type(const struct op_build *b, struct exp_error *err)
{
	/* Integers are for MaxPool alone, which ONNX defines on bytes too. */
	if (b->op->variant == MAX && op_has(b, 0) && b->inputs[0]->type == TENSOR_I64)
		return 0;
	return op_need_float(b, 0, err);
}

static int read_attributes(const struct op_build *b, struct pool *c, struct exp_error *err)
{
	int64_t include_pad = 0, by_column = 0;
	int rc;

	if (!op_get(b, "kernel_shape"))
		return error_set(err, EXP_EPARSE, "the attribute kernel_shape is missing");
	if ((rc = op_get_int(b, "count_include_pad", &include_pad, err)) ||
	    (rc = op_get_int(b, "storage_order", &by_column, err)))
		return rc;
	c->include_pad = include_pad != 0;
	c->by_column = by_column != 0;
	return window_infer(b, NULL, &c->w, err);
}

static int infer_outputs(struct op_build *b, struct exp_error *err)
{
	const struct pool *c = b->config;
	size_t channels = b->inputs[0]->shape.dims[1];
	int rc;

	window_output(b, Y, channels, c->w.out);
	b->outputs[Y]->type = b->inputs[0]->type;
	b->outputs[Y]->onnx_type = b->inputs[0]->onnx_type;
	rc = op_keep_samples(b, Y, 0, err);
	if (rc || !op_wants(b, INDICES))
		return rc;
	window_output(b, INDICES, channels, c->w.out);
	b->outputs[INDICES]->type = TENSOR_I64;
	return op_keep_samples(b, INDICES, 0, err);
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct pool *c = b->config;
	int rc;

	if ((rc = infer_type(b, err)) || (rc = read_attributes(b, c, err)))
		return rc;
	for (size_t d = 0; d < WINDOW_DIMS; d++)
		if (c->w.pad[d] > 0 && c->w.pad[d] >= (c->w.kernel[d] - 1) * c->w.dilation[d] + 1)
			return error_set(err, EXP_EUNSUPPORTED,
					 "padding that is as wide as the window leaves windows empty");
	c->planes = shape_span(&b->inputs[0]->shape, 0, 2);
	b->scratch = 2 * c->w.positions;
	b->flops = (uint64_t)c->planes * c->w.positions * c->w.taps;
	return infer_outputs(b, err);
}

/* ---- one tap of one plane: loops over its box of outputs, without branches inside ---- */

/* NaN counts as largest. */
KERNEL_INLINE float larger(float v, float y)
{
	return ((v > y) | (v != v)) ? v : y;
}

KERNEL static void take_max(const struct window_tap *t, const float *restrict x, float *restrict y)
{
	for (size_t i = 0; i < t->planes * t->rows; i++) {
		const float *from = x + t->in + i / t->rows * t->in_plane + i % t->rows * t->in_row;
		float *to = y + t->out + i / t->rows * t->out_plane + i % t->rows * t->out_row;

		if (t->in_step == 1)
			for (size_t o = 0; o < t->count; o++)
				to[o] = larger(from[o], to[o]);
		else if (t->in_step == 2)
			for (size_t o = 0; o < t->count; o++)
				to[o] = larger(from[2 * o], to[o]);
		else
			for (size_t o = 0; o < t->count; o++)
				to[o] = larger(from[o * t->in_step], to[o]);
	}
}

KERNEL static void take_sum(const struct window_tap *t, const float *restrict x, float *restrict y)
{
	for (size_t i = 0; i < t->planes * t->rows; i++) {
		const float *from = x + t->in + i / t->rows * t->in_plane + i % t->rows * t->in_row;
		float *to = y + t->out + i / t->rows * t->out_plane + i % t->rows * t->out_row;

		if (t->in_step == 1)
			for (size_t o = 0; o < t->count; o++)
				to[o] += from[o];
		else if (t->in_step == 2)
			for (size_t o = 0; o < t->count; o++)
				to[o] += from[2 * o];
		else
			for (size_t o = 0; o < t->count; o++)
				to[o] += from[o * t->in_step];
	}
}

KERNEL static void give_sum(const struct window_tap *t, const float *restrict g, float *restrict dx)
{
	for (size_t i = 0; i < t->planes * t->rows; i++) {
		const float *from = g + t->out + i / t->rows * t->out_plane + i % t->rows * t->out_row;
		float *to = dx + t->in + i / t->rows * t->in_plane + i % t->rows * t->in_row;

		for (size_t o = 0; o < t->count; o++)
			to[o * t->in_step] += from[o];
	}
}

#define NO_INDEX UINT32_MAX

/* Notes the inputs of this tap in index where it is the first to attain the maximum y. */
KERNEL static void find_first(const struct window_tap *t, const float *restrict x, const float *restrict y,
			      uint32_t *restrict index)
{
	for (size_t i = 0; i < t->planes * t->rows; i++) {
		size_t in = t->in + i / t->rows * t->in_plane + i % t->rows * t->in_row;
		size_t out = t->out + i / t->rows * t->out_plane + i % t->rows * t->out_row;

		for (size_t o = 0; o < t->count; o++) {
			float v = x[in + o * t->in_step];
			bool first = ((v == y[out + o]) | (v != v)) & (index[out + o] == NO_INDEX);

			index[out + o] = first ? (uint32_t)(in + o * t->in_step) : index[out + o];
		}
	}
}

/* ---- planes ---- */

static void max_plane(const struct window *w, const float *x, float *y)
{
	for (size_t k = 0; k < w->positions; k++)
		y[k] = -INFINITY;
	for (size_t i = 0; i < w->taps; i++) {
		struct window_tap t = window_tap(w, i);

		take_max(&t, x, y);
	}
}

/* index [positions]: where in x [pixels] each maximum was found; NO_INDEX for a window that meets padding only. */
static void locate_plane(const struct window *w, const float *x, const float *y, uint32_t *index)
{
	for (size_t k = 0; k < w->positions; k++)
		index[k] = NO_INDEX;
	for (size_t i = 0; i < w->taps; i++) {
		struct window_tap t = window_tap(w, i);

		find_first(&t, x, y, index);
	}
}

/* Bytes and integers are rare: one by one. */
static void max_plane_of_integers(const struct window *w, const int64_t *x, int64_t *y)
{
	for (size_t k = 0; k < w->positions; k++)
		y[k] = INT64_MIN;
	for (size_t i = 0; i < w->taps; i++) {
		struct window_tap t = window_tap(w, i);

		for (size_t k = 0; k < t.planes * t.rows * t.count; k++) {
			size_t o = k % t.count, row = k / t.count % t.rows, plane = k / t.count / t.rows;
			int64_t v = x[t.in + plane * t.in_plane + row * t.in_row + o * t.in_step];
			int64_t *to = &y[t.out + plane * t.out_plane + row * t.out_row + o];

			*to = v > *to ? v : *to;
		}
	}
}

/* ONNX counts elements of the whole tensor, on request with columns before rows inside a plane. */
static void write_indices(const struct pool *c, const uint32_t *index, size_t plane, int64_t *out)
{
	const size_t *in = c->w.in;

	for (size_t k = 0; k < c->w.positions; k++) {
		size_t at = index[k], x = at % in[2], y = at / in[2] % in[1], z = at / in[2] / in[1];

		if (c->by_column)
			at = (x * in[1] + y) * in[0] + z;
		out[k] = index[k] == NO_INDEX ? -1 : (int64_t)(plane * c->w.pixels + at);
	}
}

static void forward_max(const struct op_run *r)
{
	const struct pool *c = r->config;
	bool is_float = r->in->value->type == TENSOR_F32;
	uint32_t *index = (uint32_t *)r->scratch;

	for (size_t i = 0; i < c->planes; i++) {
		size_t in = i * c->w.pixels, out = i * c->w.positions;

		if (!is_float) {
			max_plane_of_integers(&c->w, r->in->i + in, r->out->i + out);
			continue;
		}
		max_plane(&c->w, r->in->f + in, r->out->f + out);
		if (r->out_count <= INDICES || !r->out[INDICES].value)
			continue;
		locate_plane(&c->w, r->in->f + in, r->out->f + out, index);
		write_indices(c, index, i, r->out[INDICES].i + out);
	}
}

static void backward_max(const struct op_run *r)
{
	const struct pool *c = r->config;
	uint32_t *index = (uint32_t *)r->scratch;

	if (!r->in->grad)
		return;
	memset(r->in->grad, 0, c->planes * c->w.pixels * sizeof(float));
	for (size_t i = 0; i < c->planes; i++) {
		size_t in = i * c->w.pixels, out = i * c->w.positions;

		locate_plane(&c->w, r->in->f + in, r->out->f + out, index);
		for (size_t k = 0; k < c->w.positions; k++)
			if (index[k] != NO_INDEX)
				r->in->grad[in + index[k]] += r->out->grad[out + k];
	}
}

static void tangent_max(const struct op_run *r)
{
	const struct pool *c = r->config;
	uint32_t *index = (uint32_t *)r->scratch;

	for (size_t i = 0; i < c->planes; i++) {
		size_t in = i * c->w.pixels, out = i * c->w.positions;

		locate_plane(&c->w, r->in->f + in, r->out->f + out, index);
		for (size_t k = 0; k < c->w.positions; k++)
			r->out->tangent[out + k] = index[k] == NO_INDEX ? 0.0f : r->in->tangent[in + index[k]];
	}
}

/* ---- AveragePool ---- */

/* Taps of output o along dimension d that count in an average. */
static size_t counted(const struct pool *c, size_t d, size_t o)
{
	const struct window *w = &c->w;
	size_t end = w->pad[d] + w->in[d] + w->pad_end[d], count = 0;

	for (size_t k = 0; k < w->kernel[d]; k++) {
		if (c->include_pad)
			count += o * w->stride[d] + k * w->dilation[d] < end;
		else
			count += o >= w->ranges[d][k].first && o < w->ranges[d][k].end;
	}
	return count;
}

/* shares [positions]: one divided by the taps that count, the same for all planes. */
static void find_shares(const struct pool *c, float *shares)
{
	const size_t *out = c->w.out;

	for (size_t z = 0; z < out[0]; z++)
		for (size_t y = 0; y < out[1]; y++)
			for (size_t x = 0; x < out[2]; x++) {
				size_t taps = counted(c, 0, z) * counted(c, 1, y) * counted(c, 2, x);

				shares[(z * out[1] + y) * out[2] + x] = taps ? 1.0f / (float)taps : 0.0f;
			}
}

static void forward_average(const struct op_run *r)
{
	const struct pool *c = r->config;
	size_t positions = c->w.positions;
	float *shares = r->scratch, *sums = r->scratch + positions;

	find_shares(c, shares);
	for (size_t i = 0; i < c->planes; i++) {
		memset(sums, 0, positions * sizeof(*sums));
		for (size_t k = 0; k < c->w.taps; k++) {
			struct window_tap t = window_tap(&c->w, k);

			take_sum(&t, r->in->f + i * c->w.pixels, sums);
		}
		kernel_multiply(r->out->f + i * positions, sums, shares, positions);
	}
}

static void backward_average(const struct op_run *r)
{
	const struct pool *c = r->config;
	size_t positions = c->w.positions;
	float *shares = r->scratch, *given = r->scratch + positions;

	if (!r->in->grad)
		return;
	find_shares(c, shares);
	memset(r->in->grad, 0, c->planes * c->w.pixels * sizeof(float));
	for (size_t i = 0; i < c->planes; i++) {
		kernel_multiply(given, r->out->grad + i * positions, shares, positions);
		for (size_t k = 0; k < c->w.taps; k++) {
			struct window_tap t = window_tap(&c->w, k);

			give_sum(&t, given, r->in->grad + i * c->w.pixels);
		}
	}
}

/* ---- GlobalAveragePool, GlobalMaxPool ---- */

struct global {
	size_t planes, pixels;
};

static int infer_global(struct op_build *b, struct exp_error *err)
{
	struct global *c = b->config;
	const struct shape *s;
	char text[SHAPE_TEXT];
	int rc = op_need_float(b, 0, err);

	if (rc)
		return rc;
	s = &b->inputs[0]->shape;
	if (s->rank < 3)
		return error_set(err, EXP_ESHAPE, "the input %s has no spatial dimensions", op_format(b, 0, text));
	c->planes = shape_span(s, 0, 2);
	c->pixels = shape_span(s, 2, s->rank);
	if (c->pixels == 0)
		return error_set(err, EXP_ESHAPE, "the input %s is empty", op_format(b, 0, text));
	b->outputs[0]->shape = *s;
	for (size_t i = 2; i < s->rank; i++)
		b->outputs[0]->shape.dims[i] = 1;
	b->flops = shape_count(s);
	return op_keep_samples(b, 0, 0, err);
}

static void forward_global_average(const struct op_run *r)
{
	const struct global *c = r->config;

	for (size_t i = 0; i < c->planes; i++)
		r->out->f[i] = (float)(kernel_sum(r->in->f + i * c->pixels, c->pixels) / (double)c->pixels);
}

static void backward_global_average(const struct op_run *r)
{
	const struct global *c = r->config;
	float share = 1.0f / (float)c->pixels;

	for (size_t i = 0; r->in->grad && i < c->planes; i++)
		for (size_t k = 0; k < c->pixels; k++)
			r->in->grad[i * c->pixels + k] = r->out->grad[i] * share;
}

/* The first that no other exceeds; a NaN counts as largest. */
static size_t find_largest(const float *x, size_t n)
{
	size_t at = 0;

	for (size_t k = 1; k < n && x[at] == x[at]; k++)
		at = x[k] > x[at] || x[k] != x[k] ? k : at;
	return at;
}

static void forward_global_max(const struct op_run *r)
{
	const struct global *c = r->config;

	for (size_t i = 0; i < c->planes; i++) {
		const float *x = r->in->f + i * c->pixels;

		r->out->f[i] = x[find_largest(x, c->pixels)];
	}
}

static void backward_global_max(const struct op_run *r)
{
	const struct global *c = r->config;

	if (!r->in->grad)
		return;
	memset(r->in->grad, 0, c->planes * c->pixels * sizeof(float));
	for (size_t i = 0; i < c->planes; i++) {
		size_t first = i * c->pixels;

		r->in->grad[first + find_largest(r->in->f + first, c->pixels)] = r->out->grad[i];
	}
}

static void tangent_global_max(const struct op_run *r)
{
	const struct global *c = r->config;

	for (size_t i = 0; i < c->planes; i++) {
		size_t first = i * c->pixels;

		r->out->tangent[i] = r->in->tangent[first + find_largest(r->in->f + first, c->pixels)];
	}
}

const struct op op_max_pool = {
	.name = "MaxPool",
	.min_inputs = 1,
	.max_inputs = 1,
	.max_outputs = 2,
	.attributes = "auto_pad ceil_mode dilations kernel_shape pads storage_order strides",
	.flags = OP_READS_OUTPUT,
	.config_size = sizeof(struct pool),
	.variant = MAX,
	.infer = infer,
	.forward = forward_max,
	.backward = backward_max,
	.tangent = tangent_max,
};
const struct op op_average_pool = {
	.name = "AveragePool",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct pool),
	.variant = AVERAGE,
	.infer = infer,
	.forward = forward_average,
	.backward = backward_average,
};
const struct op op_global_average_pool = {
	.name = "GlobalAveragePool",
	.min_inputs = 1,
	.max_inputs = 1,
	.flags = OP_LINEAR,
	.config_size = sizeof(struct global),
	.infer = infer_global,
	.forward = forward_global_average,
	.backward = backward_global_average,
};
const struct op op_global_max_pool = {
	.name = "GlobalMaxPool",
	.min_inputs = 1,
	.max_inputs = 1,
	.config_size = sizeof(struct global),
	.infer = infer_global,
	.forward = forward_global_max,
	.backward = backward_global_max,
	.tangent = tangent_global_max,
};

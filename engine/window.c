#include "engine/window.h"

#include <inttypes.h>
#include <string.h>

#include "engine/kernels.h"

/* ---- attributes ---- */

/* Numbers for each spatial dimension, right-aligned in out (a series uses the last). */
static int read_sizes(const struct op_build *b, const char *name, size_t dims, int64_t least, size_t *out,
		      struct exp_error *err)
{
	const int64_t *values = NULL;
	size_t count = 0;
	int rc = op_get_ints(b, name, &values, &count, err);

	if (rc || !values)
		return rc;
	if (count != dims)
		return error_set(err, EXP_ESHAPE, "%s has %zu elements; %zu are expected", name, count, dims);
	for (size_t i = 0; i < dims; i++) {
		if (values[i] < least || values[i] > (int64_t)SHAPE_MAX_FLOATS)
			return error_set(err, EXP_ESHAPE, "%s holds %" PRId64, name, values[i]);
		out[WINDOW_DIMS - dims + i] = (size_t)values[i];
	}
	return 0;
}

static int read_pads(const struct op_build *b, size_t dims, struct window *w, struct exp_error *err)
{
	size_t both[2 * WINDOW_DIMS] = { 0 };
	const int64_t *values = NULL;
	size_t count = 0;
	int rc = op_get_ints(b, "pads", &values, &count, err);

	if (rc || !values)
		return rc;
	if (count != 2 * dims)
		return error_set(err, EXP_ESHAPE, "pads has %zu elements; %zu are expected", count, 2 * dims);
	for (size_t i = 0; i < count; i++) {
		if (values[i] < 0 || values[i] > (int64_t)SHAPE_MAX_FLOATS)
			return error_set(err, EXP_EUNSUPPORTED, "pads holds %" PRId64, values[i]);
		both[i] = (size_t)values[i];
	}
	for (size_t i = 0; i < dims; i++) {
		w->pad[WINDOW_DIMS - dims + i] = both[i];
		w->pad_end[WINDOW_DIMS - dims + i] = both[dims + i];
	}
	return 0;
}

static size_t reach(const struct window *w, size_t d)
{
	return (w->kernel[d] - 1) * w->dilation[d] + 1;
}

/* SAME: as many outputs as strides fit; what is missing is padded, the odd one at the end (UPPER) or at the start. */
static void pad_same(struct window *w, size_t d, bool odd_at_end)
{
	size_t out = (w->in[d] + w->stride[d] - 1) / w->stride[d];
	size_t need = (out - 1) * w->stride[d] + reach(w, d), total = need > w->in[d] ? need - w->in[d] : 0;

	w->pad[d] = odd_at_end ? total / 2 : total - total / 2;
	w->pad_end[d] = total - w->pad[d];
}

static int apply_auto_pad(const struct op_build *b, struct window *w, struct exp_error *err)
{
	const char *mode = "NOTSET";
	int rc = op_get_string(b, "auto_pad", &mode, err);

	if (rc || strcmp(mode, "NOTSET") == 0)
		return rc;
	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		if (strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0)
			pad_same(w, d, mode[5] == 'U');
		else if (strcmp(mode, "VALID") == 0)
			w->pad[d] = w->pad_end[d] = 0;
		else
			return error_set(err, EXP_EUNSUPPORTED, "auto_pad \"%.32s\" is not supported", mode);
	}
	return 0;
}

static int count_outputs(struct window *w, bool ceil_mode, struct exp_error *err)
{
	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		size_t padded = w->in[d] + w->pad[d] + w->pad_end[d], span = reach(w, d), rest;

		if (span > padded)
			return error_set(err, EXP_ESHAPE, "a window of %zu does not fit into %zu padded elements", span,
					 padded);
		rest = padded - span;
		w->out[d] = rest / w->stride[d] + 1;
		if (ceil_mode && rest % w->stride[d] && w->out[d] * w->stride[d] < w->in[d] + w->pad[d])
			w->out[d]++;
	}
	return 0;
}

static int count_products(struct window *w, struct exp_error *err)
{
	struct shape taps = { 2, { w->kernel[0], w->kernel[1] } }, positions = { 2, { w->out[0], w->out[1] } };

	w->pixels = w->in[0] * w->in[1];
	if (!shape_try_count(&taps, &w->taps) || !shape_try_count(&positions, &w->positions))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu floats a row", SHAPE_MAX_FLOATS);
	return 0;
}

static struct window_range range_of(const struct window *w, size_t d, size_t k)
{
	size_t offset = k * w->dilation[d], pad = w->pad[d], stride = w->stride[d], padded = w->in[d] + pad;
	struct window_range r = { .first = pad > offset ? (pad - offset + stride - 1) / stride : 0 };

	r.end = padded > offset ? (padded - offset + stride - 1) / stride : 0;
	r.end = r.end < w->out[d] ? r.end : w->out[d];
	r.first = r.first < r.end ? r.first : r.end;
	return r;
}

int window_prepare(struct window *w, struct arena *arena, struct exp_error *err)
{
	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		w->ranges[d] = arena_try_alloc(arena, w->kernel[d], sizeof(*w->ranges[d]));
		if (!w->ranges[d])
			return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
		for (size_t k = 0; k < w->kernel[d]; k++)
			w->ranges[d][k] = range_of(w, d, k);
	}
	return 0;
}

int window_infer(const struct op_build *b, const size_t *kernel, struct window *w, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	size_t dims = x->shape.rank - 2;
	int64_t ceil_mode = 0;
	char text[SHAPE_TEXT];
	int rc;

	if (!x->batched || (x->shape.rank != 3 && x->shape.rank != 4) || x->shape.dims[0] != 1)
		return error_set(err, EXP_EUNSUPPORTED,
				 "the input %s is not a batch of images [N, C, H, W] or series [N, C, L]",
				 shape_format(&x->shape, x->batched, text));
	*w = (struct window){ .in = { 1, 1 }, .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 } };
	for (size_t i = 0; i < dims; i++) {
		w->in[WINDOW_DIMS - dims + i] = x->shape.dims[2 + i];
		if (kernel)
			w->kernel[WINDOW_DIMS - dims + i] = kernel[i];
	}
	if ((rc = read_sizes(b, "kernel_shape", dims, 1, w->kernel, err)) ||
	    (rc = read_sizes(b, "strides", dims, 1, w->stride, err)) ||
	    (rc = read_sizes(b, "dilations", dims, 1, w->dilation, err)) || (rc = read_pads(b, dims, w, err)) ||
	    (rc = apply_auto_pad(b, w, err)) || (rc = op_get_int(b, "ceil_mode", &ceil_mode, err)))
		return rc;
	for (size_t i = 0; kernel && i < dims; i++)
		if (w->kernel[WINDOW_DIMS - dims + i] != kernel[i])
			return error_set(err, EXP_ESHAPE, "kernel_shape and the weight's shape differ");
	if ((rc = count_outputs(w, ceil_mode != 0, err)) || (rc = count_products(w, err)))
		return rc;
	return window_prepare(w, b->arena, err);
}

void window_output(const struct op_build *b, const struct window *w, size_t channels)
{
	struct shape *s = &b->output->shape;
	size_t dims = b->inputs[0]->shape.rank - 2;

	*s = b->inputs[0]->shape;
	s->dims[1] = channels;
	for (size_t i = 0; i < dims; i++)
		s->dims[2 + i] = w->out[WINDOW_DIMS - dims + i];
}

/* ---- columns ---- */

/* One row of outputs of one tap: line [out], from the image row that it reads. */
static void gather_line(const struct window *w, const float *row, size_t k, float *line)
{
	struct window_range r = w->ranges[1][k];
	size_t stride = w->stride[1];

	for (size_t o = 0; o < r.first; o++)
		line[o] = 0.0f;
	if (r.first < r.end) {
		const float *from = row + window_reads(w, 1, k, r.first);

		if (stride == 1)
			memcpy(line + r.first, from, (r.end - r.first) * sizeof(*line));
		for (size_t o = r.first; stride != 1 && o < r.end; o++)
			line[o] = from[(o - r.first) * stride];
	}
	for (size_t o = r.end; o < w->out[1]; o++)
		line[o] = 0.0f;
}

static void scatter_line(const struct window *w, const float *line, size_t k, float *row)
{
	struct window_range r = w->ranges[1][k];
	size_t stride = w->stride[1];
	float *to;

	if (r.first >= r.end)
		return;
	to = row + window_reads(w, 1, k, r.first);
	if (stride == 1)
		kernel_add(to, line + r.first, r.end - r.first);
	for (size_t o = r.first; stride != 1 && o < r.end; o++)
		to[(o - r.first) * stride] += line[o];
}

static void gather_tap(const struct window *w, const float *image, size_t ky, size_t kx, float *column)
{
	struct window_range r = w->ranges[0][ky];

	memset(column, 0, r.first * w->out[1] * sizeof(*column));
	for (size_t o = r.first; o < r.end; o++)
		gather_line(w, image + window_reads(w, 0, ky, o) * w->in[1], kx, column + o * w->out[1]);
	memset(column + r.end * w->out[1], 0, (w->out[0] - r.end) * w->out[1] * sizeof(*column));
}

static void scatter_tap(const struct window *w, const float *column, size_t ky, size_t kx, float *image)
{
	struct window_range r = w->ranges[0][ky];

	for (size_t o = r.first; o < r.end; o++)
		scatter_line(w, column + o * w->out[1], kx, image + window_reads(w, 0, ky, o) * w->in[1]);
}

void window_gather(const struct window *w, const float *image, size_t channels, float *columns)
{
	for (size_t c = 0; c < channels; c++, image += w->pixels)
		for (size_t ky = 0; ky < w->kernel[0]; ky++)
			for (size_t kx = 0; kx < w->kernel[1]; kx++, columns += w->positions)
				gather_tap(w, image, ky, kx, columns);
}

void window_scatter(const struct window *w, const float *columns, size_t channels, float *image)
{
	memset(image, 0, channels * w->pixels * sizeof(*image));
	for (size_t c = 0; c < channels; c++, image += w->pixels)
		for (size_t ky = 0; ky < w->kernel[0]; ky++)
			for (size_t kx = 0; kx < w->kernel[1]; kx++, columns += w->positions)
				scatter_tap(w, columns, ky, kx, image);
}

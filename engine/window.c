#include "engine/window.h"

#include <inttypes.h>
#include <string.h>

#include "engine/kernels.h"

enum { MAX_KERNEL = 1 << 16 }; /* along one dimension */

/* ---- attributes ---- */

/* How many spatial dimensions input 0 has; they are the last of WINDOW_DIMS. */
static size_t spatial(const struct op_build *b)
{
	return b->inputs[0]->shape.rank - 2;
}

/* Numbers for each spatial dimension, right-aligned in out (a series uses the last). */
static int read_sizes(const struct op_build *b, const char *name, int64_t least, size_t *out, struct exp_error *err)
{
	const int64_t *values = NULL;
	size_t count = 0, dims = spatial(b);
	int rc = op_get_ints(b, name, &values, &count, err);

	if (rc || !values)
		return rc;
	if (count != dims)
		return error_set(err, EXP_ESHAPE, "%s has %zu elements; %zu are expected", name, count, dims);
	for (size_t i = 0; i < dims; i++) {
		if (values[i] < least || values[i] > (int64_t)SHAPE_MAX_COUNT)
			return error_set(err, EXP_ESHAPE, "%s holds %" PRId64, name, values[i]);
		out[WINDOW_DIMS - dims + i] = (size_t)values[i];
	}
	return 0;
}

static int read_pads(const struct op_build *b, struct window *w, struct exp_error *err)
{
	const int64_t *values = NULL;
	size_t count = 0, dims = spatial(b);
	int rc = op_get_ints(b, "pads", &values, &count, err);

	if (rc || !values)
		return rc;
	if (count != 2 * dims)
		return error_set(err, EXP_ESHAPE, "pads has %zu elements; %zu are expected", count, 2 * dims);
	for (size_t i = 0; i < count; i++) {
		size_t *pad = i < dims ? &w->pad[WINDOW_DIMS - dims + i] : &w->pad_end[WINDOW_DIMS - 2 * dims + i];

		if (values[i] < 0 || values[i] > (int64_t)SHAPE_MAX_COUNT)
			return error_set(err, EXP_EUNSUPPORTED, "pads holds %" PRId64, values[i]);
		*pad = (size_t)values[i];
	}
	return 0;
}

enum padding { PADDING_EXPLICIT, PADDING_NONE, PADDING_SAME_UPPER, PADDING_SAME_LOWER };

static int read_padding(const struct op_build *b, enum padding *out, struct exp_error *err)
{
	static const char *const names[] = { "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER" };
	const char *mode = names[0];
	int rc = op_get_string(b, "auto_pad", &mode, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(mode, names[i]) == 0) {
			*out = (enum padding)i;
			return 0;
		}
	}
	return error_set(err, EXP_EUNSUPPORTED, "auto_pad \"%.32s\" is not supported", mode);
}

static size_t reach(const struct window *w, size_t d)
{
	return (w->kernel[d] - 1) * w->dilation[d] + 1;
}

/* The odd one goes to the end (UPPER) or to the start. */
static void split_padding(struct window *w, size_t d, size_t total, bool odd_at_end)
{
	w->pad[d] = odd_at_end ? total / 2 : total - total / 2;
	w->pad_end[d] = total - w->pad[d];
}

/* SAME: as many outputs as strides fit; what is missing is padded. */
static void pad_automatically(struct window *w, enum padding mode)
{
	for (size_t d = 0; d < WINDOW_DIMS && mode != PADDING_EXPLICIT; d++) {
		size_t out = (w->in[d] + w->stride[d] - 1) / w->stride[d];
		size_t need = out > 0 ? (out - 1) * w->stride[d] + reach(w, d) : 0;

		split_padding(w, d, mode != PADDING_NONE && need > w->in[d] ? need - w->in[d] : 0,
			      mode != PADDING_SAME_LOWER);
	}
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

static struct window_range range_of(const struct window *w, size_t d, size_t k)
{
	size_t offset = k * w->dilation[d], pad = w->pad[d], stride = w->stride[d], padded = w->in[d] + pad;
	struct window_range r = { .first = pad > offset ? (pad - offset + stride - 1) / stride : 0 };

	r.end = padded > offset ? (padded - offset + stride - 1) / stride : 0;
	r.end = r.end < w->out[d] ? r.end : w->out[d];
	r.first = r.first < r.end ? r.first : r.end;
	return r;
}

static int count_product(const size_t sizes[WINDOW_DIMS], size_t *out, struct exp_error *err)
{
	struct shape s = { .rank = WINDOW_DIMS };

	memcpy(s.dims, sizes, WINDOW_DIMS * sizeof(*sizes));
	if (shape_try_count(&s, out))
		return 0;
	return error_set(err, EXP_ELIMIT, "a channel would have more than %zu elements", SHAPE_MAX_COUNT);
}

int window_prepare(struct window *w, struct arena *arena, struct exp_error *err)
{
	int rc;

	if ((rc = count_product(w->in, &w->pixels, err)) || (rc = count_product(w->kernel, &w->taps, err)) ||
	    (rc = count_product(w->out, &w->positions, err)))
		return rc;
	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		w->ranges[d] = arena_try_alloc(arena, w->kernel[d], sizeof(*w->ranges[d]));
		if (!w->ranges[d])
			return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
		for (size_t k = 0; k < w->kernel[d]; k++)
			w->ranges[d][k] = range_of(w, d, k);
	}
	return 0;
}

/* What both kinds read. sizes: w's in or out, filled from input 0. */
static int read_window(const struct op_build *b, const size_t *kernel, struct window *w, size_t sizes[WINDOW_DIMS],
		       struct exp_error *err)
{
	const struct shape *x = &b->inputs[0]->shape;
	size_t first = x->rank >= 3 && x->rank <= 2 + WINDOW_DIMS ? WINDOW_DIMS + 2 - x->rank : 0;
	char text[SHAPE_TEXT];
	int rc;

	if (x->rank < 3 || x->rank > 2 + WINDOW_DIMS)
		return error_set(err, EXP_EUNSUPPORTED,
				 "the input %s is no batch of series, images or volumes [N, C, …]",
				 op_format(b, 0, text));
	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		sizes[d] = d < first ? 1 : x->dims[2 + d - first];
		w->kernel[d] = kernel && d >= first ? kernel[d - first] : 1;
		w->stride[d] = w->dilation[d] = 1;
	}
	if ((rc = read_sizes(b, "kernel_shape", 1, w->kernel, err)) ||
	    (rc = read_sizes(b, "strides", 1, w->stride, err)) ||
	    (rc = read_sizes(b, "dilations", 1, w->dilation, err)) || (rc = read_pads(b, w, err)))
		return rc;
	for (size_t d = first; d < WINDOW_DIMS; d++) {
		if (kernel && w->kernel[d] != kernel[d - first])
			return error_set(err, EXP_ESHAPE, "kernel_shape and the weight's shape differ");
		if (w->kernel[d] < 1 || w->kernel[d] > MAX_KERNEL)
			return error_set(err, EXP_ELIMIT, "a kernel of %zu elements is not supported", w->kernel[d]);
	}
	return 0;
}

int window_infer(const struct op_build *b, const size_t *kernel, struct window *w, struct exp_error *err)
{
	enum padding padding = PADDING_EXPLICIT;
	int64_t ceil_mode = 0;
	int rc;

	*w = (struct window){ 0 };
	if ((rc = read_window(b, kernel, w, w->in, err)) || (rc = read_padding(b, &padding, err)) ||
	    (rc = op_get_int(b, "ceil_mode", &ceil_mode, err)))
		return rc;
	pad_automatically(w, padding);
	rc = count_outputs(w, ceil_mode != 0, err);
	return rc ? rc : window_prepare(w, b->arena, err);
}

/* ---- transposed ---- */

/* in, and pads where they follow from it (ONNX, ConvTranspose). */
static int size_transposed(struct window *w, const size_t extra[], const size_t wanted[], enum padding padding,
			   struct exp_error *err)
{
	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		size_t most = w->stride[d] * (w->out[d] - 1) + extra[d] + reach(w, d);
		size_t same = padding >= PADDING_SAME_UPPER ? w->out[d] * w->stride[d] : 0;

		w->in[d] = wanted[d] ? wanted[d] : same;
		if (w->in[d])
			split_padding(w, d, most > w->in[d] ? most - w->in[d] : 0, padding == PADDING_SAME_UPPER);
		else if (most > w->pad[d] + w->pad_end[d])
			w->in[d] = most - w->pad[d] - w->pad_end[d];
		else
			return error_set(err, EXP_ESHAPE, "the padding leaves nothing of %zu elements", most);
	}
	return 0;
}

int window_infer_transposed(const struct op_build *b, const size_t *kernel, struct window *w, struct exp_error *err)
{
	size_t extra[WINDOW_DIMS] = { 0 }, wanted[WINDOW_DIMS] = { 0 };
	enum padding padding = PADDING_EXPLICIT;
	int rc;

	*w = (struct window){ 0 };
	if ((rc = read_window(b, kernel, w, w->out, err)) || (rc = read_padding(b, &padding, err)) ||
	    (rc = read_sizes(b, "output_padding", 0, extra, err)) ||
	    (rc = read_sizes(b, "output_shape", 1, wanted, err)))
		return rc;
	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		if (w->out[d] == 0)
			return error_set(err, EXP_ESHAPE, "the input has no elements");
		if (wanted[WINDOW_DIMS - 1] && d < WINDOW_DIMS - spatial(b))
			wanted[d] = 1;
	}
	rc = size_transposed(w, extra, wanted, padding, err);
	return rc ? rc : window_prepare(w, b->arena, err);
}

void window_output(const struct op_build *b, size_t i, size_t channels, const size_t sizes[WINDOW_DIMS])
{
	size_t dims = spatial(b);
	struct shape *s;

	if (!op_wants(b, i))
		return;
	s = &b->outputs[i]->shape;
	*s = b->inputs[0]->shape;
	s->dims[1] = channels;
	for (size_t d = 0; d < dims; d++)
		s->dims[2 + d] = sizes[WINDOW_DIMS - dims + d];
}

/* ---- taps and columns ---- */

struct window_tap window_tap(const struct window *w, size_t i)
{
	size_t x = i % w->kernel[2], y = i / w->kernel[2] % w->kernel[1], z = i / w->kernel[2] / w->kernel[1];
	struct window_range planes = w->ranges[0][z], rows = w->ranges[1][y], columns = w->ranges[2][x];
	struct window_tap t = { .planes = planes.end - planes.first,
				.rows = rows.end - rows.first,
				.count = columns.end - columns.first,
				.in_plane = w->stride[0] * w->in[1] * w->in[2],
				.in_row = w->stride[1] * w->in[2],
				.in_step = w->stride[2],
				.out_plane = w->out[1] * w->out[2],
				.out_row = w->out[2] };

	if (t.planes == 0 || t.rows == 0 || t.count == 0)
		return (struct window_tap){ 0 };
	t.in = (window_reads(w, 0, z, planes.first) * w->in[1] + window_reads(w, 1, y, rows.first)) * w->in[2] +
	       window_reads(w, 2, x, columns.first);
	t.out = (planes.first * w->out[1] + rows.first) * w->out[2] + columns.first;
	return t;
}

/* Lines are short: a call for each would take longer than its copy. */
static inline void gather_line(const struct window_tap *t, const float *restrict from, float *restrict to)
{
	size_t o = 0;

	if (t->in_step == 1)
		for (; o + 4 <= t->count; o += 4)
			memcpy(to + o, from + o, 4 * sizeof(*to));
	for (; o < t->count; o++)
		to[o] = from[o * t->in_step];
}

static void scatter_line(const struct window_tap *t, const float *from, float *to)
{
	if (t->in_step == 1)
		kernel_add(to, from, t->count);
	for (size_t o = 0; t->in_step != 1 && o < t->count; o++)
		to[o * t->in_step] += from[o];
}

void window_gather(const struct window *w, const float *image, size_t channels, float *columns)
{
	for (size_t i = 0; i < w->taps; i++) {
		struct window_tap t = window_tap(w, i);

		for (size_t c = 0; c < channels; c++) {
			const float *from = image + c * w->pixels + t.in;
			float *to = columns + (c * w->taps + i) * w->positions;

			if (t.planes * t.rows * t.count < w->positions)
				memset(to, 0, w->positions * sizeof(*to));
			for (size_t z = 0; z < t.planes; z++)
				for (size_t y = 0; y < t.rows; y++)
					gather_line(&t, from + z * t.in_plane + y * t.in_row,
						    to + t.out + z * t.out_plane + y * t.out_row);
		}
	}
}

void window_scatter(const struct window *w, const float *columns, size_t channels, float *image)
{
	memset(image, 0, channels * w->pixels * sizeof(*image));
	for (size_t i = 0; i < w->taps; i++) {
		struct window_tap t = window_tap(w, i);

		for (size_t c = 0; c < channels; c++) {
			const float *from = columns + (c * w->taps + i) * w->positions + t.out;
			float *to = image + c * w->pixels + t.in;

			for (size_t z = 0; z < t.planes; z++)
				for (size_t y = 0; y < t.rows; y++)
					scatter_line(&t, from + z * t.out_plane + y * t.out_row,
						     to + z * t.in_plane + y * t.in_row);
		}
	}
}

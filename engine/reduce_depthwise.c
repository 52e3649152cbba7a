/*
 * Depthwise convolutions: a filter sees one channel, so a sample's whole gradient is small and is formed, then handed
 * on as a row. Each entry is the inner product of the output's gradient with the image shifted by a tap:
 *
 *   g[m][ky][kx] = sum_y,x dY[m][y][x] * X[m / multiplier][y * stride + ky * dilation - pad][the same for x]
 *
 * Both planes are copied into lines of one pitch, with zeros between them. A tap is then a shift along memory, and its
 * entry one flat inner product, for several taps in one pass. Where the stride is s, every s-th line and pixel go to a
 * plane of their own, a phase.
 */
#include "engine/reduce_depthwise.h"

#include <string.h>

#include "engine/kernels.h"

enum { LANES = KERNEL_LANES, MOST_TAPS = 9 /* in one pass */ };

/* Sixteen floats at any address; the compiler makes of them what registers the machine has. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

/* Copies of a channel's planes, zero where nothing is copied to. */
struct planes {
	size_t pitch, lines;   /* of a phase: floats of a line, lines */
	size_t phase;          /* floats from one phase to the next; they stand [stride[0]][stride[1]] */
	size_t flat;           /* floats of dY, whole vectors */
	float *pixels, *grads; /* phases; [flat] */
	float *row;            /* a sample's gradient */
};

bool reduce_is_depthwise(const struct reduce_conv *c)
{
	return c->channels == c->groups && c->groups > 1;
}

static size_t whole_vectors(size_t floats)
{
	return (floats + LANES - 1) / LANES * LANES;
}

/* The largest shift of a tap within a phase. */
static size_t reach(const struct reduce_conv *c, size_t d)
{
	return (c->kernel[d] - 1) * c->dilation[d] / c->stride[d];
}

static struct planes planes_of(const struct reduce_conv *c)
{
	struct planes p = { .pitch = c->out[1] + reach(c, 1), .lines = c->out[0] + reach(c, 0) };

	p.flat = whole_vectors(c->out[0] * p.pitch);
	/* What the last vectors of dY meet, and what a copied line writes too much. */
	p.phase = whole_vectors(p.lines * p.pitch) + 2 * LANES;
	return p;
}

static size_t pixel_floats(const struct reduce_conv *c, const struct planes *p)
{
	return c->stride[0] * c->stride[1] * p->phase;
}

static size_t row_floats(const struct reduce_conv *c)
{
	return c->filters * c->kernel[0] * c->kernel[1];
}

size_t reduce_scratch_depthwise(const struct reduce_conv *c)
{
	struct planes p = planes_of(c);

	return pixel_floats(c, &p) + p.flat + LANES + row_floats(c);
}

/* ---- copies ---- */

/* Lines of width floats, pitch apart, zeros between them and for a vector behind. As long as there is enough to read,
 * lines are copied as whole vectors: what is too much is overwritten. */
KERNEL static void copy_lines(float *to, size_t pitch, const float *from, size_t from_pitch, size_t width, size_t lines)
{
	size_t rest = (lines - 1) * from_pitch + width, gap = pitch - width;

	for (size_t y = 0; y < lines; y++, to += pitch, from += from_pitch, rest -= from_pitch) {
		if (rest >= whole_vectors(width) && y + 1 < lines)
			for (size_t i = 0; i < width; i += LANES)
				*(lanes *)(to + i) = *(const lanes *)(from + i);
		else
			memcpy(to, from, width * sizeof(*to));
		memset(to + width, 0, (y + 1 < lines ? gap : LANES) * sizeof(*to));
	}
}

/* Entries of a phase along a dimension that lie inside the image: first … end-1, and the pixel of entry 0. */
struct inside {
	size_t first, end;
	ptrdiff_t origin;
};

static struct inside inside_of(const struct reduce_conv *c, size_t d, size_t phase, size_t entries)
{
	struct inside i = { .origin = (ptrdiff_t)phase - (ptrdiff_t)c->pad[d] };
	size_t stride = c->stride[d], reached = c->in[d] + c->pad[d];

	i.first = i.origin < 0 ? (c->pad[d] - phase + stride - 1) / stride : 0;
	i.end = reached > phase ? (reached - phase - 1) / stride + 1 : 0;
	i.end = i.end < entries ? i.end : entries;
	i.first = i.first < i.end ? i.first : i.end;
	return i;
}

static void copy_phase(const struct reduce_conv *c, const float *plane, const struct planes *p, size_t row,
		       size_t column)
{
	struct inside y = inside_of(c, 0, row, p->lines), x = inside_of(c, 1, column, p->pitch);
	float *to = p->pixels + (row * c->stride[1] + column) * p->phase;
	ptrdiff_t step = (ptrdiff_t)c->stride[1], line = (ptrdiff_t)(c->stride[0] * c->in[1]);
	const float *from = plane + (y.origin + (ptrdiff_t)(y.first * c->stride[0])) * (ptrdiff_t)c->in[1] + x.origin;

	if (step == 1 && y.first < y.end && x.end > x.first) {
		copy_lines(to + y.first * p->pitch + x.first, p->pitch, from + x.first, (size_t)line, x.end - x.first,
			   y.end - y.first);
		return;
	}
	for (size_t i = y.first; i < y.end; i++, from += line)
		for (size_t k = x.first; k < x.end; k++)
			to[i * p->pitch + k] = from[(ptrdiff_t)k * step];
}

static void copy_channel(const struct reduce_conv *c, const float *plane, const struct planes *p)
{
	for (size_t row = 0; row < c->stride[0]; row++)
		for (size_t column = 0; column < c->stride[1]; column++)
			copy_phase(c, plane, p, row, column);
}

/* ---- inner products ---- */

KERNEL_INLINE void multiply_taps(const float *grads, const float *const *pixels, size_t taps, size_t flat, float *out)
{
	lanes sums[MOST_TAPS] = { 0 };

	for (size_t i = 0; i < flat; i += LANES) {
		lanes dy = *(const lanes *)(grads + i);

#pragma GCC unroll 9
		for (size_t k = 0; k < taps; k++)
			sums[k] += dy * *(const lanes *)(pixels[k] + i);
	}
#pragma GCC unroll 9
	for (size_t k = 0; k < taps; k++) {
		float parts[LANES];

		memcpy(parts, &sums[k], sizeof(parts));
		for (size_t half = LANES / 2; half > 0; half /= 2)
			for (size_t i = 0; i < half; i++)
				parts[i] += parts[i + half];
		out[k] = parts[0];
	}
}

/* out [taps]; taken in numbers for which all sums stay in registers. */
KERNEL static void multiply(const float *grads, const float *const *pixels, size_t taps, size_t flat, float *out)
{
	for (size_t k = 0; k < taps;) {
		size_t rest = taps - k;

		if (rest >= 9)
			multiply_taps(grads, pixels + k, 9, flat, out + k), k += 9;
		else if (rest >= 3)
			multiply_taps(grads, pixels + k, 3, flat, out + k), k += 3;
		else
			multiply_taps(grads, pixels + k, 1, flat, out + k), k += 1;
	}
}

/* gradient [kernel[0], kernel[1]] of one filter, a few taps at a time */
static void form(const struct reduce_conv *c, const struct planes *p, float *gradient)
{
	const float *pixels[4 * MOST_TAPS];
	size_t taps = c->kernel[0] * c->kernel[1], count;

	for (size_t first = 0; first < taps; first += count) {
		count = taps - first < 4 * MOST_TAPS ? taps - first : 4 * MOST_TAPS;
		for (size_t k = 0; k < count; k++) {
			size_t y = (first + k) / c->kernel[1] * c->dilation[0];
			size_t x = (first + k) % c->kernel[1] * c->dilation[1];

			pixels[k] = p->pixels + (y % c->stride[0] * c->stride[1] + x % c->stride[1]) * p->phase +
				    y / c->stride[0] * p->pitch + x / c->stride[1];
		}
		multiply(p->grads, pixels, count, p->flat, gradient + first);
	}
}

/* row [filters, kernel[0], kernel[1]] of sample n */
static void form_row(const struct reduce_conv *c, size_t n, const struct planes *p)
{
	size_t pixels = c->in[0] * c->in[1], outputs = c->out[0] * c->out[1], multiplier = c->filters / c->groups;

	for (size_t m = 0; m < c->filters; m++) {
		if (m % multiplier == 0)
			copy_channel(c, c->image + (n * c->channels + m / multiplier) * pixels, p);
		copy_lines(p->grads, p->pitch, c->out_grads + (n * c->filters + m) * outputs, c->out[1], c->out[1],
			   c->out[0]);
		form(c, p, p->row + m * c->kernel[0] * c->kernel[1]);
	}
}

void reduce_add_depthwise(const struct reduce *r, const struct reduce_conv *c)
{
	struct planes p = planes_of(c);
	struct reduce one = *r;

	if (c->out[0] * c->out[1] == 0)
		return;
	p.pixels = r->scratch;
	p.grads = p.pixels + pixel_floats(c, &p);
	p.row = p.grads + p.flat + LANES;
	memset(p.pixels, 0, (size_t)(p.row - p.pixels) * sizeof(float));
	one.first = 0, one.samples = 1;
	for (size_t n = 0; n < c->samples; n++) {
		form_row(c, n, &p);
		reduce_add_rows(&one, &(struct reduce_rows){
					  .rows = p.row, .samples = 1, .count = row_floats(c), .scale = 1.0f });
		if (r->kind == REDUCE_ROWS)
			one.out += r->floats;
		else if (r->kind == REDUCE_NORM)
			one.dots++;
		else if (r->kind == REDUCE_DOT)
			one.dots += r->direction_count;
	}
}

#include "engine/kernels_rows.h"

#include <math.h>
#include <string.h>

#include "engine/kernels_math.h"

/* ---- sums and maxima ---- */

/* Whole numbers in the order of the floats: their largest does not depend on the order in which it is looked for. */
KERNEL_INLINE int32_t to_order(float x)
{
	int32_t bits = (int32_t)math_bits(x);

	return bits ^ ((bits >> 31) & 0x7fffffff);
}

KERNEL_INLINE float from_order(int32_t order)
{
	return math_from_bits((uint32_t)(order ^ ((order >> 31) & 0x7fffffff)));
}

KERNEL_INLINE float row_max(const float *x, size_t n)
{
	int32_t top = INT32_MIN;

	for (size_t i = 0; i < n; i++)
		top = to_order(x[i]) > top ? to_order(x[i]) : top;
	return from_order(top);
}

KERNEL float kernel_max(const float *x, size_t n)
{
	int nan = 0;

	for (size_t i = 0; i < n; i++)
		nan |= x[i] != x[i];
	return nan ? NAN : n ? row_max(x, n) : -INFINITY;
}

KERNEL float kernel_min(const float *x, size_t n)
{
	int32_t least = INT32_MAX;
	int nan = 0;

	for (size_t i = 0; i < n; i++) {
		nan |= x[i] != x[i];
		least = to_order(x[i]) < least ? to_order(x[i]) : least;
	}
	return nan ? NAN : n ? from_order(least) : INFINITY;
}

void kernel_axis_sums(float *restrict y, const float *restrict x, struct kernel_axis a)
{
	if (a.inner == 1) {
		kernel_row_sums(y, x, a.outer, a.size);
		return;
	}
	memset(y, 0, a.outer * a.inner * sizeof(*y));
	for (size_t o = 0; o < a.outer; o++)
		kernel_add_column_sums(y + o * a.inner, x + o * a.size * a.inner, a.size, a.inner);
}

/* ---- softmax and what is derived from it ---- */

enum derived { SOFTMAX_GRADIENT, LOG_SOFTMAX_GRADIENT, LOG_SOFTMAX_TANGENT };

/* What is added up along a line, for a gradient or tangent d and a result y … */
KERNEL_INLINE float term(enum derived what, float d, float y)
{
	return what == SOFTMAX_GRADIENT ? d * y : what == LOG_SOFTMAX_GRADIENT ? d : math_exp(y) * d;
}

/* … and what is made of the sum. */
KERNEL_INLINE float outcome(enum derived what, float d, float y, float sum)
{
	return what == SOFTMAX_GRADIENT       ? y * (d - sum)
	       : what == LOG_SOFTMAX_GRADIENT ? d - math_exp(y) * sum
					      : d - sum;
}

/* Rows [rows, n]. */
KERNEL_INLINE void soften_rows(bool logs, float *restrict y, const float *restrict x, size_t rows, size_t n)
{
	for (size_t r = 0; r < rows; r++, y += n, x += n) {
		float top = row_max(x, n), last;

		for (size_t i = 0; i < n; i++)
			y[i] = math_exp(x[i] - top);
		last = logs ? math_log((float)kernel_sum(y, n)) : (float)(1.0 / kernel_sum(y, n));
		for (size_t i = 0; i < n; i++)
			y[i] = logs ? (x[i] - top) - last : y[i] * last;
	}
}

KERNEL_INLINE void derive_rows(enum derived what, float *restrict out, const float *restrict d, const float *restrict y,
			       const size_t shape[2])
{
	size_t rows = shape[0], n = shape[1];

	for (size_t r = 0; r < rows; r++, out += n, d += n, y += n) {
		float sum;

		for (size_t i = 0; i < n; i++)
			out[i] = term(what, d[i], y[i]);
		sum = (float)kernel_sum(out, n);
		for (size_t i = 0; i < n; i++)
			out[i] = outcome(what, d[i], y[i], sum);
	}
}

/* The same down a few columns of a matrix [size, inner], side by side. */
enum { COLUMNS = 64 };

struct columns {
	size_t size, inner, count; /* count <= COLUMNS */
};

KERNEL_INLINE void soften_columns(bool logs, float *restrict y, const float *restrict x, struct columns c)
{
	double sums[COLUMNS] = { 0 };
	float last[COLUMNS] = { 0 };
	int32_t top[COLUMNS];

	for (size_t j = 0; j < COLUMNS; j++)
		top[j] = INT32_MIN;
	for (size_t i = 0; i < c.size; i++)
		for (size_t j = 0; j < c.count; j++)
			top[j] = to_order(x[i * c.inner + j]) > top[j] ? to_order(x[i * c.inner + j]) : top[j];
	for (size_t i = 0; i < c.size; i++) {
		for (size_t j = 0; j < c.count; j++) {
			y[i * c.inner + j] = math_exp(x[i * c.inner + j] - from_order(top[j]));
			sums[j] += (double)y[i * c.inner + j];
		}
	}
	for (size_t j = 0; j < c.count; j++)
		last[j] = logs ? math_log((float)sums[j]) : (float)(1.0 / sums[j]);
	for (size_t i = 0; i < c.size; i++) {
		for (size_t j = 0; j < c.count; j++) {
			size_t k = i * c.inner + j;

			y[k] = logs ? (x[k] - from_order(top[j])) - last[j] : y[k] * last[j];
		}
	}
}

KERNEL_INLINE void derive_columns(enum derived what, float *restrict out, const float *restrict d,
				  const float *restrict y, struct columns c)
{
	double sums[COLUMNS] = { 0 };

	for (size_t i = 0; i < c.size; i++)
		for (size_t j = 0; j < c.count; j++)
			sums[j] += (double)term(what, d[i * c.inner + j], y[i * c.inner + j]);
	for (size_t i = 0; i < c.size; i++)
		for (size_t j = 0; j < c.count; j++)
			out[i * c.inner + j] = outcome(what, d[i * c.inner + j], y[i * c.inner + j], (float)sums[j]);
}

KERNEL_INLINE void soften(bool logs, float *restrict y, const float *restrict x, struct kernel_axis a)
{
	if (a.inner == 1) {
		soften_rows(logs, y, x, a.outer, a.size);
		return;
	}
	for (size_t o = 0; o < a.outer; o++, y += a.size * a.inner, x += a.size * a.inner) {
		struct columns c = { .size = a.size, .inner = a.inner };

		for (size_t first = 0; first < a.inner; first += COLUMNS) {
			c.count = a.inner - first < COLUMNS ? a.inner - first : COLUMNS;
			soften_columns(logs, y + first, x + first, c);
		}
	}
}

KERNEL_INLINE void derive(enum derived what, float *restrict out, const float *restrict d, const float *restrict y,
			  struct kernel_axis a)
{
	size_t step = a.size * a.inner;

	if (a.inner == 1) {
		derive_rows(what, out, d, y, (const size_t[]){ a.outer, a.size });
		return;
	}
	for (size_t o = 0; o < a.outer; o++, out += step, d += step, y += step) {
		struct columns c = { .size = a.size, .inner = a.inner };

		for (size_t first = 0; first < a.inner; first += COLUMNS) {
			c.count = a.inner - first < COLUMNS ? a.inner - first : COLUMNS;
			derive_columns(what, out + first, d + first, y + first, c);
		}
	}
}

KERNEL void kernel_softmax(float *restrict y, const float *restrict x, struct kernel_axis a)
{
	soften(false, y, x, a);
}

KERNEL void kernel_log_softmax(float *restrict y, const float *restrict x, struct kernel_axis a)
{
	soften(true, y, x, a);
}

KERNEL void kernel_softmax_gradient(float *restrict dx, const float *restrict dy, const float *restrict y,
				    struct kernel_axis a)
{
	derive(SOFTMAX_GRADIENT, dx, dy, y, a);
}

KERNEL void kernel_log_softmax_gradient(float *restrict dx, const float *restrict dy, const float *restrict y,
					struct kernel_axis a)
{
	derive(LOG_SOFTMAX_GRADIENT, dx, dy, y, a);
}

KERNEL void kernel_log_softmax_tangent(float *restrict ty, const float *restrict tx, const float *restrict y,
				       struct kernel_axis a)
{
	derive(LOG_SOFTMAX_TANGENT, ty, tx, y, a);
}

/* ---- normalisation ---- */

KERNEL void kernel_moments(float *restrict mean, float *restrict inverse, const float *restrict x,
			   const size_t shape[2], float epsilon)
{
	size_t rows = shape[0], n = shape[1];

	for (size_t r = 0; r < rows; r++, x += n) {
		double middle = kernel_sum(x, n) / (double)n,
		       variance = kernel_sum_deviations(x, middle, n) / (double)n;

		mean[r] = (float)middle;
		inverse[r] = (float)(1.0 / sqrt(variance + (double)epsilon));
	}
}

KERNEL void kernel_normalise(const struct kernel_norm *k, float *restrict y)
{
	const float *restrict x = k->x, *restrict scale = k->scale, *restrict shift = k->shift;
	size_t n = k->n;

	for (size_t r = 0; r < k->rows; r++, x += n, y += n) {
		float mean = k->mean[r], inverse = k->inverse[r];

		if (scale && shift)
			for (size_t i = 0; i < n; i++)
				y[i] = (x[i] - mean) * inverse * scale[i] + shift[i];
		else if (scale)
			for (size_t i = 0; i < n; i++)
				y[i] = (x[i] - mean) * inverse * scale[i];
		else
			for (size_t i = 0; i < n; i++)
				y[i] = (x[i] - mean) * inverse;
	}
}

KERNEL void kernel_normalise_gradient(const struct kernel_norm *k, const float *restrict dy, float *restrict dx)
{
	const float *restrict x = k->x, *restrict scale = k->scale;
	size_t n = k->n;

	for (size_t r = 0; r < k->rows; r++, x += n, dy += n, dx += n) {
		float mean = k->mean[r], inverse = k->inverse[r], g_mean, slope;
		double sum, product;

		for (size_t i = 0; i < n; i++)
			dx[i] = scale ? dy[i] * scale[i] : dy[i];
		sum = kernel_sum(dx, n);
		product = (kernel_dot(dx, x, n) - (double)mean * sum) * (double)inverse; /* of g with h */
		g_mean = (float)(sum / (double)n);
		slope = (float)(product / (double)n) * inverse;
		for (size_t i = 0; i < n; i++)
			dx[i] = inverse * (dx[i] - g_mean - (x[i] - mean) * slope);
	}
}

KERNEL void kernel_normalise_scale_gradient(const struct kernel_norm *k, const float *restrict dy,
					    float *restrict dscale)
{
	enum { BLOCK = 256 };

	for (size_t first = 0; first < k->n; first += BLOCK) {
		size_t width = k->n - first < BLOCK ? k->n - first : BLOCK;
		double sums[BLOCK] = { 0 };

		for (size_t r = 0; r < k->rows; r++) {
			const float *x = k->x + r * k->n + first, *g = dy + r * k->n + first;
			float mean = k->mean[r], inverse = k->inverse[r];

			for (size_t i = 0; i < width; i++)
				sums[i] += (double)(g[i] * ((x[i] - mean) * inverse));
		}
		for (size_t i = 0; i < width; i++)
			dscale[first + i] = (float)sums[i];
	}
}

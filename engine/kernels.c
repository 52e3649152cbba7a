#include "engine/kernels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

enum { LANES = KERNEL_LANES };

KERNEL void kernel_add(float *restrict y, const float *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

KERNEL void kernel_square(float *restrict y, const float *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = x[i] * x[i];
}

KERNEL void kernel_scale(float *restrict y, const float *restrict x, float a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = a * x[i];
}

KERNEL void kernel_multiply(float *restrict y, const float *restrict a, const float *restrict b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = a[i] * b[i];
}

KERNEL void kernel_add_squares(float *restrict y, const float *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i] * x[i];
}

KERNEL void kernel_add_scaled(float *restrict y, const float *restrict x, float a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += a * x[i];
}

KERNEL void kernel_add_scaled_squares(float *restrict y, const float *restrict x, float a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += a * (x[i] * x[i]);
}

/* ---- sums ---- */

KERNEL double kernel_sum(const float *x, size_t n)
{
	return kernel_inline_sum(x, n);
}

KERNEL double kernel_dot(const float *x, const float *y, size_t n)
{
	return kernel_inline_dot(x, y, n);
}

double kernel_sum_squares(const float *x, size_t n)
{
	return kernel_dot(x, x, n);
}

KERNEL double kernel_sum_deviations(const float *x, double middle, size_t n)
{
	double lanes[LANES] = { 0 }, rest = 0.0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (size_t k = 0; k < LANES; k++)
			lanes[k] += ((double)x[i + k] - middle) * ((double)x[i + k] - middle);
	for (; i < n; i++)
		rest += ((double)x[i] - middle) * ((double)x[i] - middle);
	return kernel_fold_lanes(lanes) + rest;
}

/* A NaN or infinity has all bits of the exponent set. */
KERNEL bool kernel_all_finite(const float *x, size_t n)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &x[i], sizeof(bits));
		bad |= (bits & 0x7f800000u) == 0x7f800000u;
	}
	return bad == 0;
}

KERNEL void kernel_row_sums(float *restrict y, const float *restrict x, size_t rows, size_t n)
{
	for (size_t r = 0; r < rows; r++)
		y[r] = (float)kernel_inline_sum(x + r * n, n);
}

/* Columns whose running sums stay in the first-level cache. */
enum { COLUMNS = 256 };

KERNEL_INLINE void add_columns(float *restrict y, const float *restrict x, size_t rows, size_t n, bool squares)
{
	for (size_t first = 0; first < n; first += COLUMNS) {
		size_t width = n - first < COLUMNS ? n - first : COLUMNS;
		double sums[COLUMNS] = { 0 };

		for (size_t r = 0; r < rows; r++) {
			const float *row = x + r * n + first;

			for (size_t j = 0; j < width; j++)
				sums[j] += squares ? (double)row[j] * (double)row[j] : (double)row[j];
		}
		for (size_t j = 0; j < width; j++)
			y[first + j] += (float)sums[j];
	}
}

KERNEL void kernel_add_column_sums(float *restrict y, const float *restrict x, size_t rows, size_t n)
{
	add_columns(y, x, rows, n, false);
}

KERNEL void kernel_add_column_squares(float *restrict y, const float *restrict x, size_t rows, size_t n)
{
	add_columns(y, x, rows, n, true);
}

/* ---- copies ---- */

void kernel_copy_rows(float *restrict y, const float *restrict row, size_t rows, size_t n)
{
	for (size_t i = 0; i < rows; i++)
		memcpy(y + i * n, row, n * sizeof(*y));
}

void kernel_copy_matrix(float *restrict y, size_t y_stride, const float *restrict x, struct kernel_matrix shape)
{
	if (shape.columns == shape.stride && shape.columns == y_stride) {
		memcpy(y, x, shape.rows * shape.columns * sizeof(*y));
		return;
	}
	for (size_t i = 0; i < shape.rows; i++)
		memcpy(y + i * y_stride, x + i * shape.stride, shape.columns * sizeof(*y));
}

/* Four rows of four, turned in registers. */
static void transpose_four(float *restrict y, size_t y_stride, const float *restrict x, size_t x_stride)
{
#ifdef __SSE__
	__m128 a = _mm_loadu_ps(x), b = _mm_loadu_ps(x + x_stride), c = _mm_loadu_ps(x + 2 * x_stride),
	       d = _mm_loadu_ps(x + 3 * x_stride);

	_MM_TRANSPOSE4_PS(a, b, c, d);
	_mm_storeu_ps(y, a);
	_mm_storeu_ps(y + y_stride, b);
	_mm_storeu_ps(y + 2 * y_stride, c);
	_mm_storeu_ps(y + 3 * y_stride, d);
#else
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 4; j++)
			y[j * y_stride + i] = x[i * x_stride + j];
#endif
}

static void transpose_block(float *restrict y, size_t y_stride, const float *restrict x, struct kernel_matrix shape)
{
	size_t rows = shape.rows / 4 * 4, columns = shape.columns / 4 * 4;

	for (size_t j = 0; j < columns; j += 4)
		for (size_t i = 0; i < rows; i += 4)
			transpose_four(y + j * y_stride + i, y_stride, x + i * shape.stride + j, shape.stride);
	for (size_t j = columns; j < shape.columns; j++)
		for (size_t i = 0; i < rows; i++)
			y[j * y_stride + i] = x[i * shape.stride + j];
	for (size_t i = rows; i < shape.rows; i++)
		for (size_t j = 0; j < shape.columns; j++)
			y[j * y_stride + i] = x[i * shape.stride + j];
}

/* Blocks of whole cache lines on both sides, few enough that both stay in the first-level cache. */
void kernel_transpose(float *restrict y, size_t y_stride, const float *restrict x, struct kernel_matrix shape)
{
	enum { BLOCK = 32 };

	for (size_t i = 0; i < shape.rows; i += BLOCK) {
		for (size_t j = 0; j < shape.columns; j += BLOCK) {
			struct kernel_matrix block = { .stride = shape.stride };

			block.rows = shape.rows - i < BLOCK ? shape.rows - i : BLOCK;
			block.columns = shape.columns - j < BLOCK ? shape.columns - j : BLOCK;
			transpose_block(y + j * y_stride + i, y_stride, x + i * shape.stride + j, block);
		}
	}
}

/* ---- steps of optimisers ---- */

KERNEL void kernel_sgd_step(const struct kernel_sgd *k, float *restrict values, float *restrict velocity,
			    const float *restrict gradients, size_t n)
{
	float rate = k->rate, momentum = k->momentum, decay = k->decay, scale = k->scale;

	if (!k->nesterov) {
		for (size_t i = 0; i < n; i++) {
			velocity[i] = momentum * velocity[i] + (scale * gradients[i] + decay * values[i]);
			values[i] -= rate * velocity[i];
		}
		return;
	}
	for (size_t i = 0; i < n; i++) {
		float g = scale * gradients[i] + decay * values[i];

		velocity[i] = momentum * velocity[i] + g;
		values[i] -= rate * (g + momentum * velocity[i]);
	}
}

KERNEL void kernel_adam_step(const struct kernel_adam *k, const struct kernel_adam_state *state, size_t n)
{
	const struct kernel_adam c = *k;
	float *restrict values = state->values, *restrict first = state->first, *restrict second = state->second;
	const float *restrict gradients = state->gradients;

	for (size_t i = 0; i < n; i++) {
		float g = c.scale * gradients[i] + c.decay * values[i];

		first[i] = c.beta1 * first[i] + c.rest1 * g;
		second[i] = c.beta2 * second[i] + c.rest2 * g * g;
		values[i] = values[i] * c.keep - c.size * first[i] / (sqrtf(second[i]) / c.root + c.epsilon);
	}
}

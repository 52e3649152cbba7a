/* Sums, copies and optimiser steps over arrays, against plain loops, at lengths around those of vectors and blocks. */
#include "engine/kernels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"

static const size_t lengths[] = { 0, 1, 7, 15, 16, 17, 31, 48, 100, 255, 256, 257, 600 };

enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]), MOST = 600 };

static float *numbers(const char *label, size_t count)
{
	float *x = mem_try_aligned(count + 1, sizeof(*x));
	struct rng r;

	cr_assert_eq(crypto_init(), 0);
	cr_assert_not_null(x);
	rng_init(&r, 7, label);
	for (size_t i = 0; i < count; i++)
		x[i] = (float)rng_normal(&r);
	return x;
}

Test(kernels_arrays, sums)
{
	float *x = numbers("x", MOST), *y = numbers("y", MOST);

	for (size_t k = 0; k < LENGTHS; k++) {
		double sum = 0, squares = 0, dot = 0, deviations = 0;

		for (size_t i = 0; i < lengths[k]; i++) {
			sum += (double)x[i];
			squares += (double)x[i] * (double)x[i];
			dot += (double)x[i] * (double)y[i];
			deviations += ((double)x[i] - 0.7) * ((double)x[i] - 0.7);
		}
		cr_assert_float_eq(kernel_sum(x, lengths[k]), sum, 1e-12);
		cr_assert_float_eq(kernel_sum_squares(x, lengths[k]), squares, 1e-12);
		cr_assert_float_eq(kernel_dot(x, y, lengths[k]), dot, 1e-12);
		cr_assert_float_eq(kernel_sum_deviations(x, 0.7, lengths[k]), deviations, 1e-12);
	}
	mem_free(x), mem_free(y);
}

Test(kernels_arrays, one_line_loops)
{
	float *x = numbers("x", MOST), *y = numbers("y", MOST), z[MOST];

	for (size_t k = 0; k < LENGTHS; k++) {
		size_t n = lengths[k];

		kernel_multiply(z, x, y, n);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(z[i], x[i] * y[i]);
		kernel_scale(z, x, 0.3f, n);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(z[i], 0.3f * x[i]);
		kernel_add_scaled(z, y, -2, n);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(z[i], 0.3f * x[i] + -2 * y[i]);
		kernel_square(z, x, n);
		kernel_add_squares(z, y, n);
		kernel_add_scaled_squares(z, x, 3, n);
		kernel_add(z, y, n);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(z[i], x[i] * x[i] + y[i] * y[i] + 3 * (x[i] * x[i]) + y[i]);
	}
	mem_free(x), mem_free(y);
}

Test(kernels_arrays, sums_of_rows_and_columns)
{
	enum { ROWS = 5 };
	float *x = numbers("x", ROWS * MOST), rows[ROWS], columns[MOST], squares[MOST];

	for (size_t k = 1; k < LENGTHS; k++) {
		size_t n = lengths[k];

		for (size_t j = 0; j < n; j++)
			columns[j] = squares[j] = 1;
		kernel_row_sums(rows, x, ROWS, n);
		kernel_add_column_sums(columns, x, ROWS, n);
		kernel_add_column_squares(squares, x, ROWS, n);
		for (size_t r = 0; r < ROWS; r++)
			cr_assert_eq(rows[r], (float)kernel_sum(x + r * n, n));
		for (size_t j = 0; j < n; j++) {
			double sum = 0, sum_squares = 0;

			for (size_t r = 0; r < ROWS; r++) {
				sum += (double)x[r * n + j];
				sum_squares += (double)x[r * n + j] * (double)x[r * n + j];
			}
			cr_assert_eq(columns[j], 1 + (float)sum);
			cr_assert_eq(squares[j], 1 + (float)sum_squares);
		}
	}
	mem_free(x);
}

static void check_copies(struct kernel_matrix m, size_t padding)
{
	float *x = numbers("x", m.rows * m.stride), *y = mem_alloc(sizeof(float) * 200 * 200);
	size_t y_stride = m.rows + padding;

	memset(y, 0xff, sizeof(float) * 200 * 200);
	kernel_transpose(y, y_stride, x, m);
	for (size_t i = 0; i < m.columns; i++)
		for (size_t j = 0; j < y_stride; j++)
			cr_assert(j < m.rows ? y[i * y_stride + j] == x[j * m.stride + i] : isnan(y[i * y_stride + j]));
	y_stride = m.columns + padding;
	memset(y, 0xff, sizeof(float) * 200 * 200);
	kernel_copy_matrix(y, y_stride, x, m);
	for (size_t i = 0; i < m.rows; i++)
		for (size_t j = 0; j < y_stride; j++)
			cr_assert(j < m.columns ? y[i * y_stride + j] == x[i * m.stride + j]
						: isnan(y[i * y_stride + j]));
	mem_free(x), mem_free(y);
}

Test(kernels_arrays, transposes_and_copies)
{
	static const size_t sizes[] = { 1, 3, 4, 5, 31, 32, 33, 67, 130 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++)
			for (size_t padding = 0; padding < 8; padding += 7)
				check_copies((struct kernel_matrix){ sizes[i], sizes[j], sizes[j] + padding }, padding);
}

Test(kernels_arrays, sgd_steps)
{
	float *p = numbers("p", MOST), *g = numbers("g", MOST), *v = numbers("v", MOST);
	float *before = numbers("p", MOST), *velocity = numbers("v", MOST);
	struct kernel_sgd k = { .rate = 0.1f, .momentum = 0.9f, .decay = 0.01f, .scale = 0.5f };

	for (int nesterov = 0; nesterov < 2; nesterov++) {
		k.nesterov = nesterov;
		kernel_sgd_step(&k, p, v, g, MOST);
		for (size_t i = 0; i < MOST; i++) {
			float d = 0.5f * g[i] + 0.01f * before[i];

			velocity[i] = 0.9f * velocity[i] + d;
			before[i] -= 0.1f * (nesterov ? d + 0.9f * velocity[i] : velocity[i]);
			cr_assert(p[i] == before[i] && v[i] == velocity[i], "place %zu", i);
		}
	}
	mem_free(p), mem_free(g), mem_free(v), mem_free(before), mem_free(velocity);
}

Test(kernels_arrays, adam_steps)
{
	float *p = numbers("p", MOST), *g = numbers("g", MOST), *m = numbers("m", MOST), *v = numbers("v", MOST);
	float *before = numbers("p", MOST), *first = numbers("m", MOST);
	struct kernel_adam k = { .keep = 0.99f, .decay = 0.1f, .scale = 2, .size = 0.01f, .root = 0.5f };

	k.epsilon = 1e-3f, k.beta1 = 0.9f, k.rest1 = 0.1f, k.beta2 = 0.99f, k.rest2 = 0.01f;
	memset(v, 0, MOST * sizeof(*v));
	kernel_adam_step(&k, &(struct kernel_adam_state){ p, m, v, g }, MOST);
	for (size_t i = 0; i < MOST; i++) {
		float d = 2 * g[i] + 0.1f * before[i], second = 0.01f * d * d;

		first[i] = 0.9f * first[i] + 0.1f * d;
		cr_assert(m[i] == first[i] && v[i] == second, "place %zu", i);
		cr_assert_eq(p[i], before[i] * 0.99f - 0.01f * first[i] / (sqrtf(second) / 0.5f + 1e-3f));
	}
	mem_free(p), mem_free(g), mem_free(m), mem_free(v), mem_free(before), mem_free(first);
}

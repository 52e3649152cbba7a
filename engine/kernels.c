#include "engine/kernels.h"

#include <stdint.h>
#include <string.h>

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

KERNEL void kernel_add_squares(float *restrict y, const float *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i] * x[i];
}

void kernel_copy_rows(float *restrict y, const float *restrict row, size_t rows, size_t n)
{
	for (size_t i = 0; i < rows; i++)
		memcpy(y + i * n, row, n * sizeof(*y));
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

/* Eight running sums, so that the order of additions is fixed whatever the machine. */
enum { LANES = 8 };

KERNEL double kernel_sum(const float *x, size_t n)
{
	double lanes[LANES] = { 0 }, sum = 0.0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (size_t k = 0; k < LANES; k++)
			lanes[k] += (double)x[i + k];
	for (; i < n; i++)
		sum += (double)x[i];
	for (size_t k = 0; k < LANES; k++)
		sum += lanes[k];
	return sum;
}

KERNEL double kernel_sum_squares(const float *x, size_t n)
{
	double lanes[LANES] = { 0 }, sum = 0.0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (size_t k = 0; k < LANES; k++)
			lanes[k] += (double)x[i + k] * (double)x[i + k];
	for (; i < n; i++)
		sum += (double)x[i] * (double)x[i];
	for (size_t k = 0; k < LANES; k++)
		sum += lanes[k];
	return sum;
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

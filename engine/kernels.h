/*
 * kernels.h: the loops over floats that everything else is made of.
 *
 * Plain C that the compiler vectorises; on x86-64 each is compiled for AVX-512, AVX2 and the baseline, and the machine
 * picks at run time. Products are never fused with sums (-ffp-contract=off) and sums run in a fixed order of sixteen
 * lanes, so results are the same bits on every machine. Arrays of one call do not overlap.
 * Threads: any.
 */
#ifndef ENGINE_KERNELS_H
#define ENGINE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) &&                                 \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KERNEL
#endif

/* A part of kernels: inlined into each clone, so that it is compiled for the clone's machine. */
#define KERNEL_INLINE static inline __attribute__((always_inline))

void kernel_add(float *restrict y, const float *restrict x, size_t n);                               /* y += x */
void kernel_square(float *restrict y, const float *restrict x, size_t n);                            /* y = x * x */
void kernel_scale(float *restrict y, const float *restrict x, float a, size_t n);                    /* y = a * x */
void kernel_multiply(float *restrict y, const float *restrict a, const float *restrict b, size_t n); /* y = a * b */
void kernel_add_squares(float *restrict y, const float *restrict x, size_t n);                       /* y += x * x */
void kernel_add_scaled(float *restrict y, const float *restrict x, float a, size_t n);               /* y += a * x */
void kernel_add_scaled_squares(float *restrict y, const float *restrict x, float a, size_t n); /* y += a * x * x */

/* ---- sums, in double ---- */

enum { KERNEL_LANES = 16 };

double kernel_sum(const float *x, size_t n);
double kernel_sum_squares(const float *x, size_t n);
double kernel_dot(const float *x, const float *y, size_t n);
double kernel_sum_deviations(const float *x, double middle, size_t n); /* of (x - middle)^2 */
bool kernel_all_finite(const float *x, size_t n);

/* y [rows] = the sum of each row of x [rows, n] */
void kernel_row_sums(float *restrict y, const float *restrict x, size_t rows, size_t n);
/* y [n] += the sums over rows of x [rows, n], or of its squares */
void kernel_add_column_sums(float *restrict y, const float *restrict x, size_t rows, size_t n);
void kernel_add_column_squares(float *restrict y, const float *restrict x, size_t rows, size_t n);

/* The same as parts of other kernels. The constant count of the inner loop keeps the lanes in registers. */
KERNEL_INLINE double kernel_fold_lanes(double lanes[KERNEL_LANES])
{
	for (size_t k = 0; k < 8; k++)
		lanes[k] += lanes[k + 8];
	for (size_t k = 0; k < 4; k++)
		lanes[k] += lanes[k + 4];
	return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

KERNEL_INLINE double kernel_inline_sum(const float *x, size_t n)
{
	double lanes[KERNEL_LANES] = { 0 }, rest = 0.0;
	size_t i = 0;

	for (; i + KERNEL_LANES <= n; i += KERNEL_LANES)
		for (size_t k = 0; k < KERNEL_LANES; k++)
			lanes[k] += (double)x[i + k];
	for (; i < n; i++)
		rest += (double)x[i];
	return kernel_fold_lanes(lanes) + rest;
}

KERNEL_INLINE double kernel_inline_dot(const float *x, const float *y, size_t n)
{
	double lanes[KERNEL_LANES] = { 0 }, rest = 0.0;
	size_t i = 0;

	for (; i + KERNEL_LANES <= n; i += KERNEL_LANES)
		for (size_t k = 0; k < KERNEL_LANES; k++)
			lanes[k] += (double)x[i + k] * (double)y[i + k];
	for (; i < n; i++)
		rest += (double)x[i] * (double)y[i];
	return kernel_fold_lanes(lanes) + rest;
}

/* ---- copies ---- */

void kernel_copy_rows(float *restrict y, const float *restrict row, size_t rows, size_t n); /* y [rows, n] = row [n] */

/* A matrix whose rows lie stride floats apart. */
struct kernel_matrix {
	size_t rows, columns, stride;
};

/* y [columns, rows], its rows y_stride apart, = the transpose of x */
void kernel_transpose(float *restrict y, size_t y_stride, const float *restrict x, struct kernel_matrix shape);
/* y [rows, columns], its rows y_stride apart, = x */
void kernel_copy_matrix(float *restrict y, size_t y_stride, const float *restrict x, struct kernel_matrix shape);

/* ---- steps of optimisers, one pass over everything ---- */

/*
 * g = scale gradient + decay value; velocity = momentum velocity + g; value -= rate d, where d is the velocity, or with
 * Nesterov's momentum g + momentum velocity. As torch.optim.SGD without dampening.
 */
struct kernel_sgd {
	float rate, momentum, decay, scale;
	bool nesterov;
};

void kernel_sgd_step(const struct kernel_sgd *k, float *restrict values, float *restrict velocity,
		     const float *restrict gradients, size_t n);

/*
 * g = scale gradient + decay value; first = beta1 first + rest1 g; second = beta2 second + rest2 g g;
 * value = keep value - size first / (sqrt(second) / root + epsilon). Adam (Kingma and Ba, ICLR 2015) has keep 1, AdamW
 * decay 0; size = rate / (1 - beta1^t), root = sqrt(1 - beta2^t), rest = 1 - beta, formed in double by the caller.
 */
struct kernel_adam {
	float keep, decay, scale, size, root, epsilon;
	float beta1, rest1, beta2, rest2;
};

/* Where the state of n parameters lies. */
struct kernel_adam_state {
	float *values, *first, *second;
	const float *gradients;
};

void kernel_adam_step(const struct kernel_adam *k, const struct kernel_adam_state *state, size_t n);

#endif

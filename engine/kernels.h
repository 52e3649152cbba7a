/*
 * kernels.h: the loops over floats that everything else is made of.
 *
 * Plain C that the compiler vectorises; on x86-64 each is compiled for AVX-512, AVX2 and the baseline, and the machine
 * picks at run time. Products are never fused with sums (-ffp-contract=off), so element-wise results are the same bits
 * on every machine. Arrays of one call do not overlap.
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

void kernel_add(float *restrict y, const float *restrict x, size_t n);                         /* y += x */
void kernel_square(float *restrict y, const float *restrict x, size_t n);                      /* y = x * x */
void kernel_add_squares(float *restrict y, const float *restrict x, size_t n);                 /* y += x * x */
void kernel_add_scaled(float *restrict y, const float *restrict x, float a, size_t n);         /* y += a * x */
void kernel_add_scaled_squares(float *restrict y, const float *restrict x, float a, size_t n); /* y += a * x * x */
void kernel_copy_rows(float *restrict y, const float *restrict row, size_t rows, size_t n); /* y [rows, n] = row [n] */

double kernel_sum(const float *x, size_t n);         /* in double */
double kernel_sum_squares(const float *x, size_t n); /* in double */
bool kernel_all_finite(const float *x, size_t n);

#endif

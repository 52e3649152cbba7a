/*
 * blas.h: matrix products: OpenBLAS on one thread, or engine/packed_product.h where that is faster. The only user of
 * cblas.h.
 *
 * Results are a function of the operands, the machine's vector level, the OpenBLAS build and the core type that it
 * detects, never of threads: callers that need parallelism split their own work. blas_config says which build and core
 * that is.
 */
#ifndef ENGINE_BLAS_H
#define ENGINE_BLAS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* C [m, n] = alpha * op(A) [m, k] * op(B) [k, n] + beta * C, row-major, densely packed unless a leading dimension is
 * given. With beta 0, C need not hold numbers. */
struct blas_product {
	const float *a, *b;
	float *c;
	size_t m, n, k;
	bool trans_a, trans_b; /* A is stored [k, m], B is stored [n, k] */
	float alpha, beta;
	size_t lda, ldb, ldc; /* floats from row to row as stored; 0: dense */
};

/* Call before the first product, and after another library may have changed the thread count. Idempotent. */
void blas_use_one_thread(void);

void blas_multiply(const struct blas_product *p);

/* Appends for example "OpenBLAS 0.3.21 … Haswell, core SkylakeX". */
void blas_config(struct buf *out);

#endif

/*
 * packed_product.h: matrix products with tiles of our own.
 *
 * The right operand is read in panels of sixteen columns, in which the rows lie one behind the other. A tile of a few
 * rows by up to three panels is formed in registers over a stretch of the summed index that stays in the nearest cache.
 * Panels are packed on the way, a few at a time; a right operand that is multiplied many times (a weight that is held)
 * may be packed once, and one that lies well as it is, is read in place. The left operand is always read in place.
 *
 * Numbers: additions happen in an order that follows from the shapes, from how the operands are stored and from the
 * machine's vector level alone. Ownership: the caller's, all of it. Nothing is allocated; a call takes 192 KiB of
 * stack. Threads: any.
 */
#ifndef ENGINE_PACKED_PRODUCT_H
#define ENGINE_PACKED_PRODUCT_H

#include "engine/blas.h"

/* Whether this machine has tiles that are faster than its BLAS. */
bool packed_product_is_fast(void);

/* Whether they are faster for this product, packed on the way; a and b are not looked at. */
bool packed_product_suits(const struct blas_product *p);

/* Floats of a packed right operand [k, n]. */
size_t packed_product_floats(size_t n, size_t k);

/* panels [packed_product_floats], 64-byte aligned = op(B) of p; A and C are not looked at. */
void packed_product_pack(const struct blas_product *p, float *panels);

/*
 * C = alpha op(A) op(B) + beta C, as blas_multiply does.
 * panels: op(B) as packed_product_pack left it, b is then not read; or NULL.
 * bias: [n], put in place of beta C in each row; or NULL.
 */
void packed_product_run(const struct blas_product *p, const float *panels, const float *bias);

#endif

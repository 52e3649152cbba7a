/*
 * narrow_product.h: products of matrices with few columns, such as a convolution of one small image.
 *
 * Libraries copy the left operand into another order first, which here takes longer than the product: each of its
 * numbers is used for a few columns only. It is read once, where it lies, at the speed of memory.
 *
 * Threads: any. Results depend on the operands and the machine's vector level.
 */
#ifndef ENGINE_NARROW_PRODUCT_H
#define ENGINE_NARROW_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

enum {
	NARROW_PRODUCT_COLUMNS = 64, /* at most */
	NARROW_PRODUCT_SLACK = 64,   /* floats behind right that are read, whatever they are */
};

/* to [rows, columns] = left [rows, depth] * right [depth, columns] + bias [rows]; bias may be NULL. */
struct narrow_product {
	const float *left, *right, *bias;
	float *to;
	size_t rows, columns, depth;
};

/* False for few rows, many columns, and where the machine has no vectors for it. */
bool narrow_product_serves(size_t rows, size_t columns);

void narrow_product_run(const struct narrow_product *p);

#endif

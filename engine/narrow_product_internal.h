/*
 * narrow_product_internal.h: kernels for one width of vectors.
 */
#ifndef ENGINE_NARROW_PRODUCT_INTERNAL_H
#define ENGINE_NARROW_PRODUCT_INTERNAL_H

#include "engine/narrow_product.h"

enum { NARROW_MAX_ROWS = 16, NARROW_MAX_TILE = 512 };

/* A few rows by a few vectors of columns; left's rows are depth apart, right's right_row. */
struct narrow_tile {
	const float *left, *right;
	size_t depth, right_row;
	float *to; /* [rows, vectors * lanes] */
};

/* Shapes of tiles that fill the registers, widest first. */
struct narrow_kernels {
	const char *name;
	size_t lanes;
	struct narrow_shape {
		size_t rows, vectors; /* 0, 0 ends the list */
		void (*run)(const struct narrow_tile *t);
	} shapes[4];
};

/* NULL where the compiler lacks the level. */
extern const struct narrow_kernels *const narrow_kernels_avx2;
extern const struct narrow_kernels *const narrow_kernels_avx512;

/* The best that the machine has, or NULL; tests may set another for the whole process, NULL to go back. */
const struct narrow_kernels *narrow_kernels(void);
void narrow_kernels_force(const struct narrow_kernels *kernels);

#endif

/* packed_product_internal.h: the tiles of each vector level. */
#ifndef ENGINE_PACKED_PRODUCT_INTERNAL_H
#define ENGINE_PACKED_PRODUCT_INTERNAL_H

#include "engine/packed_product.h"
#include "engine/square_product_internal.h"

enum {
	PRODUCT_LANES = TILE_LANES, /* columns of a panel */
	PRODUCT_PANELS = 3,
	PRODUCT_ROWS = 9,
	PRODUCT_COLUMNS = PRODUCT_PANELS * PRODUCT_LANES,
};

/* out [rows, columns] = alpha * left [rows, depth] right [depth, columns] + beta * start. */
struct product_tile {
	const float *left, *right, *start; /* start NULL: nothing is added, and beta not looked at */
	const float *ahead;                /* a panel that is wanted soon, to be brought near in passing; NULL: none */
	float *out;
	size_t depth, guarded; /* guarded: of depth, the last ones, at which a panel may end beyond the right operand */
	size_t columns;        /* columns: more than panels - 1 panels have, no more than all have */
	size_t left_row, left_step; /* floats from one row to the next, from one place of the sum to the next */
	size_t right_panel, right_step;
	size_t start_row, out_row;
	float alpha, beta;
};

typedef void product_function(const struct product_tile *t);

struct product_kernels {
	const char *name;
	size_t rows, panels;                                      /* of the largest tile */
	product_function *form[PRODUCT_PANELS][PRODUCT_ROWS + 1]; /* [panels - 1][rows] */
};

/* NULL where the machine or the compiler lacks the level. */
const struct product_kernels *product_kernels_at(enum tile_level level);

/* The best that the machine has; tests may set another one for the whole process, NULL to go back. */
const struct product_kernels *product_kernels(void);
void product_kernels_force(const struct product_kernels *kernels);

/* Tables of the levels' files; avx2 and avx512 are NULL where they cannot be compiled. */
extern const struct product_kernels product_kernels_plain;
extern const struct product_kernels *const product_kernels_avx2;
extern const struct product_kernels *const product_kernels_avx512;

#endif

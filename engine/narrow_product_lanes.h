/*
 * narrow_product_lanes.h: the body of the kernels, for the width of vectors that the including file defines: TARGET,
 * VEC, LANES, and the operations V_…. Included once a level.
 */
#include "engine/narrow_product_internal.h"

static inline __attribute__((always_inline)) TARGET void form(const struct narrow_tile *t, int rows, int vectors)
{
	VEC sum[NARROW_MAX_ROWS][4], lanes[4];
	const float *left[NARROW_MAX_ROWS], *right = t->right;

#pragma GCC unroll 16
	for (int i = 0; i < rows; i++) {
		left[i] = t->left + (size_t)i * t->depth;
#pragma GCC unroll 4
		for (int j = 0; j < vectors; j++)
			sum[i][j] = V_SET(0.0f);
	}
	for (size_t d = 0; d < t->depth; d++) {
#pragma GCC unroll 4
		for (int j = 0; j < vectors; j++)
			lanes[j] = V_LOAD(right + j * LANES);
#pragma GCC unroll 16
		for (int i = 0; i < rows; i++) {
			VEC row = V_SET(left[i][d]);

#pragma GCC unroll 4
			for (int j = 0; j < vectors; j++)
				sum[i][j] = V_FMA(row, lanes[j], sum[i][j]);
		}
		right += t->right_row;
	}
#pragma GCC unroll 16
	for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
		for (int j = 0; j < vectors; j++)
			V_STORE(t->to + (i * vectors + j) * LANES, sum[i][j]);
}

#define SHAPE(name, rows, vectors)                                                                                     \
	static TARGET void name(const struct narrow_tile *t)                                                           \
	{                                                                                                              \
		form(t, rows, vectors);                                                                                \
	}

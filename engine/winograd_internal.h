/*
 * winograd_internal.h: the kernels of Winograd's convolution for one width of vectors.
 *
 * A vector holds one number of as many tiles. Products are formed a block at a time: rows filters by one or two
 * vectors of tiles, over all channels.
 */
#ifndef ENGINE_WINOGRAD_INTERNAL_H
#define ENGINE_WINOGRAD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WINOGRAD_TILE = 4,  /* outputs of a tile along a dimension */
	WINOGRAD_PATCH = 6, /* inputs of a tile along a dimension */
	WINOGRAD_BASE = WINOGRAD_PATCH * WINOGRAD_PATCH,
	WINOGRAD_VECTORS = 2, /* of tiles, in a block */
	WINOGRAD_MAX_LANES = 16,
	WINOGRAD_MAX_ROWS = 8,
};

/* Polynomials are taken at 0, +-A, +-B and infinity. */
#define WINOGRAD_A 0.625f
#define WINOGRAD_B 1.5f

/* Tiles of one vector: each one's first element, counted from the first of the plane. */
struct winograd_tiles {
	const uint32_t *at;
	size_t row;      /* floats from one row of the plane to the next */
	bool neighbours; /* tiles come in fours (AVX2: twos) that lie side by side */
};

/* to [rows, vectors * lanes] = weights [depth, rows]^T patches [depth, vectors * lanes], added to what is there. */
struct winograd_product {
	const float *weights, *patches;
	float *to;
	size_t depth;
	bool add;
};

/* Nine taps of rows of a weight, channel floats from one channel to the next. */
struct winograd_taps {
	const float *rows[WINOGRAD_MAX_ROWS]; /* of the kernel's rows; the rest may be any of them */
	size_t channel, depth;
	size_t step; /* of what is written, from one tap to the next */
	bool flipped;
};

struct winograd_kernels {
	const char *name;
	size_t lanes, rows;
	/* to[k * step + d * rows + r] = tap k (8 - k when flipped) of row r and channel d */
	void (*taps)(const struct winograd_taps *from, float *to);
	/* to[k * step + i] = number k of the basis, of weights with taps[t * tap_step + i], i < count */
	void (*weights)(const float *taps, size_t tap_step, size_t count, float *to, size_t step);
	/* to[k * step] = number k of the basis, of the patches in a plane */
	void (*input)(const struct winograd_tiles *tiles, const float *plane, float *to, size_t step);
	void (*multiply[WINOGRAD_VECTORS])(const struct winograd_product *p); /* by vectors - 1 */
	/* The outputs of tiles, plus bias; from[k * step] is number k of the basis */
	void (*output)(const struct winograd_tiles *tiles, const float *from, size_t step, float bias, float *plane);
};

/* NULL where the compiler lacks the level. */
extern const struct winograd_kernels *const winograd_kernels_avx2;
extern const struct winograd_kernels *const winograd_kernels_avx512;

/* The best that the machine has, or NULL; tests may set another for the whole process, NULL to go back. */
const struct winograd_kernels *winograd_kernels(void);
void winograd_kernels_force(const struct winograd_kernels *kernels);

#endif

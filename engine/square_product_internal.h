/*
 * square_product_internal.h: panels, tiles, and the kernels that run on them.
 *
 * A packed operand is cut into panels of TILE_ROWS (left) or TILE_LANES (right) channels. A panel holds one sample
 * after the other, a sample one position after the other, a position its channels side by side; channels that do not
 * exist are zero. A tile is TILE_ROWS by 1, 2 or 3 panels of the right operand.
 */
#ifndef ENGINE_SQUARE_PRODUCT_INTERNAL_H
#define ENGINE_SQUARE_PRODUCT_INTERNAL_H

#include "engine/reduce.h"

enum {
	TILE_ROWS = 8,
	TILE_LANES = 16,
	TILE_PANELS = 3,
	TILE_TAPS = 16, /* of a kernel, taken together: as many tiles lie side by side in a buffer */
	TILE_FLOATS = TILE_ROWS * TILE_LANES * TILE_PANELS,
};

/* The positions that a tile sums over: lines of positions, for instance the rows of an image. */
struct tile_run {
	const float *left, *right;        /* at the first position */
	size_t lines, columns;            /* both at least 1 */
	size_t left_line, right_line;     /* floats from one line to the next */
	size_t left_column, right_column; /* from one position of a line to the next */
	size_t right_panel;               /* from one panel to the next */
};

/* target [TILE_ROWS, panels * TILE_LANES] += the products' sum, or its square. */
typedef void tile_function(const struct tile_run *run, float *target);

/* What is packed: elements at src[o * outer + t * position + j * element], panels of width elements each. */
struct tile_pack {
	const float *src;
	size_t outer_count, positions, elements;
	size_t outer, position, element; /* steps */
	size_t width, panel;             /* panel: floats from one panel of dst to the next */
};

struct tile_kernels {
	const char *name;
	tile_function *add[TILE_PANELS], *add_square[TILE_PANELS]; /* [panels - 1] */
	/* dst[t * width + j] = src[t + j * element] for t < positions, j < width: width is 8 or 16 */
	void (*pack_columns)(float *dst, size_t width, const float *src, size_t element, size_t positions);
};

enum tile_level { TILE_PLAIN, TILE_AVX2, TILE_AVX512, TILE_LEVELS };

/* NULL where the machine or the compiler lacks the level. */
const struct tile_kernels *tile_kernels_at(enum tile_level level);

/* The best that the machine has; tests may set another one for the whole process, NULL to go back. */
const struct tile_kernels *tile_kernels(void);
void tile_kernels_force(const struct tile_kernels *kernels);

/* Tables of the levels' files; avx2 and avx512 are NULL where they cannot be compiled. */
extern const struct tile_kernels tile_kernels_plain;
extern const struct tile_kernels *const tile_kernels_avx2;
extern const struct tile_kernels *const tile_kernels_avx512;

/* Fills dst with the panels of one sample; elements are padded with zeros to whole panels. */
void tile_pack(const struct tile_kernels *k, const struct tile_pack *p, float *dst);

/* ---- the loop over tiles ---- */

/* One tap of a kernel: over which outputs it reads inside the image, and where. A product without taps has one. */
struct tile_tap {
	size_t first_line, end_line, columns;
	ptrdiff_t left, right; /* floats from a sample's first, for output line 0 */
};

/* Where the weight's entry of a tile is: out[at + row * row_step + lane * lane_step + tap]. */
struct tile_place {
	size_t at, row_step, lane_step;
	size_t rows, lanes; /* of the whole weight matrix */
};

/* Packed samples, ready to be multiplied. */
struct tile_product {
	const struct tile_kernels *kernels;
	const struct reduce *reduce;
	float scale;
	size_t first_sample, samples;     /* within the call; of this block */
	const float *left, *right;        /* packed */
	size_t left_panel, right_panel;   /* floats from one panel to the next */
	size_t left_sample, right_sample; /* from one sample to the next within a panel */
	size_t left_line, right_line, left_column, right_column;
	size_t lines;       /* of output */
	size_t chunk_lines; /* of output, that are taken together so that a panel's part stays in cache */
	struct tile_tap taps[TILE_TAPS];
	size_t tap_count;
	struct tile_place place; /* at counts the taps before this group */
	float *buffers;          /* tile_buffers(tap_count) floats */
};

size_t tile_buffers(size_t taps);

/* Every tile of the product, for all samples and taps of the block. */
void tile_product_run(const struct tile_product *p);

/* Samples that are packed together, so that a tile stays in cache for enough of them and the panels do too. */
size_t tile_block(size_t samples, size_t positions, size_t taps);

#endif

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
	TILE_RUNS = 36, /* products that a tile may be made of: taps, or points of a transform */
	TILE_FLOATS = TILE_ROWS * TILE_LANES * TILE_PANELS,
};

/* One product of a tile: of a kernel's tap, of a transform's point, or the only one. It sums over lines of positions,
 * as an image has rows: lines first_line … end_line-1 of the output, of so many columns each. */
struct tile_run {
	size_t first_line, end_line, columns;
	ptrdiff_t left, right; /* floats from a sample's first, for output line 0 */
};

/* Runs over one sample's panels, or over some lines of them; each has a target behind the one before. */
struct tile_call {
	const float *left, *right;
	const struct tile_run *runs;
	size_t count;
	size_t first_line, end_line;      /* of the output; what runs have besides is left out */
	size_t left_line, right_line;     /* floats from one line to the next */
	size_t left_column, right_column; /* from one position of a line to the next */
	size_t right_panel;               /* from one panel to the next */
};

/* What of a run lies in the call's lines. */
struct tile_part {
	const float *left, *right;
	size_t lines, columns;
};

static inline struct tile_part tile_part(const struct tile_call *c, const struct tile_run *r)
{
	size_t first = r->first_line > c->first_line ? r->first_line : c->first_line;
	size_t end = r->end_line < c->end_line ? r->end_line : c->end_line;

	return (struct tile_part){ .left = c->left + r->left + (ptrdiff_t)(first * c->left_line),
				   .right = c->right + r->right + (ptrdiff_t)(first * c->right_line),
				   .lines = end > first ? end - first : 0,
				   .columns = r->columns };
}

/* What becomes of a target [TILE_ROWS, panels * TILE_LANES]. */
enum tile_mode {
	TILE_SET,        /* = the products' sum */
	TILE_ADD,        /* += it */
	TILE_ADD_SQUARE, /* += its square */
	TILE_MODES,
};

typedef void tile_function(const struct tile_call *call, float *target); /* [count][TILE_ROWS][…] */

/* What is packed: elements at src[o * outer + t * position + j * element], panels of width elements each. */
struct tile_pack {
	const float *src;
	size_t outer_count, positions, elements;
	size_t outer, position, element; /* steps */
	size_t width, panel;             /* panel: floats from one panel of dst to the next */
};

struct tile_kernels {
	const char *name;
	tile_function *run[TILE_MODES][TILE_PANELS]; /* [panels - 1] */
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
	struct tile_run runs[TILE_RUNS];
	size_t run_count;
	size_t taps; /* of the weight, in this group: as many as runs, unless they are a transform's points */
	/* NULL, or: gradient [taps][count] of formed [run_count][count] */
	void (*inverse)(const float *formed, size_t count, float *gradient);
	size_t most_panels;      /* TILE_PANELS or fewer */
	struct tile_place place; /* at counts the taps before this group */
	float *buffers;          /* tile_buffers(taps, run_count) floats */
};

/* Floats of buffers for a kernel's taps, formed in groups of that many runs. */
size_t tile_buffers(size_t taps, size_t runs);

/* Every tile of the product, for all samples and taps of the block. */
void tile_product_run(const struct tile_product *p);

/* Samples that are packed together, so that a tile stays in cache for enough of them and the panels do too. */
size_t tile_block(size_t samples, size_t positions, size_t taps);

#endif

/*
 * The loops around tiles:
 *
 *   for each block of rows, for each stretch of the summed index:
 *     for up to three panels of the right operand: pack them, unless they are
 *       for each tile's rows: form the tile, added to what the stretches before have left
 */
#include "engine/packed_product.h"

#include <string.h>

#include "engine/packed_product_internal.h"

enum {
	DEPTH = 256,         /* of a stretch: its three panels take 48 KiB */
	BLOCK = 480,         /* rows whose stretches stay in cache */
	FEW_ROWS = 18,       /* for which packing is not worth it */
	SMALL_FLOATS = 8192, /* of a right operand that stays in the nearest cache as it lies */
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t parts(size_t whole, size_t most)
{
	return (whole + most - 1) / most;
}

bool packed_product_is_fast(void)
{
	return product_kernels() != &product_kernels_plain;
}

size_t packed_product_floats(size_t n, size_t k)
{
	return parts(n, PRODUCT_LANES) * PRODUCT_LANES * k;
}

/* Operands as the loops see them. */
struct work {
	const struct product_kernels *kernels;
	size_t m, n, k;
	const float *left, *right, *panels;
	size_t left_row, left_step, right_step, right_column;
	bool in_place;
	float *packed;
	struct product_tile tile; /* alpha and the rows' steps */
	const float *start;
	float *out;
};

/* Columns first … first+count-1 of the right operand from place t on, depth places. */
static void pack(const struct work *w, size_t t, size_t depth, size_t first, size_t count, float *to)
{
	struct tile_pack p = { .src = w->right + t * w->right_step + first * w->right_column,
			       .outer_count = 1,
			       .positions = depth,
			       .elements = count,
			       .position = w->right_step,
			       .element = w->right_column,
			       .width = PRODUCT_LANES,
			       .panel = depth * PRODUCT_LANES };

	tile_pack(tile_kernels(), &p, to);
}

/* The places of a stretch at which the last panel, read whole, would end beyond the right operand. */
static size_t guarded(const struct work *w, size_t t, size_t column, const struct product_tile *tile)
{
	size_t end = column + parts(tile->columns, PRODUCT_LANES) * PRODUCT_LANES;
	size_t few = end > w->n ? (end - w->n) / w->right_step + 1 : 0, behind = w->k - t - tile->depth;

	return few > behind ? least(few - behind, tile->depth) : 0;
}

/* The right operand of a tile: where it lies, or packed. */
static void set_right(const struct work *w, size_t t, size_t column, struct product_tile *tile)
{
	tile->right_step = PRODUCT_LANES;
	tile->guarded = 0;
	if (w->panels) {
		tile->right = w->panels + (column * w->k + t * PRODUCT_LANES);
		tile->right_panel = w->k * PRODUCT_LANES;
	} else if (w->in_place) {
		tile->right = w->right + t * w->right_step + column;
		tile->right_panel = PRODUCT_LANES;
		tile->right_step = w->right_step;
		tile->guarded = guarded(w, t, column, tile);
	} else {
		pack(w, t, tile->depth, column, tile->columns, w->packed);
		tile->right = w->packed;
		tile->right_panel = tile->depth * PRODUCT_LANES;
	}
}

/* All rows of a block by the columns of one tile. Rows are shared out evenly: a tile of few takes as long as one of
 * more. */
static void form_columns(const struct work *w, size_t row, size_t rows, size_t t, size_t column,
			 struct product_tile *tile)
{
	size_t tiles = parts(rows, w->kernels->rows), panels = parts(tile->columns, PRODUCT_LANES);
	const float *start = w->start ? w->start + row * tile->start_row + column : NULL;

	tile->left = w->left + row * w->left_row + t * w->left_step;
	tile->out = w->out + row * tile->out_row + column;
	for (size_t i = 0; i < tiles; i++) {
		size_t count = rows / tiles + (i < rows % tiles ? 1 : 0);

		tile->start = start;
		w->kernels->form[panels - 1][count](tile);
		tile->left += count * w->left_row;
		tile->out += count * tile->out_row;
		start = start ? start + count * tile->start_row : NULL;
	}
}

/* 4 panels are 2 and 2: a single one loads too much for what it multiplies. */
static size_t panels_at(size_t rest, size_t most)
{
	return rest == 4 && most == 3 ? 2 : least(rest, most);
}

static void form_stretch(const struct work *w, size_t row, size_t rows, size_t t, size_t depth)
{
	size_t panels = parts(w->n, PRODUCT_LANES), count;
	struct product_tile tile = w->tile;

	tile.depth = depth;
	for (size_t p = 0; p < panels; p += count) {
		size_t column = p * PRODUCT_LANES;

		count = panels_at(panels - p, w->kernels->panels);
		tile.columns = least(w->n - column, count * PRODUCT_LANES);
		set_right(w, t, column, &tile);
		form_columns(w, row, rows, t, column, &tile);
	}
}

static void form_all(struct work *w)
{
	size_t blocks = parts(w->m, BLOCK), stretches = w->m > w->kernels->rows || !w->panels ? parts(w->k, DEPTH) : 1;
	struct work first = *w;

	w->start = w->out;
	w->tile.start_row = w->tile.out_row;
	w->tile.beta = 1.0f;
	for (size_t i = 0, row = 0; i < blocks; i++) {
		size_t rows = w->m / blocks + (i < w->m % blocks ? 1 : 0);

		for (size_t j = 0, t = 0; j < stretches; j++) {
			size_t depth = w->k / stretches + (j < w->k % stretches ? 1 : 0);

			form_stretch(j ? w : &first, row, rows, t, depth);
			t += depth;
		}
		row += rows;
	}
}

static struct work work_of(const struct blas_product *p)
{
	size_t lda = p->lda ? p->lda : p->trans_a ? p->m : p->k, ldb = p->ldb ? p->ldb : p->trans_b ? p->k : p->n;

	return (struct work){
		.kernels = product_kernels(),
		.m = p->m,
		.n = p->n,
		.k = p->k,
		.left = p->a,
		.right = p->b,
		.left_row = p->trans_a ? 1 : lda,
		.left_step = p->trans_a ? lda : 1,
		.right_step = p->trans_b ? 1 : ldb,
		.right_column = p->trans_b ? ldb : 1,
		.in_place = !p->trans_b && (p->m <= FEW_ROWS || p->k * ldb <= SMALL_FLOATS),
	};
}

void packed_product_pack(const struct blas_product *p, float *panels)
{
	struct work w = work_of(p);

	pack(&w, 0, p->k, 0, p->n, panels);
}

static void add_nothing(const struct blas_product *p, const struct work *w)
{
	for (size_t i = 0; i < p->m; i++)
		for (size_t j = 0; j < p->n; j++)
			w->out[i * w->tile.out_row + j] =
			    w->start ? w->tile.beta * w->start[i * w->tile.start_row + j] : 0.0f;
}

void packed_product_run(const struct blas_product *p, const float *panels, const float *bias)
{
	_Alignas(64) float packed[DEPTH * PRODUCT_COLUMNS];
	struct work w = work_of(p);

	w.panels = panels;
	w.packed = packed;
	w.out = p->c;
	w.start = bias ? bias : p->beta == 0.0f ? NULL : p->c;
	w.tile.alpha = p->alpha;
	w.tile.beta = bias ? 1.0f : p->beta;
	w.tile.left_row = w.left_row;
	w.tile.left_step = w.left_step;
	w.tile.out_row = p->ldc ? p->ldc : p->n;
	w.tile.start_row = bias ? 0 : w.tile.out_row;
	if (p->k == 0)
		add_nothing(p, &w);
	else
		form_all(&w);
}

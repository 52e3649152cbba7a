/*
 * The loops around tiles:
 *
 *   for each block of rows, for each stretch of the summed index: pack the left operand where it lies badly
 *     for up to three panels of the right operand: pack them, unless they are
 *       for each tile's rows: form the tile, added to what the stretches before have left
 */
#include "engine/packed_product.h"

#include "engine/packed_product_internal.h"

enum {
	DEPTH = 256,        /* of a stretch: three panels of it take 48 KiB */
	BLOCK = 480,        /* rows whose stretches stay in cache as they lie */
	PACKED_BLOCK = 256, /* rows that are packed together */
};

/* When to pack, as measured. */
enum {
	FEW_ROWS = 18,         /* use the right operand too little */
	SOME_ROWS = 256,       /* do unless it is badly placed in the cache */
	MANY_COLUMNS = 96,     /* use the left operand enough */
	FAR_ROW = 1024,        /* floats from row to row that make rows fall on each other in the cache */
	FAR_STEP = 128,        /* from one place of the sum to the next in a left operand */
	L1_FLOATS = 1 << 13,   /* of operands that may lie as they like */
	L2_FLOATS = 1 << 18,   /* of one that stays in the next cache */
	MANY_FLOATS = 1 << 20, /* of one that stays in none */
};

/* Multiplications, as measured. */
enum { SMALL_PRODUCT = 1000000, LARGE_PRODUCT = 4000000 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t parts(size_t whole, size_t most)
{
	return (whole + most - 1) / most;
}

/* Part i of count parts that differ by one at most. */
static size_t share(size_t whole, size_t count, size_t i)
{
	return whole / count + (i < whole % count ? 1 : 0);
}

/* What a product's tiles are added to. */
struct start {
	const float *data; /* NULL: nothing */
	size_t row;
	float factor;
};

struct work {
	const struct product_kernels *kernels;
	size_t m, n, k;
	const float *left, *right;
	size_t left_row, left_step, right_step, right_column;
	float *out;
	size_t out_row;
	float alpha;
	struct start start;
	const float *panels;               /* the whole right operand's, or NULL */
	bool in_place;                     /* the right operand is read as it lies */
	float *packed_left, *packed_right; /* of a stretch; left NULL: it is read as it lies */
};

/* A stretch of the summed index of a block of rows. */
struct stretch {
	size_t row, rows, t, depth;
};

/* ---- packing ---- */

/* Columns first … first+count-1 of the right operand from place t on, depth places. */
static void pack_right(const struct work *w, size_t t, size_t depth, size_t first, size_t count, float *to)
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

static void pack_left(const struct work *w, const struct stretch *s)
{
	struct tile_pack p = { .src = w->left + s->row * w->left_row + s->t * w->left_step,
			       .outer_count = 1,
			       .positions = s->depth,
			       .elements = s->rows,
			       .position = w->left_step,
			       .element = w->left_row,
			       .width = TILE_ROWS,
			       .panel = s->depth * TILE_ROWS };

	tile_pack(tile_kernels(), &p, w->packed_left);
}

/* ---- tiles ---- */

/* The places of a stretch at which the last panel, read whole, would end beyond the right operand. */
static size_t guarded(const struct work *w, const struct stretch *s, size_t column, size_t columns)
{
	size_t end = column + parts(columns, PRODUCT_LANES) * PRODUCT_LANES;
	size_t few = end > w->n ? (end - w->n) / w->right_step + 1 : 0, behind = w->k - s->t - s->depth;

	return few > behind ? least(few - behind, s->depth) : 0;
}

/* The tile's right operand: where it lies, or packed. */
static void set_right(const struct work *w, const struct stretch *s, size_t column, struct product_tile *tile)
{
	tile->right_step = PRODUCT_LANES;
	tile->guarded = 0;
	if (w->panels) {
		tile->right = w->panels + column * w->k + s->t * PRODUCT_LANES;
		tile->right_panel = w->k * PRODUCT_LANES;
	} else if (w->in_place) {
		tile->right = w->right + s->t * w->right_step + column;
		tile->right_panel = PRODUCT_LANES;
		tile->right_step = w->right_step;
		tile->guarded = guarded(w, s, column, tile->columns);
	} else {
		pack_right(w, s->t, s->depth, column, tile->columns, w->packed_right);
		tile->right = w->packed_right;
		tile->right_panel = s->depth * PRODUCT_LANES;
	}
}

static const float *left_at(const struct work *w, const struct stretch *s, size_t row)
{
	if (w->packed_left)
		return w->packed_left + row * s->depth;
	return w->left + (s->row + row) * w->left_row + s->t * w->left_step;
}

/* Rows of tile i, of count. Shared out evenly, since a tile of few takes as long as one of more; packed, panel by
 * panel. */
static size_t rows_of(const struct work *w, const struct stretch *s, size_t i, size_t count)
{
	return w->packed_left ? least(s->rows - i * TILE_ROWS, TILE_ROWS) : share(s->rows, count, i);
}

/* The panel that tile i of a block's rows brings near: of those that come next, which may be far, since a model's
 * weights are seldom all in cache. A single tile would wait for it anyway. */
static const float *ahead_of(const struct work *w, const struct stretch *s, const struct product_tile *tile,
			     size_t column, size_t i)
{
	size_t panel = parts(tile->columns, PRODUCT_LANES) + i;

	if (!w->panels || s->rows <= w->kernels->rows || i >= PRODUCT_PANELS || column + panel * PRODUCT_LANES >= w->n)
		return NULL;
	return tile->right + panel * tile->right_panel;
}

/* All rows of a block by the columns of one tile. */
static void form_columns(const struct work *w, const struct stretch *s, const struct start *start, size_t column,
			 struct product_tile *tile)
{
	size_t count = parts(s->rows, w->packed_left ? (size_t)TILE_ROWS : w->kernels->rows);
	size_t panels = parts(tile->columns, PRODUCT_LANES);

	for (size_t i = 0, row = 0; i < count; i++) {
		size_t rows = rows_of(w, s, i, count);

		tile->left = left_at(w, s, row);
		tile->ahead = ahead_of(w, s, tile, column, i);
		tile->start = start->data ? start->data + (s->row + row) * start->row + column : NULL;
		tile->out = w->out + (s->row + row) * w->out_row + column;
		w->kernels->form[panels - 1][rows](tile);
		row += rows;
	}
}

/* 4 panels are 2 and 2: a single one loads too much for what it multiplies. */
static size_t panels_at(size_t rest, size_t most)
{
	return rest == 4 && most == 3 ? 2 : least(rest, most);
}

static void form_stretch(const struct work *w, const struct stretch *s, const struct start *start)
{
	size_t panels = parts(w->n, PRODUCT_LANES), count;
	struct product_tile tile = { .depth = s->depth,
				     .left_row = w->packed_left ? 1 : w->left_row,
				     .left_step = w->packed_left ? (size_t)TILE_ROWS : w->left_step,
				     .start_row = start->row,
				     .out_row = w->out_row,
				     .alpha = w->alpha,
				     .beta = start->factor };

	if (w->packed_left)
		pack_left(w, s);
	for (size_t p = 0; p < panels; p += count) {
		size_t column = p * PRODUCT_LANES;

		count = panels_at(panels - p, w->kernels->panels);
		tile.columns = least(w->n - column, count * PRODUCT_LANES);
		set_right(w, s, column, &tile);
		form_columns(w, s, start, column, &tile);
	}
}

static void form_all(const struct work *w)
{
	size_t blocks = parts(w->m, w->packed_left ? PACKED_BLOCK : BLOCK);
	size_t stretches = w->panels && w->m <= w->kernels->rows ? 1 : parts(w->k, DEPTH);
	struct start before = { w->out, w->out_row, 1.0f };
	struct stretch s = { 0 };

	for (size_t i = 0; i < blocks; i++) {
		s.rows = share(w->m, blocks, i);
		s.t = 0;
		for (size_t j = 0; j < stretches; j++) {
			s.depth = share(w->k, stretches, j);
			form_stretch(w, &s, j ? &before : &w->start);
			s.t += s.depth;
		}
		s.row += s.rows;
	}
}

/* ---- products ---- */

bool packed_product_is_fast(void)
{
	return product_kernels() != &product_kernels_plain;
}

/* OpenBLAS has kernels for small products that pack nothing, but for AVX-512 only, and hardly for a transposed B. Where
 * neither operand stays in the cache, its blocks are better chosen. All as measured. */
bool packed_product_suits(const struct blas_product *p)
{
	const struct product_kernels *k = product_kernels();
	double size = (double)p->m * (double)p->n * (double)p->k;

	if (k == &product_kernels_plain || p->m < 2 || p->n < 2 || p->n * p->k >= MANY_FLOATS)
		return false;
	if (k != product_kernels_avx512)
		return size < LARGE_PRODUCT || (!p->trans_a && p->k <= 3 * DEPTH);
	if (p->m < 5)
		return false;
	return size > SMALL_PRODUCT || (p->trans_b && !p->trans_a && p->n >= 2 * PRODUCT_LANES);
}

size_t packed_product_floats(size_t n, size_t k)
{
	return parts(n, PRODUCT_LANES) * PRODUCT_LANES * k;
}

/* The right operand is better read as it lies. */
static bool stays_in_place(const struct blas_product *p, size_t ldb)
{
	return p->m <= FEW_ROWS || (p->m <= SOME_ROWS && ldb < FAR_ROW && p->k * ldb <= L2_FLOATS) ||
	       p->k * ldb <= L1_FLOATS;
}

static struct work work_of(const struct blas_product *p)
{
	size_t lda = p->lda ? p->lda : p->trans_a ? p->m : p->k, ldb = p->ldb ? p->ldb : p->trans_b ? p->k : p->n;

	return (struct work){ .kernels = product_kernels(),
			      .m = p->m,
			      .n = p->n,
			      .k = p->k,
			      .left = p->a,
			      .right = p->b,
			      .left_row = p->trans_a ? 1 : lda,
			      .left_step = p->trans_a ? lda : 1,
			      .right_step = p->trans_b ? 1 : ldb,
			      .right_column = p->trans_b ? ldb : 1,
			      .out = p->c,
			      .out_row = p->ldc ? p->ldc : p->n,
			      .alpha = p->alpha,
			      .start = { p->beta == 0.0f ? NULL : p->c, p->ldc ? p->ldc : p->n, p->beta },
			      .in_place = !p->trans_b && stays_in_place(p, ldb) };
}

/* Read as it lies, a transposed left operand takes a line of cache for each place of the sum. Tiles of fewer rows than
 * a panel of it has would use it badly. */
static bool packs_left(const struct work *w)
{
	bool far = w->left_step == 1 ? w->left_row >= FAR_ROW : w->left_step >= FAR_STEP;

	return far && w->n >= MANY_COLUMNS && w->m > w->kernels->rows && w->kernels->rows >= TILE_ROWS;
}

void packed_product_pack(const struct blas_product *p, float *panels)
{
	struct work w = work_of(p);

	pack_right(&w, 0, p->k, 0, p->n, panels);
}

static void form_empty(const struct work *w)
{
	const struct start *s = &w->start;

	for (size_t i = 0; i < w->m; i++)
		for (size_t j = 0; j < w->n; j++)
			w->out[i * w->out_row + j] = s->data ? s->factor * s->data[i * s->row + j] : 0.0f;
}

void packed_product_run(const struct blas_product *p, const float *panels, const float *bias)
{
	_Alignas(64) float left[DEPTH * PACKED_BLOCK], right[DEPTH * PRODUCT_COLUMNS];
	struct work w = work_of(p);

	w.panels = panels;
	w.packed_right = right;
	w.packed_left = packs_left(&w) ? left : NULL;
	if (bias)
		w.start = (struct start){ bias, 0, 1.0f };
	if (w.k == 0)
		form_empty(&w);
	else
		form_all(&w);
}

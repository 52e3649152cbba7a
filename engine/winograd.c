#include "engine/winograd.h"

#include <string.h>

#include "engine/kernels.h"
#include "engine/winograd_internal.h"

enum {
	CHUNK_BYTES = 1 << 20, /* of numbers in the basis: half of a usual L2 cache */
	CHUNK_LEAST = 32,      /* tiles, twice as many for large weights: fewer read the weights too often */
	LARGE_WEIGHT = 1 << 17,
	CHUNK_MOST = 512, /* tiles */
	DEPTH = 128,      /* channels that are multiplied at once */
	TAP_COUNT = 9,
	TILE_FLOATS = WINOGRAD_TILE * WINOGRAD_TILE,
	ALIGN_FLOATS = 16,
	/* Numbers of the basis lie this many floats more than a power of two apart, lest they share a cache set. */
	STAGGER = 16,
	PART = DEPTH * WINOGRAD_MAX_ROWS,
	TAP_STEP = PART + STAGGER,
};

/* ---- levels ---- */

static const struct winograd_kernels *forced;

const struct winograd_kernels *winograd_kernels(void)
{
	if (forced)
		return forced;
#if defined(__x86_64__) && defined(__GNUC__)
	if (winograd_kernels_avx512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
		return winograd_kernels_avx512;
	if (winograd_kernels_avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return winograd_kernels_avx2;
#endif
	return NULL;
}

void winograd_kernels_force(const struct winograd_kernels *kernels)
{
	forced = kernels;
}

/* ---- geometry ---- */

static size_t ceil_div(size_t a, size_t b)
{
	return (a + b - 1) / b;
}

static size_t align(size_t floats)
{
	return ceil_div(floats, ALIGN_FLOATS) * ALIGN_FLOATS;
}

/* Rows of tiles whose numbers fit into the cache and, among those, leave the fewest lanes of a vector empty. */
static size_t choose_chunk(const struct winograd *w)
{
	size_t tile = WINOGRAD_BASE * sizeof(float) * (w->channels + w->filters), all = w->images * w->tiles[0];
	size_t least = CHUNK_BYTES / tile, first, last, best;
	size_t fewest = w->channels * w->filters > LARGE_WEIGHT ? 2 * CHUNK_LEAST : CHUNK_LEAST;
	double waste = 1e9;

	least = least < fewest ? fewest : least > CHUNK_MOST ? CHUNK_MOST : least;
	first = ceil_div(least, w->tiles[1]);
	first = first < all ? first : all;
	last = 2 * first < all ? 2 * first : all;
	best = first;
	for (size_t rows = first; rows <= last; rows++) {
		size_t tiles = rows * w->tiles[1], lanes = ceil_div(tiles, w->kernels->lanes) * w->kernels->lanes;
		double ratio = (double)lanes / (double)tiles;

		if (ratio < waste - 1e-9) {
			waste = ratio;
			best = rows;
		}
	}
	return best;
}

bool winograd_init(struct winograd *w)
{
	size_t lanes;

	w->kernels = winograd_kernels();
	if (!w->kernels)
		return false;
	for (size_t d = 0; d < 2; d++)
		w->tiles[d] = ceil_div(w->out[d], WINOGRAD_TILE);
	w->panels = ceil_div(w->filters, w->kernels->rows);
	w->width = w->tiles[1] * WINOGRAD_TILE + WINOGRAD_TILE;
	w->chunk = choose_chunk(w);
	w->plane = align(w->chunk * WINOGRAD_PATCH * w->width + WINOGRAD_MAX_LANES);
	lanes = ceil_div(w->chunk * w->tiles[1], w->kernels->lanes) * w->kernels->lanes;
	w->lanes = align(lanes);
	w->in_step = w->lanes * w->channels + STAGGER;
	w->out_step = w->lanes * w->panels * w->kernels->rows + STAGGER;
	w->weight_step = align(w->panels * w->kernels->rows * w->channels) + STAGGER;
	w->once = w->chunk == w->images * w->tiles[0];
	if (w->once)
		w->weight_step = PART + STAGGER;
	w->scratch = w->plane + 2 * w->lanes + WINOGRAD_BASE * (w->in_step + w->out_step + w->weight_step);
	return true;
}

/* ---- weights ---- */

/* So many channels of a panel of filters that their patches stay in the first cache while they are multiplied. */
struct part {
	size_t panel, channel, depth;
};

static struct part part_of(const struct winograd *w, size_t channel, size_t panel)
{
	return (struct part){ panel, channel, w->channels - channel < DEPTH ? w->channels - channel : DEPTH };
}

/* Where the nine taps of a filter and a channel begin. */
static const float *taps_of(const struct winograd *w, const struct winograd_buffers *b, size_t filter, size_t channel)
{
	size_t at = b->transposed ? channel * w->filters + filter : filter * w->channels + channel;

	return b->weight + at * TAP_COUNT;
}

/* A panel's taps: [9] times [depth, rows], TAP_STEP apart. Rows that do not exist repeat the first. */
static void gather_taps(const struct winograd *w, const struct winograd_buffers *b, const struct part *part,
			float *taps)
{
	struct winograd_taps from = { .channel = TAP_COUNT * (b->transposed ? w->filters : 1),
				      .depth = part->depth,
				      .step = TAP_STEP,
				      .flipped = b->transposed };

	for (size_t r = 0; r < WINOGRAD_MAX_ROWS; r++) {
		size_t row = part->panel * w->kernels->rows;

		row += r < w->kernels->rows && row + r < w->filters ? r : 0;
		from.rows[r] = taps_of(w, b, row, part->channel);
	}
	w->kernels->taps(&from, taps);
}

static void transform_part(const struct winograd *w, const struct winograd_buffers *b, const struct part *part,
			   float *to)
{
	float taps[TAP_COUNT * TAP_STEP];

	gather_taps(w, b, part, taps);
	w->kernels->weights(taps, TAP_STEP, part->depth * w->kernels->rows, to, w->weight_step);
}

/* All of the weights: [36] times [channels by DEPTH, panels, depth, rows], in the order in which they are read. */
static void transform_weights(const struct winograd *w, const struct winograd_buffers *b, float *to)
{
	for (size_t d = 0; d < w->channels; d += DEPTH) {
		for (size_t p = 0; p < w->panels; p++) {
			struct part part = part_of(w, d, p);

			transform_part(w, b, &part, to + (d * w->panels + p * part.depth) * w->kernels->rows);
		}
	}
}

/* ---- one chunk ---- */

/* Rows of tiles first … first + rows - 1 of all images, counted through. */
struct chunk {
	const struct winograd *w;
	const struct winograd_buffers *b;
	size_t first, rows, tiles, vectors;
	float *plane, *patches, *products, *weights;
	uint32_t *in_at, *out_at; /* of each tile: in the plane, in the output from the first image's filter on */
};

/* Rows of the plane between a row of tiles and the one before: neighbours share two. */
static size_t rows_apart(const struct chunk *c, size_t row)
{
	return row % c->w->tiles[0] ? WINOGRAD_TILE : WINOGRAD_PATCH;
}

static void locate_tiles(struct chunk *c)
{
	const struct winograd *w = c->w;
	size_t at = 0, image = w->filters * w->out[0] * w->out[1];

	for (size_t r = 0, t = 0; r < c->rows; r++) {
		size_t row = c->first + r, n = row / w->tiles[0] - c->first / w->tiles[0];

		at += r ? rows_apart(c, row) : 0;
		for (size_t x = 0; x < w->tiles[1]; x++, t++) {
			c->in_at[t] = (uint32_t)(at * w->width + x * WINOGRAD_TILE);
			c->out_at[t] = (uint32_t)(n * image + (row % w->tiles[0] * w->out[1] + x) * WINOGRAD_TILE);
		}
	}
	for (size_t t = c->tiles; t < c->vectors * w->kernels->lanes; t++)
		c->in_at[t] = 0;
}

/* One channel of the inputs into the plane; what is padding is zero already. */
static void fill_plane(const struct chunk *c, size_t channel)
{
	const struct winograd *w = c->w;
	size_t at = 0, size = w->in[0] * w->in[1];

	for (size_t r = 0; r < c->rows; r++) {
		size_t row = c->first + r, y = row % w->tiles[0] * WINOGRAD_TILE - w->pad[0];
		const float *from = c->b->from + (row / w->tiles[0] * w->channels + channel) * size;
		/* The first two rows are there already when the row of tiles before is the one above. */
		size_t i = r && row % w->tiles[0] ? WINOGRAD_PATCH - WINOGRAD_TILE : 0;

		at += r ? rows_apart(c, row) : 0;
		for (; i < WINOGRAD_PATCH; i++)
			if (y + i < w->in[0])
				memcpy(c->plane + (at + i) * w->width + w->pad[1], from + (y + i) * w->in[1],
				       w->in[1] * sizeof(float));
	}
}

/* Vectors come in blocks of WINOGRAD_VECTORS, the last of which may have fewer: a block is [depth, vectors, lanes]. */
struct place {
	size_t block, vectors; /* of the block: first float for a depth of one; vectors */
};

static struct place place_of(const struct chunk *c, size_t vector)
{
	size_t first = vector / WINOGRAD_VECTORS * WINOGRAD_VECTORS, left = c->vectors - first;

	return (struct place){ first * c->w->kernels->lanes, left < WINOGRAD_VECTORS ? left : WINOGRAD_VECTORS };
}

static size_t address(const struct chunk *c, size_t vector, size_t depth, size_t index)
{
	struct place p = place_of(c, vector);

	return p.block * depth + (index * p.vectors + vector % WINOGRAD_VECTORS) * c->w->kernels->lanes;
}

static void transform_inputs(const struct chunk *c)
{
	const struct winograd *w = c->w;
	size_t lanes = w->kernels->lanes, step = w->in_step;
	struct winograd_tiles tiles = { .row = w->width, .neighbours = w->tiles[1] % (lanes / 4) == 0 };

	memset(c->plane, 0, w->plane * sizeof(float));
	for (size_t channel = 0; channel < w->channels; channel++) {
		fill_plane(c, channel);
		for (size_t v = 0; v < c->vectors; v++) {
			tiles.at = c->in_at + v * lanes;
			w->kernels->input(&tiles, c->plane, c->patches + address(c, v, w->channels, channel), step);
		}
	}
}

/* Adds a part's products for one number of the basis and one block of tiles. weights: of the part. */
static void multiply_part(const struct chunk *c, const struct part *part, size_t k, size_t vector, const float *weights)
{
	const struct winograd *w = c->w;
	size_t rows = w->kernels->rows, filters = w->panels * rows;
	struct place block = place_of(c, vector);
	struct winograd_product p = {
		.weights = weights,
		.patches = c->patches + k * w->in_step + address(c, vector, w->channels, part->channel),
		.to = c->products + k * w->out_step + address(c, vector, filters, part->panel * rows),
		.depth = part->depth,
		.add = part->channel > 0,
	};

	w->kernels->multiply[block.vectors - 1](&p);
}

/* With weights that have been transformed: one number of the basis and one block of tiles after the other. */
static void multiply(const struct chunk *c)
{
	const struct winograd *w = c->w;

	for (size_t k = 0; k < WINOGRAD_BASE; k++) {
		for (size_t v = 0; v < c->vectors; v += WINOGRAD_VECTORS) {
			const float *weights = c->weights + k * w->weight_step;

			for (size_t i = 0; i < ceil_div(w->channels, DEPTH) * w->panels; i++) {
				struct part part = part_of(w, i / w->panels * DEPTH, i % w->panels);

				multiply_part(c, &part, k, v, weights);
				weights += part.depth * w->kernels->rows;
			}
		}
	}
}

/* Weights that serve one chunk only need not leave the cache: all numbers of the basis for one part after the other. */
static void multiply_once(const struct chunk *c)
{
	const struct winograd *w = c->w;

	for (size_t i = 0; i < ceil_div(w->channels, DEPTH) * w->panels; i++) {
		struct part part = part_of(w, i / w->panels * DEPTH, i % w->panels);

		transform_part(w, c->b, &part, c->weights);
		for (size_t k = 0; k < WINOGRAD_BASE; k++)
			for (size_t v = 0; v < c->vectors; v += WINOGRAD_VECTORS)
				multiply_part(c, &part, k, v, c->weights + k * w->weight_step);
	}
}

/* The part of a tile that lies inside of the image. */
static void copy_tile(const struct chunk *c, size_t tile, const float *from, float *to)
{
	const struct winograd *w = c->w;
	size_t y = (c->first + tile / w->tiles[1]) % w->tiles[0] * WINOGRAD_TILE;
	size_t x = tile % w->tiles[1] * WINOGRAD_TILE;
	size_t rows = w->out[0] - y < WINOGRAD_TILE ? w->out[0] - y : WINOGRAD_TILE;
	size_t columns = w->out[1] - x < WINOGRAD_TILE ? w->out[1] - x : WINOGRAD_TILE;

	for (size_t i = 0; i < rows; i++)
		memcpy(to + c->out_at[tile] + i * w->out[1], from + i * WINOGRAD_TILE, columns * sizeof(float));
}

/* A vector of tiles some of which do not lie inside of the image: by way of a buffer. */
static void put_some(const struct chunk *c, size_t vector, const float *from, float bias, float *to)
{
	const struct winograd_kernels *k = c->w->kernels;
	float buffer[WINOGRAD_MAX_LANES * TILE_FLOATS];
	uint32_t at[WINOGRAD_MAX_LANES];
	struct winograd_tiles tiles = { .at = at, .row = WINOGRAD_TILE };

	for (size_t i = 0; i < k->lanes; i++)
		at[i] = (uint32_t)(i * TILE_FLOATS);
	k->output(&tiles, from, c->w->out_step, bias, buffer);
	for (size_t i = 0; i < k->lanes && vector * k->lanes + i < c->tiles; i++)
		copy_tile(c, vector * k->lanes + i, buffer + i * TILE_FLOATS, to);
}

static void transform_outputs(const struct chunk *c)
{
	const struct winograd *w = c->w;
	size_t lanes = w->kernels->lanes, filters = w->panels * w->kernels->rows, size = w->out[0] * w->out[1];
	bool whole = w->out[0] % WINOGRAD_TILE == 0 && w->out[1] % WINOGRAD_TILE == 0;
	struct winograd_tiles tiles = { .row = w->out[1], .neighbours = w->tiles[1] % (lanes / 4) == 0 };

	for (size_t m = 0; m < w->filters; m++) {
		float bias = c->b->bias ? c->b->bias[m] : 0.0f;
		float *to = c->b->to + (c->first / w->tiles[0] * w->filters + m) * size;

		for (size_t v = 0; v < c->vectors; v++) {
			const float *from = c->products + address(c, v, filters, m);

			tiles.at = c->out_at + v * lanes;
			if (whole && (v + 1) * lanes <= c->tiles)
				w->kernels->output(&tiles, from, w->out_step, bias, to);
			else
				put_some(c, v, from, bias, to);
		}
	}
}

void winograd_run(const struct winograd *w, const struct winograd_buffers *b)
{
	size_t all = w->images * w->tiles[0];
	struct chunk c = { .w = w, .b = b, .plane = b->scratch };

	c.in_at = (uint32_t *)(c.plane + w->plane);
	c.out_at = c.in_at + w->lanes;
	c.patches = c.plane + w->plane + 2 * w->lanes;
	c.products = c.patches + WINOGRAD_BASE * w->in_step;
	c.weights = c.products + WINOGRAD_BASE * w->out_step;
	if (!w->once)
		transform_weights(w, b, c.weights);
	for (c.first = 0; c.first < all; c.first += c.rows) {
		c.rows = all - c.first < w->chunk ? all - c.first : w->chunk;
		c.tiles = c.rows * w->tiles[1];
		c.vectors = ceil_div(c.tiles, w->kernels->lanes);
		locate_tiles(&c);
		transform_inputs(&c);
		if (w->once)
			multiply_once(&c);
		else
			multiply(&c);
		transform_outputs(&c);
	}
}

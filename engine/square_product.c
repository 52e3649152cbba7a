/*
 * The loop over tiles. Panels of the right operand are outermost, so that they stay in cache while all of the left one
 * streams past; samples are innermost but for taps, so that the tile of the sum does not leave the nearest cache:
 *
 *   for each block of samples: pack
 *     for 1 to 3 panels of the right operand, for each panel of the left one:
 *       for each sample, for each tap: form the tile in registers, fold it
 *       add what the samples have left behind to the weight's sum
 */
#include "engine/square_product.h"

#include <stdint.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/square_product_internal.h"

enum {
	/* Positions of a block of samples, about: enough to pay for adding its tile to the weight, which takes longer
	   where taps stand apart; no more, so that what is packed stays in cache. */
	POSITIONS = 256,
	POSITIONS_OF_TAPS = 1024,
	LINE = 16,      /* floats of a line of cache */
	DIRECTIONS = 8, /* that a gradient is multiplied with before it is formed again for the next ones */
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t tile_block(size_t samples, size_t positions, size_t taps)
{
	size_t most = taps > 1 ? POSITIONS_OF_TAPS : POSITIONS;
	size_t block = positions < most ? most / (positions ? positions : 1) : 1;

	return least(block, samples ? samples : 1);
}

/* The sum over samples, what is formed of one, its gradient, directions. */
size_t tile_buffers(size_t taps, size_t runs)
{
	size_t group = least(taps, TILE_TAPS);

	return ((2 + DIRECTIONS) * group + (runs > group ? runs : group)) * TILE_FLOATS;
}

/* ---- one tile ---- */

enum { ENTRIES = TILE_TAPS * TILE_LANES * TILE_PANELS }; /* of a tile's row, all taps */

/* A tile and where it belongs. */
struct tile {
	const struct tile_product *p;
	size_t left_panel, right_panel, panels; /* panels: of the right operand, from right_panel */
	size_t plane;                           /* floats of one tap: [TILE_ROWS][panels * TILE_LANES] */
	size_t floats;                          /* of a gradient: [taps][plane] */
	float *sum, *formed, *gradient, *directions;
	int32_t places[ENTRIES]; /* where a row's entries, in the weight's order, are in a gradient */
};

/* Multiplies one sample's panels, lines first … first+count-1 of the output. */
static void form_lines(const struct tile *t, size_t sample, size_t first, size_t count, enum tile_mode mode,
		       float *target)
{
	const struct tile_product *p = t->p;

	p->kernels->run[mode][t->panels - 1](&(struct tile_call){ .left = p->left + t->left_panel * p->left_panel +
									  sample * p->left_sample,
								  .right = p->right + t->right_panel * p->right_panel +
									   sample * p->right_sample,
								  .runs = p->runs,
								  .count = p->run_count,
								  .first_line = first,
								  .end_line = first + count,
								  .left_line = p->left_line,
								  .right_line = p->right_line,
								  .left_column = p->left_column,
								  .right_column = p->right_column,
								  .right_panel = p->right_panel },
					     target);
}

/* One sample's products into t->formed, or added to what is there. */
static void form(const struct tile *t, size_t sample, enum tile_mode mode)
{
	const struct tile_product *p = t->p;

	for (size_t line = 0; line < p->lines; line += p->chunk_lines)
		form_lines(t, sample, line, p->chunk_lines, line == 0 ? mode : TILE_ADD, t->formed);
}

/* The gradient of what is formed. */
static const float *finish(const struct tile *t)
{
	if (!t->p->inverse)
		return t->formed;
	t->p->inverse(t->formed, t->plane, t->gradient);
	return t->gradient;
}

static const float *gradient_of(const struct tile *t, size_t sample)
{
	form(t, sample, TILE_SET);
	return finish(t);
}

/* ---- tiles and weights ---- */

/* Rows, lanes and the first entry of the part of the weight that a tile covers. */
static struct tile_place place_of(const struct tile *t)
{
	struct tile_place part = t->p->place;
	size_t row = t->left_panel * TILE_ROWS, lane = t->right_panel * TILE_LANES;

	part.at += row * part.row_step + lane * part.lane_step;
	part.rows = least(part.rows - row, TILE_ROWS);
	part.lanes = least(part.lanes - lane, t->panels * TILE_LANES);
	return part;
}

/* to [count] += factor * the entries of from at those places */
KERNEL static void add_places(float *restrict to, const float *restrict from, const int32_t *restrict places,
			      float factor, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] += factor * from[places[i]];
}

/* out's part += factor * buffer */
static void add_to_weight(const struct tile *t, const float *buffer, float factor, float *out)
{
	struct tile_place part = place_of(t);
	size_t lanes = t->panels * TILE_LANES, taps = t->p->taps;

	for (size_t i = 0; i < part.rows; i++) {
		float *to = out + part.at + i * part.row_step;
		const float *from = buffer + i * lanes;

		if (part.lane_step == 1)
			kernel_add_scaled(to, from, factor, part.lanes);
		else if (part.lane_step == taps)
			add_places(to, from, t->places, factor, part.lanes * taps);
		else
			for (size_t j = 0; j < part.lanes; j++)
				add_places(to + j * part.lane_step, from, t->places + j * taps, factor, taps);
	}
}

/* Asks for out's part, so that it is near when the samples have been summed; not where that is sooner than it comes. */
static void expect_weight(const struct tile *t, const float *out)
{
	struct tile_place part = place_of(t);
	size_t width = (part.lanes - 1) * part.lane_step + t->p->taps;

	for (size_t i = 0; t->p->taps > 1 && i < part.rows; i++)
		for (size_t j = 0; j < width + LINE - 1; j += LINE)
			__builtin_prefetch(out + part.at + i * part.row_step + (j < width ? j : width - 1), 0, 2);
}

/* buffer = the weight's part, zero where there is none */
static void take_from_weight(const struct tile *t, const float *weight, float *buffer)
{
	struct tile_place part = place_of(t);
	size_t lanes = t->panels * TILE_LANES, taps = t->p->taps;

	memset(buffer, 0, t->floats * sizeof(*buffer));
	for (size_t i = 0; i < part.rows; i++)
		for (size_t j = 0; j < part.lanes; j++)
			for (size_t k = 0; k < taps; k++)
				buffer[(k * TILE_ROWS + i) * lanes + j] =
				    weight[part.at + i * part.row_step + j * part.lane_step + k];
}

/* ---- what becomes of a tile ---- */

static void add_sums(const struct tile *t)
{
	expect_weight(t, t->p->reduce->out);
	for (size_t n = 0; n < t->p->samples; n++)
		form(t, n, n == 0 ? TILE_SET : TILE_ADD);
	add_to_weight(t, finish(t), t->p->scale, t->p->reduce->out);
}

static void add_squares(const struct tile *t)
{
	const struct tile_product *p = t->p;

	expect_weight(t, p->reduce->out);
	memset(t->sum, 0, t->floats * sizeof(*t->sum));
	for (size_t n = 0; n < p->samples; n++) {
		if (p->chunk_lines >= p->lines && !p->inverse)
			form_lines(t, n, 0, p->lines, TILE_ADD_SQUARE, t->sum);
		else
			kernel_add_squares(t->sum, gradient_of(t, n), t->floats);
	}
	add_to_weight(t, t->sum, p->scale * p->scale, p->reduce->out);
}

static void add_norms(const struct tile *t)
{
	const struct tile_product *p = t->p;
	double scale = (double)p->scale * (double)p->scale;

	for (size_t n = 0; n < p->samples; n++)
		p->reduce->dots[p->first_sample + n] += scale * kernel_sum_squares(gradient_of(t, n), t->floats);
}

static void add_dots(const struct tile *t, size_t first, size_t count)
{
	const struct tile_product *p = t->p;
	const struct reduce *r = p->reduce;

	for (size_t k = 0; k < count; k++)
		take_from_weight(t, r->directions[first + k], t->directions + k * t->floats);
	for (size_t n = 0; n < p->samples; n++) {
		double *dots = r->dots + (p->first_sample + n) * r->direction_count + first;
		const float *gradient = gradient_of(t, n);

		for (size_t k = 0; k < count; k++)
			dots[k] += (double)p->scale * kernel_dot(gradient, t->directions + k * t->floats, t->floats);
	}
}

static void add_rows(const struct tile *t)
{
	const struct tile_product *p = t->p;

	for (size_t n = 0; n < p->samples; n++)
		add_to_weight(t, gradient_of(t, n), p->scale,
			      p->reduce->out + (p->first_sample + n) * p->reduce->floats);
}

static void fold(const struct tile *t)
{
	const struct reduce *r = t->p->reduce;

	switch (r->kind) {
	case REDUCE_SUM:
		add_sums(t);
		break;
	case REDUCE_SQUARE_SUM:
		add_squares(t);
		break;
	case REDUCE_NORM:
		add_norms(t);
		break;
	case REDUCE_DOT:
		for (size_t first = 0; first < r->direction_count; first += DIRECTIONS)
			add_dots(t, first, least(r->direction_count - first, DIRECTIONS));
		break;
	case REDUCE_ROWS:
		add_rows(t);
		break;
	case REDUCE_MOMENTS:
		break;
	}
}

/* ---- all tiles ---- */

static size_t panels_of(size_t elements, size_t width)
{
	return (elements + width - 1) / width;
}

/* A tile's width has changed. */
static void set_panels(struct tile *t, size_t panels)
{
	size_t taps = t->p->taps;

	t->panels = panels;
	t->plane = TILE_ROWS * TILE_LANES * panels;
	t->floats = taps * t->plane;
	t->sum = t->p->buffers;
	t->gradient = t->sum + t->floats;
	t->directions = t->gradient + t->floats;
	t->formed = t->directions + DIRECTIONS * t->floats;
	for (size_t j = 0; j < panels * TILE_LANES; j++)
		for (size_t k = 0; k < taps; k++)
			t->places[j * taps + k] = (int32_t)(k * t->plane + j);
}

void tile_product_run(const struct tile_product *p)
{
	size_t left = panels_of(p->place.rows, TILE_ROWS), right = panels_of(p->place.lanes, TILE_LANES);
	struct tile t = { .p = p };

	for (; t.right_panel < right; t.right_panel += t.panels) {
		size_t rest = right - t.right_panel;

		/* 4 is 2 and 2: a single panel loads too much for what it multiplies. */
		size_t panels = rest == 2 || rest == 4 ? 2 : least(rest, p->most_panels);

		if (panels != t.panels)
			set_panels(&t, panels);
		for (t.left_panel = 0; t.left_panel < left; t.left_panel++)
			fold(&t);
	}
}

/* ---- a matrix that acted at positions ---- */

static size_t left_floats(const struct reduce_factors *f)
{
	/* whole cache lines, so that the right operand behind it begins with one */
	return panels_of(panels_of(f->rows, TILE_ROWS) * TILE_ROWS * f->outer * f->positions, TILE_LANES) * TILE_LANES;
}

static size_t right_floats(const struct reduce_factors *f)
{
	return panels_of(f->cols, TILE_LANES) * TILE_LANES * f->outer * f->positions;
}

size_t square_product_scratch(const struct reduce_factors *f)
{
	size_t block = tile_block(f->samples, f->outer * f->positions, 1);

	return tile_buffers(1, 1) + block * (left_floats(f) + right_floats(f));
}

static void pack_side(const struct reduce_factors *f, const struct reduce_side *side, const struct tile_product *p,
		      bool left, float *dst)
{
	struct tile_pack pack = { .outer_count = f->outer,
				  .positions = f->positions,
				  .elements = left ? f->rows : f->cols,
				  .outer = side->outer,
				  .position = side->position,
				  .element = side->element,
				  .width = left ? TILE_ROWS : TILE_LANES,
				  .panel = left ? p->left_panel : p->right_panel };

	for (size_t n = 0; n < p->samples; n++) {
		pack.src = side->data + (p->first_sample + n) * side->sample;
		tile_pack(p->kernels, &pack, dst + n * (left ? p->left_sample : p->right_sample));
	}
}

void square_product_add(const struct reduce *r, const struct reduce_factors *f)
{
	size_t positions = f->outer * f->positions, block = tile_block(f->samples, positions, 1);
	float *left = r->scratch + tile_buffers(1, 1), *right = left + block * left_floats(f);
	struct tile_product p = { .kernels = tile_kernels(),
				  .reduce = r,
				  .scale = f->scale,
				  .left = left,
				  .right = right,
				  .left_sample = positions * TILE_ROWS,
				  .right_sample = positions * TILE_LANES,
				  .left_column = TILE_ROWS,
				  .right_column = TILE_LANES,
				  .lines = 1,
				  .chunk_lines = 1,
				  .runs = { { .end_line = 1, .columns = positions } },
				  .run_count = 1,
				  .taps = 1,
				  .most_panels = TILE_PANELS,
				  .place = { f->at, f->ld ? f->ld : f->cols, 1, f->rows, f->cols },
				  .buffers = r->scratch };

	if (positions == 0)
		return;
	for (; p.first_sample < f->samples; p.first_sample += p.samples) {
		p.samples = least(block, f->samples - p.first_sample);
		p.left_panel = p.samples * p.left_sample;
		p.right_panel = p.samples * p.right_sample;
		pack_side(f, &f->left, &p, true, left);
		pack_side(f, &f->right, &p, false, right);
		tile_product_run(&p);
	}
}

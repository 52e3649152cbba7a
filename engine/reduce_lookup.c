/*
 * An embedding's gradient is zero but for the rows that a sample took. A sample's places are sorted by row, so that
 * places of the same row stand together and add up before they are squared.
 */
#include <string.h>

#include "engine/kernels.h"
#include "engine/reduce.h"

size_t reduce_scratch_lookup(const struct reduce_lookup *l)
{
	return 2 * l->outer * l->inner + l->width;
}

static size_t place_of(const struct reduce_lookup *l, size_t n, size_t k)
{
	return (k / l->inner * l->samples + n) * l->inner + k % l->inner;
}

/* The row that place p took; l->count when there is no such row. */
static size_t row_of(const struct reduce_lookup *l, size_t p)
{
	int64_t count = (int64_t)l->count, row = l->rows[p] < 0 ? l->rows[p] + count : l->rows[p];

	return row < 0 || row >= count ? l->count : (size_t)row;
}

/* ---- what is linear takes the places as they come ---- */

static void add_dots(struct reduce *r, const struct reduce_lookup *l, size_t n, size_t p)
{
	double *dots = r->dots + (n - r->first) * r->direction_count;

	for (size_t k = 0; k < r->direction_count; k++)
		dots[k] +=
		    kernel_dot(l->grads + p * l->width, r->directions[k] + l->at + row_of(l, p) * l->width, l->width);
}

/* left [count, count], right [width, width] */
static void add_moments(struct reduce *r, const struct reduce_lookup *l, size_t p)
{
	const float *g = l->grads + p * l->width;

	if (r->left)
		r->left[row_of(l, p) * (l->count + 1)] += 1.0f;
	for (size_t i = 0; r->right && i < l->width; i++)
		kernel_add_scaled(r->right + i * l->width, g, g[i], l->width);
}

static void add_places(struct reduce *r, const struct reduce_lookup *l, size_t n)
{
	for (size_t k = 0; k < l->outer * l->inner; k++) {
		size_t p = place_of(l, n, k), row = row_of(l, p), at = l->at + row * l->width;
		const float *g = l->grads + p * l->width;

		if (row == l->count)
			continue;
		if (r->kind == REDUCE_SUM)
			kernel_add(r->out + at, g, l->width);
		else if (r->kind == REDUCE_ROWS)
			kernel_add(r->out + (n - r->first) * r->floats + at, g, l->width);
		else if (r->kind == REDUCE_DOT)
			add_dots(r, l, n, p);
		else
			add_moments(r, l, p);
	}
}

/* ---- what is squared takes them row by row ---- */

/* Stable merge sort of places by row; sorted and spare hold count numbers. Returns the one that holds the result. */
static uint32_t *sort_places(const struct reduce_lookup *l, uint32_t *sorted, uint32_t *spare, size_t count)
{
	for (size_t width = 1; width < count; width *= 2) {
		uint32_t *swap = sorted;

		for (size_t first = 0; first < count; first += 2 * width) {
			size_t middle = first + width < count ? first + width : count;
			size_t last = middle + width < count ? middle + width : count;
			size_t i = first, j = middle;

			for (size_t k = first; k < last; k++) {
				bool left = i < middle && (j == last || row_of(l, sorted[i]) <= row_of(l, sorted[j]));

				spare[k] = left ? sorted[i++] : sorted[j++];
			}
		}
		sorted = spare;
		spare = swap;
	}
	return sorted;
}

static void add_row(struct reduce *r, const struct reduce_lookup *l, size_t n, size_t row, const float *g)
{
	if (r->kind == REDUCE_SQUARE_SUM)
		kernel_add_squares(r->out + l->at + row * l->width, g, l->width);
	else
		r->dots[n - r->first] += kernel_sum_squares(g, l->width);
}

static void add_sorted(struct reduce *r, const struct reduce_lookup *l, size_t n)
{
	size_t count = l->outer * l->inner, k = 0;
	float *sum = r->scratch + 2 * count;
	uint32_t *places = (uint32_t *)(void *)r->scratch, *spare = places + count;

	for (size_t i = 0; i < count; i++)
		places[i] = (uint32_t)place_of(l, n, i);
	places = sort_places(l, places, spare, count);
	while (k < count) {
		size_t first = k, row = row_of(l, places[k]);
		const float *g = l->grads + places[first] * l->width;

		while (++k < count && row_of(l, places[k]) == row) {
			if (g != sum)
				memcpy(sum, g, l->width * sizeof(*sum));
			g = sum;
			kernel_add(sum, l->grads + places[k] * l->width, l->width);
		}
		if (row < l->count)
			add_row(r, l, n, row, g);
	}
}

void reduce_add_lookup(struct reduce *r, const struct reduce_lookup *l)
{
	bool squares = r->kind == REDUCE_SQUARE_SUM || r->kind == REDUCE_NORM;

	for (size_t n = r->first; n < r->first + r->samples; n++)
		if (squares)
			add_sorted(r, l, n);
		else
			add_places(r, l, n);
}

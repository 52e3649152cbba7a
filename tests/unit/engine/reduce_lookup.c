/* Rows that samples look up, against gradients formed one by one in double; tables far larger than what is taken. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/mem.h"
#include "plain_gradients.h"

static int64_t row_at(const struct reduce_lookup *l, size_t p)
{
	int64_t row = l->rows[p] < 0 ? l->rows[p] + (int64_t)l->count : l->rows[p];

	return row < 0 || row >= (int64_t)l->count ? -1 : row;
}

static void lookup_gradient(const void *of, size_t n, double *gradient)
{
	const struct reduce_lookup *l = of;

	for (size_t o = 0; o < l->outer; o++) {
		for (size_t i = 0; i < l->inner; i++) {
			size_t p = (o * l->samples + n) * l->inner + i;
			int64_t row = row_at(l, p);

			for (size_t j = 0; row >= 0 && j < l->width; j++)
				gradient[l->at + (size_t)row * l->width + j] += (double)l->grads[p * l->width + j];
		}
	}
}

static void run_lookup(struct reduce *r, const void *of)
{
	reduce_add_lookup(r, of);
}

/* Rows from a few, so that they repeat, or from many; some from the end, some of no row. */
static int64_t *draw_rows(struct rng *r, const struct reduce_lookup *l)
{
	size_t places = l->outer * l->samples * l->inner;
	int64_t *rows = mem_alloc(places * sizeof(*rows) + 1);
	int64_t count = (int64_t)l->count;

	for (size_t p = 0; p < places; p++)
		rows[p] = (int64_t)draw(r, 0, (uint32_t)(l->count + l->count / 8 + 1)) - count / 2;
	return rows;
}

Test(reduce_lookup, every_kind)
{
	struct rng r;

	rng_init(&r, 1, "lookups");
	for (int round = 0; round < 120; round++) {
		struct reduce_lookup l = { .samples = draw(&r, 1, 6),
					   .outer = draw(&r, 1, 4),
					   .inner = draw(&r, 1, 9),
					   .count = draw(&r, 1, round % 2 ? 5 : 90),
					   .width = draw(&r, 1, 40) };
		struct trial t = { .of = &l, .gradient = lookup_gradient, .run = run_lookup, .name = "lookup" };
		int64_t *rows = draw_rows(&r, &l);
		float *grads = numbers(&r, l.outer * l.samples * l.inner * l.width);
		size_t first = draw(&r, 0, (uint32_t)l.samples - 1);

		l.rows = rows;
		l.grads = grads;
		l.at = draw(&r, 0, 7);
		t.samples = l.samples;
		t.floats = l.at + l.count * l.width;
		t.scratch = reduce_scratch_lookup(&l);
		check_trial(&r, &t, 0, l.samples);
		check_trial(&r, &t, first, draw(&r, 1, (uint32_t)(l.samples - first)));
		mem_free(rows);
		mem_free(grads);
	}
}

/* left: how often each row was taken; right: the sum of g g^T. */
Test(reduce_lookup, moments)
{
	static const int64_t rows[6] = { 0, 2, 2, -1, 0, 9 };
	static const float grads[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	float left[9] = { 0 }, right[4] = { 0 };
	struct reduce r = { .kind = REDUCE_MOMENTS, .floats = 6, .samples = 3, .left = left, .right = right };
	struct reduce_lookup l = {
		.rows = rows, .grads = grads, .samples = 3, .outer = 1, .inner = 2, .count = 3, .width = 2
	};
	static const float diagonal[3] = { 2, 0, 3 }, outer[4] = { 165, 190, 190, 220 };

	reduce_add_lookup(&r, &l);
	for (size_t i = 0; i < 9; i++)
		cr_assert_float_eq(left[i], i % 4 ? 0.0f : diagonal[i / 4], 0.0f, "left %zu: %g", i, (double)left[i]);
	for (size_t i = 0; i < 4; i++)
		cr_assert_float_eq(right[i], outer[i], 0.0f, "right %zu: %g", i, (double)right[i]);
}

/* Maps of steps against loops over every index. */
#include "engine/strided.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum { MOST = 1 << 16 };

/* A cut and turned view of a dense tensor, axes in any order, some of them repeated. */
struct drawn {
	struct strided map;
	size_t from_count, to_count;
};

static void draw_map(struct rng *r, struct drawn *d)
{
	size_t rank = 1 + rng_below(r, 4), sizes[4], order[4], whole[4];
	ptrdiff_t from[4], step = 1, to = 1;

	memset(d, 0, sizeof(*d));
	for (size_t k = rank; k-- > 0;) {
		bool repeated = rng_below(r, 6) == 0;
		size_t stride = 1 + rng_below(r, 2) * rng_below(r, 3);

		sizes[k] = 1 + rng_below(r, rng_below(r, 3) ? 6 : 23);
		whole[k] = repeated ? 1 : (sizes[k] - 1) * stride + 1 + rng_below(r, 3);
		from[k] = repeated ? 0 : (rng_below(r, 4) ? 1 : -1) * (ptrdiff_t)stride * step;
		if (from[k] < 0)
			d->map.from_at -= from[k] * (ptrdiff_t)(sizes[k] - 1);
		step *= (ptrdiff_t)whole[k];
		order[k] = k;
	}
	rng_shuffle(r, order, rank);
	for (size_t k = rank; k-- > 0;)
		to *= (ptrdiff_t)sizes[k];
	d->from_count = (size_t)step;
	d->to_count = (size_t)to;
	for (size_t k = 0; k < rank; k++) {
		to /= (ptrdiff_t)sizes[order[k]];
		strided_push(&d->map, sizes[order[k]], from[order[k]], to);
	}
}

/* Calls visit for every index, outermost first. */
static size_t from_of(const struct strided *s, size_t i)
{
	ptrdiff_t at = s->from_at;

	for (size_t d = s->rank; d-- > 0; i /= s->sizes[d])
		at += (ptrdiff_t)(i % s->sizes[d]) * s->from[d];
	return (size_t)at;
}

static void check_copy(const struct drawn *d, const struct strided *merged, size_t size)
{
	unsigned char *from = mem_alloc(d->from_count * size), *to = mem_alloc(d->to_count * size),
		      *back = mem_alloc(d->from_count * size);
	struct strided reverse = strided_reverse(merged);

	for (size_t i = 0; i < d->from_count * size; i++)
		from[i] = (unsigned char)(i * 37 + i / 251);
	strided_copy(merged, size, to, from);
	strided_copy(&reverse, size, back, to);
	for (size_t i = 0; i < d->to_count; i++) {
		size_t at = from_of(&d->map, i);

		cr_assert_arr_eq(to + i * size, from + at * size, size, "element %zu of size %zu", i, size);
		cr_assert_arr_eq(back + at * size, from + at * size, size, "element %zu back", at);
	}
	mem_free(from);
	mem_free(to);
	mem_free(back);
}

static void check_add(struct rng *r, const struct drawn *d, const struct strided *merged)
{
	float *from = mem_alloc(d->from_count * sizeof(*from)), *to = mem_alloc(d->to_count * sizeof(*to));
	double *want = mem_alloc(d->from_count * sizeof(*want));
	struct strided reverse = strided_reverse(merged);

	for (size_t i = 0; i < d->from_count; i++)
		want[i] = from[i] = (float)rng_normal(r);
	for (size_t i = 0; i < d->to_count; i++) {
		to[i] = (float)rng_normal(r);
		want[from_of(&d->map, i)] += (double)to[i];
	}
	strided_add(&reverse, from, to);
	for (size_t i = 0; i < d->from_count; i++)
		cr_assert(fabs((double)from[i] - want[i]) < 1e-4, "sum %zu: %g, not %g", i, (double)from[i], want[i]);
	mem_free(from);
	mem_free(to);
	mem_free(want);
}

Test(strided, any_map)
{
	struct rng r;

	rng_init(&r, 1, "strided");
	for (int round = 0; round < 400; round++) {
		struct drawn d;
		struct strided merged;

		draw_map(&r, &d);
		if (d.from_count > MOST)
			continue;
		merged = d.map;
		strided_merge(&merged);
		check_copy(&d, &merged, 1);
		check_copy(&d, &merged, 4);
		check_copy(&d, &merged, 8);
		check_add(&r, &d, &merged);
	}
}

Test(strided, nothing_to_copy)
{
	struct strided s = { .from_at = 5, .to_at = 7 };
	char from[4] = "abc", to[4] = "xyz";

	strided_push(&s, 3, 1, 0);
	strided_push(&s, 0, -4, 1);
	strided_merge(&s);
	strided_copy(&s, 1, to, from);
	cr_assert_str_eq(to, "xyz");
}

/* A transpose is one matrix for each of the axes in front, a dense copy one line. */
Test(strided, merges)
{
	struct strided dense = { 0 }, turned = { 0 };

	strided_push(&dense, 2, 20, 20);
	strided_push(&dense, 4, 5, 5);
	strided_push(&dense, 5, 1, 1);
	strided_merge(&dense);
	cr_assert_eq(dense.rank, 1);
	cr_assert_eq(dense.sizes[0], 40);
	strided_push(&turned, 3, 144, 144);
	strided_push(&turned, 2, 6, 72);
	strided_push(&turned, 6, 1, 12);
	strided_push(&turned, 12, 12, 1);
	strided_merge(&turned);
	cr_assert(turned.crossed);
	cr_assert_eq(turned.rank, 3);
}

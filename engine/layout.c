#include "engine/layout.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct hole {
	size_t offset, size;
};

struct ending {
	size_t last, block;
};

struct arrangement {
	struct layout_block *blocks;
	struct hole *holes; /* by offset; none touches the next */
	size_t hole_count;
	struct ending *alive; /* a heap, the earliest end on top */
	size_t alive_count;
	size_t top;
};

static int by_start(const void *a, const void *b)
{
	const struct layout_block *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

/* ---- holes ---- */

static void remove_hole(struct arrangement *a, size_t i)
{
	memmove(a->holes + i, a->holes + i + 1, (--a->hole_count - i) * sizeof(a->holes[0]));
}

static void add_hole(struct arrangement *a, size_t offset, size_t size)
{
	size_t low = 0, high = a->hole_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->holes[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && a->holes[low - 1].offset + a->holes[low - 1].size == offset) {
		a->holes[--low].size += size;
	} else {
		memmove(a->holes + low + 1, a->holes + low, (a->hole_count++ - low) * sizeof(a->holes[0]));
		a->holes[low] = (struct hole){ offset, size };
	}
	if (low + 1 < a->hole_count && a->holes[low].offset + a->holes[low].size == a->holes[low + 1].offset) {
		a->holes[low].size += a->holes[low + 1].size;
		remove_hole(a, low + 1);
	}
}

static size_t take(struct arrangement *a, size_t size)
{
	size_t best = a->hole_count, offset;

	for (size_t i = 0; i < a->hole_count; i++)
		if (a->holes[i].size >= size && (best == a->hole_count || a->holes[i].size < a->holes[best].size))
			best = i;
	if (best == a->hole_count) {
		struct hole *end = a->hole_count ? &a->holes[a->hole_count - 1] : NULL;
		bool grows = end && end->offset + end->size == a->top;

		offset = grows ? end->offset : a->top;
		a->top = offset + size;
		if (grows)
			a->hole_count--;
		return offset;
	}
	offset = a->holes[best].offset;
	a->holes[best].offset += size;
	a->holes[best].size -= size;
	if (a->holes[best].size == 0)
		remove_hole(a, best);
	return offset;
}

/* ---- what is alive ---- */

static void swap(struct ending *x, struct ending *y)
{
	struct ending t = *x;

	*x = *y;
	*y = t;
}

static void push(struct arrangement *a, struct ending e)
{
	size_t i = a->alive_count++;

	a->alive[i] = e;
	for (; i > 0 && a->alive[(i - 1) / 2].last > a->alive[i].last; i = (i - 1) / 2)
		swap(&a->alive[i], &a->alive[(i - 1) / 2]);
}

static struct ending pop(struct arrangement *a)
{
	struct ending least = a->alive[0];

	a->alive[0] = a->alive[--a->alive_count];
	for (size_t i = 0, child; (child = 2 * i + 1) < a->alive_count; i = child) {
		child += child + 1 < a->alive_count && a->alive[child + 1].last < a->alive[child].last;
		if (a->alive[i].last <= a->alive[child].last)
			break;
		swap(&a->alive[i], &a->alive[child]);
	}
	return least;
}

int layout_assign(struct layout_block *blocks, size_t count, size_t limit, size_t *total)
{
	struct arrangement a = { .blocks = blocks };
	int rc = 0;

	a.holes = mem_try_alloc(count + 1, sizeof(*a.holes));
	a.alive = mem_try_alloc(count + 1, sizeof(*a.alive));
	if (!a.holes || !a.alive)
		rc = EXP_EMEMORY;
	if (rc == 0 && count)
		qsort(blocks, count, sizeof(*blocks), by_start);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		while (a.alive_count && a.alive[0].last < blocks[i].first) {
			struct ending e = pop(&a);

			add_hole(&a, blocks[e.block].offset, blocks[e.block].size);
		}
		if (blocks[i].size == 0)
			continue;
		if (blocks[i].size > limit) {
			rc = EXP_ELIMIT;
			break;
		}
		blocks[i].offset = take(&a, blocks[i].size);
		push(&a, (struct ending){ blocks[i].last, i });
		if (a.top > limit)
			rc = EXP_ELIMIT;
	}
	*total = a.top;
	mem_free(a.holes);
	mem_free(a.alive);
	return rc;
}

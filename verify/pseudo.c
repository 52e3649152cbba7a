#include "verify/pseudo_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"

enum { TRIES_PER_SET = 20, OVERLAP_WORTH = 2 };

/* The pool by strata: of one class each, or all rows in one when classes are not matched. */
struct strata {
	size_t *rows;  /* the pool's columns, stratum after stratum */
	size_t *first; /* [count + 1] */
	size_t *take;  /* [count] rows of the subject in the stratum */
	size_t count;
};

static size_t count_label(const int32_t *labels, const size_t *columns, size_t count, int32_t label)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += labels[columns[i]] == label;
	return n;
}

static bool is_first_of_class(const struct pseudo_draw *d, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (d->labels[d->subject[k]] == d->labels[d->subject[i]])
			return false;
	return true;
}

static void strata_by_class(const struct pseudo_draw *d, struct strata *s)
{
	for (size_t i = 0; i < d->rows; i++) {
		int32_t label = d->labels[d->subject[i]];
		size_t end = s->first[s->count];

		if (!is_first_of_class(d, i))
			continue;
		for (size_t k = 0; k < d->pool_count; k++)
			if (d->labels[d->pool[k]] == label)
				s->rows[end++] = d->pool[k];
		s->take[s->count++] = count_label(d->labels, d->subject, d->rows, label);
		s->first[s->count] = end;
	}
}

static void strata_whole(const struct pseudo_draw *d, struct strata *s)
{
	memcpy(s->rows, d->pool, d->pool_count * sizeof(*s->rows));
	s->take[0] = d->rows;
	s->first[1] = d->pool_count;
	s->count = 1;
}

static size_t strata_disjoint(const struct strata *s)
{
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < s->count; i++) {
		size_t sets = (s->first[i + 1] - s->first[i]) / s->take[i];

		least = sets < least ? sets : least;
	}
	return least;
}

static int by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

static void draw_set(struct strata *s, struct rng *rng, size_t *set, size_t rows)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++) {
		size_t *rows_of = s->rows + s->first[i], size = s->first[i + 1] - s->first[i];

		for (size_t k = 0; k < s->take[i]; k++) {
			size_t other = k + rng_below(rng, (uint32_t)(size - k)), column = rows_of[other];

			rows_of[other] = rows_of[k];
			rows_of[k] = column;
			set[n++] = column;
		}
	}
	qsort(set, rows, sizeof(*set), by_number);
}

static bool is_new(const size_t *columns, size_t count, const size_t *set, size_t rows)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(columns + i * rows, set, rows * sizeof(*set)) == 0)
			return false;
	return true;
}

/* A single row's sets are the pool itself, in shuffled order: nothing is left to chance that can be counted out. */
static size_t draw_singles(const struct pseudo_draw *d, struct strata *s, struct rng *rng, size_t *columns)
{
	size_t size = s->first[1], count = size < d->wanted ? size : d->wanted;

	rng_shuffle(rng, s->rows, size);
	memcpy(columns, s->rows, count * sizeof(*columns));
	return count;
}

static size_t draw_sets(const struct pseudo_draw *d, struct strata *s, size_t *columns)
{
	struct rng rng;
	size_t count = 0;

	rng_init(&rng, d->seed, "pseudo-subjects");
	if (strata_disjoint(s) == 0)
		return 0;
	if (d->rows == 1)
		return draw_singles(d, s, &rng, columns);
	for (size_t i = 0; i < d->wanted * TRIES_PER_SET && count < d->wanted; i++) {
		draw_set(s, &rng, columns + count * d->rows, d->rows);
		count += is_new(columns, count, columns + count * d->rows, d->rows);
	}
	return count;
}

int pseudo_draw(const struct pseudo_draw *d, size_t *columns, struct pseudo_sets *out)
{
	struct strata s = { 0 };
	struct pseudo_sets made = { .class_matched = true };
	int rc = 0;

	s.rows = mem_try_alloc(d->pool_count + 1, sizeof(*s.rows));
	s.first = mem_try_alloc(d->rows + 1, sizeof(*s.first));
	s.take = mem_try_alloc(d->rows, sizeof(*s.take));
	if (!s.rows || !s.first || !s.take) {
		rc = EXP_EMEMORY;
		goto out;
	}
	strata_by_class(d, &s);
	made.class_matched = strata_disjoint(&s) >= d->needed;
	if (!made.class_matched)
		strata_whole(d, &s);
	made.disjoint = strata_disjoint(&s);
	made.count = draw_sets(d, &s, columns);
	made.worth = made.disjoint * (d->rows > 1 ? OVERLAP_WORTH : 1);
	made.worth = made.count < made.worth ? made.count : made.worth;
	*out = made;
out:
	mem_free(s.rows);
	mem_free(s.first);
	mem_free(s.take);
	return rc;
}

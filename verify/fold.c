#include "verify/fold.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "verify/population.h"

struct unit {
	size_t rows, order; /* order: position in the round's shuffle, so that the sort has no ties */
	uint8_t fold;
};

static int by_size(const void *a, const void *b)
{
	const struct unit *x = *(const struct unit *const *)a, *y = *(const struct unit *const *)b;

	if (x->rows != y->rows)
		return x->rows < y->rows ? 1 : -1;
	return x->order < y->order ? -1 : 1;
}

static uint8_t lightest(const size_t *load, size_t folds)
{
	size_t best = 0;

	for (size_t f = 1; f < folds; f++)
		if (load[f] < load[best])
			best = f;
	return (uint8_t)best;
}

static void deal_units(struct unit *units, struct unit **sorted, size_t count, size_t folds)
{
	size_t load[FOLD_MAX] = { 0 };

	for (size_t i = 0; i < count; i++)
		sorted[i] = &units[i];
	qsort(sorted, count, sizeof(struct unit *), by_size);
	for (size_t i = 0; i < count; i++) {
		sorted[i]->fold = lightest(load, folds);
		load[sorted[i]->fold] += sorted[i]->rows;
	}
}

static void shuffle_units(const struct fold_deal *d, struct unit *units, size_t *order, size_t count)
{
	char purpose[48];
	struct rng rng;

	snprintf(purpose, sizeof(purpose), "folds/%zu", d->round);
	rng_init(&rng, d->seed, purpose);
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	rng_shuffle(&rng, order, count);
	for (size_t i = 0; i < count; i++)
		units[i].order = order[i];
}

static int check(const struct fold_deal *d, size_t units, struct exp_error *err)
{
	if (d->folds < 2 || d->folds > FOLD_MAX)
		return error_set(err, EXP_EINVAL, "%zu folds; there must be 2 to %d", d->folds, FOLD_MAX);
	if (units < d->folds)
		return error_set(err, EXP_EINVAL, "%zu subjects cannot be dealt into %zu folds", units, d->folds);
	return 0;
}

int fold_deal(const struct fold_deal *deal, uint8_t *of, struct exp_error *err)
{
	size_t count = population_units(deal->units, deal->rows);
	struct unit *units, **sorted;
	size_t *order;
	int rc = check(deal, count, err);

	if (rc)
		return rc;
	units = mem_try_alloc(count, sizeof(*units));
	sorted = mem_try_alloc(count, sizeof(struct unit *));
	order = mem_try_alloc(count, sizeof(*order));
	if (!units || !sorted || !order) {
		rc = error_set(err, EXP_EMEMORY, "no memory to deal %zu subjects into folds", count);
		goto out;
	}
	shuffle_units(deal, units, order, count);
	for (size_t i = 0; i < deal->rows; i++)
		units[deal->units[i]].rows++;
	deal_units(units, sorted, count, deal->folds);
	for (size_t i = 0; i < deal->rows; i++)
		of[i] = units[deal->units[i]].fold;
out:
	mem_free(units);
	mem_free(sorted);
	mem_free(order);
	return rc;
}

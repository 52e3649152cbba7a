/*
 * population.h: the rows that a model was trained on, the rows that it never saw, and whose they are.
 *
 * Row numbers are positions in the dataset (the order of its npy files). They never change during a dataset's life, so
 * score tables are keyed by them. Everything is borrowed. Threads: read only.
 */
#ifndef VERIFY_POPULATION_H
#define VERIFY_POPULATION_H

#include <stdbool.h>

#include "engine/source.h"

struct row_list {
	const size_t *index; /* row numbers, rising, each once */
	size_t count;
};

struct population {
	const struct source *source;    /* over the whole dataset; only rows of the lists below are read */
	struct row_list train, heldout; /* the live ones */
	const int32_t *train_units;   /* [train.count]: who a row belongs to, 0 … by first appearance; rows of one */
	const int32_t *heldout_units; /* [heldout.count] subject share a number, others have one of their own */
};

/* EXP_ERANGE: a row number beyond the source. EXP_EINVAL: a list is empty or not rising, a row is in both lists, units
 * are not numbered by first appearance. */
EXP_NODISCARD int population_check(const struct population *p, struct exp_error *err);

/* How many subjects units [rows] tell apart. */
size_t population_units(const int32_t *units, size_t rows);

/* The rows of from that are not in gone, written to out [from.count]; the count is returned. Likewise those in both. */
size_t row_list_without(struct row_list from, struct row_list gone, size_t *out);
size_t row_list_common(struct row_list a, struct row_list b, size_t *out);

#endif

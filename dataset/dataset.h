/*
 * dataset.h: a registered dataset, memory-mapped, and the views that the engine reads.
 *
 * A struct dataset is what storage said when it was opened: which rows exist, their split, subject and state. The
 * bytes are mapped and shared: rows that are overwritten later read as zeros at once. Open one a job.
 *
 * A view is a list of rows in ascending order with a struct source over it: deterministic, so that the same database
 * yields the same batches. Erased rows are in no view. Tombstoned rows (somebody asked for their deletion) are in a
 * view only when their subject is named.
 *
 * Ownership: a view borrows its dataset, which outlives it. Threads: a dataset and its views may be read by any number.
 */
#ifndef DATASET_DATASET_H
#define DATASET_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/npy.h"
#include "engine/source.h"
#include "storage/store.h"

struct dataset;

/* EXP_ENOTFOUND (not registered), EXP_ECONFLICT (its registration is not complete), EXP_ECORRUPT (files that do not fit
 * what is registered), EXP_EIO, EXP_EMEMORY. */
EXP_NODISCARD int dataset_open(struct store *store, const char *data_folder, const char *name, struct dataset **out,
			       struct exp_error *err);
void dataset_close(struct dataset *d); /* NULL is fine */

const char *dataset_name(const struct dataset *d);
size_t dataset_rows(const struct dataset *d); /* erased ones, too */
size_t dataset_row_floats(const struct dataset *d);
const size_t *dataset_row_dims(const struct dataset *d, size_t *rank);
size_t dataset_classes(const struct dataset *d);

/* Every row as it lies in the files, whatever its state, numbered as registered. For looking up single rows. */
const struct source *dataset_all(const struct dataset *d);

/* Storage's number of the person whom a row is about; 0: nobody named, or erased. */
int64_t dataset_subject(const struct dataset *d, size_t row);

enum dataset_view_kind {
	DATASET_TRAIN,   /* training rows that are live, and those of the subjects: what the served model has seen */
	DATASET_RETAIN,  /* training rows that are live, without the subjects' */
	DATASET_FORGET,  /* the subjects' training rows */
	DATASET_HELDOUT, /* held-out rows that are live, without the subjects' */
	DATASET_ERASE,   /* the subjects' rows of either split: what is overwritten in the end */
};

struct dataset_view {
	struct source source; /* hand &view.source to the engine; the view must not move while it is used */
	size_t *rows;         /* [source.rows] ascending row numbers of the dataset */
	int32_t *units;       /* [source.rows] who a row belongs to: 0 … unit_count-1 by first appearance; rows of one
				 subject share a number, a row without a subject has one of its own */
	size_t unit_count;
	const struct dataset *dataset;
};

/* subjects (count of them): storage's ids of the persons that a job is about; NULL and 0 for none. An id without rows
 * here is fine. EXP_EMEMORY. */
EXP_NODISCARD int dataset_view_init(struct dataset_view *v, const struct dataset *d, enum dataset_view_kind kind,
				    const int64_t *subjects, size_t count);
void dataset_view_fini(struct dataset_view *v);

#endif

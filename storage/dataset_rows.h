/*
 * dataset_rows.h: the rows of datasets: whose they are, what they are for, what has become of them.
 *
 * A row is known by its index in the dataset's .npy files. Its sample id is kept as an HMAC only; its subject as an
 * internal number that stands for a lookup hash (base/identity.h) and never leaves expunge.
 */
#ifndef STORAGE_DATASET_ROWS_H
#define STORAGE_DATASET_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"
#include "storage/subjects.h"

enum row_split {
#define X(symbol, name) symbol,
#include "storage/row_split.def"
#undef X
	ROW_SPLIT_COUNT,
};

enum row_state {
#define X(symbol, name) symbol,
#include "storage/row_state.def"
#undef X
	ROW_STATE_COUNT,
};

const char *row_split_name(enum row_split split);
EXP_NODISCARD int row_split_parse(const char *name, enum row_split *split); /* EXP_EINVAL */
const char *row_state_name(enum row_state state);

struct dataset_row {
	uint8_t sample[DB_HASH]; /* HMAC of the sample id */
	bool has_subject;
	uint8_t subject[DB_HASH]; /* lookup hash */
	enum row_split split;
};

/*
 * Appends count rows at index first, which is how many rows the dataset has so far; subjects are created as needed. A
 * few tens of thousands of rows in one operation take well below a second; callers cut larger sets into several.
 * EXP_EEXISTS: two rows have the same sample; err names the index. EXP_ECONFLICT: first is not the number of rows.
 * EXP_ENOTFOUND: no such dataset.
 */
EXP_NODISCARD int dataset_rows_insert(struct txn *txn, const char *dataset, int64_t first,
				      const struct dataset_row *rows, size_t count, struct exp_error *err);

/* All rows of a dataset in index order, as columns. */
struct row_map {
	size_t count;
	int64_t *subject; /* [count] subject, 0 for none */
	uint8_t *split;   /* [count] enum row_split */
	uint8_t *state;   /* [count] enum row_state */
};

EXP_NODISCARD int dataset_rows_map(struct db *db, const char *dataset, struct row_map *out,
				   struct exp_error *err); /* EXP_ENOTFOUND */
void row_map_fini(struct row_map *map);

struct row_ref {
	char dataset[DB_NAME];
	int64_t row;
	enum row_split split;
	enum row_state state; /* never ROW_ERASED: an erased row has no subject */
};

struct row_ref_list {
	struct row_ref *items;
	size_t count;
};

/* The subject's rows in all datasets, by dataset and index. No rows is success. */
EXP_NODISCARD int dataset_rows_of_subject(struct db *db, int64_t subject, struct row_ref_list *out,
					  struct exp_error *err);
void row_ref_list_fini(struct row_ref_list *list);

struct row_counts {
	char dataset[DB_NAME];
	int64_t train, heldout; /* rows of the subject that are live or tombstoned */
	int64_t live;           /* of these, live */
};

struct row_counts_list {
	struct row_counts *items;
	size_t count;
};

/* What a deletion of the subject would touch, by dataset. No rows is success. */
EXP_NODISCARD int dataset_rows_count(struct db *db, int64_t subject, struct row_counts_list *out,
				     struct exp_error *err);
void row_counts_list_fini(struct row_counts_list *list);

/* Live rows of the subject become tombstoned, in all datasets; *changed says how many. Idempotent. */
EXP_NODISCARD int dataset_rows_tombstone(struct txn *txn, int64_t subject, int64_t *changed, struct exp_error *err);

/*
 * Live rows of one dataset become tombstoned where a request about their subject is not settled: open, or ended without
 * its work done. For a dataset that arrives while people wait to be forgotten. EXP_ENOTFOUND.
 */
EXP_NODISCARD int dataset_rows_tombstone_requested(struct txn *txn, const char *dataset, int64_t *changed,
						   struct exp_error *err);

/* Tombstoned rows of the subject become live again: for a request that was cancelled. */
EXP_NODISCARD int dataset_rows_restore(struct txn *txn, int64_t subject, int64_t *changed, struct exp_error *err);

/*
 * Tombstoned rows of the subject in one dataset become erased: sample hash and subject are overwritten. To be called
 * after the bytes have been. Idempotent. EXP_ENOTFOUND: no such dataset.
 */
EXP_NODISCARD int dataset_rows_erase(struct txn *txn, const char *dataset, int64_t subject, int64_t *changed,
				     struct exp_error *err);

#endif

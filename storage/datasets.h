/*
 * datasets.h: datasets, and what became of them. The rows are in dataset_rows.h, the bytes in files of dataset/.
 */
#ifndef STORAGE_DATASETS_H
#define STORAGE_DATASETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

enum dataset_state {
#define X(symbol, name) symbol,
#include "storage/dataset_state.def"
#undef X
	DATASET_STATE_COUNT,
};

enum dataset_input { DATASET_F4, DATASET_U1 };              /* "f4", "u1" as in NumPy */
enum dataset_source { DATASET_UPLOADED, DATASET_IMPORTED }; /* "uploaded", "imported" */

struct stored_dataset {
	char name[DB_NAME];
	enum dataset_state state;
	enum dataset_source source;
	int64_t rows;   /* all splits, erased ones too */
	char *row_dims; /* JSON array of the dims of one row, "[]" for a scalar */
	enum dataset_input input;
	double scale; /* what a u1 value is multiplied by; 1 for f4 */
	int64_t classes;
	uint8_t inputs_sha256[DB_HASH]; /* of the files as they were registered */
	uint8_t labels_sha256[DB_HASH];
	char *error; /* why state is failed, or NULL */
	int64_t created_at;
};

struct stored_dataset_list {
	struct stored_dataset *items;
	size_t count;
};

const char *dataset_state_name(enum dataset_state state);
const char *dataset_input_name(enum dataset_input input);
const char *dataset_source_name(enum dataset_source source);

/* state as given; error and created_at are ignored. EXP_EEXISTS: the name is taken. */
EXP_NODISCARD int datasets_insert(struct txn *txn, const struct stored_dataset *dataset, struct exp_error *err);

/* error is NULL unless state is DATASET_FAILED. EXP_ENOTFOUND. */
EXP_NODISCARD int datasets_set_state(struct txn *txn, const char *name, enum dataset_state state, const char *error,
				     struct exp_error *err);

/* Removes a dataset with its rows, for a registration that failed. EXP_ECONFLICT: a model names it. EXP_ENOTFOUND. */
EXP_NODISCARD int datasets_delete(struct txn *txn, const char *name, struct exp_error *err);

EXP_NODISCARD int datasets_get(struct db *db, const char *name, struct stored_dataset *out,
			       struct exp_error *err); /* EXP_ENOTFOUND */
void stored_dataset_fini(struct stored_dataset *dataset);

/* By name. */
EXP_NODISCARD int datasets_list(struct db *db, struct stored_dataset_list *out, struct exp_error *err);
void stored_dataset_list_fini(struct stored_dataset_list *list);

#endif

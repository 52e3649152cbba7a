/*
 * import.h: from an operator's files to a registered dataset.
 *
 *   inputs.npy   [rows, …] float32, float64 (kept as float32) or uint8 (kept, each value times scale when it is read)
 *   labels.npy   [rows] of any integer type, kept as int32; classes 0 … classes-1
 *   rows.csv     RFC 4180 with the header sample_id,subject,split, one record a row in the order of the arrays;
 *                subject is type:value or empty, split is train or heldout; a subject is in one split only
 *
 * Everything is checked before anything is written. Then the name is reserved (a record in state registering), the
 * arrays are copied to DATA/datasets/<name>/, durably, read back and checked again, the rows are inserted, and one last
 * operation makes the dataset ready: nothing opens it before. What a killed import leaves is removed at the next start
 * (sweep.h).
 *
 * The CSV is not kept. Subjects and sample ids are stored as HMACs under the lookup key alone, and the memory that held
 * them is zeroed. The operator's own originals are out of scope. Messages name files, lines, rows and columns, never an
 * identity, a sample id or a value. Lines count from 1 (the header), rows and columns from 0.
 *
 * Threads: any; a second import of the same name gets EXP_EBUSY. Not from the writer's thread.
 */
#ifndef DATASET_IMPORT_H
#define DATASET_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "engine/npy.h"
#include "storage/datasets.h"
#include "storage/store.h"

/* Where a dataset goes to; all borrowed. */
struct dataset_home {
	struct store *store;
	const char *data_folder;
	const uint8_t *lookup_key; /* [DIGEST_KEY_SIZE] */
};

struct dataset_spec {
	const char *name;                   /* id_is_name (base/id.h) */
	const char *inputs, *labels, *rows; /* paths of regular files */
	double scale;                       /* of uint8 inputs; 0 means 1, and floats take nothing else */
	int64_t classes;                    /* 0: the largest label + 1 */
	enum dataset_source source;
};

struct dataset_summary {
	size_t rows, train, heldout; /* rows = train + heldout */
	size_t subjects;             /* distinct identities */
	size_t without_subject;      /* rows whose subject is empty */
	size_t classes;
	size_t dims[NPY_MAX_DIMS], rank; /* of one row */
};

/*
 * EXP_EINVAL (name, scale, a field of the CSV), EXP_EEXISTS, EXP_EBUSY, EXP_ENOTFOUND (a file), EXP_EPARSE (npy, CSV,
 * UTF-8), EXP_EUNSUPPORTED (element types), EXP_ESHAPE (row counts), EXP_ENONFINITE (row and column), EXP_ERANGE (a
 * label), EXP_ENOSPACE, EXP_EIO, EXP_EMEMORY. On failure nothing is registered and no file stays.
 */
EXP_NODISCARD int dataset_import(const struct dataset_home *home, const struct dataset_spec *spec,
				 struct dataset_summary *summary, struct exp_error *err);

#endif

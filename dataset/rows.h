/*
 * rows.h: rows.csv as a table of hashes, checked as a whole.
 *
 * Identities and sample ids are hashed as they are read and the text is zeroed before rows_read returns. A sample id is
 * hashed as the identity "sample_id:<id>" (base/identity.h), so it is trimmed and normalised like any other.
 */
#ifndef DATASET_ROWS_H
#define DATASET_ROWS_H

#include <stdint.h>

#include "base/digest.h"
#include "storage/dataset_rows.h"

struct rows_table {
	struct dataset_row *rows; /* [count] */
	size_t *lines;            /* [count] where each stands in the file */
	size_t count;
	size_t train, heldout;            /* rows */
	size_t subjects, without_subject; /* distinct identities; rows without one */
};

/* expected: rows of the arrays. EXP_ENOTFOUND, EXP_EPARSE, EXP_EINVAL (a field, a sample id twice, a subject in both
 * splits), EXP_ESHAPE (another number of records), EXP_ELIMIT, EXP_EIO, EXP_EMEMORY. Messages start with "rows.csv". */
EXP_NODISCARD int rows_read(const char *path, const uint8_t key[DIGEST_KEY_SIZE], size_t expected,
			    struct rows_table *out, struct exp_error *err);
void rows_fini(struct rows_table *t);

#endif

/*
 * arrays.h: the two arrays of a dataset: an operator's pair of npy files checked, and written in the form that is kept.
 *
 * Kept are inputs as float32 or uint8 and labels as int32, as plain npy files that NumPy reads, too.
 */
#ifndef DATASET_ARRAYS_H
#define DATASET_ARRAYS_H

#include "base/digest.h"
#include "engine/npy.h"

struct arrays {
	struct npy inputs, labels;
	float scale;
	size_t rows, row_floats, classes;
};

/* scale 0 means 1, classes 0 the largest label + 1. EXP_ENOTFOUND, EXP_EPARSE, EXP_EUNSUPPORTED, EXP_ESHAPE, EXP_EINVAL
 * (scale), EXP_ENONFINITE (row and column), EXP_ERANGE (the row of a label), EXP_EIO. */
EXP_NODISCARD int arrays_open(const char *inputs, const char *labels, double scale, int64_t classes, struct arrays *out,
			      struct exp_error *err);
void arrays_close(struct arrays *a);

/* SHA-256 of the two files that arrays_write would write. EXP_EMEMORY. */
EXP_NODISCARD int arrays_digest(const struct arrays *a, uint8_t inputs[DIGEST_SIZE], uint8_t labels[DIGEST_SIZE],
				struct exp_error *err);

/* New files in the form that is kept, fsynced; their folder is the caller's to fsync. EXP_EEXISTS, EXP_ENOSPACE,
 * EXP_EIO, EXP_EMEMORY; a file that could not be completed stays for the caller to destroy. */
EXP_NODISCARD int arrays_write(const struct arrays *a, const char *inputs, const char *labels, struct exp_error *err);

#endif

/*
 * erase.h: rows overwritten where they lie.
 *
 * The rows' bytes in inputs.npy and labels.npy become zeros, both files are fsynced, and the rows are read back through
 * a file that is opened anew. Only then does the caller book them as erased (dataset_rows_erase in storage). What a
 * copy-on-write file system, a device's wear levelling, backups or the operator's originals still hold is out of reach,
 * and the receipt says so.
 *
 * Threads: one eraser a dataset (the model's lease sees to that); readers may run beside it and then see some zeros
 * early.
 */
#ifndef DATASET_ERASE_H
#define DATASET_ERASE_H

#include "dataset/dataset.h"

/*
 * rows (count of them): row numbers of the dataset, in any order. Idempotent: after a kill it is run again. Existing
 * mappings see the zeros. EXP_ERANGE (no such row), EXP_ECORRUPT (what was read back are not zeros), EXP_EIO. On
 * failure some rows may be overwritten.
 */
EXP_NODISCARD int erase_rows(const struct dataset *d, const size_t *rows, size_t count, struct exp_error *err);

#endif

/*
 * sweep.h: what a killed import left behind, cleared away at start.
 */
#ifndef DATASET_SWEEP_H
#define DATASET_SWEEP_H

#include <stddef.h>

#include "base/error.h"
#include "storage/store.h"

/*
 * Before any import: overwrites and removes the files of every dataset that is not ready, then its record; and every
 * folder below DATA/datasets that has no record. *removed counts datasets and folders. EXP_EIO and storage's errors;
 * what was swept until then stays swept.
 */
EXP_NODISCARD int dataset_sweep(struct store *store, const char *data_folder, size_t *removed, struct exp_error *err);

#endif

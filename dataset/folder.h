/*
 * folder.h: where a dataset's files are, below the data folder: datasets/<name>/inputs.npy and labels.npy.
 *
 * Ownership: paths and texts are the caller's, mem_free. Threads: any, one a folder.
 */
#ifndef DATASET_FOLDER_H
#define DATASET_FOLDER_H

#include "base/error.h"
#include "engine/npy.h"

#define FOLDER_INPUTS "inputs.npy"
#define FOLDER_LABELS "labels.npy"

/* DATA/datasets, DATA/datasets/<name>. */
char *folder_root(const char *data_folder);
char *folder_path(const char *data_folder, const char *name);

/* Dimensions of one row as storage keeps them: "[28,28]", "[]" when a row is one number. */
char *folder_row_dims(const struct npy *inputs);

/* Makes the folder's entries, and its own in the folders above, durable. EXP_EIO. */
EXP_NODISCARD int folder_sync(const char *data_folder, const char *name, struct exp_error *err);

/* Overwrites and removes the files in the folder, then the folder. A missing folder is success. EXP_EIO: something else
 * is in it, or a file resists. */
EXP_NODISCARD int folder_destroy(const char *path, struct exp_error *err);

#endif

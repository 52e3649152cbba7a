/*
 * dataset_internal.h: what the files of this folder share of an opened dataset.
 */
#ifndef DATASET_DATASET_INTERNAL_H
#define DATASET_DATASET_INTERNAL_H

#include "dataset/dataset.h"
#include "storage/dataset_rows.h"
#include "storage/db.h"

struct dataset {
	char name[DB_NAME];
	char *inputs_path, *labels_path;
	struct npy inputs, labels;
	struct npy_source files; /* over both; scales */
	size_t classes;
	struct row_map rows; /* as storage had it when the dataset was opened */
	int64_t *people;     /* [people_count] subjects that have rows, ascending */
	size_t people_count;
	int32_t *person; /* [rows] index into people, or -1 */
};

#endif

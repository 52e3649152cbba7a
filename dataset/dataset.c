#include "dataset/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset_internal.h"
#include "dataset/folder.h"
#include "storage/datasets.h"

static int check_record(const struct stored_dataset *record, struct exp_error *err)
{
	if (record->state == DATASET_READY)
		return 0;
	return error_set(err, EXP_ECONFLICT, "dataset %s is %s, not ready", record->name,
			 dataset_state_name(record->state));
}

static int load_record(struct store *store, const char *name, struct stored_dataset *record, struct row_map *rows,
		       struct exp_error *err)
{
	struct db *db;
	int rc = reader_take(store, &db, err);

	if (rc)
		return rc;
	rc = datasets_get(db, name, record, err);
	if (!rc) {
		rc = check_record(record, err);
		if (!rc)
			rc = dataset_rows_map(db, name, rows, err);
		if (rc)
			stored_dataset_fini(record);
	}
	reader_give(store, db);
	return rc;
}

/* The files must be what was registered in shape and type; their content changes lawfully when rows are erased. */
static int check_files(const struct dataset *d, const struct stored_dataset *record, struct exp_error *err)
{
	char *dims = folder_row_dims(&d->inputs);
	bool fits = d->inputs.rank > 0 && d->inputs.dims[0] == (size_t)record->rows &&
		    d->rows.count == (size_t)record->rows &&
		    d->inputs.type == (record->input == DATASET_U1 ? NPY_U1 : NPY_F4) && d->labels.type == NPY_I4 &&
		    !strcmp(dims, record->row_dims);

	mem_free(dims);
	return fits ? 0
		    : error_set(err, EXP_ECORRUPT, "the files of dataset %s are not those that were registered",
				d->name);
}

static int open_files(struct dataset *d, const struct stored_dataset *record, struct exp_error *err)
{
	int rc = npy_open(d->inputs_path, &d->inputs, err);

	if (!rc)
		rc = npy_open(d->labels_path, &d->labels, err);
	if (!rc)
		rc = check_files(d, record, err);
	if (!rc)
		rc = npy_source_init(&d->files, &d->inputs, &d->labels, (float)record->scale, (size_t)record->classes,
				     err);
	if (!rc || rc == EXP_EIO || rc == EXP_ECORRUPT)
		return rc;
	return error_set(err, EXP_ECORRUPT, "the files of dataset %s are missing or damaged", d->name);
}

static int compare_numbers(const void *a, const void *b)
{
	int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;

	return (i > j) - (i < j);
}

/* Storage's numbers of subjects become dense ones. */
static int index_people(struct dataset *d)
{
	size_t n = 0;

	d->people = mem_try_alloc(d->rows.count, sizeof(*d->people));
	d->person = mem_try_alloc(d->rows.count, sizeof(*d->person));
	if (!d->people || !d->person)
		return EXP_EMEMORY;
	for (size_t i = 0; i < d->rows.count; i++)
		if (d->rows.subject[i])
			d->people[n++] = d->rows.subject[i];
	qsort(d->people, n, sizeof(*d->people), compare_numbers);
	for (size_t i = 0; i < n; i++)
		if (!i || d->people[i] != d->people[d->people_count - 1])
			d->people[d->people_count++] = d->people[i];
	for (size_t i = 0; i < d->rows.count; i++) {
		const int64_t *found =
		    bsearch(&d->rows.subject[i], d->people, d->people_count, sizeof(*d->people), compare_numbers);

		d->person[i] = found ? (int32_t)(found - d->people) : -1;
	}
	return 0;
}

int dataset_open(struct store *store, const char *data_folder, const char *name, struct dataset **out,
		 struct exp_error *err)
{
	struct dataset *d;
	struct stored_dataset record;
	struct row_map rows;
	char *folder;
	int rc = load_record(store, name, &record, &rows, err);

	if (rc)
		return rc;
	folder = folder_path(data_folder, name);
	d = mem_alloc(sizeof(*d));
	strcpy(d->name, record.name);
	d->inputs_path = file_join(folder, FOLDER_INPUTS);
	d->labels_path = file_join(folder, FOLDER_LABELS);
	d->classes = (size_t)record.classes;
	d->rows = rows;
	rc = open_files(d, &record, err);
	if (!rc && index_people(d))
		rc = error_set(err, EXP_EMEMORY, "no memory for the rows of dataset %s", name);
	mem_free(folder);
	stored_dataset_fini(&record);
	if (rc)
		dataset_close(d);
	else
		*out = d;
	return rc;
}

void dataset_close(struct dataset *d)
{
	if (!d)
		return;
	npy_close(&d->inputs);
	npy_close(&d->labels);
	row_map_fini(&d->rows);
	mem_free(d->inputs_path);
	mem_free(d->labels_path);
	mem_free(d->people);
	mem_free(d->person);
	mem_free(d);
}

const char *dataset_name(const struct dataset *d)
{
	return d->name;
}

size_t dataset_rows(const struct dataset *d)
{
	return d->rows.count;
}

size_t dataset_row_floats(const struct dataset *d)
{
	return d->files.source.row_floats;
}

const size_t *dataset_row_dims(const struct dataset *d, size_t *rank)
{
	*rank = d->inputs.rank - 1;
	return d->inputs.dims + 1;
}

size_t dataset_classes(const struct dataset *d)
{
	return d->classes;
}

const struct source *dataset_all(const struct dataset *d)
{
	return &d->files.source;
}

int64_t dataset_subject(const struct dataset *d, size_t row)
{
	return d->rows.subject[row];
}

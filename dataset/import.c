#include "dataset/import.h"

#include <string.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "dataset/arrays.h"
#include "dataset/folder.h"
#include "dataset/rows.h"
#include "storage/writer.h"

enum { ROWS_PER_OPERATION = 16384 };

/* One import on its way. The record is what storage gets; the operations on the writer's thread read the rest. */
struct import {
	const struct dataset_home *home;
	const struct dataset_spec *spec;
	struct arrays arrays;
	struct rows_table rows;
	struct stored_dataset record;
	char *folder, *inputs, *labels;
	size_t first, count; /* rows of the next insertion */
};

static int check_spec(const struct import *i, struct exp_error *err)
{
	struct stored_dataset present;
	struct db *db;
	int rc;

	if (!id_is_name(i->spec->name))
		return error_set_field(
		    err, EXP_EINVAL, "/name",
		    "a dataset's name is 1 to 63 letters, digits, '.', '_' and '-', and starts with a letter "
		    "or a digit");
	rc = reader_take(i->home->store, &db, err);
	if (rc)
		return rc;
	rc = datasets_get(db, i->spec->name, &present, NULL);
	reader_give(i->home->store, db);
	if (rc == EXP_ENOTFOUND)
		return 0;
	if (rc)
		return error_set(err, rc, "the list of datasets cannot be read");
	rc = present.state == DATASET_REGISTERING
		 ? error_set(err, EXP_EBUSY, "dataset %s is being imported", i->spec->name)
		 : error_set_field(err, EXP_EEXISTS, "/name", "there is a dataset %s already", i->spec->name);
	stored_dataset_fini(&present);
	return rc;
}

static int check_files(struct import *i, struct exp_error *err)
{
	int rc = arrays_open(i->spec->inputs, i->spec->labels, i->spec->scale, i->spec->classes, &i->arrays, err);

	return rc ? rc : rows_read(i->spec->rows, i->home->lookup_key, i->arrays.rows, &i->rows, err);
}

static int describe(struct import *i, struct exp_error *err)
{
	struct stored_dataset *d = &i->record;

	strcpy(d->name, i->spec->name);
	d->state = DATASET_REGISTERING;
	d->source = i->spec->source;
	d->rows = (int64_t)i->arrays.rows;
	d->row_dims = folder_row_dims(&i->arrays.inputs);
	d->input = i->arrays.inputs.type == NPY_U1 ? DATASET_U1 : DATASET_F4;
	d->scale = (double)i->arrays.scale;
	d->classes = (int64_t)i->arrays.classes;
	i->folder = folder_path(i->home->data_folder, i->spec->name);
	i->inputs = file_join(i->folder, FOLDER_INPUTS);
	i->labels = file_join(i->folder, FOLDER_LABELS);
	return arrays_digest(&i->arrays, d->inputs_sha256, d->labels_sha256, err);
}

static int reserve(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct import *i = arg;

	return datasets_insert(txn, &i->record, err);
}

static int insert_rows(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct import *i = arg;

	return dataset_rows_insert(txn, i->spec->name, (int64_t)i->first, i->rows.rows + i->first, i->count, err);
}

static int make_ready(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct import *i = arg;
	int64_t tombstoned;
	int rc = dataset_rows_tombstone_requested(txn, i->spec->name, &tombstoned, err);

	return rc ? rc : datasets_set_state(txn, i->spec->name, DATASET_READY, NULL, err);
}

static int withdraw(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct import *i = arg;

	return datasets_delete(txn, i->spec->name, err);
}

/* What is kept must be what was checked, even if the operator's files changed in between. */
static int check_copies(const struct import *i, struct exp_error *err)
{
	uint8_t inputs[DIGEST_SIZE], labels[DIGEST_SIZE];
	int rc = file_digest(i->inputs, inputs, err);

	if (!rc)
		rc = file_digest(i->labels, labels, err);
	if (!rc && (memcmp(inputs, i->record.inputs_sha256, DIGEST_SIZE) ||
		    memcmp(labels, i->record.labels_sha256, DIGEST_SIZE)))
		rc = error_set(err, EXP_ECORRUPT, "%s: the copies are not what was checked; import again", i->folder);
	return rc;
}

/* The name is ours now, so whatever lies in its folder belongs to nobody. */
static int copy_files(struct import *i, struct exp_error *err)
{
	int rc = folder_destroy(i->folder, err);

	if (!rc)
		rc = file_make_folder(i->folder, err);
	if (!rc)
		rc = arrays_write(&i->arrays, i->inputs, i->labels, err);
	if (!rc)
		rc = folder_sync(i->home->data_folder, i->spec->name, err);
	return rc ? rc : check_copies(i, err);
}

static int insert_all(struct import *i, struct exp_error *err)
{
	int rc = 0;

	for (i->first = 0; !rc && i->first < i->rows.count; i->first += i->count) {
		size_t left = i->rows.count - i->first;

		i->count = left < ROWS_PER_OPERATION ? left : ROWS_PER_OPERATION;
		rc = writer_call(i->home->store, insert_rows, i, err);
	}
	return rc ? rc : writer_call(i->home->store, make_ready, i, err);
}

/* Undoes a reserved import. When even that fails, the record stays in state registering until the next start sweeps it.
 */
static void undo(struct import *i)
{
	struct exp_error cause = { 0 };
	int rc = folder_destroy(i->folder, &cause);

	if (!rc)
		rc = writer_call(i->home->store, withdraw, i, &cause);
	if (rc)
		log_warn("dataset_leftover", "dataset=%s error=\"%s\"", i->spec->name, cause.message);
}

static void summarize(const struct import *i, struct dataset_summary *s)
{
	*s = (struct dataset_summary){
		.rows = i->rows.count,
		.train = i->rows.train,
		.heldout = i->rows.heldout,
		.subjects = i->rows.subjects,
		.without_subject = i->rows.without_subject,
		.classes = i->arrays.classes,
		.rank = i->arrays.inputs.rank - 1,
	};
	memcpy(s->dims, i->arrays.inputs.dims + 1, s->rank * sizeof(*s->dims));
}

static void import_fini(struct import *i)
{
	arrays_close(&i->arrays);
	rows_fini(&i->rows);
	mem_free(i->record.row_dims);
	mem_free(i->folder);
	mem_free(i->inputs);
	mem_free(i->labels);
}

/* From here on there is something to undo. */
static int register_all(struct import *i, struct exp_error *err)
{
	int rc = writer_call(i->home->store, reserve, i, err);

	if (rc)
		return rc;
	rc = copy_files(i, err);
	if (!rc)
		rc = insert_all(i, err);
	if (rc)
		undo(i);
	return rc;
}

int dataset_import(const struct dataset_home *home, const struct dataset_spec *spec, struct dataset_summary *summary,
		   struct exp_error *err)
{
	struct import i = { .home = home, .spec = spec };
	int rc = check_spec(&i, err);

	if (!rc)
		rc = check_files(&i, err);
	if (!rc)
		rc = describe(&i, err);
	if (!rc)
		rc = register_all(&i, err);
	if (!rc)
		summarize(&i, summary);
	import_fini(&i);
	return rc;
}

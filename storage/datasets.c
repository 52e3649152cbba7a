#include "storage/datasets.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { INSERT, SET_STATE, DELETE, GET, LIST };

#define COLUMNS                                                                                                        \
	"name, state, source, row_count, row_dims, input, scale, classes, inputs_sha256, labels_sha256, error, "       \
	"created_at"

static const struct statement statements[] = {
	[INSERT] = { "INSERT INTO datasets (name, state, source, row_count, row_dims, input, scale, classes, "
		     "inputs_sha256, labels_sha256, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		     NULL },
	[SET_STATE] = { "UPDATE datasets SET state = ?, error = ? WHERE name = ?", "datasets" },
	[DELETE] = { "DELETE FROM datasets WHERE name = ?", "datasets" },
	[GET] = { "SELECT " COLUMNS " FROM datasets WHERE name = ?", "datasets" },
	[LIST] = { "SELECT " COLUMNS " FROM datasets ORDER BY name", NULL },
};

const struct table datasets_table = TABLE("datasets", statements);

static const char *const states[] = {
#define X(symbol, name) name,
#include "storage/dataset_state.def"
#undef X
};

static const char *const inputs[] = { [DATASET_F4] = "f4", [DATASET_U1] = "u1" };
static const char *const sources[] = { [DATASET_UPLOADED] = "uploaded", [DATASET_IMPORTED] = "imported" };

static const struct names state_names = NAMES("dataset state", states);
static const struct names input_names = NAMES("input type", inputs);
static const struct names source_names = NAMES("source", sources);

const char *dataset_state_name(enum dataset_state state)
{
	return names_text(&state_names, (int)state);
}

const char *dataset_input_name(enum dataset_input input)
{
	return names_text(&input_names, (int)input);
}

const char *dataset_source_name(enum dataset_source source)
{
	return names_text(&source_names, (int)source);
}

static void read_dataset(struct query *q, void *item)
{
	struct stored_dataset *d = item;

	query_text(q, d->name, sizeof(d->name));
	d->state = (enum dataset_state)query_enum(q, &state_names);
	d->source = (enum dataset_source)query_enum(q, &source_names);
	d->rows = query_int(q);
	d->row_dims = query_string(q);
	d->input = (enum dataset_input)query_enum(q, &input_names);
	d->scale = query_real(q);
	d->classes = query_int(q);
	query_blob(q, d->inputs_sha256, sizeof(d->inputs_sha256));
	query_blob(q, d->labels_sha256, sizeof(d->labels_sha256));
	d->error = query_string(q);
	d->created_at = query_int(q);
}

static void free_dataset(void *item)
{
	stored_dataset_fini(item);
}

static const struct row_type dataset_type = { sizeof(struct stored_dataset), read_dataset, free_dataset };

void stored_dataset_fini(struct stored_dataset *dataset)
{
	mem_free(dataset->row_dims);
	mem_free(dataset->error);
	dataset->row_dims = dataset->error = NULL;
}

int datasets_insert(struct txn *txn, const struct stored_dataset *dataset, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_DATASETS, INSERT);
	query_bind_name(&q, dataset->name);
	query_bind_enum(&q, &state_names, (int)dataset->state);
	query_bind_enum(&q, &source_names, (int)dataset->source);
	query_bind_int(&q, dataset->rows);
	query_bind_text(&q, dataset->row_dims);
	query_bind_enum(&q, &input_names, (int)dataset->input);
	query_bind_real(&q, dataset->scale);
	query_bind_int(&q, dataset->classes);
	query_bind_blob(&q, dataset->inputs_sha256, sizeof(dataset->inputs_sha256));
	query_bind_blob(&q, dataset->labels_sha256, sizeof(dataset->labels_sha256));
	query_bind_int(&q, clock_now_ms());
	rc = query_run(&q, NULL, err);
	return rc == EXP_EEXISTS ? error_set(err, rc, "dataset '%s' exists already", dataset->name) : rc;
}

int datasets_set_state(struct txn *txn, const char *name, enum dataset_state state, const char *error,
		       struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_DATASETS, SET_STATE);
	query_bind_enum(&q, &state_names, (int)state);
	query_bind_optional(&q, error);
	query_bind_text(&q, name);
	return query_run_on(&q, "dataset", name, err);
}

int datasets_delete(struct txn *txn, const char *name, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_DATASETS, DELETE);
	query_bind_text(&q, name);
	rc = query_run_on(&q, "dataset", name, err);
	return rc == EXP_ECONFLICT ? error_set(err, rc, "dataset '%s' belongs to a model", name) : rc;
}

int datasets_get(struct db *db, const char *name, struct stored_dataset *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_DATASETS, GET);
	query_bind_text(&q, name);
	return query_one(&q, &dataset_type, out, "dataset", name, err);
}

int datasets_list(struct db *db, struct stored_dataset_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_DATASETS, LIST);
	rc = query_all(&q, &dataset_type, &list, err);
	if (!rc)
		*out = (struct stored_dataset_list){ list.items, list.count };
	return rc;
}

void stored_dataset_list_fini(struct stored_dataset_list *list)
{
	row_list_free(&dataset_type, list->items, list->count);
	*list = (struct stored_dataset_list){ 0 };
}

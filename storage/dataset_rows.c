#include "storage/dataset_rows.h"

#include <string.h>

#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { DATASET, NEXT, INSERT, MAP, OF_SUBJECT, COUNT, TOMBSTONE, TOMBSTONE_REQUESTED, RESTORE, ERASE };

/* In ERASE the plus keeps SQLite from walking all rows of the dataset by its primary key. */
static const struct statement statements[] = {
	[DATASET] = { "SELECT id FROM datasets WHERE name = ?", "datasets" },
	[NEXT] = { "SELECT coalesce(max(idx) + 1, 0) FROM dataset_rows WHERE dataset = ?", "dataset_rows" },
	[INSERT] = { "INSERT INTO dataset_rows (dataset, idx, sample, subject, split, state) VALUES (?, ?, ?, ?, "
		     "?, 'live')",
		     NULL },
	[MAP] = { "SELECT subject, split, state FROM dataset_rows WHERE dataset = ? ORDER BY idx", "dataset_rows" },
	[OF_SUBJECT] = { "SELECT d.name, r.idx, r.split, r.state FROM dataset_rows r JOIN datasets d ON d.id = "
			 "r.dataset WHERE r.subject = ? ORDER BY d.name, r.idx",
			 "dataset_rows_by_subject" },
	[COUNT] = { "SELECT d.name, sum(r.split = 'train'), sum(r.split = 'heldout'), sum(r.state = 'live') FROM "
		    "dataset_rows r JOIN datasets d ON d.id = r.dataset WHERE r.subject = ? GROUP BY d.name ORDER "
		    "BY d.name",
		    "dataset_rows_by_subject" },
	[TOMBSTONE] = { "UPDATE dataset_rows SET state = 'tombstoned' WHERE subject = ? AND state = 'live'",
			"dataset_rows_by_subject" },
	[TOMBSTONE_REQUESTED] = { "UPDATE dataset_rows SET state = 'tombstoned' WHERE dataset = ? AND state = 'live' "
				  "AND "
				  "subject IN (SELECT s.subject FROM request_subjects s JOIN requests r ON r.id = "
				  "s.request "
				  "WHERE r.status NOT IN ('completed', 'rejected', 'cancelled'))",
				  "dataset_rows" },
	[RESTORE] = { "UPDATE dataset_rows SET state = 'live' WHERE subject = ? AND state = 'tombstoned'",
		      "dataset_rows_by_subject" },
	[ERASE] = { "UPDATE dataset_rows SET state = 'erased', sample = NULL, subject = NULL WHERE +dataset = ? "
		    "AND subject = ? AND state = 'tombstoned'",
		    "dataset_rows_by_subject" },
};

const struct table dataset_rows_table = TABLE("dataset_rows", statements);

static const char *const splits[] = {
#define X(symbol, name) name,
#include "storage/row_split.def"
#undef X
};

static const char *const states[] = {
#define X(symbol, name) name,
#include "storage/row_state.def"
#undef X
};

static const struct names split_names = NAMES("split", splits);
static const struct names state_names = NAMES("row state", states);

const char *row_split_name(enum row_split split)
{
	return names_text(&split_names, (int)split);
}

int row_split_parse(const char *name, enum row_split *split)
{
	int value, rc = names_find(&split_names, name, &value);

	if (!rc)
		*split = (enum row_split)value;
	return rc;
}

const char *row_state_name(enum row_state state)
{
	return names_text(&state_names, (int)state);
}

static int find_dataset(struct db *db, const char *name, int64_t *id, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_DATASET_ROWS, DATASET);
	query_bind_text(&q, name);
	rc = query_number(&q, id, err);
	return rc == EXP_ENOTFOUND ? error_set(err, rc, "dataset '%s' does not exist", name) : rc;
}

static int next_row(struct db *db, int64_t dataset, int64_t *next, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_DATASET_ROWS, NEXT);
	query_bind_int(&q, dataset);
	return query_number(&q, next, err);
}

static int insert_row(struct txn *txn, int64_t dataset, int64_t index, const struct dataset_row *row,
		      struct exp_error *err)
{
	int64_t subject = 0;
	struct query q;
	int rc = row->has_subject ? subjects_ensure(txn, row->subject, &subject, err) : 0;

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_DATASET_ROWS, INSERT);
	query_bind_int(&q, dataset);
	query_bind_int(&q, index);
	query_bind_blob(&q, row->sample, sizeof(row->sample));
	query_bind_time(&q, subject);
	query_bind_enum(&q, &split_names, (int)row->split);
	rc = query_run(&q, NULL, err);
	if (rc == EXP_EEXISTS)
		return error_set(err, rc, "row %lld: its sample_id occurs in an earlier row", (long long)index);
	return rc;
}

int dataset_rows_insert(struct txn *txn, const char *dataset, int64_t first, const struct dataset_row *rows,
			size_t count, struct exp_error *err)
{
	int64_t id, next;
	int rc = find_dataset(txn_db(txn), dataset, &id, err);

	if (!rc)
		rc = next_row(txn_db(txn), id, &next, err);
	if (!rc && next != first)
		rc = error_set(err, EXP_ECONFLICT, "dataset '%s' has %lld rows, the next cannot be %lld", dataset,
			       (long long)next, (long long)first);
	for (size_t i = 0; !rc && i < count; i++)
		rc = insert_row(txn, id, first + (int64_t)i, &rows[i], err);
	return rc;
}

static int make_map(struct row_map *map, size_t count, struct exp_error *err)
{
	map->count = count;
	map->subject = mem_try_alloc(count, sizeof(*map->subject));
	map->split = mem_try_alloc(count, sizeof(*map->split));
	map->state = mem_try_alloc(count, sizeof(*map->state));
	return map->subject && map->split && map->state ? 0
							: error_set(err, EXP_EMEMORY, "no memory for %zu rows", count);
}

static int fill_map(struct db *db, int64_t dataset, struct row_map *map, struct exp_error *err)
{
	struct query q;
	size_t i = 0;
	int rc;

	query_start(&q, db, TABLE_DATASET_ROWS, MAP);
	query_bind_int(&q, dataset);
	while ((rc = query_step(&q, err)) > 0 && i < map->count) {
		map->subject[i] = query_int(&q);
		map->split[i] = (uint8_t)query_enum(&q, &split_names);
		map->state[i] = (uint8_t)query_enum(&q, &state_names);
		i++;
	}
	query_end(&q);
	if (rc < 0)
		return rc;
	return i == map->count && !rc ? 0 : error_set(err, EXP_ECORRUPT, "the rows of a dataset are not dense");
}

int dataset_rows_map(struct db *db, const char *dataset, struct row_map *out, struct exp_error *err)
{
	struct row_map map = { 0 };
	int64_t id, count;
	int rc = find_dataset(db, dataset, &id, err);

	if (!rc)
		rc = next_row(db, id, &count, err);
	if (!rc)
		rc = make_map(&map, (size_t)count, err);
	if (!rc)
		rc = fill_map(db, id, &map, err);
	if (rc)
		row_map_fini(&map);
	else
		*out = map;
	return rc;
}

void row_map_fini(struct row_map *map)
{
	mem_free(map->subject);
	mem_free(map->split);
	mem_free(map->state);
	*map = (struct row_map){ 0 };
}

static void read_ref(struct query *q, void *item)
{
	struct row_ref *ref = item;

	query_text(q, ref->dataset, sizeof(ref->dataset));
	ref->row = query_int(q);
	ref->split = (enum row_split)query_enum(q, &split_names);
	ref->state = (enum row_state)query_enum(q, &state_names);
}

static const struct row_type ref_type = { sizeof(struct row_ref), read_ref, NULL };

int dataset_rows_of_subject(struct db *db, int64_t subject, struct row_ref_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_DATASET_ROWS, OF_SUBJECT);
	query_bind_int(&q, subject);
	rc = query_all(&q, &ref_type, &list, err);
	if (!rc)
		*out = (struct row_ref_list){ list.items, list.count };
	return rc;
}

void row_ref_list_fini(struct row_ref_list *list)
{
	row_list_free(&ref_type, list->items, list->count);
	*list = (struct row_ref_list){ 0 };
}

static void read_counts(struct query *q, void *item)
{
	struct row_counts *counts = item;

	query_text(q, counts->dataset, sizeof(counts->dataset));
	counts->train = query_int(q);
	counts->heldout = query_int(q);
	counts->live = query_int(q);
}

static const struct row_type counts_type = { sizeof(struct row_counts), read_counts, NULL };

int dataset_rows_count(struct db *db, int64_t subject, struct row_counts_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_DATASET_ROWS, COUNT);
	query_bind_int(&q, subject);
	rc = query_all(&q, &counts_type, &list, err);
	if (!rc)
		*out = (struct row_counts_list){ list.items, list.count };
	return rc;
}

void row_counts_list_fini(struct row_counts_list *list)
{
	row_list_free(&counts_type, list->items, list->count);
	*list = (struct row_counts_list){ 0 };
}

static int mark(struct txn *txn, int statement, int64_t subject, int64_t *changed, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_DATASET_ROWS, statement);
	query_bind_int(&q, subject);
	return query_run(&q, changed, err);
}

int dataset_rows_tombstone(struct txn *txn, int64_t subject, int64_t *changed, struct exp_error *err)
{
	return mark(txn, TOMBSTONE, subject, changed, err);
}

int dataset_rows_restore(struct txn *txn, int64_t subject, int64_t *changed, struct exp_error *err)
{
	return mark(txn, RESTORE, subject, changed, err);
}

int dataset_rows_tombstone_requested(struct txn *txn, const char *dataset, int64_t *changed, struct exp_error *err)
{
	struct query q;
	int64_t id;
	int rc = find_dataset(txn_db(txn), dataset, &id, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_DATASET_ROWS, TOMBSTONE_REQUESTED);
	query_bind_int(&q, id);
	return query_run(&q, changed, err);
}

int dataset_rows_erase(struct txn *txn, const char *dataset, int64_t subject, int64_t *changed, struct exp_error *err)
{
	struct query q;
	int64_t id;
	int rc = find_dataset(txn_db(txn), dataset, &id, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_DATASET_ROWS, ERASE);
	query_bind_int(&q, id);
	query_bind_int(&q, subject);
	return query_run(&q, changed, err);
}

#include "storage/datasets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "fixture.h"
#include "storage/dataset_rows.h"
#include "storage/requests.h"

TestSuite(datasets, .init = store_make, .fini = store_remove);

static struct stored_dataset get(const char *name)
{
	struct stored_dataset dataset;
	struct db *db = read_begin();

	OK(datasets_get(db, name, &dataset, err));
	read_end(db);
	return dataset;
}

Test(datasets, state_goes_with_its_error)
{
	char why[] = "labels.npy: row 3";
	struct stored_dataset d;

	make_dataset("d");
	OK(datasets_set_state(tx_begin(), "d", DATASET_FAILED, why, err));
	tx_commit();
	d = get("d");
	cr_assert_eq(d.state, DATASET_FAILED);
	cr_assert_str_eq(d.error, why);
	cr_assert_str_eq(d.row_dims, "[4]");
	cr_assert_eq(d.rows, 3);
	cr_assert_float_eq(d.scale, 1, 0);
	stored_dataset_fini(&d);
	OK(datasets_set_state(tx_begin(), "d", DATASET_READY, NULL, err));
	tx_commit();
	d = get("d");
	cr_assert_null(d.error);
	stored_dataset_fini(&d);
	FAILS(datasets_set_state(tx_begin(), "x", DATASET_READY, NULL, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

Test(datasets, a_dataset_of_a_model_cannot_be_deleted)
{
	struct stored_dataset_list list;
	struct db *db;

	make_dataset("a");
	make_dataset("b");
	make_model("m", "a");
	FAILS(datasets_delete(tx_begin(), "a", err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	OK(datasets_delete(tx_begin(), "b", err));
	tx_commit();
	db = read_begin();
	OK(datasets_list(db, &list, err));
	cr_assert_eq(list.count, 1);
	cr_assert_str_eq(list.items[0].name, "a");
	stored_dataset_list_fini(&list);
	read_end(db);
}

/* Row i of a test's dataset: subject i / 2 (from 1), every fifth row nobody's, odd rows held out. */
static struct dataset_row row_of(uint32_t i)
{
	struct dataset_row row = { .split = i % 2 ? ROW_HELDOUT : ROW_TRAIN, .has_subject = i % 5 != 4 };
	uint32_t subject = i / 2 + 1;

	sha256(&i, sizeof(i), row.sample);
	sha256(&subject, sizeof(subject), row.subject);
	row.subject[0] ^= 0x55; /* never a sample */
	return row;
}

static void insert_rows(const char *dataset, size_t count)
{
	struct dataset_row *rows = mem_try_alloc(count, sizeof(*rows));

	for (size_t i = 0; i < count; i++)
		rows[i] = row_of((uint32_t)i);
	OK(dataset_rows_insert(tx_begin(), dataset, 0, rows, count, err));
	tx_commit();
	mem_free(rows);
}

static int64_t find(const struct dataset_row *row)
{
	struct db *db = read_begin();
	int64_t subject;

	OK(subjects_find(db, row->subject, &subject, err));
	read_end(db);
	return subject;
}

Test(datasets, fifty_thousand_rows_go_in_and_come_out_in_order)
{
	enum { ROWS = 50000 };
	struct row_map map;
	struct db *db;

	make_dataset("d");
	insert_rows("d", ROWS);
	db = read_begin();
	OK(dataset_rows_map(db, "d", &map, err));
	cr_assert_eq(map.count, ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		cr_assert_eq(map.subject[i] == 0, i % 5 == 4);
		cr_assert_eq(map.split[i], i % 2 ? ROW_HELDOUT : ROW_TRAIN);
		cr_assert_eq(map.state[i], ROW_LIVE);
	}
	cr_assert_eq(map.subject[0], map.subject[1]);
	cr_assert_neq(map.subject[0], map.subject[2]);
	row_map_fini(&map);
	FAILS(dataset_rows_map(db, "none", &map, err), EXP_ENOTFOUND);
	read_end(db);
}

Test(datasets, rows_are_dense_and_samples_unique)
{
	struct dataset_row rows[2] = { row_of(1), row_of(1) };
	struct exp_error cause = { 0 };

	make_dataset("d");
	FAILS(dataset_rows_insert(tx_begin(), "d", 1, rows, 1, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	cr_assert_eq(dataset_rows_insert(tx_begin(), "d", 0, rows, 2, &cause), EXP_EEXISTS);
	tx_end(EXP_EEXISTS);
	cr_assert(strstr(cause.message, "row 1") != NULL, "%s", cause.message);
	OK(dataset_rows_insert(tx_begin(), "d", 0, rows, 1, err));
	tx_commit();
	make_dataset("e");
	OK(dataset_rows_insert(tx_begin(), "e", 0, rows, 1, err));
	tx_commit();
	FAILS(dataset_rows_insert(tx_begin(), "none", 0, rows, 1, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

Test(datasets, a_subject_is_found_across_datasets)
{
	struct dataset_row row = row_of(6);
	struct row_counts_list counts;
	struct row_ref_list refs;
	int64_t subject;
	struct db *db;

	make_dataset("a");
	make_dataset("b");
	insert_rows("a", 10);
	insert_rows("b", 20);
	subject = find(&row);
	db = read_begin();
	OK(dataset_rows_of_subject(db, subject, &refs, err));
	cr_assert_eq(refs.count, 4);
	cr_assert_str_eq(refs.items[0].dataset, "a");
	cr_assert_eq(refs.items[1].row, 7);
	cr_assert_eq(refs.items[1].split, ROW_HELDOUT);
	cr_assert_str_eq(refs.items[2].dataset, "b");
	OK(dataset_rows_count(db, subject, &counts, err));
	cr_assert_eq(counts.count, 2);
	cr_assert_eq(counts.items[0].train, 1);
	cr_assert_eq(counts.items[0].heldout, 1);
	cr_assert_eq(counts.items[0].live, 2);
	FAILS(subjects_find(db, hash_of(9), &subject, err), EXP_ENOTFOUND);
	row_ref_list_fini(&refs);
	row_counts_list_fini(&counts);
	read_end(db);
}

Test(datasets, rows_go_from_live_to_tombstoned_to_erased)
{
	struct dataset_row row = row_of(0);
	int64_t subject, changed;
	struct row_map map;
	struct db *db;

	make_dataset("d");
	insert_rows("d", 6);
	subject = find(&row);
	OK(dataset_rows_erase(tx_begin(), "d", subject, &changed, err));
	tx_commit();
	cr_assert_eq(changed, 0); /* live rows are not erased */
	OK(dataset_rows_tombstone(tx_begin(), subject, &changed, err));
	tx_commit();
	cr_assert_eq(changed, 2);
	OK(dataset_rows_restore(tx_begin(), subject, &changed, err));
	tx_commit();
	cr_assert_eq(changed, 2);
	OK(dataset_rows_tombstone(tx_begin(), subject, &changed, err));
	tx_commit();
	OK(dataset_rows_tombstone(tx_begin(), subject, &changed, err));
	tx_commit();
	cr_assert_eq(changed, 0);
	FAILS(subjects_delete(tx_begin(), subject, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	OK(dataset_rows_erase(tx_begin(), "d", subject, &changed, err));
	tx_commit();
	cr_assert_eq(changed, 2);
	db = read_begin();
	OK(dataset_rows_map(db, "d", &map, err));
	cr_assert_eq(map.state[0], ROW_ERASED);
	cr_assert_eq(map.state[1], ROW_ERASED);
	cr_assert_eq(map.subject[0], 0);
	cr_assert_eq(map.state[2], ROW_LIVE);
	row_map_fini(&map);
	read_end(db);
	OK(subjects_delete(tx_begin(), subject, err));
	tx_commit();
	OK(subjects_delete(tx_begin(), subject, err));
	tx_commit();
}

/* A dataset that arrives while somebody waits to be forgotten, and one that arrives when that is over. */
Test(datasets, rows_of_people_who_wait_are_never_live)
{
	struct request_update cancelled = { .status = REQUEST_CANCELLED };
	struct dataset_row row = row_of(0);
	int64_t subject, changed;
	char id[ID_TEXT];

	make_token("t1");
	make_dataset("early");
	make_dataset("late");
	insert_rows("early", 6);
	subject = find(&row);
	make_request(id, 1000);
	OK(requests_link_subject(tx_begin(), id, subject, err));
	tx_commit();
	insert_rows("late", 6);
	OK(dataset_rows_tombstone_requested(tx_begin(), "late", &changed, err));
	tx_commit();
	cr_assert_eq(changed, 2);
	OK(dataset_rows_tombstone_requested(tx_begin(), "late", &changed, err));
	tx_commit();
	cr_assert_eq(changed, 0);
	OK(requests_update(tx_begin(), id, &cancelled, err));
	tx_commit();
	OK(dataset_rows_tombstone_requested(tx_begin(), "early", &changed, err));
	tx_commit();
	cr_assert_eq(changed, 0);
	FAILS(dataset_rows_tombstone_requested(tx_begin(), "none", &changed, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

static bool in_any_file(const uint8_t hash[DB_HASH])
{
	static const char *const names[] = { "expunge.db", "expunge.db-wal", "expunge.db-shm", "keys.db",
					     "keys.db-wal" };
	bool found = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = file_join(folder, names[i]);
		struct buf bytes = { 0 };

		if (file_exists(path))
			cr_assert_eq(file_read(path, (size_t)1 << 30, &bytes, NULL), 0);
		found |= bytes.size && memmem(bytes.data, bytes.size, hash, DB_HASH);
		buf_fini(&bytes);
		mem_free(path);
	}
	return found;
}

/* Of 3000 subjects every tenth leaves: enough for index pages to be split and merged on the way. */
Test(datasets, an_erased_subject_is_in_no_file_any_more)
{
	enum { ROWS = 6000, EVERY = 20 };
	int64_t changed;

	make_dataset("d");
	insert_rows("d", ROWS);
	for (uint32_t i = 0; i < ROWS; i += EVERY) {
		struct dataset_row row = row_of(i);
		int64_t subject = find(&row);
		struct txn *txn = tx_begin();

		OK(dataset_rows_tombstone(txn, subject, &changed, err));
		OK(dataset_rows_erase(txn, "d", subject, &changed, err));
		OK(subjects_delete(txn, subject, err));
		tx_commit();
	}
	OK(store_truncate_wal(store, err));
	for (uint32_t i = 0; i < ROWS; i += EVERY) {
		struct dataset_row gone = row_of(i), stays = row_of(i + 2);

		cr_assert(!in_any_file(gone.sample) && !in_any_file(gone.subject), "row %u", i);
		if (i < 100)
			cr_assert(in_any_file(stays.sample) && in_any_file(stays.subject));
	}
}

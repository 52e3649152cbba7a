#include "storage/leaves.h"

#include <sqlite3.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fixture.h"
#include "storage/checkpoints.h"
#include "storage/tree_nodes.h"

TestSuite(audit_tables, .init = store_make, .fini = store_remove);

static int64_t append(const char *text, const char *request)
{
	struct stored_leaf leaf = { .bytes = (const uint8_t *)text, .size = strlen(text), .type = "test" };
	int64_t index;

	memcpy(leaf.hash, hash_of((uint8_t)text[0]), DB_HASH);
	strcpy(leaf.request, request);
	OK(leaves_append(tx_begin(), &leaf, &index, err));
	tx_commit();
	return index;
}

Test(audit_tables, leaves_are_dense_and_come_back)
{
	uint8_t hashes[2 * DB_HASH];
	struct stored_leaf_list list;
	int64_t count;
	struct db *db;

	cr_assert_eq(append("a", "r1"), 0);
	cr_assert_eq(append("bb", ""), 1);
	cr_assert_eq(append("", "r1"), 2);
	db = read_begin();
	OK(leaves_count(db, &count, err));
	cr_assert_eq(count, 3);
	OK(leaves_read(db, 1, 10, &list, err));
	cr_assert_eq(list.count, 2);
	cr_assert(list.items[0].index == 1 && list.items[0].size == 2 && !memcmp(list.items[0].bytes, "bb", 2));
	cr_assert_eq(list.items[1].size, 0);
	stored_leaf_list_fini(&list);
	OK(leaves_of_request(db, "r1", &list, err));
	cr_assert(list.count == 2 && list.items[1].index == 2);
	stored_leaf_list_fini(&list);
	OK(leaves_hashes(db, 0, 2, hashes, err));
	cr_assert(hashes[0] == 'a' && hashes[DB_HASH] == 'b');
	FAILS(leaves_hashes(db, 2, 2, hashes, err), EXP_ENOTFOUND);
	read_end(db);
	OK(leaves_unlink_request(tx_begin(), "r1", err));
	tx_commit();
	db = read_begin();
	OK(leaves_of_request(db, "r1", &list, err));
	cr_assert_eq(list.count, 0);
	OK(leaves_count(db, &count, err));
	cr_assert_eq(count, 3);
	read_end(db);
}

Test(audit_tables, an_undone_leaf_leaves_no_gap)
{
	struct stored_leaf leaf = { .bytes = (const uint8_t *)"x", .size = 1, .type = "test" };
	int64_t index;

	append("a", "");
	OK(leaves_append(tx_begin(), &leaf, &index, err));
	cr_assert_eq(tx_end(EXP_ECONFLICT), EXP_ECONFLICT);
	cr_assert_eq(append("b", ""), 1);
}

Test(audit_tables, a_leaf_may_have_65535_bytes_and_no_more)
{
	uint8_t *bytes = mem_alloc(LEAF_MAX + 1);
	struct stored_leaf leaf = { .bytes = bytes, .size = LEAF_MAX + 1, .type = "test" };
	int64_t index;

	FAILS(leaves_append(tx_begin(), &leaf, &index, err), EXP_ELIMIT);
	tx_end(EXP_ELIMIT);
	leaf.size--;
	OK(leaves_append(tx_begin(), &leaf, &index, err));
	tx_commit();
	mem_free(bytes);
}

/* What somebody with the database file in hand would try. */
Test(audit_tables, the_log_is_append_only_in_sql_too)
{
	static const char *const attacks[] = {
		"UPDATE leaves SET bytes = x'00' WHERE idx = 0",
		"UPDATE leaves SET hash = zeroblob(32)",
		"UPDATE leaves SET idx = 9 WHERE idx = 1",
		"UPDATE leaves SET type = 'other'",
		"UPDATE leaves SET created_at = 0",
		"UPDATE leaves SET request = 'r2' WHERE idx = 0",
		"DELETE FROM leaves",
		"DELETE FROM leaves WHERE idx = 1",
		"INSERT INTO leaves VALUES (5, x'', zeroblob(32), 't', NULL, 0)",
		"REPLACE INTO leaves VALUES (0, x'', zeroblob(32), 't', NULL, 0)",
		"INSERT INTO leaves VALUES (0, x'', zeroblob(32), 't', NULL, 0) ON CONFLICT DO UPDATE SET bytes = x''",
		"UPDATE tree_nodes SET hash = zeroblob(32)",
		"DELETE FROM tree_nodes",
		"UPDATE checkpoints SET note = ''",
		"DELETE FROM checkpoints",
	};
	char note[] = "note", *path = file_join(folder, "expunge.db");
	struct stored_checkpoint checkpoint = { .size = 2, .note = note };
	sqlite3 *db;

	append("a", "r1");
	append("b", "");
	OK(tree_nodes_put(tx_begin(), 1, 0, hash_of(1), err));
	tx_commit();
	OK(checkpoints_insert(tx_begin(), &checkpoint, err));
	tx_commit();
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		cr_assert_eq(sqlite3_exec(db, attacks[i], NULL, NULL, NULL), SQLITE_CONSTRAINT, "%s: %s", attacks[i],
			     sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_exec(db, "UPDATE leaves SET request = NULL", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	mem_free(path);
}

Test(audit_tables, tree_nodes_are_put_once)
{
	uint8_t hashes[2 * DB_HASH];
	int64_t count;
	struct db *db;

	for (int i = 0; i < 2; i++) {
		OK(tree_nodes_put(tx_begin(), 3, 0, hash_of(5), err));
		tx_commit();
	}
	FAILS(tree_nodes_put(tx_begin(), 3, 0, hash_of(6), err), EXP_ECORRUPT);
	tx_end(EXP_ECORRUPT);
	OK(tree_nodes_put(tx_begin(), 3, 1, hash_of(7), err));
	tx_commit();
	db = read_begin();
	OK(tree_nodes_read(db, 3, 0, 2, hashes, err));
	cr_assert(hashes[0] == 5 && hashes[DB_HASH] == 7);
	OK(tree_nodes_get(db, 3, 1, hashes, err));
	cr_assert_eq(hashes[0], 7);
	FAILS(tree_nodes_get(db, 2, 0, hashes, err), EXP_ENOTFOUND);
	FAILS(tree_nodes_read(db, 3, 1, 2, hashes, err), EXP_ENOTFOUND);
	OK(tree_nodes_count(db, 3, &count, err));
	cr_assert_eq(count, 2);
	OK(tree_nodes_count(db, 4, &count, err));
	cr_assert_eq(count, 0);
	read_end(db);
}

static int checkpoint_at(int64_t size, uint8_t root)
{
	char note[] = "note";
	struct stored_checkpoint c = { .size = size, .note = note };

	memcpy(c.root, hash_of(root), DB_HASH);
	return tx_end(checkpoints_insert(tx_begin(), &c, NULL));
}

Test(audit_tables, checkpoints_only_grow_and_never_fork)
{
	struct stored_checkpoint c;
	struct db *db = read_begin();

	FAILS(checkpoints_latest(db, &c, err), EXP_ENOTFOUND);
	read_end(db);
	cr_assert_eq(checkpoint_at(3, 1), 0);
	cr_assert_eq(checkpoint_at(3, 1), 0);
	cr_assert_eq(checkpoint_at(3, 2), EXP_ECONFLICT);
	cr_assert_eq(checkpoint_at(2, 1), EXP_ECONFLICT);
	cr_assert_eq(checkpoint_at(8, 2), 0);
	cr_assert_eq(checkpoint_at(12, 3), 0);
	OK(checkpoints_published(tx_begin(), 8, err));
	tx_commit();
	FAILS(checkpoints_published(tx_begin(), 9, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
	db = read_begin();
	OK(checkpoints_latest(db, &c, err));
	cr_assert(c.size == 12 && c.published_at == 0);
	stored_checkpoint_fini(&c);
	OK(checkpoints_latest_published(db, &c, err));
	cr_assert_eq(c.size, 8);
	stored_checkpoint_fini(&c);
	OK(checkpoints_covering(db, 2, &c, err));
	cr_assert(c.size == 8 && !strcmp(c.note, "note"));
	stored_checkpoint_fini(&c);
	FAILS(checkpoints_covering(db, 9, &c, err), EXP_ENOTFOUND);
	read_end(db);
}

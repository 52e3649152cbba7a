#include "storage/keys.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "fixture.h"
#include "storage/leaves.h"
#include "storage/subjects.h"

static void make(void)
{
	store_make();
	make_token("t1");
}

TestSuite(keys, .init = make, .fini = store_remove);

static int get(const char *request, uint8_t key[KEYS_SIZE])
{
	return tx_end(keys_get(tx_begin(), request, key, NULL));
}

/* A request with a key of its own, one subject and one leaf. */
static int64_t make_keyed(char id[ID_TEXT], uint8_t value)
{
	struct stored_leaf leaf = { .bytes = (const uint8_t *)"leaf", .size = 4, .type = "test" };
	int64_t subject, index;
	struct txn *txn;

	make_request(id, 100);
	strcpy(leaf.request, id);
	txn = tx_begin();
	OK(keys_put(txn, id, hash_of(value), err));
	OK(subjects_ensure(txn, hash_of(value ^ 0x80), &subject, err));
	OK(requests_link_subject(txn, id, subject, err));
	OK(leaves_append(txn, &leaf, &index, err));
	tx_commit();
	return subject;
}

static bool in_keys_files(uint8_t value)
{
	static const char *const names[] = { "keys.db", "keys.db-wal" };
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		char *path = file_join(folder, names[i]);
		struct buf bytes = { 0 };

		if (file_exists(path))
			cr_assert_eq(file_read(path, (size_t)1 << 30, &bytes, NULL), 0);
		found |= bytes.size && memmem(bytes.data, bytes.size, hash_of(value), KEYS_SIZE);
		buf_fini(&bytes);
		mem_free(path);
	}
	return found;
}

Test(keys, keys_are_put_once_and_found_again)
{
	char id[ID_TEXT];
	uint8_t key[KEYS_SIZE];

	make_keyed(id, 3);
	cr_assert_eq(get(id, key), 0);
	cr_assert_arr_eq(key, hash_of(3), KEYS_SIZE);
	cr_assert_eq(tx_end(keys_put(tx_begin(), id, hash_of(4), NULL)), EXP_EEXISTS);
	cr_assert_eq(get("none", key), EXP_ENOTFOUND);
	store_reopen();
	cr_assert_eq(get(id, key), 0);
}

Test(keys, an_undone_operation_leaves_no_key)
{
	uint8_t key[KEYS_SIZE];

	OK(keys_put(tx_begin(), "r", hash_of(1), err));
	cr_assert_eq(tx_end(EXP_ECONFLICT), EXP_ECONFLICT);
	cr_assert_eq(get("r", key), EXP_ENOTFOUND);
}

Test(keys, a_key_is_destroyed_only_after_its_links)
{
	char id[ID_TEXT];
	uint8_t key[KEYS_SIZE];
	struct txn *txn;

	make_keyed(id, 0x5a);
	cr_assert(in_keys_files(0x5a));
	cr_assert_eq(tx_end(keys_destroy(tx_begin(), id, NULL)), EXP_ECONFLICT);
	txn = tx_begin();
	OK(requests_unlink_subjects(txn, id, err));
	cr_assert_eq(tx_end(keys_destroy(txn, id, NULL)), EXP_ECONFLICT); /* its leaf is still linked */
	txn = tx_begin();
	OK(requests_unlink_subjects(txn, id, err));
	OK(leaves_unlink_request(txn, id, err));
	OK(keys_destroy(txn, id, err));
	tx_commit();
	cr_assert_eq(get(id, key), EXP_ENOTFOUND);
	cr_assert(!in_keys_files(0x5a));
	OK(keys_destroy(tx_begin(), id, err)); /* once more is fine */
	tx_commit();
	cr_assert_eq(tx_end(keys_destroy(tx_begin(), "not an id", NULL)), EXP_EINVAL);
}

Test(keys, an_undone_operation_destroys_nothing)
{
	char id[ID_TEXT];
	uint8_t key[KEYS_SIZE];
	struct txn *txn;

	make_keyed(id, 9);
	txn = tx_begin();
	OK(requests_unlink_subjects(txn, id, err));
	OK(leaves_unlink_request(txn, id, err));
	OK(keys_destroy(txn, id, err));
	cr_assert_eq(tx_end(EXP_EIO), EXP_EIO);
	cr_assert_eq(get(id, key), 0);
}

Test(keys, a_key_outlives_a_log_that_cannot_be_truncated)
{
	char id[ID_TEXT];
	uint8_t key[KEYS_SIZE];
	struct subject_list subjects;
	struct db *db;
	struct txn *txn;

	make_keyed(id, 9);
	db = read_begin();
	OK(requests_subjects(db, id, &subjects, err)); /* a snapshot in which the link is still there */
	txn = tx_begin();
	OK(requests_unlink_subjects(txn, id, err));
	OK(leaves_unlink_request(txn, id, err));
	OK(keys_destroy(txn, id, err));
	cr_assert_eq(tx_end(0), EXP_EBUSY);
	subject_list_fini(&subjects);
	read_end(db);
	cr_assert_eq(get(id, key), 0);
	OK(keys_destroy(tx_begin(), id, err));
	tx_commit();
	cr_assert_eq(get(id, key), EXP_ENOTFOUND);
}

Test(keys, orphans_are_swept_when_they_are_a_minute_old)
{
	char id[ID_TEXT], orphan[ID_TEXT];
	uint8_t key[KEYS_SIZE];
	int64_t count;

	test_now = 1000000;
	make_keyed(id, 1);
	OK(keys_put(tx_begin(), id_new(orphan), hash_of(2), err));
	tx_commit();
	test_now += 60000;
	OK(keys_sweep_orphans(store, &count, err));
	cr_assert_eq(count, 0);
	test_now += 1;
	OK(keys_sweep_orphans(store, &count, err));
	cr_assert_eq(count, 1);
	cr_assert_eq(get(orphan, key), EXP_ENOTFOUND);
	cr_assert_eq(get(id, key), 0);
	cr_assert(!in_keys_files(2));
}

/* keys.db commits first: what is left when expunge.db then cannot is a key too many, never a request without one. */
Test(keys, a_failed_commit_leaves_at_most_an_orphan)
{
	char id[ID_TEXT], late[ID_TEXT];
	struct stored_request r = { .identities = 1, .submitted_by = "t1", .received_at = 1, .leaf = -1 };
	uint8_t key[KEYS_SIZE];
	int64_t count;
	struct txn *txn;

	test_now = 1000000;
	make_keyed(id, 1);
	txn = tx_begin();
	strcpy(r.id, id_new(late));
	OK(requests_insert(txn, &r, err));
	OK(keys_put(txn, late, hash_of(2), err));
	stop_growth(true);
	cr_assert_eq(tx_end(0), EXP_EIO);
	stop_growth(false);
	cr_assert_eq(get(late, key), 0);
	test_now += 60001;
	OK(keys_sweep_orphans(store, &count, err));
	cr_assert_eq(count, 1);
	cr_assert_eq(get(late, key), EXP_ENOTFOUND);
}

static void secret(const char *name, uint8_t *out, size_t size, int code)
{
	cr_assert_eq(tx_end(secrets_get_or_create(tx_begin(), name, out, size, NULL)), code);
}

Test(keys, secrets_are_made_once)
{
	uint8_t a[32], again[32], b[64], other[32];

	secret("lookup_key", a, 32, 0);
	secret("seed", b, 64, 0);
	secret("other", other, 32, 0);
	store_reopen();
	secret("lookup_key", again, 32, 0);
	cr_assert_arr_eq(a, again, 32);
	cr_assert_neq(memcmp(a, other, 32), 0);
	secret("lookup_key", b, 64, EXP_EINVAL);
	secret("large", b, 0, EXP_EINVAL);
}

Test(keys, nothing_of_keys_db_is_in_the_other_database)
{
	char id[ID_TEXT], *path = file_join(folder, "expunge.db"), *wal = file_join(folder, "expunge.db-wal");
	struct buf bytes = { 0 };

	make_keyed(id, 0x77);
	cr_assert_eq(file_read(path, (size_t)1 << 30, &bytes, NULL), 0);
	cr_assert_eq(file_read(wal, (size_t)1 << 30, &bytes, NULL), 0);
	cr_assert_null(memmem(bytes.data, bytes.size, hash_of(0x77), KEYS_SIZE));
	cr_assert_not_null(memmem(bytes.data, bytes.size, hash_of(0x77 ^ 0x80), DB_HASH));
	buf_fini(&bytes);
	mem_free(path);
	mem_free(wal);
}

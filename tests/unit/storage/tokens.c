#include "storage/tokens.h"

#include <string.h>

#include "fixture.h"

TestSuite(tokens, .init = store_make, .fini = store_remove);

static struct stored_token get(const char *id)
{
	struct stored_token token;
	struct db *db = read_begin();

	OK(tokens_get(db, id, &token, err));
	read_end(db);
	return token;
}

Test(tokens, what_is_inserted_is_read_back)
{
	struct stored_token in = { .id = "a1", .name = "ci", .role = ROLE_AUDITOR, .expires_at = 99 }, out;

	test_now = 1000;
	memcpy(in.secret_sha256, hash_of(7), DB_HASH);
	OK(tokens_insert(tx_begin(), &in, err));
	tx_commit();
	out = get("a1");
	cr_assert_str_eq(out.name, "ci");
	cr_assert_eq(out.role, ROLE_AUDITOR);
	cr_assert_arr_eq(out.secret_sha256, in.secret_sha256, DB_HASH);
	cr_assert_eq(out.created_at, 1000);
	cr_assert_eq(out.expires_at, 99);
	cr_assert_eq(out.revoked_at, 0);
	cr_assert_eq(out.last_used_at, 0);
	FAILS(tokens_insert(tx_begin(), &in, err), EXP_EEXISTS);
	tx_end(EXP_EEXISTS);
}

Test(tokens, revoking_twice_keeps_the_first_time)
{
	make_token("t1");
	test_now = 5000;
	OK(tokens_revoke(tx_begin(), "t1", err));
	tx_commit();
	test_now = 6000;
	OK(tokens_revoke(tx_begin(), "t1", err));
	tx_commit();
	cr_assert_eq(get("t1").revoked_at, 5000);
	FAILS(tokens_revoke(tx_begin(), "t2", err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

Test(tokens, touching_and_listing)
{
	struct stored_token_list list;
	struct db *db;

	test_now = 10;
	make_token("z");
	test_now = 20;
	make_token("a");
	test_now = 30;
	OK(tokens_touch(tx_begin(), "a", err));
	tx_commit();
	OK(tokens_touch(tx_begin(), "gone", err));
	tx_commit();
	db = read_begin();
	OK(tokens_list(db, &list, err));
	cr_assert_eq(list.count, 2);
	cr_assert_str_eq(list.items[0].id, "z");
	cr_assert_eq(list.items[1].last_used_at, 30);
	stored_token_list_fini(&list);
	read_end(db);
}

Test(tokens, a_name_that_is_too_long_is_refused)
{
	struct stored_token token = { .id = "t", .name = "" };

	FAILS(tokens_insert(tx_begin(), &token, err), EXP_EINVAL);
	tx_end(EXP_EINVAL);
	memset(token.name, 'n', sizeof(token.name) - 1);
	OK(tokens_insert(tx_begin(), &token, err));
	tx_commit();
	cr_assert_eq(strlen(get("t").name), DB_NAME - 1);
}

Test(tokens, an_unknown_token_leaves_the_output_alone)
{
	struct stored_token token = { .id = "before" };
	struct db *db = read_begin();

	FAILS(tokens_get(db, "none", &token, err), EXP_ENOTFOUND);
	cr_assert_str_eq(token.id, "before");
	read_end(db);
}

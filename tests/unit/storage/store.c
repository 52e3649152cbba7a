#include "storage/store.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "fixture.h"
#include "storage/tokens.h"

TestSuite(store, .init = store_make, .fini = store_remove);
TestSuite(store_files, .init = folder_make, .fini = folder_remove);

/* Runs SQL on a database of the folder behind the store's back; the store is closed. */
static void run_sql(const char *name, const char *sql)
{
	char *path = file_join(folder, name), *message = NULL;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK, "%s", message);
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
	mem_free(path);
}

/* The first column of the first row of SQL on expunge.db, as text for mem_free. */
static char *ask_sql(const char *sql)
{
	char *path = file_join(folder, "expunge.db"), *answer;
	sqlite3_stmt *stmt;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
	answer = mem_strdup((const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	mem_free(path);
	return answer;
}

static int open_again(struct exp_error *err)
{
	struct store *s;
	int rc = store_open(folder, NULL, &s, err);

	if (!rc)
		store_close(s);
	return rc;
}

Test(store, every_statement_prepares_and_hot_ones_use_their_index)
{
	OK(store_check_statements(store, err));
}

Test(store, files_are_private)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int files = 0;

	while ((entry = readdir(dir))) {
		char *path = file_join(folder, entry->d_name);
		struct stat st;

		cr_assert_eq(stat(path, &st), 0);
		if (S_ISREG(st.st_mode)) {
			cr_assert_eq(st.st_mode & 077, 0, "%s", path);
			files++;
		}
		mem_free(path);
	}
	closedir(dir);
	cr_assert_geq(files, 5);
}

Test(store, a_second_opening_fails_fast)
{
	struct exp_error cause = { 0 };

	cr_assert_eq(open_again(&cause), EXP_EBUSY);
	cr_assert(strstr(cause.message, folder) != NULL);
}

Test(store, readers_cannot_write_and_see_one_snapshot)
{
	struct stored_token_list before, after;
	struct db *db = read_begin();

	OK(tokens_list(db, &before, err));
	make_token("t1");
	OK(tokens_list(db, &after, err));
	cr_assert_eq(after.count, 0);
	read_end(db);
	db = read_begin();
	OK(tokens_list(db, &after, err));
	cr_assert_eq(after.count, 1);
	stored_token_list_fini(&after);
	read_end(db);
	FAILS(tokens_revoke(tx_begin(), "nobody", err), EXP_ENOTFOUND);
	tx_commit();
}

Test(store, health_counts_groups_and_operations)
{
	struct store_health before, after;

	store_health(store, &before);
	make_token("t1");
	make_token("t2");
	store_health(store, &after);
	cr_assert_eq(after.operations - before.operations, 2);
	cr_assert_eq(after.schema_version, 2);
	cr_assert_gt(after.database_bytes + after.wal_bytes, 4096);
	OK(store_truncate_wal(store, err));
	store_health(store, &after);
	cr_assert_eq(after.wal_bytes, 0);
}

Test(store, truncation_says_busy_while_a_reader_holds_a_snapshot)
{
	struct stored_token_list list;
	struct db *db = read_begin();

	OK(tokens_list(db, &list, err));
	make_token("t1");
	FAILS(store_truncate_wal(store, err), EXP_EBUSY);
	read_end(db);
	OK(store_truncate_wal(store, err));
}

Test(store_files, a_fresh_folder_opens_twice_in_turn)
{
	OK(open_again(err));
	OK(open_again(err));
}

Test(store_files, an_edited_migration_is_noticed)
{
	struct exp_error cause = { 0 };

	OK(open_again(err));
	run_sql("expunge.db", "UPDATE schema_migrations SET sha256 = zeroblob(32)");
	cr_assert_eq(open_again(&cause), EXP_ECORRUPT);
	cr_assert(strstr(cause.message, "0001_init.sql") != NULL, "%s", cause.message);
}

Test(store_files, a_newer_database_is_refused)
{
	struct exp_error cause = { 0 };

	OK(open_again(err));
	run_sql("keys.db", "PRAGMA user_version=99");
	cr_assert_eq(open_again(&cause), EXP_EUNSUPPORTED);
	cr_assert(strstr(cause.message, "keys.db") && strstr(cause.message, "99"), "%s", cause.message);
}

Test(store_files, a_database_of_another_program_is_refused)
{
	run_sql("expunge.db", "CREATE TABLE theirs (x)");
	FAILS(open_again(err), EXP_ECORRUPT);
	run_sql("expunge.db", "DROP TABLE theirs; PRAGMA application_id=7");
	FAILS(open_again(err), EXP_ECORRUPT);
}

Test(store_files, bytes_that_are_no_database_are_refused)
{
	char *path = file_join(folder, "expunge.db");

	cr_assert_eq(file_write_durable(path, "this is not a database, not even nearly", 39, NULL), 0);
	FAILS(open_again(err), EXP_ECORRUPT);
	mem_free(path);
}

Test(store_files, a_damaged_page_is_noticed)
{
	char *path = file_join(folder, "expunge.db");
	struct buf bytes = { 0 };

	OK(open_again(err));
	cr_assert_eq(file_read(path, 1 << 24, &bytes, NULL), 0);
	memset(bytes.data + 4096, 0xff, 64);
	cr_assert_eq(file_write_durable(path, bytes.data, bytes.size, NULL), 0);
	FAILS(open_again(err), EXP_ECORRUPT);
	buf_fini(&bytes);
	mem_free(path);
}

static void check_constraint(const char *table, const char *column, const char *const *names)
{
	struct buf wanted = { 0 };
	char *sql = mem_format("SELECT sql FROM sqlite_schema WHERE name = '%s'", table), *schema = ask_sql(sql), *out;

	buf_format(&wanted, "CHECK (%s IN (", column);
	for (int i = 0; names[i]; i++)
		buf_format(&wanted, "%s'%s'", i ? ", " : "", names[i]);
	buf_add_text(&wanted, "))");
	out = schema;
	for (const char *in = schema; *in; in++) /* the file breaks long lists over lines */
		if ((*in != '\n' && *in != '\t' && *in != ' ') || (out > schema && out[-1] != ' '))
			*out++ = *in == '\n' || *in == '\t' ? ' ' : *in;
	*out = '\0';
	cr_assert(strstr(schema, wanted.data) != NULL, "%s lacks %s", table, wanted.data);
	buf_fini(&wanted);
	mem_free(schema);
	mem_free(sql);
}

Test(store, checks_in_the_schema_are_the_words_of_the_tables)
{
	static const char *const job_states[] = {
#define X(symbol, name, next, terminal, holds) name,
#include "storage/job_state.def"
#undef X
		NULL
	};
	static const char *const statuses[] = {
#define X(symbol, name, next, closed) name,
#include "storage/request_status.def"
#undef X
		NULL
	};
	static const char *const outcomes[] = { /* the first, unset, is NULL in SQL too */
#define X(symbol, name, next) name,
#include "storage/outcome.def"
#undef X
						NULL
	};
	static const char *const versions[] = {
#define X(symbol, name, next) name,
#include "storage/version_state.def"
#undef X
		NULL
	};
#define X(symbol, name) name,
	static const char *const verdicts[] = {
#include "storage/verdict.def"
		NULL
	};
	static const char *const kinds[] = {
#include "storage/job_kind.def"
		NULL
	};
	static const char *const regimes[] = {
#include "storage/regime.def"
		NULL
	};
	static const char *const roles[] = {
#include "storage/role.def"
		NULL
	};
	static const char *const datasets[] = {
#include "storage/dataset_state.def"
		NULL
	};
	static const char *const models[] = {
#include "storage/model_state.def"
		NULL
	};
	static const char *const splits[] = {
#include "storage/row_split.def"
		NULL
	};
	static const char *const rows[] = {
#include "storage/row_state.def"
		NULL
	};
#undef X
	check_constraint("jobs", "state", job_states);
	check_constraint("jobs", "kind", kinds);
	check_constraint("requests", "status", statuses);
	check_constraint("requests", "outcome", outcomes + 1);
	check_constraint("requests", "verdict", verdicts);
	check_constraint("requests", "regime", regimes);
	check_constraint("request_models", "status", statuses);
	check_constraint("request_models", "outcome", outcomes + 1);
	check_constraint("request_models", "verdict", verdicts);
	check_constraint("attempt_verdicts", "verdict", verdicts);
	check_constraint("versions", "state", versions);
	check_constraint("tokens", "role", roles);
	check_constraint("datasets", "state", datasets);
	check_constraint("models", "state", models);
	check_constraint("dataset_rows", "split", splits);
	check_constraint("dataset_rows", "state", rows);
}

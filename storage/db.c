#include "storage/db.h"

#include <string.h>

#include "base/mem.h"
#include "storage/db_internal.h"

enum { BUSY_MS = 1000, READER_BUSY_MS = 5000, APPLICATION_MAIN = 0x45585055, APPLICATION_KEYS = 0x4558504b };

#define X(symbol, registry, database) extern const struct table registry;
#include "storage/table.def"
#undef X

const struct table *const db_tables[TABLE_COUNT] = {
#define X(symbol, registry, database) &registry,
#include "storage/table.def"
#undef X
};

static const enum database table_database[TABLE_COUNT] = {
#define X(symbol, registry, database) database,
#include "storage/table.def"
#undef X
};

static const struct translation {
	int sqlite, code;
} translations[] = {
	{ SQLITE_CONSTRAINT_PRIMARYKEY, EXP_EEXISTS },
	{ SQLITE_CONSTRAINT_UNIQUE, EXP_EEXISTS },
	{ SQLITE_CONSTRAINT_ROWID, EXP_EEXISTS },
	{ SQLITE_CONSTRAINT_CHECK, EXP_EINVAL },
	{ SQLITE_CONSTRAINT_NOTNULL, EXP_EINVAL },
	{ SQLITE_CONSTRAINT, EXP_ECONFLICT },
	{ SQLITE_FULL, EXP_ENOSPACE },
	{ SQLITE_BUSY, EXP_EBUSY },
	{ SQLITE_LOCKED, EXP_EBUSY },
	{ SQLITE_CORRUPT, EXP_ECORRUPT },
	{ SQLITE_NOTADB, EXP_ECORRUPT },
	{ SQLITE_NOMEM, EXP_EMEMORY },
	{ SQLITE_TOOBIG, EXP_ELIMIT },
	{ SQLITE_IOERR, EXP_EIO },
	{ SQLITE_CANTOPEN, EXP_EIO },
	{ SQLITE_READONLY, EXP_EIO },
	{ SQLITE_PERM, EXP_EIO },
};

/* The extended code first: a duplicate key and a missing reference are both constraints, and not the same to a caller.
 */
static int translate(int extended)
{
	for (int pass = 0; pass < 2; pass++) {
		int wanted = pass == 0 ? extended : extended & 0xff;

		for (size_t i = 0; i < sizeof(translations) / sizeof(translations[0]); i++)
			if (translations[i].sqlite == wanted)
				return translations[i].code;
	}
	return EXP_EINTERNAL;
}

int db_fail(struct db *db, struct exp_error *err)
{
	int extended = sqlite3_extended_errcode(db->handle), code = translate(extended);

	return error_set(err, code, "%s (SQLite: %s, code %d)", error_sentence(code), sqlite3_errmsg(db->handle),
			 extended);
}

int db_run(struct db *db, const char *sql, struct exp_error *err)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(db, err);
}

int db_number(struct db *db, const char *sql, int64_t *out, struct exp_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW)
		rc = db_fail(db, err);
	else
		*out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc;
}

bool db_in_transaction(struct db *db)
{
	return !sqlite3_get_autocommit(db->handle);
}

static int note_wal(void *arg, sqlite3 *handle, const char *schema, int pages)
{
	struct db *db = arg;

	(void)handle;
	(void)schema;
	db->wal_pages = pages;
	return SQLITE_OK;
}

/* The log is moved by db_checkpoint and db_truncate only, outside of any commit: autocheckpoint is off everywhere.
 * temp_store keeps sorters, which may hold personal hashes, out of /tmp. */
static const char pragmas[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
    "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=0;"
    "PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864; PRAGMA cell_size_check=ON;";

static int configure(struct db *db, enum db_role role, struct exp_error *err)
{
	int64_t on;
	int rc;

	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, role == DB_WRITER ? BUSY_MS : READER_BUSY_MS);
	rc = db_run(db, pragmas, err);
	if (!rc)
		rc = db_number(db, "PRAGMA secure_delete", &on, err);
	if (!rc && !on)
		rc = error_set(err, EXP_EUNSUPPORTED, "this SQLite cannot secure_delete");
	if (role == DB_WRITER) {
		sqlite3_wal_hook(db->handle, note_wal, db);
		return rc;
	}
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return rc ? rc : db_run(db, "PRAGMA query_only=ON", err);
}

int db_open(const char *path, enum database database, enum db_role role, struct db **out, struct exp_error *err)
{
	struct db *db = mem_alloc(sizeof(*db));
	int rc = 0;

	db->database = database;
	for (int i = 0; i < TABLE_COUNT; i++)
		db->prepared[i] = mem_alloc((db_tables[i]->count + 1) * sizeof(sqlite3_stmt *));
	if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		rc = db->handle ? db_fail(db, err) : error_set(err, EXP_EMEMORY, "no memory to open a database");
	if (!rc)
		rc = configure(db, role, err);
	if (rc) {
		db_close(db);
		return error_wrap(err, rc, "%s", path);
	}
	*out = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (int i = 0; i < TABLE_COUNT; i++) {
		for (size_t k = 0; k < db_tables[i]->count; k++)
			sqlite3_finalize(db->prepared[i][k]);
		mem_free(db->prepared[i]);
	}
	sqlite3_close(db->handle);
	mem_free(db);
}

sqlite3_stmt *db_statement(struct db *db, enum table_id table, int statement)
{
	sqlite3_stmt **slot = &db->prepared[table][statement];

	if (!*slot)
		sqlite3_prepare_v3(db->handle, db_tables[table]->statements[statement].sql, -1,
				   SQLITE_PREPARE_PERSISTENT, slot, NULL);
	return *slot;
}

void db_checkpoint(struct db *db)
{
	int in_log = 0, moved = 0;

	if (sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved) == SQLITE_OK)
		db->wal_pages = in_log - moved;
}

int db_truncate(struct db *db, struct exp_error *err)
{
	if (sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
		return db_fail(db, err);
	db->wal_pages = 0;
	return 0;
}

static int quick_check(struct db *db, struct exp_error *err)
{
	sqlite3_stmt *stmt = NULL;
	const char *answer = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		rc = db_fail(db, err);
	else
		answer = (const char *)sqlite3_column_text(stmt, 0);
	if (!rc && (!answer || strcmp(answer, "ok") != 0))
		rc =
		    error_set(err, EXP_ECORRUPT, "quick_check says: %s; restore a backup", answer ? answer : "nothing");
	sqlite3_finalize(stmt);
	return rc;
}

int db_check(struct db *db, const char *path, struct exp_error *err)
{
	int64_t wanted = db->database == DATABASE_MAIN ? APPLICATION_MAIN : APPLICATION_KEYS, id, objects;
	int rc = quick_check(db, err);

	if (!rc)
		rc = db_number(db, "PRAGMA application_id", &id, err);
	if (!rc)
		rc = db_number(db, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (rc)
		return error_wrap(err, rc, "%s", path);
	if (id == 0 && objects == 0)
		return db_run(db,
			      db->database == DATABASE_MAIN ? "PRAGMA application_id=0x45585055"
							    : "PRAGMA application_id=0x4558504b",
			      err);
	return id == wanted ? 0 : error_set(err, EXP_ECORRUPT, "%s is a database of another program", path);
}

/* The plan of a statement, as SQLite words it, must search by the index or the table named. */
static int check_plan(struct db *db, const struct statement *s, struct exp_error *err)
{
	char *sql = mem_format("EXPLAIN QUERY PLAN %s", s->sql);
	sqlite3_stmt *stmt = NULL;
	bool found = false;

	sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
	mem_free(sql);
	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(stmt, 3);

		found |= line && strncmp(line, "SEARCH", 6) == 0 && strstr(line, s->index);
	}
	sqlite3_finalize(stmt);
	return found ? 0 : error_set(err, EXP_EINTERNAL, "no search by %s in: %s", s->index, s->sql);
}

int db_check_statements(struct db *db, struct exp_error *err)
{
	int rc = 0;

	for (int i = 0; !rc && i < TABLE_COUNT; i++)
		for (size_t k = 0; !rc && table_database[i] == db->database && k < db_tables[i]->count; k++) {
			const struct statement *s = &db_tables[i]->statements[k];

			if (!db_statement(db, (enum table_id)i, (int)k))
				rc = error_wrap(err, db_fail(db, err), "%s", s->sql);
			else if (s->index)
				rc = check_plan(db, s, err);
		}
	return rc;
}

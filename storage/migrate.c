/*
 * Migrations run before anything else has the database, on the writing connection. The newest number is PRAGMA
 * user_version, which is part of the transaction; digests are in schema_migrations, which the first file creates.
 */
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/db_internal.h"

static int digest_of(const struct embedded_file *file, uint8_t digest[DIGEST_SIZE])
{
	sha256(file->bytes, file->size, digest);
	return DIGEST_SIZE;
}

static int prepare(struct db *db, const char *sql, sqlite3_stmt **stmt, struct exp_error *err)
{
	return sqlite3_prepare_v2(db->handle, sql, -1, stmt, NULL) == SQLITE_OK ? 0 : db_fail(db, err);
}

static int check_applied(struct db *db, int64_t number, const struct embedded_file *file, struct exp_error *err)
{
	sqlite3_stmt *stmt;
	uint8_t digest[DIGEST_SIZE];
	int size = digest_of(file, digest), rc;
	bool same;

	rc = prepare(db, "SELECT count(*) FROM schema_migrations WHERE number = ? AND sha256 = ?", &stmt, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 1, number);
	sqlite3_bind_blob(stmt, 2, digest, size, SQLITE_STATIC);
	if (sqlite3_step(stmt) != SQLITE_ROW)
		rc = db_fail(db, err);
	same = !rc && sqlite3_column_int(stmt, 0) == 1;
	sqlite3_finalize(stmt);
	if (rc || same)
		return rc;
	return error_set(err, EXP_ECORRUPT,
			 "migration %s was applied with other content; install the program that made "
			 "this database, or restore a backup",
			 file->name);
}

static int record(struct db *db, int64_t number, const struct embedded_file *file, struct exp_error *err)
{
	sqlite3_stmt *stmt;
	uint8_t digest[DIGEST_SIZE];
	int size = digest_of(file, digest), rc;

	rc = prepare(db, "INSERT INTO schema_migrations (number, name, sha256, applied_at) VALUES (?, ?, ?, ?)", &stmt,
		     err);
	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 1, number);
	sqlite3_bind_text(stmt, 2, file->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 3, digest, size, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, clock_now_ms());
	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = db_fail(db, err);
	sqlite3_finalize(stmt);
	return rc;
}

static int apply(struct db *db, int64_t number, const struct embedded_file *file, struct exp_error *err)
{
	char *version = mem_format("PRAGMA user_version=%lld", (long long)number);
	int rc = db_run(db, "BEGIN IMMEDIATE", err);

	if (!rc)
		rc = db_run(db, (const char *)file->bytes, err);
	if (!rc)
		rc = record(db, number, file, err);
	if (!rc)
		rc = db_run(db, version, err);
	if (!rc)
		rc = db_run(db, "COMMIT", err);
	if (rc && db_in_transaction(db))
		(void)!db_run(db, "ROLLBACK", NULL);
	mem_free(version);
	if (rc)
		return error_wrap(err, rc, "migration %s", file->name);
	log_info("migration_applied", "database=%s file=%s", db->database == DATABASE_MAIN ? "expunge.db" : "keys.db",
		 file->name);
	return 0;
}

int db_migrate(struct db *db, const struct embedded_file *files, size_t count, struct exp_error *err)
{
	int64_t version;
	int rc = db_number(db, "PRAGMA user_version", &version, err);

	if (rc)
		return rc;
	if (version < 0 || (uint64_t)version > count)
		return error_set(err, EXP_EUNSUPPORTED,
				 "the database has schema %lld, this program knows %zu; install a "
				 "newer program",
				 (long long)version, count);
	for (int64_t i = 0; !rc && i < (int64_t)count; i++)
		rc = i < version ? check_applied(db, i + 1, &files[i], err) : apply(db, i + 1, &files[i], err);
	return rc;
}

/*
 * db_internal.h: one SQLite connection with its prepared statements, and the migrations.
 *
 * Each source file that owns a table has a static list of its statements and publishes it as a struct table; table.def
 * lists them all. Statements are prepared when first used and kept until the connection closes.
 * Threads: a connection is used by one thread at a time (SQLITE_OPEN_NOMUTEX).
 */
#ifndef STORAGE_DB_INTERNAL_H
#define STORAGE_DB_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

enum database { DATABASE_MAIN, DATABASE_KEYS };

enum table_id {
#define X(symbol, registry, database) symbol,
#include "storage/table.def"
#undef X
	TABLE_COUNT,
};

struct statement {
	const char *sql;
	const char
	    *index; /* of a hot statement: the index, or the table by whose primary key it must search; or NULL */
};

struct table {
	const char *name;
	const struct statement *statements;
	size_t count;
};

#define TABLE(name, statements)                                                                                        \
	{                                                                                                              \
		name, statements, sizeof(statements) / sizeof((statements)[0])                                         \
	}

extern const struct table *const db_tables[TABLE_COUNT];

struct db {
	sqlite3 *handle;
	enum database database;
	sqlite3_stmt **prepared[TABLE_COUNT]; /* by table and statement; NULL until used */
	int wal_pages;                        /* in the log after the last commit; writing connections only */
};

enum db_role { DB_WRITER, DB_READER };

/* Opens path (which must exist) with the pragmas of its role. A failed open leaves nothing to close. */
EXP_NODISCARD int db_open(const char *path, enum database database, enum db_role role, struct db **out,
			  struct exp_error *err);
void db_close(struct db *db); /* NULL is fine */

/* Runs fixed SQL without parameters or rows, for example "BEGIN IMMEDIATE". */
EXP_NODISCARD int db_run(struct db *db, const char *sql, struct exp_error *err);

/* The one number that a fixed query gives. */
EXP_NODISCARD int db_number(struct db *db, const char *sql, int64_t *out, struct exp_error *err);

/* Translates the connection's last error; the only place that knows SQLite's codes. */
int db_fail(struct db *db, struct exp_error *err);

/* True while a transaction is open: SQLite ends one by itself on some errors. */
bool db_in_transaction(struct db *db);

/* Moves the log into the database: as far as readers allow, or all of it and truncates (EXP_EBUSY). */
void db_checkpoint(struct db *db);
EXP_NODISCARD int db_truncate(struct db *db, struct exp_error *err);

/* quick_check and application_id. EXP_ECORRUPT. */
EXP_NODISCARD int db_check(struct db *db, const char *path, struct exp_error *err);

/* See store_check_statements. */
EXP_NODISCARD int db_check_statements(struct db *db, struct exp_error *err);

/* Prepared statement of a table, reset and without bindings. NULL on failure: ask db_fail. */
sqlite3_stmt *db_statement(struct db *db, enum table_id table, int statement);

struct embedded_file {
	const char *name;
	const unsigned char *bytes; /* size bytes and a NUL */
	size_t size;
};

extern const struct embedded_file migrations_main[], migrations_keys[];
extern const size_t migrations_main_count, migrations_keys_count;

/* Applies what the database lacks, each file in one transaction. EXP_ECORRUPT: an applied file differs from files.
 * EXP_EUNSUPPORTED: the database knows more than count. */
EXP_NODISCARD int db_migrate(struct db *db, const struct embedded_file *files, size_t count, struct exp_error *err);

#endif

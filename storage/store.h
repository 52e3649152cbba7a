/*
 * store.h: the two databases of a data folder, opened and closed; reading connections.
 *
 *   expunge.db   everything, the log's leaves too; one transaction changes state, leaf and outbox row together
 *   keys.db      request keys and secrets; its own backup rule, because destroying a key must reach every copy
 *
 * Both: WAL, synchronous=FULL (a signed log must not lose its last commits), secure_delete=ON, foreign_keys=ON,
 * trusted_schema=OFF, STRICT tables. Exactly one connection a file writes and checkpoints; it belongs to the writer
 * thread (writer.h), readers are query_only and never checkpoint. For this reason the WAL-reset bug of SQLite
 * before 3.51.3, which takes two checkpointing connections, cannot occur.
 *
 * Order between the files: a group of operations commits keys.db first and expunge.db then; a key that is destroyed
 * goes after both the commit and the truncation of expunge.db's log. What a crash leaves is swept (keys.h).
 *
 * Ownership: store_open gives the store, store_close ends it. Nothing here is global.
 * Threads: store_open and store_close from one thread; the rest from any.
 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

struct store;

struct store_options {
	int readers;           /* reading connections; 0 means 4 */
	size_t queue_capacity; /* operations that may wait for the writer; 0 means 1024 */
	size_t group_max;      /* operations in one transaction; 0 means 256 */
	int64_t max_pages;     /* upper bound of expunge.db in pages; 0 means none. For tests of a full disk. */
};

/*
 * Creates the folder when it is missing, takes its lock file, opens and checks both databases, applies the migrations
 * that they lack, starts the writer thread. options may be NULL.
 * EXP_EBUSY: another process holds the folder.
 * EXP_ECORRUPT: quick_check fails, the file is not ours, or an applied migration differs from the program's.
 * EXP_EUNSUPPORTED: the database was written by a newer program.
 */
EXP_NODISCARD int store_open(const char *folder, const struct store_options *options, struct store **out,
			     struct exp_error *err);

/* Runs what is queued, truncates both logs, closes. All readers must have been given back. NULL is fine. */
void store_close(struct store *s);

/*
 * Moves both write-ahead logs into the databases and truncates them, so that deleted bytes are in no file any more.
 * Waits for the writer; not from the writer thread. EXP_EBUSY: a reader held a snapshot for over a second; try again.
 */
EXP_NODISCARD int store_truncate_wal(struct store *s, struct exp_error *err);

/*
 * Lends a reading connection. Everything read through it until reader_give is one snapshot, so hold it for one reply,
 * never over a wait: an old snapshot keeps the log from shrinking. EXP_EBUSY when none was free for five seconds.
 */
EXP_NODISCARD int reader_take(struct store *s, struct db **out, struct exp_error *err);
void reader_give(struct store *s, struct db *db); /* NULL is fine */

struct store_health {
	int64_t schema_version; /* number of the newest migration */
	int64_t database_bytes; /* expunge.db */
	int64_t wal_bytes;      /* its write-ahead log */
	size_t queue_depth;     /* operations that wait now */
	int64_t groups;         /* transactions committed since store_open */
	int64_t operations;     /* operations in them */
	int64_t progress_ms;    /* monotonic time of the writer's last sign of life */
};

/* A look without a lock on the databases: for metrics, readiness and the watchdog. */
void store_health(struct store *s, struct store_health *out);

/*
 * Prepares every statement of every table and checks that each hot one uses the index that it names. EXP_EINTERNAL
 * names the statement at fault. For tests and for a self-check at installation.
 */
EXP_NODISCARD int store_check_statements(struct store *s, struct exp_error *err);

#endif

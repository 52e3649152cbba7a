/*
 * store_internal.h: what store.c (opening, readers), writer.c (the writer thread) and keys.c share.
 *
 * Ownership: the writing connections belong to the writer thread between writer_start and writer_stop.
 */
#ifndef STORAGE_STORE_INTERNAL_H
#define STORAGE_STORE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/thread.h"
#include "storage/db_internal.h"
#include "storage/store.h"

/* The transaction of a group. What an operation adds to destroy is cut off again when the operation is undone. */
struct txn {
	struct db *main, *keys;
	bool keys_begun;     /* keys.db has its part of the transaction open */
	bool keys_savepoint; /* … and the running operation a savepoint in it */
	bool truncate;       /* the running operation wants the logs truncated after the COMMIT */
	char (*destroy)[ID_TEXT];
	size_t destroy_count;
};

struct operation {
	int (*run)(struct txn *txn, void *arg, struct exp_error *err);
	void (*done)(void *arg, int rc, const struct exp_error *err);
	void *arg;
};

struct result {
	int rc;
	struct exp_error err;
	bool wants_truncate, wants_destroy;
};

struct writer {
	struct lock lock; /* guards the ring and stopping */
	struct condition wake;
	struct operation *ring; /* [capacity], count of them from first */
	size_t capacity, first, count;
	bool stopping;
	struct operation *group; /* [group_max], the thread's own */
	struct result *results;  /* [group_max] */
	size_t group_max;
	struct txn txn;
	struct thread thread;
	atomic_llong groups, operations, progress_ms;
};

struct store {
	char *folder, *main_path, *keys_path, *wal_path;
	int lock_fd;            /* -1: not held */
	struct db *main, *keys; /* the writer's */
	int64_t schema_version;
	struct lock readers_lock; /* guards the free list */
	struct condition reader_free;
	struct db **readers; /* [reader_count]; the first reader_idle of them are free */
	int reader_count, reader_idle;
	struct writer writer;
};

/* Starts the thread; main and keys are open. */
EXP_NODISCARD int writer_start(struct store *s, size_t capacity, size_t group_max, struct exp_error *err);
/* Refuses new operations, runs what is queued, joins. */
void writer_stop(struct store *s);
size_t writer_depth(struct store *s);

/* keys.db inside the running operation. */
EXP_NODISCARD int txn_keys(struct txn *txn, struct db **out, struct exp_error *err);
/* Marks a key for destruction after the COMMIT. */
EXP_NODISCARD int txn_destroy_later(struct txn *txn, const char *request, struct exp_error *err);

/* Deletes the keys in a transaction of its own and truncates the log of keys.db. */
EXP_NODISCARD int keys_delete_now(struct db *keys, char (*requests)[ID_TEXT], size_t count, struct exp_error *err);

#endif

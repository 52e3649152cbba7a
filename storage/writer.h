/*
 * writer.h: the only way to change anything: operations that one thread runs in groups.
 *
 * An operation is a function that gets a struct txn. Whatever has gathered in the queue when the writer looks goes into
 * one transaction (group commit), so that durable operations per second are bound by batches and not by fsyncs. Inside
 * it every operation has a SAVEPOINT of its own: one that fails is undone alone. An operation counts as done only after
 * the COMMIT is durable. When the COMMIT fails, or SQLite has to undo the whole transaction in the middle (a full
 * disk), every operation that had run in it gets that error and none of them has taken place; the others go on in a
 * transaction of their own.
 *
 * An operation computes nothing that could be computed before, waits for nothing, takes no lock, and changes nothing
 * outside its argument: it can be undone after it returned 0.
 *
 * Threads: writer_submit and writer_call from any thread but the writer's own.
 */
#ifndef STORAGE_WRITER_H
#define STORAGE_WRITER_H

#include <stdbool.h>

#include "base/error.h"
#include "storage/db.h"
#include "storage/store.h"

/*
 * Queues run(txn, arg, err). It returns 0 to keep its changes, or an EXP_E… code (and says why in err) to undo them.
 * When writer_submit returns 0, done(arg, rc, err) is called exactly once on the writer thread, after the COMMIT or the
 * failure; err is valid for the call, holds rc's message and is empty when rc is 0. done must not block and may be
 * NULL. arg stays the caller's and must live until done. EXP_EBUSY: the queue is full or the store is closing; neither
 * run nor done will be called.
 */
EXP_NODISCARD int writer_submit(struct store *s, int (*run)(struct txn *txn, void *arg, struct exp_error *err),
				void (*done)(void *arg, int rc, const struct exp_error *err), void *arg);

/* As writer_submit, and waits; returns the operation's result. */
EXP_NODISCARD int writer_call(struct store *s, int (*run)(struct txn *txn, void *arg, struct exp_error *err), void *arg,
			      struct exp_error *err);

/* The transaction as a handle for read functions; valid until run returns. */
struct db *txn_db(struct txn *txn);

#endif

/*
 * The writer thread.
 *
 *   queue ──take_group──> BEGIN │ SAVEPOINT run RELEASE │ … │ COMMIT keys.db │ COMMIT expunge.db │ after ──> done,
 * done, …
 *
 * A group is what waits when the thread looks, so groups grow with load by themselves: while one is being made durable
 * the next gathers. The queue's lock is held to move operations only, never over a transaction or a callback.
 * "After" is what must follow a durable COMMIT: truncating the logs, destroying keys. An operation that asked for it
 * gets its error. SQLite may end the whole transaction by itself (disk full, I/O error): the group so far is lost with
 * the error that did it, what had not run yet becomes a group of its own.
 */
#include "storage/writer.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/store_internal.h"

enum { IDLE_MS = 1000, CHECKPOINT_PAGES = 4096 };

static _Thread_local bool on_writer_thread;

struct db *txn_db(struct txn *txn)
{
	return txn->main;
}

int txn_keys(struct txn *txn, struct db **out, struct exp_error *err)
{
	int rc = 0;

	if (!txn->keys_begun)
		rc = db_run(txn->keys, "BEGIN IMMEDIATE", err);
	if (rc)
		return rc;
	txn->keys_begun = true;
	if (!txn->keys_savepoint)
		rc = db_run(txn->keys, "SAVEPOINT operation", err);
	if (rc)
		return rc;
	txn->keys_savepoint = true;
	*out = txn->keys;
	return 0;
}

int txn_destroy_later(struct txn *txn, const char *request, struct exp_error *err)
{
	void *grown = mem_try_realloc(txn->destroy, txn->destroy_count + 1, sizeof(*txn->destroy));

	if (!grown)
		return error_set(err, EXP_EMEMORY, "no memory to destroy a key");
	txn->destroy = grown;
	memcpy(txn->destroy[txn->destroy_count++], request, ID_TEXT);
	return 0;
}

static int keep(struct txn *txn, struct exp_error *err)
{
	int rc = db_run(txn->main, "RELEASE operation", err);

	if (!rc && txn->keys_savepoint)
		rc = db_run(txn->keys, "RELEASE operation", err);
	return rc;
}

static bool undo_in(struct db *db)
{
	return db_in_transaction(db) && !db_run(db, "ROLLBACK TO operation", NULL) &&
	       !db_run(db, "RELEASE operation", NULL);
}

/* False when the group is lost with the operation. */
static bool undo(struct txn *txn)
{
	return undo_in(txn->main) && (!txn->keys_savepoint || undo_in(txn->keys));
}

static void fail(struct result *r, int rc, const struct exp_error *err)
{
	r->rc = rc;
	r->err = *err;
	r->wants_truncate = r->wants_destroy = false;
}

/* Runs one operation in its savepoint. False when the group is lost; r then holds why. */
static bool run_one(struct txn *txn, const struct operation *op, struct result *r)
{
	size_t destroy_before = txn->destroy_count;

	*r = (struct result){ 0 };
	txn->truncate = txn->keys_savepoint = false;
	r->rc = db_run(txn->main, "SAVEPOINT operation", &r->err);
	if (r->rc)
		return false;
	r->rc = op->run(txn, op->arg, &r->err);
	if (!r->rc)
		r->rc = keep(txn, &r->err);
	if (r->rc) {
		if (!r->err.code)
			error_set(&r->err, r->rc, "%s", error_sentence(r->rc));
		txn->destroy_count = destroy_before;
		return undo(txn);
	}
	r->err = (struct exp_error){ 0 };
	r->wants_truncate = txn->truncate;
	r->wants_destroy = txn->destroy_count > destroy_before;
	return true;
}

static void roll_back(struct txn *txn)
{
	if (db_in_transaction(txn->main))
		(void)!db_run(txn->main, "ROLLBACK", NULL);
	if (db_in_transaction(txn->keys))
		(void)!db_run(txn->keys, "ROLLBACK", NULL);
}

static int commit(struct txn *txn, struct exp_error *err)
{
	int rc = 0;

	if (txn->keys_begun)
		rc = db_run(txn->keys, "COMMIT", err);
	if (!rc)
		rc = db_run(txn->main, "COMMIT", err);
	if (rc)
		roll_back(txn);
	return rc;
}

/* What must follow the COMMIT: nothing for most groups. */
static void run_after(struct txn *txn, struct result *results, size_t count)
{
	struct exp_error err = { 0 };
	bool truncate = false, destroy = false;
	int rc;

	for (size_t i = 0; i < count; i++) {
		truncate |= results[i].wants_truncate;
		destroy |= results[i].wants_destroy;
	}
	if (!truncate && !destroy)
		return;
	rc = db_truncate(txn->main, &err);
	if (!rc && destroy)
		rc = keys_delete_now(txn->keys, txn->destroy, txn->destroy_count, &err);
	if (!rc && truncate)
		rc = db_truncate(txn->keys, &err);
	for (size_t i = 0; rc && i < count; i++)
		if (results[i].wants_truncate || results[i].wants_destroy)
			fail(&results[i], rc, &err);
}

static void fail_all(struct result *results, size_t count, int rc, const struct exp_error *err)
{
	struct exp_error copy = *err;

	for (size_t i = 0; i < count; i++)
		if (!results[i].rc)
			fail(&results[i], rc, &copy);
}

/* Runs at most count operations as one transaction; returns how many have their result. */
static size_t run_group(struct writer *w, const struct operation *ops, struct result *results, size_t count)
{
	struct txn *txn = &w->txn;
	struct exp_error err = { 0 };
	int rc = db_run(txn->main, "BEGIN IMMEDIATE", &err);

	txn->keys_begun = false;
	txn->destroy_count = 0;
	memset(results, 0, count * sizeof(*results));
	if (rc) {
		fail_all(results, count, rc, &err);
		return count;
	}
	for (size_t i = 0; i < count; i++) {
		if (run_one(txn, &ops[i], &results[i]))
			continue;
		roll_back(txn);
		fail_all(results, i, results[i].rc, &results[i].err);
		return i + 1;
	}
	rc = commit(txn, &err);
	if (rc)
		fail_all(results, count, rc, &err);
	else
		run_after(txn, results, count);
	return count;
}

static void report(struct writer *w, size_t count)
{
	atomic_fetch_add(&w->groups, 1);
	atomic_fetch_add(&w->operations, (long long)count);
	atomic_store(&w->progress_ms, clock_monotonic_ms());
}

static void run_taken(struct writer *w, size_t count)
{
	for (size_t first = 0, n; first < count; first += n) {
		n = run_group(w, w->group + first, w->results + first, count - first);
		report(w, n);
		for (size_t i = first; i < first + n; i++)
			if (w->group[i].done)
				w->group[i].done(w->group[i].arg, w->results[i].rc, &w->results[i].err);
	}
}

/* Moves what waits into the group; 0 after an idle while, or when there is nothing left and the store is closing. */
static size_t take_group(struct writer *w, bool *stop)
{
	size_t n;

	lock_take(&w->lock);
	if (!w->count && !w->stopping)
		condition_wait_for(&w->wake, &w->lock, IDLE_MS);
	n = w->count < w->group_max ? w->count : w->group_max;
	for (size_t i = 0; i < n; i++)
		w->group[i] = w->ring[(w->first + i) % w->capacity];
	w->first = (w->first + n) % w->capacity;
	w->count -= n;
	*stop = w->stopping && !n;
	lock_release(&w->lock);
	return n;
}

static void checkpoint(struct db *db, bool idle)
{
	if (db->wal_pages > (idle ? 0 : CHECKPOINT_PAGES))
		db_checkpoint(db);
}

static void run_writer(void *arg)
{
	struct writer *w = arg;
	bool stop = false;

	on_writer_thread = true;
	while (!stop) {
		size_t n = take_group(w, &stop);

		atomic_store(&w->progress_ms, clock_monotonic_ms());
		run_taken(w, n);
		checkpoint(w->txn.main, n == 0);
		checkpoint(w->txn.keys, n == 0);
	}
}

int writer_start(struct store *s, size_t capacity, size_t group_max, struct exp_error *err)
{
	struct writer *w = &s->writer;

	w->txn = (struct txn){ .main = s->main, .keys = s->keys };
	w->capacity = capacity;
	w->group_max = group_max;
	w->ring = mem_try_alloc(capacity, sizeof(*w->ring));
	w->group = mem_try_alloc(group_max, sizeof(*w->group));
	w->results = mem_try_alloc(group_max, sizeof(*w->results));
	lock_init(&w->lock, LOCK_WRITER);
	condition_init(&w->wake);
	atomic_store(&w->progress_ms, clock_monotonic_ms());
	if (w->ring && w->group && w->results && !thread_start(&w->thread, "writer", run_writer, w))
		return 0;
	return error_set(err, EXP_EMEMORY, "no memory to start the writer thread");
}

void writer_stop(struct store *s)
{
	struct writer *w = &s->writer;

	if (!w->capacity)
		return;
	lock_take(&w->lock);
	w->stopping = true;
	condition_broadcast(&w->wake);
	lock_release(&w->lock);
	thread_join(&w->thread);
	condition_fini(&w->wake);
	lock_fini(&w->lock);
	mem_free(w->txn.destroy);
	mem_free(w->ring);
	mem_free(w->group);
	mem_free(w->results);
}

size_t writer_depth(struct store *s)
{
	size_t depth;

	lock_take(&s->writer.lock);
	depth = s->writer.count;
	lock_release(&s->writer.lock);
	return depth;
}

int writer_submit(struct store *s, int (*run)(struct txn *txn, void *arg, struct exp_error *err),
		  void (*done)(void *arg, int rc, const struct exp_error *err), void *arg)
{
	struct writer *w = &s->writer;
	int rc = EXP_EBUSY;

	exp_require(!on_writer_thread);
	lock_take(&w->lock);
	if (!w->stopping && w->count < w->capacity) {
		w->ring[(w->first + w->count++) % w->capacity] = (struct operation){ run, done, arg };
		condition_signal(&w->wake);
		rc = 0;
	}
	lock_release(&w->lock);
	return rc;
}

struct call {
	int (*run)(struct txn *txn, void *arg, struct exp_error *err);
	void *arg;
	struct lock lock;
	struct condition finished;
	bool over;
	int rc;
	struct exp_error *err;
};

static int run_call(struct txn *txn, void *arg, struct exp_error *err)
{
	struct call *call = arg;

	return call->run(txn, call->arg, err);
}

static void end_call(void *arg, int rc, const struct exp_error *err)
{
	struct call *call = arg;

	lock_take(&call->lock);
	call->rc = rc;
	if (rc && call->err)
		*call->err = *err;
	call->over = true;
	condition_signal(&call->finished);
	lock_release(&call->lock);
}

int writer_call(struct store *s, int (*run)(struct txn *txn, void *arg, struct exp_error *err), void *arg,
		struct exp_error *err)
{
	struct call call = { .run = run, .arg = arg, .err = err };
	int rc;

	lock_init(&call.lock, LOCK_WRITER);
	condition_init(&call.finished);
	rc = writer_submit(s, run_call, end_call, &call);
	if (rc) {
		error_set(err, rc, "the queue of the database is full or closing; try again");
	} else {
		lock_take(&call.lock);
		while (!call.over)
			condition_wait(&call.finished, &call.lock);
		lock_release(&call.lock);
		rc = call.rc;
	}
	condition_fini(&call.finished);
	lock_fini(&call.lock);
	return rc;
}

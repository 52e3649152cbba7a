/*
 * DESIGN. N workers and one keeper share one lock, LOCK_WORKERS, which guards the list of active runs and the wish to
 * stop. It is never held over a transaction: the keeper pins a run, lets the lock go, extends the lease, and unpins it;
 * a worker that is done with its job waits until it is not pinned. Workers sleep on one condition; workers_wake and the
 * end of a job signal it, and once a second they look anyway, for jobs whose time has come.
 */
#include "workers/workers.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/events.h"
#include "storage/idempotency.h"
#include "workers/recover.h"
#include "workers/run_job.h"

enum { IDLE_MS = 1000, SWEEP_MS = 3600000 };

static const int64_t EVENTS_KEPT_MS = 90LL * 86400 * 1000;

struct workers {
	struct workers_options options;
	char *data_folder;
	struct lock lock;
	struct condition work, unpinned;
	struct thread *threads; /* [options.workers] */
	struct thread keeper;
	struct run *active;
	uint64_t wakes; /* grows: a wake between a claim and the wait is not lost */
	atomic_bool stopping;
	char name[JOB_WORKER];
};

struct claim {
	struct workers *workers;
	struct stored_job job;
};

static int claim_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct claim *c = arg;

	return jobs_claim(txn, c->workers->name, c->workers->options.lease_ms, &c->job, err);
}

static void add_run(struct workers *w, struct run *r)
{
	lock_take(&w->lock);
	r->next = w->active;
	w->active = r;
	lock_release(&w->lock);
}

static void remove_run(struct workers *w, struct run *r)
{
	struct run **at = &w->active;

	lock_take(&w->lock);
	while (r->pinned)
		condition_wait(&w->unpinned, &w->lock);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	w->wakes++;
	condition_broadcast(&w->work);
	lock_release(&w->lock);
}

static bool claim_and_run(struct workers *w)
{
	struct claim claim = { .workers = w };
	struct exp_error err = { 0 };
	struct run run;
	int rc = writer_call(w->options.store, claim_op, &claim, &err);

	if (rc) {
		if (rc != EXP_ENOTFOUND)
			log_error("claim_failed", "message=\"%s\"", err.message);
		return false;
	}
	run_init(&run, &w->options, &claim.job, &w->stopping);
	add_run(w, &run);
	run_job(&run);
	remove_run(w, &run);
	run_fini(&run);
	return true;
}

static void work(void *arg)
{
	struct workers *w = arg;
	uint64_t seen;

	while (!atomic_load(&w->stopping)) {
		lock_take(&w->lock);
		seen = w->wakes;
		lock_release(&w->lock);
		if (claim_and_run(w))
			continue;
		lock_take(&w->lock);
		if (seen == w->wakes && !atomic_load(&w->stopping))
			condition_wait_for(&w->work, &w->lock, IDLE_MS);
		lock_release(&w->lock);
	}
}

/* Heartbeats of all active runs, each outside the lock. A run that ends meanwhile waits for its pin. */
static void extend_leases(struct workers *w)
{
	struct run *r;

	lock_take(&w->lock);
	for (r = w->active; r; r = r->next) {
		r->pinned = true;
		lock_release(&w->lock);
		run_extend(r);
		lock_take(&w->lock);
		r->pinned = false;
		condition_broadcast(&w->unpinned);
	}
	lock_release(&w->lock);
}

static void sign_leaves(struct workers *w)
{
	struct exp_error err = { 0 };
	bool advanced = false;

	if (audit_checkpoint(w->options.audit, &advanced, &err))
		log_error("checkpoint_failed", "message=\"%s\"", err.message);
	else if (advanced && w->options.changed)
		w->options.changed(w->options.changed_arg);
}

static int sweep_op(struct txn *txn, void *arg, struct exp_error *err)
{
	int64_t now = clock_now_ms();
	int rc = idempotency_sweep(txn, now, err);

	(void)arg;
	return rc ? rc : events_sweep(txn, now - EVENTS_KEPT_MS, err);
}

static void sweep(struct workers *w)
{
	struct exp_error err = { 0 };

	if (writer_call(w->options.store, sweep_op, NULL, &err))
		log_warn("sweep_failed", "message=\"%s\"", err.message);
}

static void keep(void *arg)
{
	struct workers *w = arg;
	int64_t next_beat = 0, next_sweep = 0;

	while (!atomic_load(&w->stopping)) {
		if (clock_monotonic_ms() >= next_sweep) {
			sweep(w);
			next_sweep = clock_monotonic_ms() + SWEEP_MS;
		}
		if (clock_monotonic_ms() >= next_beat) {
			extend_leases(w);
			next_beat = clock_monotonic_ms() + w->options.lease_ms / 3;
		}
		sign_leaves(w);
		lock_take(&w->lock);
		if (!atomic_load(&w->stopping))
			condition_wait_for(&w->unpinned, &w->lock, w->options.checkpoint_ms);
		lock_release(&w->lock);
	}
	sign_leaves(w);
}

static void set_up(struct workers *w, const struct workers_options *options)
{
	char host[40] = "host";

	w->options = *options;
	w->data_folder = mem_strdup(options->data_folder);
	w->options.data_folder = w->data_folder;
	if (!w->options.trainers)
		w->options.trainers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	gethostname(host, sizeof(host) - 1);
	snprintf(w->name, sizeof(w->name), "%s-%d", host, (int)getpid());
	w->threads = mem_alloc(w->options.workers * sizeof(*w->threads));
	lock_init(&w->lock, LOCK_WORKERS);
	condition_init(&w->work);
	condition_init(&w->unpinned);
}

int workers_start(const struct workers_options *options, struct workers **out, struct exp_error *err)
{
	struct workers *w;
	int rc = recover(options, err);

	if (rc)
		return rc;
	w = mem_alloc(sizeof(*w));
	set_up(w, options);
	rc = thread_start(&w->keeper, "keeper", keep, w);
	for (unsigned i = 0; !rc && i < w->options.workers; i++)
		rc = thread_start(&w->threads[i], "worker", work, w);
	if (rc) {
		workers_stop(w);
		return error_set(err, rc, "cannot start the worker threads");
	}
	*out = w;
	return 0;
}

void workers_wake(struct workers *w)
{
	lock_take(&w->lock);
	w->wakes++;
	condition_broadcast(&w->work);
	lock_release(&w->lock);
}

void workers_stop(struct workers *w)
{
	if (!w)
		return;
	lock_take(&w->lock);
	atomic_store(&w->stopping, true);
	condition_broadcast(&w->work);
	condition_broadcast(&w->unpinned);
	lock_release(&w->lock);
	for (unsigned i = 0; i < w->options.workers; i++)
		thread_join(&w->threads[i]);
	thread_join(&w->keeper);
	condition_fini(&w->work);
	condition_fini(&w->unpinned);
	lock_fini(&w->lock);
	mem_free(w->threads);
	mem_free(w->data_folder);
	mem_free(w);
}

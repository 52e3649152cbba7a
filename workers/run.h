/*
 * run.h: one claimed job on its worker: the lease, the moves between states, progress, the wish to stop.
 *
 * Threads: a run belongs to its worker; the keeper sets the two flags through run_extend.
 */
#ifndef WORKERS_RUN_H
#define WORKERS_RUN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/json.h"
#include "erasure/watch.h"
#include "storage/jobs.h"
#include "storage/writer.h"
#include "workers/workers.h"

struct run {
	const struct workers_options *options;
	struct stored_job job; /* as claimed; state follows run_move */
	struct job_lease lease;
	atomic_bool cancelled; /* somebody asked to cancel, or the lease is lost */
	atomic_bool *stopping; /* the daemon stops */
	int failure;           /* what a move or a progress report failed with; ends the run */
	int64_t reported_ms;   /* monotonic time of the last progress that was stored */
	struct watch watch;    /* hand &run.watch to erasure */
	struct run *next;      /* the pool's list of active runs, like pinned under LOCK_WORKERS */
	bool pinned;           /* the keeper is using it outside the lock: it must not go away */
};

/* Takes the claimed job over; run_fini frees it. */
void run_init(struct run *r, const struct workers_options *options, struct stored_job *job, atomic_bool *stopping);
void run_fini(struct run *r);

/* Whether the job shall end now: EXP_ECANCELLED, or why it must, or 0. */
EXP_NODISCARD int run_check(const struct run *r);

/* Moves the job by one state, durably, with an event for the timeline. EXP_EFENCED, EXP_ECONFLICT. */
EXP_NODISCARD int run_move(struct run *r, enum job_state to, struct exp_error *err);

/* What run_move does after its commit, for operations that move the job themselves: state, event to waiters, fail
 * point. */
void run_moved(struct run *r, enum job_state to);

/* Runs an operation on the writer and waits, then tells waiters. */
EXP_NODISCARD int run_commit(struct run *r, int (*op)(struct txn *txn, void *arg, struct exp_error *err), void *arg,
			     struct exp_error *err);

/* The keeper's heartbeat for this job. */
void run_extend(struct run *r);

/* An event of the job for the timeline; data is borrowed JSON or NULL. */
EXP_NODISCARD int run_event(struct txn *txn, const struct run *r, const char *request, const char *kind,
			    const json_t *data, struct exp_error *err);

/*
 * The job's seed. A fresh one (*fresh) is in r->job.checkpoint only until run_keep_seed stores it, which belongs into
 * the operation that records the commitment to it: a job that runs again finds the seed and cannot roll again.
 */
void run_seed(struct run *r, uint64_t *seed, bool *fresh);
EXP_NODISCARD int run_keep_seed(struct txn *txn, const struct run *r, struct exp_error *err);

#endif

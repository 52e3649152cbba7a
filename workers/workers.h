/*
 * workers.h: the threads that do the work: claim a job, run it, publish, erase; and the keeper beside them.
 *
 * Each worker claims one job at a time through storage (earliest due date first, one writer a model) and runs it as
 * straight-line code (run_job.c). The keeper extends the leases of running jobs, passes on cancellations, and has new
 * leaves of the audit log signed into checkpoints.
 *
 * Recovery happens in workers_start, before any thread runs: old leases end, files that nothing refers to are
 * destroyed, draining versions are taken up by their job. A kill at any point loses nothing that was acknowledged and
 * repeats nothing that was published.
 *
 * Ownership: options are copied, what they point to is borrowed and outlives workers_stop.
 * Threads: start and stop from one thread, workers_wake from any.
 */
#ifndef WORKERS_WORKERS_H
#define WORKERS_WORKERS_H

#include <stdint.h>

#include "base/error.h"
#include "model/live.h"
#include "storage/store.h"

struct audit;

struct workers_options {
	struct store *store;
	struct audit *audit;
	struct models *models; /* loaded: models_load has run */
	const char *data_folder;
	unsigned workers;  /* jobs at one time; at least 1 */
	unsigned trainers; /* threads of one job's training; 0: one a core */
	int64_t lease_ms;  /* a job whose worker gave no sign for so long is taken over */
	int64_t drain_timeout_ms;
	int64_t checkpoint_ms; /* new leaves are signed at least this often */

	/* Called after a request, job or model changed; any worker thread. NULL is fine. */
	void (*changed)(void *arg);
	void *changed_arg;
};

struct workers;

/* Recovers, then starts the threads. EXP_ECORRUPT and EXP_EIO from recovery, EXP_EMEMORY. */
EXP_NODISCARD int workers_start(const struct workers_options *options, struct workers **out, struct exp_error *err);

/* Something was enqueued: an idle worker looks at once. */
void workers_wake(struct workers *w);

/*
 * No new claims; running jobs are asked to stop and given back to the queue, where the next start takes them up. Waits
 * until every thread has ended; jobs look at least once a second or between two batches. NULL is fine.
 */
void workers_stop(struct workers *w);

#endif

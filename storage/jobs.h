/*
 * jobs.h: the queue. Jobs with leases, heartbeats and a fence; one writer per model; earliest due date first.
 *
 * A claim gives a lease: a random lease id, and a fence that grows with every claim of the job. Everything that a
 * worker does to its job names the lease; when another worker has claimed the job since, it fails with EXP_EFENCED and
 * the operation that it is part of is undone. So a worker that was thought dead can come back and do no harm: run
 * jobs_publish in the same operation as the publication, jobs_check in that of anything else.
 *
 * A lease that ran out makes the job claimable again: a job before `published` goes back to `queued` and runs again
 * (its checkpoint is kept), from `published` on it goes on in its state. A claim counts as an attempt; a job that comes
 * with attempt > max_attempts has killed its workers and is to be failed, not run.
 *
 * A claimable job is not terminal, its not_before has passed, nobody holds its lease, no other job of the model holds a
 * lease or stands in a state that holds the model (job_state.def), and no register job of the model is unfinished
 * before it.
 */
#ifndef STORAGE_JOBS_H
#define STORAGE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/db.h"
#include "storage/job_state.h"
#include "storage/requests.h"

enum {
	JOB_WORKER = 65,
	JOB_PHASE = 129,
	JOB_MESSAGE = EXP_ERROR_MESSAGE,
	JOB_ATTACH_MAX = 256, /* requests of a job beyond which no other is attached */
};

struct job_lease {
	char job[ID_TEXT];
	char id[ID_TEXT];
	int64_t fence;
};

struct stored_job {
	char id[ID_TEXT];
	enum job_kind kind;
	char model[DB_NAME];
	enum job_state state;
	int64_t created_at, not_before, due_at;
	char worker[JOB_WORKER]; /* "" when nobody holds the lease, like the next three */
	char lease[ID_TEXT];
	int64_t lease_expires_at, heartbeat_at;
	int64_t fence; /* 0: never claimed */
	int64_t attempt, max_attempts;
	bool cancel_requested;
	char phase[JOB_PHASE];                 /* text for people, "" before the first */
	int64_t progress_done, progress_total; /* total 0: unknown */
	int64_t published_version;             /* 0: none */
	char *checkpoint;                      /* JSON that a later run resumes from, or NULL */
	int error_code;                        /* of the last failure, 0 for none */
	char error_message[JOB_MESSAGE];
	int64_t updated_at, finished_at;
};

struct job_new {
	enum job_kind kind;
	const char *model;
	int64_t not_before;     /* 0: at once */
	int64_t due_at;         /* 0: no legal clock, runs after those that have one */
	int64_t max_attempts;   /* 0: 5 */
	const char *checkpoint; /* JSON to start from, or NULL */
};

/* Queues a job. EXP_ECONFLICT: the model is not there. */
EXP_NODISCARD int jobs_enqueue(struct txn *txn, const struct job_new *job, char id[ID_TEXT], struct exp_error *err);

/*
 * Coalesces: binds the request to the job of this kind that waits for the model and was never claimed, and takes the
 * earlier due date; its not_before stays, so that a stream of requests cannot put it off for ever. EXP_ENOTFOUND (err
 * is left alone): there is none with fewer than JOB_ATTACH_MAX requests, so enqueue one and bind the request with
 * jobs_bind.
 */
EXP_NODISCARD int jobs_attach(struct txn *txn, const char *model, enum job_kind kind, const char *request,
			      int64_t due_at, char id[ID_TEXT], struct exp_error *err);

/* Binds a request to a job. Idempotent. EXP_ECONFLICT: one of them is not there. */
EXP_NODISCARD int jobs_bind(struct txn *txn, const char *job, const char *request, struct exp_error *err);

/* Lets the job start at not_before when that is earlier than what it has. A job that is gone or earlier stays. */
EXP_NODISCARD int jobs_hasten(struct txn *txn, const char *id, int64_t not_before, struct exp_error *err);

/* Unbinds a request from a job that was never claimed (the request was cancelled); a job without requests is cancelled
 * with it. EXP_ECONFLICT: a worker has it already. EXP_ENOTFOUND: not bound. */
EXP_NODISCARD int jobs_unbind(struct txn *txn, const char *job, const char *request, struct exp_error *err);

/*
 * Claims the best claimable job for lease_ms and gives it as it is after the claim; out->lease and out->fence make the
 * lease (job_lease_of). EXP_ENOTFOUND (err is left alone): nothing is claimable.
 */
EXP_NODISCARD int jobs_claim(struct txn *txn, const char *worker, int64_t lease_ms, struct stored_job *out,
			     struct exp_error *err);
void job_lease_of(const struct stored_job *job, struct job_lease *lease);

/* When next the clock alone makes a job claimable (its not_before, the end of a lease); 0: it will not. */
EXP_NODISCARD int jobs_next_at(struct db *db, int64_t *at, struct exp_error *err);

/* At start, when no worker of this process can live: every lease is over. *count says how many were. */
EXP_NODISCARD int jobs_expire_leases(struct txn *txn, int64_t *count, struct exp_error *err);

/* 0, or EXP_EFENCED when the lease is not the job's present one. All functions below that take a lease begin with it.
 */
EXP_NODISCARD int jobs_check(struct db *db, const struct job_lease *lease, struct exp_error *err);

/* Extends the lease to lease_ms from now; *cancel says whether somebody asked to cancel. */
EXP_NODISCARD int jobs_heartbeat(struct txn *txn, const struct job_lease *lease, int64_t lease_ms, bool *cancel,
				 struct exp_error *err);

/* EXP_ECONFLICT: the job is not in from, or the table has no such move. Terminal states give the lease up. `published`
 * is reached by jobs_publish only, `failed` by jobs_fail (EXP_EINVAL). */
EXP_NODISCARD int jobs_move(struct txn *txn, const struct job_lease *lease, enum job_state from, enum job_state to,
			    struct exp_error *err);

/* staged → published, and the version that was published. EXP_ECONFLICT as above. */
EXP_NODISCARD int jobs_publish(struct txn *txn, const struct job_lease *lease, int64_t version, struct exp_error *err);

/* phase NULL keeps the text. */
EXP_NODISCARD int jobs_progress(struct txn *txn, const struct job_lease *lease, const char *phase, int64_t done,
				int64_t total, struct exp_error *err);

/* checkpoint NULL clears it. */
EXP_NODISCARD int jobs_checkpoint(struct txn *txn, const struct job_lease *lease, const char *checkpoint,
				  struct exp_error *err);

/* → failed. EXP_ECONFLICT: from `published` on a job cannot fail, only be retried. */
EXP_NODISCARD int jobs_fail(struct txn *txn, const struct job_lease *lease, int code, const char *message,
			    struct exp_error *err);

/* Gives the lease up and lets the job come back after delay_ms: `queued` before `published`, in its state from there
 * on. */
EXP_NODISCARD int jobs_retry(struct txn *txn, const struct job_lease *lease, int64_t delay_ms, int code,
			     const char *message, struct exp_error *err);

/* As jobs_retry, but nothing went wrong (a wait, a stop of the daemon): the claim does not count as an attempt. */
EXP_NODISCARD int jobs_release(struct txn *txn, const struct job_lease *lease, int64_t delay_ms, struct exp_error *err);

/* The back-off that goes with an attempt: 2^(attempt - 1) seconds, at most 15 minutes, plus up to a quarter of it at
 * random. */
int64_t job_backoff_ms(int64_t attempt);

/*
 * Asks a job to stop. One that no worker holds is cancelled at once, else its next heartbeat tells the worker. *done
 * says whether it is cancelled already. EXP_ECONFLICT: published or over. EXP_ENOTFOUND.
 */
EXP_NODISCARD int jobs_cancel(struct txn *txn, const char *id, bool *done, struct exp_error *err);

EXP_NODISCARD int jobs_get(struct db *db, const char *id, struct stored_job *out,
			   struct exp_error *err); /* EXP_ENOTFOUND */
void stored_job_fini(struct stored_job *job);

/* 0 and NULL mean: any. */
struct job_filter {
	unsigned states, kinds; /* bits 1u << JOB_… */
	const char *model;
	const char *request;
	size_t page_size;
	const char *page_token;
};

struct stored_job_page {
	struct stored_job *items;
	size_t count;
	char next[DB_PAGE_TOKEN];
};

EXP_NODISCARD int jobs_list(struct db *db, const struct job_filter *filter, struct stored_job_page *out,
			    struct exp_error *err);
void stored_job_page_fini(struct stored_job_page *page);

/* The requests that a job serves, oldest first. */
EXP_NODISCARD int jobs_requests(struct db *db, const char *id, struct id_list *out, struct exp_error *err);

EXP_NODISCARD int jobs_count(struct db *db, int64_t by_state[JOB_STATE_COUNT], struct exp_error *err);

#endif

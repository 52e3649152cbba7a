/*
 * attempts.h: what a job tried, one method with one set of parameters at a time, and the verdict for each request.
 */
#ifndef STORAGE_ATTEMPTS_H
#define STORAGE_ATTEMPTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/db.h"
#include "storage/jobs.h"
#include "storage/request_state.h"

struct stored_attempt {
	char job[ID_TEXT];
	int64_t ordinal; /* from 1, by job; goes on growing when the job runs again */
	char method[DB_NAME];
	char *parameters; /* JSON */
	char *summary;    /* JSON, NULL until finished */
	double seconds;
	int64_t started_at, finished_at;
};

struct stored_attempt_list {
	struct stored_attempt *items;
	size_t count;
};

/* EXP_EFENCED, as for every function with a lease. */
EXP_NODISCARD int attempts_start(struct txn *txn, const struct job_lease *lease, const char *method,
				 const char *parameters, int64_t *ordinal, struct exp_error *err);

/* EXP_ENOTFOUND. EXP_ECONFLICT: finished before. */
EXP_NODISCARD int attempts_finish(struct txn *txn, const struct job_lease *lease, int64_t ordinal, const char *summary,
				  double seconds, struct exp_error *err);

/* By ordinal. */
EXP_NODISCARD int attempts_list(struct db *db, const char *job, struct stored_attempt_list *out, struct exp_error *err);
void stored_attempt_list_fini(struct stored_attempt_list *list);

struct attempt_verdict {
	char request[ID_TEXT];
	enum request_verdict verdict;
	char *evidence; /* JSON, or NULL */
};

struct attempt_verdict_list {
	struct attempt_verdict *items;
	size_t count;
};

/* EXP_EEXISTS: the attempt has a verdict for the request. EXP_ECONFLICT: attempt or request are not there. */
EXP_NODISCARD int attempts_add_verdict(struct txn *txn, const struct job_lease *lease, int64_t ordinal,
				       const struct attempt_verdict *verdict, struct exp_error *err);

/* By request. */
EXP_NODISCARD int attempts_verdicts(struct db *db, const char *job, int64_t ordinal, struct attempt_verdict_list *out,
				    struct exp_error *err);
void attempt_verdict_list_fini(struct attempt_verdict_list *list);

#endif

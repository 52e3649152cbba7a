/*
 * settle.h: the three axes of requests, moved together with the job that serves them.
 *
 * A request that touches several models stands where the least advanced of them stands: it is completed when all are,
 * its outcome is mitigated until all are erased, its verdict is the worst of theirs.
 */
#ifndef WORKERS_SETTLE_H
#define WORKERS_SETTLE_H

#include "storage/requests.h"
#include "workers/run.h"

/*
 * Recomputes a request's axes from its models. Status: running while one model is open and when all are completed (the
 * last step completes it), else failed, or partially_completed. reason: a slug, or NULL to keep what is there. A closed
 * request stays as it is.
 */
EXP_NODISCARD int settle_request(struct txn *txn, const char *request, const char *reason, struct exp_error *err);

/* How a request fares on this job's model. evidence: JSON text or NULL. Recomputes the request and tells the timeline.
 */
struct settle_model {
	const char *request;
	enum request_status status;
	enum request_outcome outcome;
	enum request_verdict verdict;
	const char *evidence;
};

EXP_NODISCARD int settle_model(struct txn *txn, const struct run *r, const struct settle_model *m,
			       struct exp_error *err);

/* The job is over without having done its work: its requests have failed on this model, and as a whole when no other
 * model is open. */
EXP_NODISCARD int settle_failure(struct txn *txn, const struct run *r, const char *reason, struct exp_error *err);

/* How a request fares on a model, without the evidence. EXP_ENOTFOUND. */
EXP_NODISCARD int settle_fare(struct db *db, const char *request, const char *model, struct request_model *out,
			      struct exp_error *err);

/* Whether every model of a request is COMPLETED. */
EXP_NODISCARD int settle_is_over(struct db *db, const char *request, bool *over, struct exp_error *err);

/* storage's name for verify's verdict. */
enum request_verdict settle_verdict(const char *name);

#endif

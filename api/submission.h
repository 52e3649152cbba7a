/*
 * submission.h: a deletion request taken in, as one operation of the writer.
 *
 * Idempotency, the record, the link to the person, the tombstones, the jobs, the leaf and the messages become durable
 * together, the request's key in keys.db just before (storage/keys.h). What is found of the person decides what
 * happens:
 *
 *   rows in datasets         queued: an unlearn job for each model of those datasets, shared with requests that wait
 * already; also when all rows are held-out ones (then the job has nothing to unlearn, only to overwrite) none, but
 * erased before  completed, already_erased none                     completed, not_found; both with leaf and receipt
 * and without a job
 *
 * Threads: submission_run on the writer's thread.
 */
#ifndef API_SUBMISSION_H
#define API_SUBMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "api/auth.h"
#include "api/subject_claim.h"
#include "storage/idempotency.h"
#include "storage/keys.h"

struct submission {
	struct subject_claim claim;
	uint8_t key[KEYS_SIZE]; /* this request's; wipe */
	char submitted_by[AUTH_ID];
	char id[ID_TEXT]; /* of the new request; afterwards of the earlier one, when the same key made it */
	bool has_idempotency;
	struct idempotency_key idempotency;
	bool is_known;  /* out: nothing was done, id names the earlier request */
	bool is_queued; /* out: workers have something to do */
};

EXP_NODISCARD int submission_run(struct txn *txn, struct submission *s, struct exp_error *err);

/*
 * Puts a request on the queue of one model: coalesced with an unlearn job that waits, or as a new one; and records how
 * it stands there. Also for a model that is registered while the request is open.
 */
EXP_NODISCARD int submission_queue_model(struct txn *txn, const char *request, const char *model, int64_t due_at,
					 struct exp_error *err);

#endif

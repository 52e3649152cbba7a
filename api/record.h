/*
 * record.h: what an operation of this folder leaves behind beside its change: a leaf of the log, an event of the
 * timeline and a message for the outbox. To be called inside the operation, so that all of it is durable together.
 * Threads: the writer's.
 */
#ifndef API_RECORD_H
#define API_RECORD_H

#include "base/json.h"
#include "proof/leaf.h"
#include "storage/db.h"

/* Appends a leaf; takes over fields. request may be NULL. *index may be NULL. */
EXP_NODISCARD int record_leaf(struct txn *txn, enum leaf_type type, json_t *fields, const char *request, int64_t *index,
			      struct exp_error *err);

/* An event about a request or a job (either may be NULL), and a message of the same topic; data (taken over) may be
 * NULL. */
EXP_NODISCARD int record_event(struct txn *txn, const char *kind, const char *request, const char *job, json_t *data,
			       struct exp_error *err);

EXP_NODISCARD int record_message(struct txn *txn, const char *topic, const char *request, struct exp_error *err);

#endif

/*
 * outbox.h: messages to the outside, written in the transaction that they tell of, delivered later.
 */
#ifndef STORAGE_OUTBOX_H
#define STORAGE_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

struct stored_message {
	int64_t id;
	char topic[DB_NAME];
	char *body; /* JSON */
	int64_t created_at, next_at, delivered_at;
	int64_t attempts;
};

struct stored_message_list {
	struct stored_message *items;
	size_t count;
};

EXP_NODISCARD int outbox_put(struct txn *txn, const char *topic, const char *body, int64_t *id, struct exp_error *err);

/* Undelivered messages whose next_at has come, oldest first, at most limit (1 to 1000). */
EXP_NODISCARD int outbox_due(struct db *db, int64_t now_ms, size_t limit, struct stored_message_list *out,
			     struct exp_error *err);
void stored_message_list_fini(struct stored_message_list *list);

EXP_NODISCARD int outbox_delivered(struct txn *txn, int64_t id, struct exp_error *err); /* EXP_ENOTFOUND */

/* Counts an attempt and puts the next one off to next_at. EXP_ENOTFOUND. */
EXP_NODISCARD int outbox_failed(struct txn *txn, int64_t id, int64_t next_at, struct exp_error *err);

/* Removes messages delivered before before_ms. */
EXP_NODISCARD int outbox_sweep(struct txn *txn, int64_t before_ms, struct exp_error *err);

#endif

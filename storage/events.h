/*
 * events.h: the timeline that people watch: small facts about jobs and requests, in order. Not evidence: that is the
 * log.
 */
#ifndef STORAGE_EVENTS_H
#define STORAGE_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/db.h"

struct stored_event {
	int64_t sequence; /* grows, never reused */
	int64_t at;
	char job[ID_TEXT];     /* "" for none */
	char request[ID_TEXT]; /* "" for none */
	char kind[DB_NAME];    /* lower_snake_case */
	char *data;            /* small JSON without identifiers, or NULL */
};

struct stored_event_list {
	struct stored_event *items;
	size_t count;
};

/* sequence and at are ignored. */
EXP_NODISCARD int events_append(struct txn *txn, const struct stored_event *event, struct exp_error *err);

/* Events after a sequence number, oldest first, at most limit (1 to 1000). job and request narrow it down; NULL or ""
 * is any; a job's events do not count as its requests'. */
EXP_NODISCARD int events_after(struct db *db, int64_t sequence, const char *job, const char *request, size_t limit,
			       struct stored_event_list *out, struct exp_error *err);
void stored_event_list_fini(struct stored_event_list *list);

/* Removes events older than before_ms. */
EXP_NODISCARD int events_sweep(struct txn *txn, int64_t before_ms, struct exp_error *err);

#endif

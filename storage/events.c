#include "storage/events.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { APPEND, AFTER, AFTER_OF_JOB, AFTER_OF_REQUEST, SWEEP };

enum { LIMIT_MAX = 1000 };

#define SELECT "SELECT sequence, at, job, request, kind, data FROM events WHERE sequence > ?1 "

static const struct statement statements[] = {
	[APPEND] = { "INSERT INTO events (at, job, request, kind, data) VALUES (?, ?, ?, ?, ?)", NULL },
	[AFTER] = { SELECT "ORDER BY sequence LIMIT ?2", "events" },
	[AFTER_OF_JOB] = { SELECT "AND job = ?3 AND (?4 IS NULL OR request = ?4) ORDER BY sequence LIMIT ?2",
			   "events_by_job" },
	[AFTER_OF_REQUEST] = { SELECT "AND ?3 IS NULL AND request = ?4 ORDER BY sequence LIMIT ?2",
			       "events_by_request" },
	[SWEEP] = { "DELETE FROM events WHERE at < ?", "events_by_time" },
};

const struct table events_table = TABLE("events", statements);

static void read_event(struct query *q, void *item)
{
	struct stored_event *e = item;

	e->sequence = query_int(q);
	e->at = query_int(q);
	query_text(q, e->job, sizeof(e->job));
	query_text(q, e->request, sizeof(e->request));
	query_text(q, e->kind, sizeof(e->kind));
	e->data = query_string(q);
}

static void free_event(void *item)
{
	mem_free(((struct stored_event *)item)->data);
}

static const struct row_type event_type = { sizeof(struct stored_event), read_event, free_event };

int events_append(struct txn *txn, const struct stored_event *event, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_EVENTS, APPEND);
	query_bind_int(&q, clock_now_ms());
	query_bind_optional(&q, event->job);
	query_bind_optional(&q, event->request);
	query_bind_name(&q, event->kind);
	query_bind_text(&q, event->data);
	return query_run(&q, NULL, err);
}

int events_after(struct db *db, int64_t sequence, const char *job, const char *request, size_t limit,
		 struct stored_event_list *out, struct exp_error *err)
{
	bool of_job = job && *job, of_request = request && *request;
	struct row_list list;
	struct query q;
	int rc;

	if (!limit || limit > LIMIT_MAX)
		return error_set(err, EXP_EINVAL, "limit is 1 to %d", LIMIT_MAX);
	query_start(&q, db, TABLE_EVENTS, of_job ? AFTER_OF_JOB : of_request ? AFTER_OF_REQUEST : AFTER);
	query_bind_int(&q, sequence);
	query_bind_int(&q, (int64_t)limit);
	if (of_job || of_request) {
		query_bind_optional(&q, job);
		query_bind_optional(&q, request);
	}
	rc = query_all(&q, &event_type, &list, err);
	if (!rc)
		*out = (struct stored_event_list){ list.items, list.count };
	return rc;
}

void stored_event_list_fini(struct stored_event_list *list)
{
	row_list_free(&event_type, list->items, list->count);
	*list = (struct stored_event_list){ 0 };
}

int events_sweep(struct txn *txn, int64_t before_ms, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_EVENTS, SWEEP);
	query_bind_int(&q, before_ms);
	return query_run(&q, NULL, err);
}

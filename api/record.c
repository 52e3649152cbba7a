#include "api/record.h"

#include <stdio.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "storage/events.h"
#include "storage/outbox.h"

int record_leaf(struct txn *txn, enum leaf_type type, json_t *fields, const char *request, int64_t *index,
		struct exp_error *err)
{
	int rc = audit_append(txn, type, fields, request, index, err);

	json_decref(fields);
	return rc;
}

int record_event(struct txn *txn, const char *kind, const char *request, const char *job, json_t *data,
		 struct exp_error *err)
{
	struct stored_event event = { 0 };
	struct buf text = { 0 };
	int rc;

	snprintf(event.kind, sizeof(event.kind), "%s", kind);
	snprintf(event.request, sizeof(event.request), "%s", request ? request : "");
	snprintf(event.job, sizeof(event.job), "%s", job ? job : "");
	if (data) {
		json_write(data, false, &text);
		event.data = text.data;
	}
	rc = events_append(txn, &event, err);
	buf_fini(&text);
	json_decref(data);
	return rc;
}

int record_message(struct txn *txn, const char *topic, const char *request, struct exp_error *err)
{
	char time[CLOCK_RFC3339];
	json_t *body = json_pack("{s:s, s:s, s:{s:s}}", "type", topic, "timestamp", clock_format(clock_now_ms(), time),
				 "data", "request", request);
	struct buf text = { 0 };
	int64_t id;
	int rc;

	json_write(body, false, &text);
	rc = outbox_put(txn, topic, text.data, &id, err);
	buf_fini(&text);
	json_decref(body);
	return rc;
}

#include "storage/outbox.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { PUT, DUE, DELIVERED, FAILED, SWEEP };

enum { LIMIT_MAX = 1000 };

static const struct statement statements[] = {
	[PUT] = { "INSERT INTO outbox (topic, body, created_at, next_at) VALUES (?1, ?2, ?3, ?3) RETURNING id", NULL },
	[DUE] = { "SELECT id, topic, body, created_at, next_at, delivered_at, attempts FROM outbox WHERE "
		  "delivered_at IS NULL AND next_at <= ? ORDER BY next_at, id LIMIT ?",
		  "outbox_due" },
	[DELIVERED] = { "UPDATE outbox SET delivered_at = coalesce(delivered_at, ?) WHERE id = ?", "outbox" },
	[FAILED] = { "UPDATE outbox SET attempts = attempts + 1, next_at = ? WHERE id = ?", "outbox" },
	[SWEEP] = { "DELETE FROM outbox WHERE delivered_at IS NOT NULL AND delivered_at < ?", "outbox_delivered" },
};

const struct table outbox_table = TABLE("outbox", statements);

static void read_message(struct query *q, void *item)
{
	struct stored_message *m = item;

	m->id = query_int(q);
	query_text(q, m->topic, sizeof(m->topic));
	m->body = query_string(q);
	m->created_at = query_int(q);
	m->next_at = query_int(q);
	m->delivered_at = query_int(q);
	m->attempts = query_int(q);
}

static void free_message(void *item)
{
	mem_free(((struct stored_message *)item)->body);
}

static const struct row_type message_type = { sizeof(struct stored_message), read_message, free_message };

int outbox_put(struct txn *txn, const char *topic, const char *body, int64_t *id, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_OUTBOX, PUT);
	query_bind_name(&q, topic);
	query_bind_text(&q, body);
	query_bind_int(&q, clock_now_ms());
	return query_number(&q, id, err);
}

int outbox_due(struct db *db, int64_t now_ms, size_t limit, struct stored_message_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	if (!limit || limit > LIMIT_MAX)
		return error_set(err, EXP_EINVAL, "limit is 1 to %d", LIMIT_MAX);
	query_start(&q, db, TABLE_OUTBOX, DUE);
	query_bind_int(&q, now_ms);
	query_bind_int(&q, (int64_t)limit);
	rc = query_all(&q, &message_type, &list, err);
	if (!rc)
		*out = (struct stored_message_list){ list.items, list.count };
	return rc;
}

void stored_message_list_fini(struct stored_message_list *list)
{
	row_list_free(&message_type, list->items, list->count);
	*list = (struct stored_message_list){ 0 };
}

static int mark(struct txn *txn, int statement, int64_t at, int64_t id, struct exp_error *err)
{
	char key[24];
	struct query q;

	snprintf(key, sizeof(key), "%lld", (long long)id);
	query_start(&q, txn_db(txn), TABLE_OUTBOX, statement);
	query_bind_int(&q, at);
	query_bind_int(&q, id);
	return query_run_on(&q, "outbox message", key, err);
}

int outbox_delivered(struct txn *txn, int64_t id, struct exp_error *err)
{
	return mark(txn, DELIVERED, clock_now_ms(), id, err);
}

int outbox_failed(struct txn *txn, int64_t id, int64_t next_at, struct exp_error *err)
{
	return mark(txn, FAILED, next_at, id, err);
}

int outbox_sweep(struct txn *txn, int64_t before_ms, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_OUTBOX, SWEEP);
	query_bind_int(&q, before_ms);
	return query_run(&q, NULL, err);
}

#include "storage/idempotency.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { GET, PUT, SWEEP };

static const struct statement statements[] = {
	[GET] = { "SELECT fingerprint, request FROM idempotency WHERE token = ? AND key = ? AND expires_at > ?",
		  "idempotency" },
	[PUT] = { "INSERT INTO idempotency (token, key, fingerprint, request, created_at, expires_at) VALUES (?, "
		  "?, ?, ?, ?, ?) ON CONFLICT (token, key) DO UPDATE SET fingerprint = excluded.fingerprint, "
		  "request = excluded.request, created_at = excluded.created_at, expires_at = excluded.expires_at",
		  NULL },
	[SWEEP] = { "DELETE FROM idempotency WHERE expires_at < ?", "idempotency_by_expiry" },
};

const struct table idempotency_table = TABLE("idempotency", statements);

struct binding {
	uint8_t fingerprint[DB_HASH];
	char request[ID_TEXT];
};

static void read_binding(struct query *q, void *item)
{
	struct binding *b = item;

	query_blob(q, b->fingerprint, sizeof(b->fingerprint));
	query_text(q, b->request, sizeof(b->request));
}

static const struct row_type binding_type = { sizeof(struct binding), read_binding, NULL };

static int put(struct txn *txn, const struct idempotency_key *key, const char *request, int64_t now,
	       struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_IDEMPOTENCY, PUT);
	query_bind_text(&q, key->token);
	query_bind_blob(&q, key->key, sizeof(key->key));
	query_bind_blob(&q, key->fingerprint, sizeof(key->fingerprint));
	query_bind_text(&q, request);
	query_bind_int(&q, now);
	query_bind_int(&q, key->expires_at);
	return query_run(&q, NULL, err);
}

int idempotency_claim(struct txn *txn, const struct idempotency_key *key, const char *request, bool *known,
		      char existing[ID_TEXT], struct exp_error *err)
{
	int64_t now = clock_now_ms();
	struct binding b;
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_IDEMPOTENCY, GET);
	query_bind_text(&q, key->token);
	query_bind_blob(&q, key->key, sizeof(key->key));
	query_bind_int(&q, now);
	rc = query_one(&q, &binding_type, &b, NULL, NULL, err);
	if (rc == EXP_ENOTFOUND) {
		rc = put(txn, key, request, now, err);
		*known = rc ? *known : false;
		return rc;
	}
	if (rc)
		return rc;
	if (!crypto_equal(b.fingerprint, key->fingerprint, sizeof(b.fingerprint)))
		return error_set(err, EXP_EIDEMPOTENT,
				 "this Idempotency-Key came with another request before; use a new one");
	*known = true;
	memcpy(existing, b.request, ID_TEXT);
	return 0;
}

int idempotency_sweep(struct txn *txn, int64_t now_ms, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_IDEMPOTENCY, SWEEP);
	query_bind_int(&q, now_ms);
	return query_run(&q, NULL, err);
}

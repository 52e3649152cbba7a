#include "storage/keys.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/requests.h"
#include "storage/store_internal.h"
#include "storage/writer.h"

enum { PUT, GET, DELETE, OLD, GET_SECRET, PUT_SECRET };
enum { LINKED };

enum { ORPHAN_AGE_MS = 60000 };

static const struct statement statements[] = {
	[PUT] = { "INSERT INTO request_keys (request, key, created_at) VALUES (?, ?, ?)", NULL },
	[GET] = { "SELECT key FROM request_keys WHERE request = ?", "request_keys" },
	[DELETE] = { "DELETE FROM request_keys WHERE request = ?", "request_keys" },
	[OLD] = { "SELECT request FROM request_keys WHERE created_at < ?", NULL },
	[GET_SECRET] = { "SELECT value FROM secrets WHERE name = ?", "secrets" },
	[PUT_SECRET] = { "INSERT INTO secrets (name, value, created_at) VALUES (?, ?, ?)", NULL },
};

static const struct statement link_statements[] = {
	[LINKED] = { "SELECT EXISTS (SELECT 1 FROM request_subjects WHERE request = ?1) OR EXISTS (SELECT 1 FROM "
		     "leaves WHERE request = ?1)",
		     "leaves_by_request" },
};

const struct table keys_table = TABLE("keys", statements);
const struct table key_links_table = TABLE("key_links", link_statements);

int keys_put(struct txn *txn, const char *request, const uint8_t key[KEYS_SIZE], struct exp_error *err)
{
	struct query q;
	struct db *keys;
	int rc = txn_keys(txn, &keys, err);

	if (rc)
		return rc;
	query_start(&q, keys, TABLE_KEYS, PUT);
	query_bind_text(&q, request);
	query_bind_blob(&q, key, KEYS_SIZE);
	query_bind_int(&q, clock_now_ms());
	rc = query_run(&q, NULL, err);
	return rc == EXP_EEXISTS ? error_set(err, rc, "request %s has a key already", request) : rc;
}

static void read_key(struct query *q, void *item)
{
	query_blob(q, item, KEYS_SIZE);
}

static const struct row_type key_type = { KEYS_SIZE, read_key, NULL };

int keys_get(struct txn *txn, const char *request, uint8_t key[KEYS_SIZE], struct exp_error *err)
{
	struct query q;
	struct db *keys;
	int rc = txn_keys(txn, &keys, err);

	if (rc)
		return rc;
	query_start(&q, keys, TABLE_KEYS, GET);
	query_bind_text(&q, request);
	return query_one(&q, &key_type, key, "the key of request", request, err);
}

int keys_destroy(struct txn *txn, const char *request, struct exp_error *err)
{
	int64_t linked;
	struct query q;
	int rc;

	if (!id_is_valid(request))
		return error_set(err, EXP_EINVAL, "'%s' is not the id of a request", request);
	query_start(&q, txn_db(txn), TABLE_KEY_LINKS, LINKED);
	query_bind_text(&q, request);
	rc = query_number(&q, &linked, err);
	if (!rc && linked)
		rc = error_set(err, EXP_ECONFLICT, "request %s is still linked to its subject or its leaves", request);
	return rc ? rc : txn_destroy_later(txn, request, err);
}

static int delete_key(struct db *keys, const char *request, struct exp_error *err)
{
	struct query q;

	query_start(&q, keys, TABLE_KEYS, DELETE);
	query_bind_text(&q, request);
	return query_run(&q, NULL, err);
}

int keys_delete_now(struct db *keys, char (*requests)[ID_TEXT], size_t count, struct exp_error *err)
{
	int rc = db_run(keys, "BEGIN IMMEDIATE", err);

	for (size_t i = 0; !rc && i < count; i++)
		rc = delete_key(keys, requests[i], err);
	if (!rc)
		rc = db_run(keys, "COMMIT", err);
	if (rc && db_in_transaction(keys))
		(void)!db_run(keys, "ROLLBACK", NULL);
	return rc ? rc : db_truncate(keys, err);
}

struct secret {
	uint8_t value[SECRET_MAX];
	size_t size;
};

static void read_secret(struct query *q, void *item)
{
	struct secret *s = item;

	s->size = query_size(q);
	query_blob(q, s->value, s->size < sizeof(s->value) ? s->size : sizeof(s->value));
}

static const struct row_type secret_type = { sizeof(struct secret), read_secret, NULL };

static int create_secret(struct db *keys, const char *name, uint8_t *out, size_t size, struct exp_error *err)
{
	uint8_t fresh[SECRET_MAX];
	struct query q;
	int rc;

	crypto_random(fresh, size);
	query_start(&q, keys, TABLE_KEYS, PUT_SECRET);
	query_bind_name(&q, name);
	query_bind_blob(&q, fresh, size);
	query_bind_int(&q, clock_now_ms());
	rc = query_run(&q, NULL, err);
	if (!rc)
		memcpy(out, fresh, size);
	sodium_memzero(fresh, sizeof(fresh));
	return rc;
}

int secrets_get_or_create(struct txn *txn, const char *name, uint8_t *out, size_t size, struct exp_error *err)
{
	struct secret secret = { 0 };
	struct query q;
	struct db *keys;
	int rc = txn_keys(txn, &keys, err);

	if (rc)
		return rc;
	if (!size || size > SECRET_MAX)
		return error_set(err, EXP_EINVAL, "a secret has 1 to %d bytes", SECRET_MAX);
	query_start(&q, keys, TABLE_KEYS, GET_SECRET);
	query_bind_text(&q, name);
	rc = query_one(&q, &secret_type, &secret, NULL, NULL, err);
	if (rc == EXP_ENOTFOUND)
		return create_secret(keys, name, out, size, err);
	if (!rc && secret.size != size)
		rc = error_set(err, EXP_EINVAL, "secret '%s' has %zu bytes, not %zu", name, secret.size, size);
	if (!rc)
		memcpy(out, secret.value, size);
	sodium_memzero(&secret, sizeof(secret));
	return rc;
}

static void read_id(struct query *q, void *item)
{
	query_text(q, item, ID_TEXT);
}

static const struct row_type id_type = { ID_TEXT, read_id, NULL };

/* Keys that are old enough for their request to have been committed, if it ever was. */
static int sweep(struct txn *txn, void *arg, struct exp_error *err)
{
	int64_t *count = arg, change;
	struct row_list old;
	struct query q;
	struct db *keys;
	int rc = txn_keys(txn, &keys, err);

	if (rc)
		return rc;
	query_start(&q, keys, TABLE_KEYS, OLD);
	query_bind_int(&q, clock_now_ms() - ORPHAN_AGE_MS);
	rc = query_all(&q, &id_type, &old, err);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < old.count; i++) {
		const char *id = (const char *)old.items + i * ID_TEXT;

		rc = requests_change(txn_db(txn), id, &change, NULL);
		if (rc == EXP_ENOTFOUND) {
			rc = txn_destroy_later(txn, id, err);
			*count += !rc;
		}
	}
	row_list_free(&id_type, old.items, old.count);
	return rc;
}

int keys_sweep_orphans(struct store *s, int64_t *count, struct exp_error *err)
{
	int64_t swept = 0;
	int rc = writer_call(s, sweep, &swept, err);

	if (!rc && count)
		*count = swept;
	return rc;
}

#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/deletion_request.h"
#include "api/render.h"
#include "api/submission.h"
#include "base/clock.h"

enum { KEY_MAX = 255, KEY_LIFETIME_MS = 24 * 3600 * 1000, RETRY_AFTER_S = 2 };

static void state_free(void *state)
{
	sodium_memzero(state, sizeof(struct submission));
}

/* The header's value without the quotes of a structured field. EXP_EINVAL unless it is 1 to 255 printable characters.
 */
static int read_key(const char *header, char key[KEY_MAX + 1], struct exp_error *err)
{
	size_t size = strlen(header);

	if (size >= 2 && header[0] == '"' && header[size - 1] == '"') {
		header++;
		size -= 2;
	}
	if (!size || size > KEY_MAX || strcspn(header, "\"\\") < size)
		return error_set(err, EXP_EPARSE,
				 "Idempotency-Key must be 1 to %d printable characters, quoted or bare", KEY_MAX);
	for (size_t i = 0; i < size; i++)
		if (header[i] < 0x20 || header[i] > 0x7e)
			return error_set(err, EXP_EPARSE, "Idempotency-Key holds a character that is not printable");
	snprintf(key, KEY_MAX + 1, "%.*s", (int)size, header);
	return 0;
}

static int fingerprint(const struct call *c, uint8_t out[DIGEST_SIZE], struct exp_error *err)
{
	struct buf text = { 0 };
	int rc;

	buf_add_text(&text, "POST /v1/deletion-requests\n");
	rc = json_canonical(c->json, &text, err);
	if (!rc)
		hmac_sha256(c->api->idempotency_secret, text.data, text.size, out);
	buf_fini_secret(&text);
	return rc;
}

/* The header's key, or the client's own reference, which says the same. Keys of the two never meet. */
static int read_idempotency(const struct call *c, struct submission *s, struct exp_error *err)
{
	const char *header = call_header(c, "Idempotency-Key");
	char key[KEY_MAX + 1], named[KEY_MAX + 32];
	int rc;

	if (!header && !s->claim.reference[0])
		return 0;
	if (header) {
		rc = read_key(header, key, err);
		if (rc)
			return rc;
		snprintf(named, sizeof(named), "key\x1f%s", key);
	} else {
		snprintf(named, sizeof(named), "request_id\x1f%s", s->claim.reference);
	}
	s->has_idempotency = true;
	snprintf(s->idempotency.token, sizeof(s->idempotency.token), "%s", c->who.id);
	s->idempotency.expires_at = clock_now_ms() + KEY_LIFETIME_MS;
	hmac_sha256(c->api->idempotency_secret, named, strlen(named), s->idempotency.key);
	return fingerprint(c, s->idempotency.fingerprint, err);
}

static int run(struct txn *txn, void *call, struct exp_error *err)
{
	return submission_run(txn, ((struct call *)call)->state, err);
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	const struct submission *s = c->state;

	return deletion_request_render(db, s->id, out, NULL, err);
}

/* The commit is durable. */
static int answer(struct call *c, struct exp_error *err)
{
	const struct submission *s = c->state;
	json_t *json;
	int rc;

	if (s->is_queued)
		api_wake(c->api);
	if (!s->is_known)
		api_notify(c->api);
	rc = render_read(c, build, &json, err);
	if (rc)
		return rc;
	reply_header(c, "Location", "/v1/deletion-requests/%s", s->id);
	reply_header(c, "Retry-After", "%d", RETRY_AFTER_S);
	reply_json(c, 202, json);
	return 0;
}

int api_deletion_request_create(struct call *c, struct exp_error *err)
{
	struct submission *s = call_state_new(c, sizeof(*s), state_free);
	struct claim_keys keys = { c->api->lookup_key, s->key };
	int rc;

	crypto_random(s->key, sizeof(s->key));
	rc = subject_claim_parse(c->json, &keys, clock_now_ms(), &s->claim, err);
	if (!rc)
		rc = read_idempotency(c, s, err);
	if (rc)
		return rc;
	id_new(s->id);
	snprintf(s->submitted_by, sizeof(s->submitted_by), "%s", c->who.id);
	return call_write(c, run, answer);
}

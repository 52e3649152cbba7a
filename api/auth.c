#include "api/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/api_internal.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
	ID_BYTES = 8,
	SECRET_BYTES = 24,
	TAIL = 2 * ID_BYTES + 1 + 2 * SECRET_BYTES, /* <id>_<secret> */
	TOUCH_EVERY_MS = 60 * 1000,
};

static const char prefix[] = "expunge_";

void auth_token_new(enum role role, struct auth_token *out)
{
	uint8_t random[ID_BYTES + SECRET_BYTES];
	char secret[2 * SECRET_BYTES + 1];

	crypto_random(random, sizeof(random));
	out->role = role;
	hex_encode(random, ID_BYTES, out->id);
	hex_encode(random + ID_BYTES, SECRET_BYTES, secret);
	snprintf(out->text, sizeof(out->text), "%s%s_%s_%s", prefix, role_name(role), out->id, secret);
	sha256(out->text, strlen(out->text), out->sha256);
	sodium_memzero(random, sizeof(random));
	sodium_memzero(secret, sizeof(secret));
}

static bool is_hex(const char *text, size_t size)
{
	return strspn(text, "0123456789abcdef") >= size;
}

int auth_token_parse(const char *text, struct auth_token *out)
{
	size_t size = strlen(text), named = sizeof(prefix) - 1;
	char role[32];
	const char *tail;

	if (size >= AUTH_TOKEN || size < named + TAIL + 2 || strncmp(text, prefix, named))
		return EXP_EUNAUTH;
	tail = text + size - TAIL;
	if (tail[-1] != '_' || tail[2 * ID_BYTES] != '_' || !is_hex(tail, 2 * ID_BYTES) ||
	    !is_hex(tail + 2 * ID_BYTES + 1, 2 * SECRET_BYTES))
		return EXP_EUNAUTH;
	if ((size_t)(tail - 1 - (text + named)) >= sizeof(role))
		return EXP_EUNAUTH;
	snprintf(role, sizeof(role), "%.*s", (int)(tail - 1 - (text + named)), text + named);
	if (role_parse(role, &out->role))
		return EXP_EUNAUTH;
	snprintf(out->id, sizeof(out->id), "%.*s", 2 * ID_BYTES, tail);
	memcpy(out->text, text, size + 1);
	sha256(text, size, out->sha256);
	return 0;
}

/* The credentials of "Authorization: Bearer <token>"; the scheme's case does not matter. */
static const char *bearer(const struct call *c)
{
	const char *header = call_header(c, "Authorization");

	if (!header || strncasecmp(header, "Bearer ", 7))
		return NULL;
	return header + 7 + strspn(header + 7, " ");
}

static int refuse(struct call *c, const char *why, struct exp_error *err)
{
	reply_header(c, "WWW-Authenticate", "Bearer realm=\"expunge\", error=\"invalid_token\"");
	return error_set(err, EXP_EUNAUTH, "%s", why);
}

static int judge(struct call *c, const struct auth_token *claim, const struct stored_token *stored,
		 struct exp_error *err)
{
	int64_t now = clock_now_ms();

	if (!crypto_equal(claim->sha256, stored->secret_sha256, DIGEST_SIZE) || claim->role != stored->role)
		return refuse(c, "the token is not known", err);
	if (stored->revoked_at)
		return refuse(c, "the token was revoked", err);
	if (stored->expires_at && stored->expires_at <= now)
		return refuse(c, "the token has expired", err);
	return 0;
}

static int touch_run(struct txn *txn, void *arg, struct exp_error *err)
{
	return tokens_touch(txn, arg, err);
}

static void touch_done(void *arg, int rc, const struct exp_error *err)
{
	(void)rc; /* a time of last use that is missed does no harm */
	(void)err;
	mem_free(arg);
}

static void touch(struct store *store, const struct stored_token *stored)
{
	char *id;

	if (clock_now_ms() - stored->last_used_at < TOUCH_EVERY_MS)
		return;
	id = mem_strdup(stored->id);
	if (writer_submit(store, touch_run, touch_done, id))
		mem_free(id);
}

static int find(struct call *c, const struct auth_token *claim, struct exp_error *err)
{
	struct stored_token stored = { 0 };
	struct store *store = c->api->options.store;
	struct db *db;
	int rc = reader_take(store, &db, err);

	if (rc)
		return rc;
	rc = tokens_get(db, claim->id, &stored, err);
	reader_give(store, db);
	if (rc && rc != EXP_ENOTFOUND)
		return rc;
	rc = judge(c, claim, &stored, err); /* against zeros where there is no such id */
	if (!rc)
		touch(store, &stored);
	return rc;
}

int auth_check(struct call *c, struct exp_error *err)
{
	const struct route *route = c->match.route;
	const char *text = bearer(c);
	struct auth_token claim;
	int rc;

	if (route->scope == SCOPE_PUBLIC ||
	    (route->scope == SCOPE_INFERENCE && c->api->options.open_inference && !text))
		return 0;
	if (!text) {
		reply_header(c, "WWW-Authenticate", "Bearer realm=\"expunge\"");
		return error_set(err, EXP_EUNAUTH, "a bearer token is needed: Authorization: Bearer expunge_…");
	}
	if (auth_token_parse(text, &claim))
		return refuse(c, "the bearer token is not one of expunge's", err);
	rc = find(c, &claim, err);
	sodium_memzero(claim.text, sizeof(claim.text));
	if (rc)
		return rc;
	if (!scope_allows(route->scope, claim.role)) {
		reply_header(c, "WWW-Authenticate",
			     "Bearer realm=\"expunge\", error=\"insufficient_scope\", scope=\"%s\"",
			     scope_name(route->scope));
		return error_set(err, EXP_EFORBIDDEN, "role %s may not do this: it takes the scope %s",
				 role_name(claim.role), scope_name(route->scope));
	}
	c->who.role = claim.role;
	memcpy(c->who.id, claim.id, sizeof(c->who.id));
	return 0;
}

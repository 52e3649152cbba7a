#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/render.h"
#include "api/token.h"
#include "base/clock.h"

struct new_token {
	char name[DB_NAME], expires_at[CLOCK_RFC3339 + 8];
	int role;
	struct auth_token token;
	struct stored_token stored;
};

static const char *const roles[] = {
#define X(symbol, name) name,
#include "storage/role.def"
#undef X
	NULL,
};

#define AT(member) .offset = offsetof(struct new_token, member)
static const struct json_field fields[] = {
	{ .name = "name", .kind = JSON_FIELD_TEXT, .required = true, AT(name), .size = DB_NAME },
	{ .name = "role", .kind = JSON_FIELD_ENUM, .required = true, AT(role), .names = roles },
	{ .name = "expires_at", .kind = JSON_FIELD_TEXT, AT(expires_at), .size = CLOCK_RFC3339 + 8 },
};

static void state_free(void *state)
{
	sodium_memzero(state, sizeof(struct new_token));
}

static int run(struct txn *txn, void *call, struct exp_error *err)
{
	return tokens_insert(txn, &((struct new_token *)((struct call *)call)->state)->stored, err);
}

static int answer(struct call *c, struct exp_error *err)
{
	struct new_token *n = c->state;
	json_t *json;

	(void)err;
	n->stored.created_at = clock_now_ms();
	json = token_render(&n->stored);
	json_object_set_new(json, "token", json_string(n->token.text));
	reply_header(c, "Location", "/v1/tokens/%s", n->stored.id);
	reply_json(c, 201, json);
	return 0;
}

static int read_expiry(const struct new_token *n, int64_t *at, struct exp_error *err)
{
	if (!n->expires_at[0])
		return 0;
	if (clock_parse(n->expires_at, at))
		return error_set_field(err, EXP_EFIELD, "/expires_at", "/expires_at must be a time as in RFC 3339");
	if (*at <= clock_now_ms())
		return error_set_field(err, EXP_ERANGE, "/expires_at", "/expires_at lies in the past");
	return 0;
}

int api_token_create(struct call *c, struct exp_error *err)
{
	struct new_token *n = call_state_new(c, sizeof(*n), state_free);
	int rc = json_fill(c->json, "", fields, sizeof(fields) / sizeof(fields[0]), n, err);

	if (!rc)
		rc = read_expiry(n, &n->stored.expires_at, err);
	if (rc)
		return rc;
	auth_token_new((enum role)n->role, &n->token);
	snprintf(n->stored.id, sizeof(n->stored.id), "%s", n->token.id);
	memcpy(n->stored.name, n->name, sizeof(n->stored.name));
	memcpy(n->stored.secret_sha256, n->token.sha256, DIGEST_SIZE);
	n->stored.role = n->token.role;
	return call_write(c, run, answer);
}

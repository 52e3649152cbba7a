#include "storage/tokens.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { INSERT, GET, LIST, REVOKE, TOUCH };

#define COLUMNS "id, name, role, secret_sha256, created_at, expires_at, revoked_at, last_used_at"

static const struct statement statements[] = {
	[INSERT] = { "INSERT INTO tokens (id, name, role, secret_sha256, created_at, expires_at) VALUES (?, ?, ?, "
		     "?, ?, ?)",
		     NULL },
	[GET] = { "SELECT " COLUMNS " FROM tokens WHERE id = ?", "tokens" },
	[LIST] = { "SELECT " COLUMNS " FROM tokens ORDER BY created_at, id", NULL },
	[REVOKE] = { "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", "tokens" },
	[TOUCH] = { "UPDATE tokens SET last_used_at = ? WHERE id = ?", "tokens" },
};

const struct table tokens_table = TABLE("tokens", statements);

static const char *const roles[] = {
#define X(symbol, name) name,
#include "storage/role.def"
#undef X
};

static const struct names role_names = NAMES("role", roles);

const char *role_name(enum role role)
{
	return names_text(&role_names, (int)role);
}

int role_parse(const char *name, enum role *role)
{
	int value, rc = names_find(&role_names, name, &value);

	if (!rc)
		*role = (enum role)value;
	return rc;
}

static void read_token(struct query *q, void *item)
{
	struct stored_token *t = item;

	query_text(q, t->id, sizeof(t->id));
	query_text(q, t->name, sizeof(t->name));
	t->role = (enum role)query_enum(q, &role_names);
	query_blob(q, t->secret_sha256, sizeof(t->secret_sha256));
	t->created_at = query_int(q);
	t->expires_at = query_int(q);
	t->revoked_at = query_int(q);
	t->last_used_at = query_int(q);
}

static const struct row_type token_type = { sizeof(struct stored_token), read_token, NULL };

int tokens_insert(struct txn *txn, const struct stored_token *token, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_TOKENS, INSERT);
	query_bind_limited(&q, token->id, sizeof(token->id));
	query_bind_name(&q, token->name);
	query_bind_enum(&q, &role_names, (int)token->role);
	query_bind_blob(&q, token->secret_sha256, sizeof(token->secret_sha256));
	query_bind_int(&q, clock_now_ms());
	query_bind_time(&q, token->expires_at);
	return query_run(&q, NULL, err);
}

int tokens_get(struct db *db, const char *id, struct stored_token *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_TOKENS, GET);
	query_bind_text(&q, id);
	return query_one(&q, &token_type, out, "token", id, err);
}

int tokens_list(struct db *db, struct stored_token_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_TOKENS, LIST);
	rc = query_all(&q, &token_type, &list, err);
	if (!rc)
		*out = (struct stored_token_list){ list.items, list.count };
	return rc;
}

void stored_token_list_fini(struct stored_token_list *list)
{
	row_list_free(&token_type, list->items, list->count);
	*list = (struct stored_token_list){ 0 };
}

int tokens_revoke(struct txn *txn, const char *id, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_TOKENS, REVOKE);
	query_bind_int(&q, clock_now_ms());
	query_bind_text(&q, id);
	return query_run_on(&q, "token", id, err);
}

int tokens_touch(struct txn *txn, const char *id, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_TOKENS, TOUCH);
	query_bind_int(&q, clock_now_ms());
	query_bind_text(&q, id);
	return query_run(&q, NULL, err);
}

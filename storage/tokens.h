/*
 * tokens.h: bearer tokens. Only the SHA-256 of a token's secret is kept.
 */
#ifndef STORAGE_TOKENS_H
#define STORAGE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

enum role {
#define X(symbol, name) symbol,
#include "storage/role.def"
#undef X
	ROLE_COUNT,
};

enum { TOKEN_ID = 37 };

struct stored_token {
	char id[TOKEN_ID]; /* the public part, chosen by the caller */
	char name[DB_NAME];
	enum role role;
	uint8_t secret_sha256[DB_HASH];
	int64_t created_at, expires_at, revoked_at, last_used_at;
};

struct stored_token_list {
	struct stored_token *items;
	size_t count;
};

const char *role_name(enum role role);
EXP_NODISCARD int role_parse(const char *name, enum role *role); /* EXP_EINVAL */

/* created_at, revoked_at and last_used_at of token are ignored. EXP_EEXISTS: the id is taken. */
EXP_NODISCARD int tokens_insert(struct txn *txn, const struct stored_token *token, struct exp_error *err);

/* Revoked and expired tokens are found too: judging them is the caller's. EXP_ENOTFOUND. */
EXP_NODISCARD int tokens_get(struct db *db, const char *id, struct stored_token *out, struct exp_error *err);

/* All tokens, oldest first. */
EXP_NODISCARD int tokens_list(struct db *db, struct stored_token_list *out, struct exp_error *err);
void stored_token_list_fini(struct stored_token_list *list);

/* Revoking twice keeps the first time. EXP_ENOTFOUND. */
EXP_NODISCARD int tokens_revoke(struct txn *txn, const char *id, struct exp_error *err);

/* last_used_at is now. A token that is gone is success. Callers do this at most once a minute a token. */
EXP_NODISCARD int tokens_touch(struct txn *txn, const char *id, struct exp_error *err);

#endif

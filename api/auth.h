/*
 * auth.h: who calls, by a bearer token (RFC 6750).
 *
 * A token reads expunge_<role>_<id>_<secret>: 16 hexadecimal digits of id, 48 of secret (192 random bits). Stored is
 * the SHA-256 of the whole token only; a secret of that size needs no slow hash. It is compared in constant time, also
 * when no such id exists.
 *
 * Threads: any.
 */
#ifndef API_AUTH_H
#define API_AUTH_H

#include <stddef.h>
#include <stdint.h>

#include "api/scope.h"
#include "base/digest.h"
#include "base/error.h"

struct call;

enum {
	AUTH_ID = 17,     /* room for a token's id */
	AUTH_TOKEN = 128, /* room for a token */
};

struct principal {
	enum role role;
	char id[AUTH_ID]; /* the token's; "" for nobody */
};

struct auth_token {
	enum role role;
	char id[AUTH_ID];
	char text[AUTH_TOKEN]; /* the secret: show once, wipe after use */
	uint8_t sha256[DIGEST_SIZE];
};

/* A fresh token. */
void auth_token_new(enum role role, struct auth_token *out);

/* The role and id that a token claims, and its hash. EXP_EUNAUTH when it has not the form. */
EXP_NODISCARD int auth_token_parse(const char *text, struct auth_token *out);

/* Fills c->who, or says why not: EXP_EUNAUTH (no, malformed, unknown, expired or revoked token), EXP_EFORBIDDEN (the
 * role lacks the route's scope). Sets WWW-Authenticate on the reply then. */
EXP_NODISCARD int auth_check(struct call *c, struct exp_error *err);

#endif

/*
 * idempotency.h: a repeated POST gets the first one's answer. Keys and bodies are kept as HMACs only.
 */
#ifndef STORAGE_IDEMPOTENCY_H
#define STORAGE_IDEMPOTENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/db.h"
#include "storage/tokens.h"

struct idempotency_key {
	char token[TOKEN_ID];         /* keys of different tokens never meet */
	uint8_t key[DB_HASH];         /* HMAC of Idempotency-Key */
	uint8_t fingerprint[DB_HASH]; /* HMAC of method, route and body */
	int64_t expires_at;
};

/*
 * Looks the key up, inside the transaction that would insert the request. Unknown or expired: it is bound to request
 * and *known is false. Known with the same fingerprint: *known is true and existing is the request of the first call,
 * which the caller then answers with. EXP_EIDEMPOTENT: known with another fingerprint.
 */
EXP_NODISCARD int idempotency_claim(struct txn *txn, const struct idempotency_key *key, const char *request,
				    bool *known, char existing[ID_TEXT], struct exp_error *err);

/* Removes keys that expired before now_ms. */
EXP_NODISCARD int idempotency_sweep(struct txn *txn, int64_t now_ms, struct exp_error *err);

#endif

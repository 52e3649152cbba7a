/*
 * subject_claim.h: who a deletion request is about, as the body of POST /v1/deletion-requests and …/preview says it.
 *
 *   {"request_id"?: "your reference", "regime"?: "gdpr" | "ccpa", "received_at"?: RFC 3339,
 *    "subject": {"identities": [{"type": "email", "value": "…"}, …]}, "reason"?: "consent_withdrawn"}
 *
 * 1 to 16 identities, all of one person. The due date follows from the regime: one calendar month (GDPR article 12(3)),
 * 45 days (CCPA regulations 7021(b)). reason is a word of the operator's own (a-z, 0-9, _), so that no free text is
 * ever kept.
 *
 * Ownership: a claim keeps hashes only; identities live in wiped memory and end with subject_claim_parse.
 * Threads: any. Messages never quote what the client wrote.
 */
#ifndef API_SUBJECT_CLAIM_H
#define API_SUBJECT_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/json.h"
#include "storage/request_state.h"

enum { CLAIM_IDENTITIES = 16, CLAIM_REFERENCE = 129, CLAIM_REASON = 65 };

struct subject_claim {
	char reference[CLAIM_REFERENCE]; /* request_id; "" for none */
	char reason[CLAIM_REASON];
	enum regime regime;
	int64_t received_at, due_at;
	size_t count;                                  /* identities, without repetition */
	uint8_t lookup[CLAIM_IDENTITIES][DIGEST_SIZE]; /* under the lookup key */
	uint8_t leaf[CLAIM_IDENTITIES][DIGEST_SIZE];   /* under request_key */
};

struct claim_keys {
	const uint8_t *lookup;  /* [DIGEST_KEY_SIZE] */
	const uint8_t *request; /* [DIGEST_KEY_SIZE] */
};

/* EXP_EFIELD, EXP_EINVAL, EXP_EPARSE with the pointer of the field at fault. now_ms is the default of received_at. */
EXP_NODISCARD int subject_claim_parse(const json_t *body, const struct claim_keys *keys, int64_t now_ms,
				      struct subject_claim *out, struct exp_error *err);

/* When a request received then is due under the regime. */
int64_t subject_claim_due(enum regime regime, int64_t received_at);

/* Whether text is 1 to size - 1 characters of a-z, 0-9 and _, the first a letter. */
bool claim_reason_is_valid(const char *text);

#endif

/*
 * identity.h: the one canonical form of a person's identity, and the only two ways in which it is ever kept.
 *
 * Canonical form: type 0x1f value. The type is a lower-case name ([a-z0-9_]{1,64}); the value is UTF-8, normalised to
 * NFC (Unicode Annex 15, utf8proc), trimmed of white space at both ends; an "email" value is lower-cased. What is
 * stored:
 *
 *   lookup hash      HMAC-SHA-256(lookup key, canonical)     finds the person's rows; never leaves the databases
 *   subject of a leaf  HMAC-SHA-256(request key, canonical)  unlinkable between requests; the receipt carries the key
 *
 * Ownership: the canonical bytes live in the caller's struct; identity_fini zeroes them. Threads: any.
 */
#ifndef BASE_IDENTITY_H
#define BASE_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

struct identity {
	char *canonical; /* type 0x1f value, not NUL-terminated */
	size_t size;
};

/* EXP_EINVAL (a bad type, an empty value, over 1,024 bytes), EXP_EPARSE (not UTF-8). Messages never quote the value. */
EXP_NODISCARD int identity_init(struct identity *id, const char *type, const char *value, struct exp_error *err);

/* From "type:value", as in rows.csv and on the command line. */
EXP_NODISCARD int identity_parse(struct identity *id, const char *text, struct exp_error *err);

void identity_hash(const struct identity *id, const uint8_t key[DIGEST_KEY_SIZE], uint8_t out[DIGEST_SIZE]);

void identity_fini(struct identity *id);

#endif

/*
 * digest.h: SHA-256, HMAC-SHA-256, random bytes, hexadecimal and base64 (libsodium).
 *
 * crypto_init must have succeeded once before anything else of this header is called.
 * Threads: any; a struct digest belongs to one thread.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	DIGEST_SIZE = 32,
	DIGEST_HEX = 65, /* 64 lower-case digits and the NUL */
	DIGEST_KEY_SIZE = 32,
};

struct digest {
	crypto_hash_sha256_state state;
};

/* Prepares libsodium. EXP_EINTERNAL when the system gives no entropy. Idempotent. */
EXP_NODISCARD int crypto_init(void);

void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *bytes, size_t size);
void digest_final(struct digest *d, uint8_t out[DIGEST_SIZE]);

void sha256(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE]);
void hmac_sha256(const uint8_t key[DIGEST_KEY_SIZE], const void *bytes, size_t size, uint8_t out[DIGEST_SIZE]);

/* Constant-time comparison of size bytes. */
bool crypto_equal(const void *a, const void *b, size_t size);

void crypto_random(void *bytes, size_t size);

/* Lower-case hexadecimal of size bytes into text of 2 * size + 1 bytes; returns text. */
char *hex_encode(const void *bytes, size_t size, char *text);
/* Exactly 2 * size digits, either case. EXP_EPARSE otherwise. */
EXP_NODISCARD int hex_decode(const char *text, void *bytes, size_t size);

/* Standard base64 with padding (RFC 4648 section 4). The text is the caller's: mem_free. */
char *base64_encode(const void *bytes, size_t size);
/* Strict: no white space, canonical padding. *size holds the room on entry and the length on success. EXP_EPARSE. */
EXP_NODISCARD int base64_decode(const char *text, size_t length, void *bytes, size_t *size);

#endif

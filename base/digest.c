#include "base/digest.h"

#include <string.h>

#include "base/mem.h"

int crypto_init(void)
{
	return sodium_init() < 0 ? EXP_EINTERNAL : 0;
}

void digest_init(struct digest *d)
{
	crypto_hash_sha256_init(&d->state);
}

void digest_add(struct digest *d, const void *bytes, size_t size)
{
	crypto_hash_sha256_update(&d->state, bytes, size);
}

void digest_final(struct digest *d, uint8_t out[DIGEST_SIZE])
{
	crypto_hash_sha256_final(&d->state, out);
}

void sha256(const void *bytes, size_t size, uint8_t out[DIGEST_SIZE])
{
	crypto_hash_sha256(out, bytes, size);
}

void hmac_sha256(const uint8_t key[DIGEST_KEY_SIZE], const void *bytes, size_t size, uint8_t out[DIGEST_SIZE])
{
	crypto_auth_hmacsha256(out, bytes, size, key);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
	return sodium_memcmp(a, b, size) == 0;
}

void crypto_random(void *bytes, size_t size)
{
	randombytes_buf(bytes, size);
}

char *hex_encode(const void *bytes, size_t size, char *text)
{
	return sodium_bin2hex(text, 2 * size + 1, bytes, size);
}

int hex_decode(const char *text, void *bytes, size_t size)
{
	size_t length = 0;

	if (strlen(text) != 2 * size)
		return EXP_EPARSE;
	if (sodium_hex2bin(bytes, size, text, 2 * size, NULL, &length, NULL) || length != size)
		return EXP_EPARSE;
	return 0;
}

char *base64_encode(const void *bytes, size_t size)
{
	size_t room = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL);
	char *text = mem_alloc(room);

	return sodium_bin2base64(text, room, bytes, size, sodium_base64_VARIANT_ORIGINAL);
}

int base64_decode(const char *text, size_t length, void *bytes, size_t *size)
{
	const char *end = NULL;
	size_t got = 0;

	/* libsodium 1.0.18 compares characters in a way that takes '+' | 0x80 for '+'. */
	for (size_t i = 0; i < length; i++)
		if (text[i] & 0x80)
			return EXP_EPARSE;
	if (sodium_base642bin(bytes, *size, text, length, NULL, &got, &end, sodium_base64_VARIANT_ORIGINAL))
		return EXP_EPARSE;
	if (end != text + length)
		return EXP_EPARSE;
	*size = got;
	return 0;
}

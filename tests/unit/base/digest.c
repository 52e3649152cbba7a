#include "base/digest.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

Test(digest, sha256_of_abc_is_fips_180_4)
{
	uint8_t out[DIGEST_SIZE];
	char hex[DIGEST_HEX];
	struct digest d;

	cr_assert_eq(crypto_init(), 0);
	sha256("abc", 3, out);
	cr_assert_str_eq(hex_encode(out, sizeof(out), hex),
			 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_init(&d);
	digest_add(&d, "a", 1);
	digest_add(&d, "bc", 2);
	memset(out, 0, sizeof(out));
	digest_final(&d, out);
	cr_assert_str_eq(hex_encode(out, sizeof(out), hex),
			 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

Test(digest, hmac_is_rfc_4231_case_2)
{
	uint8_t key[DIGEST_KEY_SIZE], out[DIGEST_SIZE];
	char hex[DIGEST_HEX];

	cr_assert_eq(crypto_init(), 0);
	memset(key, 0, sizeof(key));
	memcpy(key, "Jefe", 4); /* HMAC pads a short key with zeros, so this is RFC 4231 test case 2 */
	hmac_sha256(key, "what do ya want for nothing?", 28, out);
	cr_assert_str_eq(hex_encode(out, sizeof(out), hex),
			 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

Test(digest, hex_and_base64_round_trip_and_refuse)
{
	uint8_t bytes[8];
	size_t size = sizeof(bytes);
	char *text = base64_encode("foob", 4);

	cr_assert_str_eq(text, "Zm9vYg==");
	cr_assert_eq(base64_decode(text, strlen(text), bytes, &size), 0);
	cr_assert_eq(size, 4);
	cr_assert_eq(memcmp(bytes, "foob", 4), 0);
	size = sizeof(bytes);
	cr_assert_eq(base64_decode("Zm9vYg=", 7, bytes, &size), EXP_EPARSE);
	cr_assert_eq(base64_decode("Zm9v Yg==", 9, bytes, &size), EXP_EPARSE);
	cr_assert_eq(base64_decode("Zm9\xab", 4, bytes, &size), EXP_EPARSE);
	cr_assert_eq(base64_decode("Zm9\xaf", 4, bytes, &size), EXP_EPARSE);
	cr_assert_eq(hex_decode("00ff", bytes, 2), 0);
	cr_assert_eq(bytes[1], 0xff);
	cr_assert_eq(hex_decode("00f", bytes, 2), EXP_EPARSE);
	cr_assert_eq(hex_decode("00fg", bytes, 2), EXP_EPARSE);
	mem_free(text);
}

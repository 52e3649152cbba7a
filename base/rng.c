#include "base/rng.h"

#include <math.h>
#include <sodium.h>
#include <string.h>

#include "base/check.h"

void rng_init(struct rng *r, uint64_t seed, const char *purpose)
{
	crypto_hash_sha256_state state;
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(seed >> (8 * i));
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, bytes, sizeof(bytes));
	crypto_hash_sha256_update(&state, (const uint8_t *)purpose, strlen(purpose));
	crypto_hash_sha256_final(&state, r->key);
	r->block = 0;
	r->used = sizeof(r->words) / sizeof(r->words[0]);
}

static void refill(struct rng *r)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	static const uint8_t zeros[sizeof(r->words)];
	uint8_t bytes[sizeof(r->words)];

	crypto_stream_chacha20_xor_ic(bytes, zeros, sizeof(bytes), nonce, r->block, r->key);
	r->block += sizeof(bytes) / 64;
	for (size_t i = 0; i < sizeof(r->words) / sizeof(r->words[0]); i++)
		r->words[i] = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 |
			      (uint32_t)bytes[4 * i + 2] << 16 | (uint32_t)bytes[4 * i + 3] << 24;
	r->used = 0;
}

uint32_t rng_u32(struct rng *r)
{
	if (r->used == sizeof(r->words) / sizeof(r->words[0]))
		refill(r);
	return r->words[r->used++];
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t low = rng_u32(r);

	return low | (uint64_t)rng_u32(r) << 32;
}

uint32_t rng_below(struct rng *r, uint32_t bound)
{
	uint32_t floor, value;

	exp_require(bound > 0);
	floor = (uint32_t)-bound % bound;
	do {
		value = rng_u32(r);
	} while (value < floor);
	return value % bound;
}

double rng_uniform(struct rng *r)
{
	return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

double rng_normal(struct rng *r)
{
	double radius = sqrt(-2.0 * log(1.0 - rng_uniform(r)));

	return radius * cos(6.283185307179586476925286766559 * rng_uniform(r));
}

void rng_shuffle(struct rng *r, size_t *index, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = rng_below(r, (uint32_t)i);
		size_t swap = index[i - 1];

		index[i - 1] = index[j];
		index[j] = swap;
	}
}

/*
 * rng.h: a seeded, replayable stream of random numbers (ChaCha20 through libsodium).
 *
 * The stream is a pure function of (seed, purpose), on every machine: two purposes never share numbers, so a shuffle
 * does not change because an initialiser drew one number more. For secrets use crypto_random (base/digest.h).
 * Threads: a struct rng belongs to one thread.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint8_t key[32];
	uint64_t block;
	uint32_t words[256];
	size_t used;
};

/* purpose names what the numbers are for, for example "shuffle/3". */
void rng_init(struct rng *r, uint64_t seed, const char *purpose);

uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t bound); /* uniform in [0, bound), unbiased; bound > 0 */
double rng_uniform(struct rng *r);                 /* uniform in [0, 1), 53 bits */
double rng_normal(struct rng *r);                  /* standard normal (Box and Muller 1958, one value a call) */

/* Fisher and Yates' shuffle of n indices, in place. */
void rng_shuffle(struct rng *r, size_t *index, size_t n);

#endif

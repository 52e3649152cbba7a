/*
 * keymap_internal.h: a table from text to a value of fixed size, for what the ledger remembers.
 *
 * Open addressing with SipHash under a random key, so that a hostile log cannot make it slow. Values move when the
 * table grows: a pointer is good until the next keymap_put. Threads: a map belongs to one thread.
 */
#ifndef PROOF_KEYMAP_INTERNAL_H
#define PROOF_KEYMAP_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct keymap {
	char **keys; /* NULL marks a free slot */
	char *values;
	size_t value_size, capacity, count;
	uint8_t seed[crypto_shorthash_KEYBYTES];
};

void keymap_init(struct keymap *m, size_t value_size);

/* The value of key, or NULL. */
void *keymap_get(const struct keymap *m, const char *key);

/* The value of key, made of zeros when there is none. */
void *keymap_put(struct keymap *m, const char *key);

/* Calls release, which may be NULL, on each value. */
void keymap_fini(struct keymap *m, void (*release)(void *value));

#endif

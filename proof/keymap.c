#include "proof/keymap_internal.h"

#include <string.h>

#include "base/mem.h"

enum { FIRST_CAPACITY = 64 };

void keymap_init(struct keymap *m, size_t value_size)
{
	*m = (struct keymap){ .value_size = value_size };
	crypto_random(m->seed, sizeof(m->seed));
}

/* The slot that holds key or where it would go; capacity is a power of two and never full. */
static size_t find_slot(const struct keymap *m, const char *key)
{
	uint8_t hash[crypto_shorthash_BYTES];
	size_t slot;

	crypto_shorthash(hash, (const unsigned char *)key, strlen(key), m->seed);
	memcpy(&slot, hash, sizeof(slot));
	for (slot &= m->capacity - 1; m->keys[slot]; slot = (slot + 1) & (m->capacity - 1))
		if (!strcmp(m->keys[slot], key))
			break;
	return slot;
}

void *keymap_get(const struct keymap *m, const char *key)
{
	size_t slot = m->capacity ? find_slot(m, key) : 0;

	return m->capacity && m->keys[slot] ? m->values + slot * m->value_size : NULL;
}

static void grow(struct keymap *m)
{
	struct keymap old = *m;

	m->capacity = old.capacity ? old.capacity * 2 : FIRST_CAPACITY;
	m->keys = mem_alloc(m->capacity * sizeof(*m->keys));
	m->values = mem_alloc(m->capacity * m->value_size);
	for (size_t i = 0; i < old.capacity; i++) {
		size_t slot;

		if (!old.keys[i])
			continue;
		slot = find_slot(m, old.keys[i]);
		m->keys[slot] = old.keys[i];
		memcpy(m->values + slot * m->value_size, old.values + i * m->value_size, m->value_size);
	}
	mem_free(old.keys);
	mem_free(old.values);
}

void *keymap_put(struct keymap *m, const char *key)
{
	size_t slot;

	if (m->count * 2 >= m->capacity)
		grow(m);
	slot = find_slot(m, key);
	if (!m->keys[slot]) {
		m->keys[slot] = mem_strdup(key);
		m->count++;
	}
	return m->values + slot * m->value_size;
}

void keymap_fini(struct keymap *m, void (*release)(void *value))
{
	for (size_t i = 0; i < m->capacity; i++) {
		if (m->keys[i] && release)
			release(m->values + i * m->value_size);
		mem_free(m->keys[i]);
	}
	mem_free(m->keys);
	mem_free(m->values);
	memset(m, 0, sizeof(*m));
}

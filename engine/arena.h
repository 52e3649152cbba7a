/*
 * arena.h: memory that is given back all at once: the many small pieces of a graph.
 *
 * Ownership: the arena's; arena_fini frees everything. Threads: one at a time.
 * Sizes come from a model file, so allocation may fail: NULL, and the arena is as before.
 */
#ifndef ENGINE_ARENA_H
#define ENGINE_ARENA_H

#include <stddef.h>

#include "base/error.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
};

/* count * size bytes, zeroed, 16-byte aligned; NULL on overflow or exhaustion. */
EXP_NODISCARD void *arena_try_alloc(struct arena *a, size_t count, size_t size);

/* A NUL-terminated copy. */
EXP_NODISCARD char *arena_try_strdup(struct arena *a, const char *text);

void arena_fini(struct arena *a);

#endif

#include "engine/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { CHUNK = 1 << 14, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	_Alignas(ALIGN) char bytes[];
};

static struct arena_chunk *add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c;

	if (size < CHUNK)
		size = CHUNK;
	if (size > PTRDIFF_MAX - sizeof(*c))
		return NULL;
	c = mem_try_alloc(1, sizeof(*c) + size);
	if (!c)
		return NULL;
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	return c;
}

void *arena_try_alloc(struct arena *a, size_t count, size_t size)
{
	struct arena_chunk *c = a->chunks;
	size_t bytes;
	void *p;

	if (!mem_size(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGN)
		return NULL;
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	if (!c || c->size - c->used < bytes)
		c = add_chunk(a, bytes);
	if (!c)
		return NULL;
	p = c->bytes + c->used;
	c->used += bytes;
	return p;
}

char *arena_try_strdup(struct arena *a, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = arena_try_alloc(a, size, 1);

	return copy ? memcpy(copy, text, size) : NULL;
}

void arena_fini(struct arena *a)
{
	struct arena_chunk *c = a->chunks, *next;

	for (; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	a->chunks = NULL;
}

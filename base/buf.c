#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* What is outgrown is wiped: a buffer may hold an identity or a token, and its owner can reach the last copy only. */
static void reserve(struct buf *b, size_t more)
{
	size_t need, capacity = b->capacity ? b->capacity : 64;
	char *data;

	exp_require(!__builtin_add_overflow(b->size, more, &need) && need < PTRDIFF_MAX / 2);
	if (need < b->capacity)
		return;
	while (capacity <= need)
		capacity *= 2;
	data = mem_alloc(capacity);
	if (b->size)
		memcpy(data, b->data, b->size);
	mem_free_secret(b->data, b->capacity);
	b->data = data;
	b->capacity = capacity;
}

void buf_add(struct buf *b, const void *bytes, size_t size)
{
	reserve(b, size);
	if (size)
		memcpy(b->data + b->size, bytes, size);
	b->size += size;
	b->data[b->size] = '\0';
}

void buf_add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_format(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	exp_require(n >= 0);
	reserve(b, (size_t)n);
	vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
	va_end(again);
	b->size += (size_t)n;
}

int buf_add_limited(struct buf *b, const void *bytes, size_t size, size_t limit)
{
	if (size > limit || b->size > limit - size)
		return EXP_ELIMIT;
	buf_add(b, bytes, size);
	return 0;
}

char *buf_take(struct buf *b)
{
	char *data;

	reserve(b, 0);
	b->data[b->size] = '\0';
	data = b->data;
	*b = (struct buf){ 0 };
	return data;
}

void buf_fini(struct buf *b)
{
	mem_free(b->data);
	*b = (struct buf){ 0 };
}

void buf_fini_secret(struct buf *b)
{
	mem_free_secret(b->data, b->capacity);
	*b = (struct buf){ 0 };
}

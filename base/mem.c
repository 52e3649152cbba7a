#include "base/mem.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { ALIGNMENT = 64 };

static long countdown;

void *mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	exp_require(p != NULL);
	return p;
}

char *mem_strdup(const char *text)
{
	char *copy = strdup(text);

	exp_require(copy != NULL);
	return copy;
}

char *mem_format(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	exp_require(n >= 0);
	return text;
}

static bool fails_now(void)
{
	return countdown > 0 && --countdown == 0;
}

void *mem_try_alloc(size_t count, size_t size)
{
	return fails_now() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *mem_try_realloc(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (fails_now() || !mem_size(count, size, &bytes))
		return NULL;
	return realloc(old, bytes ? bytes : 1);
}

void *mem_try_aligned(size_t count, size_t size)
{
	size_t bytes;
	void *p;

	if (fails_now() || !mem_size(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGNMENT)
		return NULL;
	bytes = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
	p = aligned_alloc(ALIGNMENT, bytes);
	return p ? memset(p, 0, bytes) : NULL;
}

void mem_free(void *p)
{
	free(p);
}

void mem_free_secret(void *p, size_t size)
{
	if (p)
		sodium_memzero(p, size);
	free(p);
}

bool mem_size(size_t a, size_t b, size_t *product)
{
	size_t result;

	if (__builtin_mul_overflow(a, b, &result))
		return false;
	*product = result;
	return true;
}

void mem_fail_at(long n)
{
	countdown = n;
}

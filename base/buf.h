/*
 * buf.h: a growable byte string.
 *
 * Invariants: data is NULL or NUL-terminated at data[size]; size < capacity whenever data is not NULL.
 * Ownership: the struct is the caller's, the bytes belong to the struct until buf_take moves them out.
 * Growth never fails visibly (mem.h's dying family up to limit); a buffer with a limit refuses instead: see buf_limit.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

#include "base/error.h"

struct buf {
	char *data;
	size_t size, capacity;
};

void buf_add(struct buf *b, const void *bytes, size_t size);
void buf_add_text(struct buf *b, const char *text);
void buf_format(struct buf *b, const char *format, ...) EXP_PRINTF(2, 3);

/* Appends, or returns EXP_ELIMIT and leaves b as it was when the size would exceed limit. */
EXP_NODISCARD int buf_add_limited(struct buf *b, const void *bytes, size_t size, size_t limit);

/* Moves the bytes out: the caller frees them with mem_free. An empty buffer yields an empty string. */
char *buf_take(struct buf *b);

void buf_fini(struct buf *b);
void buf_fini_secret(struct buf *b); /* zeroes first */

#endif

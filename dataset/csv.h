/*
 * csv.h: records of comma-separated text, taken apart where they lie (RFC 4180).
 *
 * Nothing is copied: fields are unquoted in place and point into the text, so that zeroing the text zeroes them all.
 * Lines end in LF or CRLF, the last one may lack it. A UTF-8 byte order mark at the start is skipped. Messages name
 * lines, counted from 1, never what stands there.
 *
 * Ownership: the text is the caller's and is altered. Threads: one at a time.
 */
#ifndef DATASET_CSV_H
#define DATASET_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct csv {
	char *at, *end;
	size_t line; /* of at, from 1 */
};

/* text[size] must be writable. EXP_EPARSE: a NUL byte inside. */
EXP_NODISCARD int csv_init(struct csv *c, char *text, size_t size, struct exp_error *err);

bool csv_more(const struct csv *c);

/* The next record's fields, exactly count of them, NUL-terminated, and the line on which it starts. EXP_EPARSE. */
EXP_NODISCARD int csv_next(struct csv *c, char **fields, size_t count, size_t *line, struct exp_error *err);

#endif

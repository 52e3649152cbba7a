/*
 * table.h: aligned columns on standard output.
 *
 * Ownership: the table copies its cells; table_fini frees them. Threads: one.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct table {
	const char *alignment; /* one letter a column, l or r; borrowed */
	char **cells;          /* row after row; the first is the head */
	size_t count, room;
};

/* heads: one a column. All columns keep to alignment. */
void table_init(struct table *t, const char *alignment, const char *const *heads);

/* The next cell of the row. */
void table_add(struct table *t, const char *text);
void table_format(struct table *t, const char *format, ...) EXP_PRINTF(2, 3);

/* Appends all rows, each line after indent blanks; a table without rows is its head. */
void table_write(const struct table *t, int indent, struct buf *out);
void table_print(const struct table *t);

void table_fini(struct table *t);

#endif

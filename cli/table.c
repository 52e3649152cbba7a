#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { COLUMNS_MAX = 16, GAP = 2, CELL_MAX = 512 };

static size_t columns_of(const struct table *t)
{
	return strlen(t->alignment);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void table_init(struct table *t, const char *alignment, const char *const *heads)
{
	*t = (struct table){ .alignment = alignment };
	exp_require(columns_of(t) <= COLUMNS_MAX);
	for (size_t i = 0; i < columns_of(t); i++)
		table_add(t, heads[i]);
}

static void grow(struct table *t)
{
	size_t room = t->room ? t->room * 2 : 64;
	char **cells = mem_alloc(room * sizeof(*cells));

	if (t->count)
		memcpy(cells, t->cells, t->count * sizeof(*cells));
	mem_free(t->cells);
	t->cells = cells;
	t->room = room;
}

void table_add(struct table *t, const char *text)
{
	if (t->count == t->room)
		grow(t);
	t->cells[t->count++] = mem_strdup(text);
}

void table_format(struct table *t, const char *format, ...)
{
	char text[CELL_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_add(t, text);
}

static void measure(const struct table *t, size_t widths[COLUMNS_MAX])
{
	for (size_t i = 0; i < t->count; i++) {
		size_t width = width_of(t->cells[i]), column = i % columns_of(t);

		if (width > widths[column])
			widths[column] = width;
	}
}

static void write_cell(const struct table *t, size_t i, size_t width, struct buf *out)
{
	size_t column = i % columns_of(t), blanks = width - width_of(t->cells[i]);
	bool is_last = column + 1 == columns_of(t);

	if (t->alignment[column] == 'r')
		buf_format(out, "%*s%s", (int)blanks, "", t->cells[i]);
	else
		buf_format(out, "%s%*s", t->cells[i], is_last ? 0 : (int)blanks, "");
	if (is_last)
		buf_add_text(out, "\n");
	else
		buf_format(out, "%*s", GAP, "");
}

void table_write(const struct table *t, int indent, struct buf *out)
{
	size_t widths[COLUMNS_MAX] = { 0 };

	exp_require(t->count % columns_of(t) == 0);
	measure(t, widths);
	for (size_t i = 0; i < t->count; i++) {
		if (i % columns_of(t) == 0)
			buf_format(out, "%*s", indent, "");
		write_cell(t, i, widths[i % columns_of(t)], out);
	}
}

void table_print(const struct table *t)
{
	struct buf text = { 0 };

	table_write(t, 0, &text);
	fputs(text.data, stdout);
	buf_fini(&text);
}

void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		mem_free(t->cells[i]);
	mem_free(t->cells);
	*t = (struct table){ 0 };
}

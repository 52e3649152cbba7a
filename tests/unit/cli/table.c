#include "cli/table.h"

#include <criterion/criterion.h>

static const char *const heads[] = { "NAME", "N" };

static void expect(struct table *t, int indent, const char *wanted)
{
	struct buf text = { 0 };

	table_write(t, indent, &text);
	cr_assert_str_eq(text.data, wanted);
	buf_fini(&text);
	table_fini(t);
}

Test(table, columns_are_as_wide_as_their_widest_cell)
{
	struct table t;

	table_init(&t, "lr", heads);
	table_add(&t, "a longer name");
	table_format(&t, "%d", 7);
	table_add(&t, "b");
	table_add(&t, "12345");
	expect(&t, 0,
	       "NAME               N\n"
	       "a longer name      7\n"
	       "b              12345\n");
}

Test(table, a_letter_of_several_bytes_is_one_column)
{
	struct table t;

	table_init(&t, "lr", heads);
	table_add(&t, "äöü");
	table_add(&t, "1");
	table_add(&t, "abc");
	table_add(&t, "2");
	expect(&t, 2,
	       "  NAME  N\n"
	       "  äöü   1\n"
	       "  abc   2\n");
}

Test(table, nothing_trails_a_last_column_on_the_left)
{
	struct table t;

	table_init(&t, "ll", heads);
	table_add(&t, "a");
	table_add(&t, "bcd");
	expect(&t, 0, "NAME  N\na     bcd\n");
}

Test(table, many_rows)
{
	struct table t;
	struct buf text = { 0 };

	table_init(&t, "lr", heads);
	for (int i = 0; i < 1000; i++) {
		table_add(&t, "x");
		table_format(&t, "%d", i);
	}
	table_write(&t, 0, &text);
	cr_assert_eq(text.size, 1001 * sizeof("NAME    N") - 1001 + 1001);
	buf_fini(&text);
	table_fini(&t);
}

#include "dataset/csv.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"

/* The text is copied to memory of exactly its size and the NUL, so that a step too far is seen by the sanitizers. */
static char *copy_of(const char *text, size_t size)
{
	char *copy = malloc(size + 1);

	memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

static void check_record(const char *text, const char *first, const char *second, const char *third)
{
	char *copy = copy_of(text, strlen(text)), *fields[3];
	struct exp_error err = { 0 };
	struct csv c;
	size_t line;

	cr_assert_eq(csv_init(&c, copy, strlen(text), NULL), 0);
	cr_assert_eq(csv_next(&c, fields, 3, &line, &err), 0, "%s: %s", text, err.message);
	cr_assert_str_eq(fields[0], first);
	cr_assert_str_eq(fields[1], second);
	cr_assert_str_eq(fields[2], third);
	cr_assert_eq(line, 1);
	cr_assert_not(csv_more(&c));
	free(copy);
}

Test(csv, takes_records_apart)
{
	check_record("a,b,c\n", "a", "b", "c");
	check_record("a,b,c\r\n", "a", "b", "c");
	check_record("a,b,c", "a", "b", "c");
	check_record(",,", "", "", "");
	check_record("\"a\",\"\",\"c\"", "a", "", "c");
	check_record("\"a,b\",\"x\"\"y\",\"\"\"\"\n", "a,b", "x\"y", "\"");
	check_record("\"two\nlines\",\"cr\r\nlf\",c\r\n", "two\nlines", "cr\r\nlf", "c");
	check_record("\xef\xbb\xbf"
		     "a, b ,c\n",
		     "a", " b ", "c");
}

static void check_refused(const char *text, size_t size, const char *message)
{
	char *copy = copy_of(text, size), *fields[3];
	struct exp_error err = { 0 };
	struct csv c;
	size_t line;
	int rc = csv_init(&c, copy, size, &err);

	while (!rc && csv_more(&c))
		rc = csv_next(&c, fields, 3, &line, &err);
	cr_assert_eq(rc, EXP_EPARSE, "%s", text);
	cr_assert_str_eq(err.message, message);
	free(copy);
}

Test(csv, refuses_what_is_not_rfc_4180)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "a,b\n", "line 1 has 2 fields instead of 3" },
		{ "a,b,c\n\na,b,c\n", "line 2 has 1 field instead of 3" },
		{ "a,b,c,d\n", "line 1 has 4 fields instead of 3" },
		{ "a,b,c\na,\"b\n\n,c", "line 2: a quote is opened and never closed" },
		{ "a,b\"b,c\n", "line 1: a quote inside a field; put the whole field in quotes and double it" },
		{ "a,\"b\"b,c\n", "line 1: text after a closing quote" },
		{ "a,b,c\ra,b,c\r", "line 1: a carriage return without a line feed" },
		{ "\"a\n\n\",b,c\na,b\n", "line 4 has 2 fields instead of 3" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_refused(cases[i].text, strlen(cases[i].text), cases[i].message);
	check_refused("a,b\0,c\n", 7, "it holds a NUL byte, so it is not text");
}

static void add_quoted(struct buf *b, const char *field)
{
	buf_add_text(b, "\"");
	for (; *field; field++)
		buf_add_text(b, *field == '"' ? "\"\"" : (char[]){ *field, '\0' });
	buf_add_text(b, "\"");
}

/* What a writer of its own puts into quotes comes back as it was. */
Test(csv, reads_back_random_fields)
{
	static const char alphabet[] = "ab,\"\n\r \xc3";
	char field[3][16], *fields[3];
	struct rng r;

	rng_init(&r, 1, "csv/fields");
	for (int round = 0; round < 5000; round++) {
		struct buf b = { 0 };
		struct csv c;
		size_t line;

		for (int k = 0; k < 3; k++) {
			size_t n = rng_below(&r, 15);

			for (size_t i = 0; i < n; i++)
				field[k][i] = alphabet[rng_below(&r, sizeof(alphabet) - 1)];
			field[k][n] = '\0';
			add_quoted(&b, field[k]);
			buf_add_text(&b, k < 2 ? "," : rng_below(&r, 2) ? "\n" : "\r\n");
		}
		cr_assert_eq(csv_init(&c, b.data, b.size, NULL), 0);
		cr_assert_eq(csv_next(&c, fields, 3, &line, NULL), 0);
		for (int k = 0; k < 3; k++)
			cr_assert_str_eq(fields[k], field[k]);
		buf_fini(&b);
	}
}

/* Any bytes: never outside the text, never without end, every field within the text. */
Test(csv, survives_hostile_text)
{
	static const char alphabet[] = "a,\"\n\r,\"\n";
	struct rng r;

	rng_init(&r, 2, "csv/hostile");
	for (int round = 0; round < 20000; round++) {
		size_t size = rng_below(&r, 40), line;
		char *text = malloc(size + 1), *fields[3];
		struct csv c;
		int rc;

		for (size_t i = 0; i < size; i++)
			text[i] = rng_below(&r, 20) ? alphabet[rng_below(&r, sizeof(alphabet) - 1)] : (char)rng_u32(&r);
		rc = csv_init(&c, text, size, NULL);
		while (!rc && csv_more(&c)) {
			rc = csv_next(&c, fields, 3, &line, NULL);
			for (int k = 0; !rc && k < 3; k++)
				cr_assert(fields[k] >= text && fields[k] + strlen(fields[k]) <= text + size);
		}
		free(text);
	}
}

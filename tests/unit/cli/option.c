#include "cli/option.h"

#include <criterion/criterion.h>
#include <string.h>

struct given {
	const char *file, *name;
	int64_t number;
	double factor;
	bool flag;
	int colour;
	struct option_list tags;
};

struct shared {
	bool json;
};

static const char *const colours[] = { "red", "green", NULL };

#define AT(member) .offset = offsetof(struct given, member)
static const struct option_row rows[] = {
	{ .name = "FILE", .kind = OPTION_TEXT, .required = true, AT(file) },
	{ .name = "name", .kind = OPTION_TEXT, AT(name), .value = "TEXT" },
	{ .name = "number", .kind = OPTION_INT, AT(number), .min = -5, .max = 5, .value = "N" },
	{ .name = "factor", .kind = OPTION_NUMBER, AT(factor), .value = "F" },
	{ .name = "flag", .kind = OPTION_FLAG, AT(flag) },
	{ .name = "colour", .kind = OPTION_ENUM, AT(colour), .names = colours },
	{ .name = "tag", .kind = OPTION_LIST, AT(tags), .value = "T" },
};
static const struct option_row shared_rows[] = {
	{ .name = "json", .kind = OPTION_FLAG, .offset = offsetof(struct shared, json) },
};

enum { ARGUMENTS = 12 };

static int parse(const char *const arguments[ARGUMENTS], struct given *g, struct shared *s, struct exp_error *err)
{
	const struct option_table tables[] = { { rows, sizeof(rows) / sizeof(rows[0]), g }, { shared_rows, 1, s } };
	int count = 0;

	while (arguments[count])
		count++;
	return option_parse(count, (char *const *)arguments, tables, 2, err);
}

Test(option, fills_the_struct)
{
	const char *const arguments[ARGUMENTS] = { "--number=-3",   "--tag",  "a",     "--factor",  "-2.5e-1",
						   "model.onnx",    "--flag", "--tag", "--strange", "--json",
						   "--colour=green" };
	struct given g = { .name = "untouched" };
	struct shared s = { 0 };

	cr_assert_eq(parse(arguments, &g, &s, NULL), 0);
	cr_assert_str_eq(g.file, "model.onnx");
	cr_assert_str_eq(g.name, "untouched");
	cr_assert(g.number == -3 && g.factor == -0.25 && g.flag && g.colour == 1 && s.json);
	cr_assert_eq(g.tags.count, 2);
	cr_assert_str_eq(g.tags.items[0], "a");
	cr_assert_str_eq(g.tags.items[1], "--strange");
}

Test(option, two_dashes_end_the_options)
{
	const char *const arguments[ARGUMENTS] = { "--flag", "--", "--odd-file" };
	struct given g = { 0 };
	struct shared s = { 0 };

	cr_assert_eq(parse(arguments, &g, &s, NULL), 0);
	cr_assert_str_eq(g.file, "--odd-file");
}

Test(option, says_which_argument_is_wrong)
{
	static const struct {
		const char *arguments[ARGUMENTS];
		const char *says;
	} cases[] = {
		{ { NULL }, "FILE is missing" },
		{ { "a", "b" }, "\"b\" is one argument too many" },
		{ { "a", "--nam", "x" }, "no option --nam" },
		{ { "a", "--names", "x" }, "no option --names" },
		{ { "a", "--FILE", "x" }, "no option --FILE" },
		{ { "a", "-n" }, "two dashes" },
		{ { "a", "--name" }, "--name needs a value" },
		{ { "a", "--flag=1" }, "--flag takes no value" },
		{ { "a", "--flag", "--flag" }, "--flag is given twice" },
		{ { "a", "--number", "6" }, "between -5 and 5" },
		{ { "a", "--number", "1.5" }, "not a whole number" },
		{ { "a", "--number", "99999999999999999999" }, "not a whole number" },
		{ { "a", "--number=" }, "not a whole number" },
		{ { "a", "--factor", "nan" }, "not a number" },
		{ { "a", "--factor", "1x" }, "not a number" },
		{ { "a", "--colour", "blue" }, "one of red, green" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };
		struct given g = { 0 };
		struct shared s = { 0 };

		cr_assert_eq(parse(cases[i].arguments, &g, &s, &err), EXP_EINVAL, "%s", cases[i].says);
		cr_assert(strstr(err.message, cases[i].says) != NULL, "\"%s\", not \"%s\"", err.message, cases[i].says);
	}
}

Test(option, forms_read_as_they_are_typed)
{
	static const char *const forms[] = { "FILE",   "--name TEXT",        "--number N", "--factor F",
					     "--flag", "--colour red|green", "--tag T" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf form = { 0 };

		option_write_form(&rows[i], &form);
		cr_assert_str_eq(form.data, forms[i]);
		buf_fini(&form);
	}
}

#include "cli/command.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "cli/help.h"

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

Test(command, every_command_teaches)
{
	size_t count;
	const struct command *const *all = command_all(&count);

	for (size_t i = 0; i < count; i++) {
		struct buf help = { 0 };

		help_write_command(all[i], &help);
		cr_assert(strlen(all[i]->summary) > 10 && strlen(all[i]->summary) <= 80 &&
			      !is_upper(all[i]->summary[0]),
			  "%s", all[i]->name);
		cr_assert(strlen(all[i]->text) > 20, "%s", all[i]->name);
		cr_assert(strstr(all[i]->example, "expunge ") != NULL, "%s", all[i]->name);
		for (size_t r = 0; r < all[i]->option_count; r++)
			cr_assert(strstr(help.data, all[i]->options[r].help) != NULL, "%s %s", all[i]->name,
				  all[i]->options[r].name);
		buf_fini(&help);
	}
}

Test(command, tables_are_sound)
{
	size_t count;
	const struct command *const *all = command_all(&count);

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++)
			cr_assert(strcmp(all[i]->name, all[j]->name) ||
				  strcmp(all[i]->group ? all[i]->group : "", all[j]->group ? all[j]->group : ""));
		for (size_t r = 0; r < all[i]->option_count; r++) {
			const struct option_row *row = &all[i]->options[r];

			cr_assert_lt(row->offset, all[i]->size, "%s %s", all[i]->name, row->name);
			cr_assert(option_is_positional(row) || row->kind == OPTION_FLAG || row->kind == OPTION_ENUM ||
				      row->value,
				  "%s --%s needs a word for its value", all[i]->name, row->name);
			for (size_t q = 0; q < r; q++)
				cr_assert(strcmp(row->name, all[i]->options[q].name), "%s --%s twice", all[i]->name,
					  row->name);
		}
	}
}

TestSuite(command_line, .init = cr_redirect_stdout);

static int run(const char *const arguments[8])
{
	int count = 0;

	while (arguments[count])
		count++;
	return command_main(count, (char *const *)arguments);
}

Test(command_line, help_is_a_success_and_a_wrong_line_is_not)
{
	cr_assert_eq(run((const char *const[8]){ "expunge", "--help" }), EXIT_DONE);
	cr_assert_eq(run((const char *const[8]){ "expunge", "--version" }), EXIT_DONE);
	cr_assert_eq(run((const char *const[8]){ "expunge", "train", "--help" }), EXIT_DONE);
	cr_assert_eq(run((const char *const[8]){ "expunge", "onnx", "--help" }), EXIT_DONE);
	cr_assert_eq(run((const char *const[8]){ "expunge" }), EXIT_USAGE);
	cr_assert_eq(run((const char *const[8]){ "expunge", "onnx" }), EXIT_USAGE);
	cr_assert_eq(run((const char *const[8]){ "expunge", "onnx", "trian" }), EXIT_USAGE);
	cr_assert_eq(run((const char *const[8]){ "expunge", "trian" }), EXIT_USAGE);
	cr_assert_eq(run((const char *const[8]){ "expunge", "train" }), EXIT_USAGE);
}

Test(command_line, errors_choose_the_status)
{
	cr_assert_eq(run((const char *const[8]){ "expunge", "onnx", "inspect", "/nonexistent/model.onnx" }),
		     EXIT_STATE);
	cr_assert_eq(run((const char *const[8]){ "expunge", "onnx", "inspect", GOLDEN "/npy/f4.npy" }), EXIT_INPUT);
}

Test(exit, every_class_has_its_status)
{
	static const struct {
		int code;
		enum cli_exit status;
	} cases[] = {
		{ 0, EXIT_DONE },
		{ EXP_EVERIFY, EXIT_NEGATIVE },
		{ EXP_ESHAPE, EXIT_INPUT },
		{ EXP_ELIMIT, EXIT_INPUT },
		{ EXP_ENOTFOUND, EXIT_STATE },
		{ EXP_ECONFLICT, EXIT_STATE },
		{ EXP_EIDEMPOTENT, EXIT_STATE },
		{ EXP_EUNAUTH, EXIT_UNAUTHORISED },
		{ EXP_EFORBIDDEN, EXIT_UNAUTHORISED },
		{ EXP_ENETWORK, EXIT_UNREACHABLE },
		{ EXP_EBUSY, EXIT_UNREACHABLE },
		{ EXP_ENOSPACE, EXIT_TROUBLE },
		{ EXP_ECORRUPT, EXIT_TROUBLE },
		{ EXP_EINTERNAL, EXIT_TROUBLE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(exit_of_error(cases[i].code), cases[i].status, "code %d", cases[i].code);
		cr_assert_gt(strlen(exit_sentence(cases[i].status)), 3);
	}
}

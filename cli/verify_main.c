/*
 * The `expunge-verify` program: `expunge audit verify` for auditors, who need nothing else of expunge. It is made of
 * proof/ and base/ alone.
 */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "cli/audit_check.h"
#include "cli/exit.h"

struct flags {
	bool json, help, version;
};

static const struct option_row flag_rows[] = {
	{ .name = "json",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct flags, json),
	  .help = "print the result as JSON" },
	{ .name = "help", .kind = OPTION_FLAG, .offset = offsetof(struct flags, help), .help = "print this" },
	{ .name = "version",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct flags, version),
	  .help = "print the version" },
};

enum { FLAGS = sizeof(flag_rows) / sizeof(flag_rows[0]) };

static void print_rows(const struct option_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buf form = { 0 };

		option_write_form(&rows[i], &form);
		printf("  %-34s%s\n", form.data, rows[i].help);
		buf_fini(&form);
	}
}

static int print_help(void)
{
	printf("expunge-verify checks that a deletion was recorded, or a whole log of deletions.\n\n"
	       "Usage: expunge-verify EVIDENCE --key VKEY|@FILE [--identity TYPE:VALUE|@FILE] [--checkpoint FILE] "
	       "[--json]\n\n"
	       "%s\n\nOptions:\n",
	       audit_check_text);
	print_rows(audit_check_options, AUDIT_CHECK_OPTIONS);
	print_rows(flag_rows, FLAGS);
	printf("\nExit status:\n");
	for (int status = EXIT_DONE; status <= EXIT_TROUBLE; status++)
		printf("  %d  %s\n", status, exit_sentence((enum cli_exit)status));
	printf("\nExample:\n  expunge-verify ada.tlog-proof --key @log.vkey --identity email:ada@example.com\n");
	return EXIT_DONE;
}

/* --help and --version stand for themselves, whatever else is missing. */
static bool is_alone(int argc, char *const *argv, const char *flag)
{
	return argc == 2 && !strcmp(argv[1], flag);
}

static int report_error(int rc, const struct exp_error *err)
{
	if (rc)
		fprintf(stderr, "expunge-verify: %s\n", err->message[0] ? err->message : error_sentence(rc));
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "expunge-verify: standard output cannot be written\n");
		return EXIT_TROUBLE;
	}
	return (int)exit_of_error(rc);
}

int main(int argc, char **argv)
{
	struct audit_check check = { 0 };
	struct flags flags = { 0 };
	struct option_table tables[] = { { audit_check_options, AUDIT_CHECK_OPTIONS, &check },
					 { flag_rows, FLAGS, &flags } };
	struct exp_error err = { 0 };

	if (is_alone(argc, argv, "--help"))
		return print_help();
	if (is_alone(argc, argv, "--version"))
		return printf("expunge-verify %s\n", EXPUNGE_VERSION) < 0 ? EXIT_TROUBLE : EXIT_DONE;
	if (crypto_init()) {
		fprintf(stderr, "expunge-verify: the system gives no random numbers\n");
		return EXIT_TROUBLE;
	}
	if (option_parse(argc > 0 ? argc - 1 : 0, argv + 1, tables, 2, &err)) {
		fprintf(stderr, "expunge-verify: %s\nSee `expunge-verify --help`.\n", err.message);
		return EXIT_USAGE;
	}
	return report_error(audit_check_run(&check, flags.json, &err), &err);
}

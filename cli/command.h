/*
 * command.h: what a command of expunge is, and the table of all of them.
 *
 * To add one: write cli/cmd_*.c with a const struct command, add its row to commands.def, and describe it in the manual
 * page. Parsing, --help, --json, error output and the exit status come from here.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/json.h"
#include "cli/exit.h"
#include "cli/option.h"

/* What every command is told beside its own options. */
struct command_context {
	bool json; /* --json: the result is one JSON document on standard output, errors are JSON on standard error */
};

struct command {
	const char *group; /* "onnx" in `expunge onnx run`; NULL: the command stands alone */
	const char *name;
	const char *summary; /* one line, no full stop */
	const char *text;    /* what it does, how and with which units: a paragraph or two, lines under 100 columns */
	const char *example; /* command lines that work as they stand, with what they are for */
	const struct option_row *options;
	size_t option_count;
	size_t size;          /* of the struct that the options fill */
	const void *defaults; /* what the struct holds at first; NULL: zeros */

	/* 0 or an EXP_E… code, with err filled. EXP_EVERIFY is a negative result. Results go to standard output. */
	int (*run)(const struct command_context *c, const void *options, struct exp_error *err);
};

#define COMMAND_OPTIONS(table, type)                                                                                   \
	.options = (table), .option_count = sizeof(table) / sizeof((table)[0]), .size = sizeof(type)

/* All commands, in the order of commands.def. */
const struct command *const *command_all(size_t *count);

/* argv as main gets it. Returns what the process exits with. */
int command_main(int argc, char *const *argv);

/* Prints value as the result of a command with --json, and drops the reference. */
void command_print_json(json_t *value);

#endif

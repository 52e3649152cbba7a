/*
 * show.h: what every command does that asks the daemon for one thing and prints it.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/command.h"
#include "cli/remote.h"

/* GETs path and prints the answer: with --json as it is, otherwise by print. */
EXP_NODISCARD int show_path(const struct command_context *c, const struct remote_options *o, const char *path,
			    void (*print)(const json_t *answer), struct exp_error *err);

/* The same for base/part; part is what somebody typed. */
EXP_NODISCARD int show_part(const struct command_context *c, const struct remote_options *o, const char *base,
			    const char *part, void (*print)(const json_t *answer), struct exp_error *err);

/* Prints answer in the same way. */
void show_answer(const struct command_context *c, const json_t *answer, void (*print)(const json_t *answer));

#endif

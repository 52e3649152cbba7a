/*
 * help.h: the help of the program, of a group and of a command, written from the tables.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

/* All commands with their summaries; group: only that group's, NULL for all. */
void help_write_overview(const char *group, struct buf *out);

void help_write_command(const struct command *c, struct buf *out);

/* "expunge onnx run" */
void help_write_name(const struct command *c, struct buf *out);

#endif

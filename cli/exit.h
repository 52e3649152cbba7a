/*
 * exit.h: what a process says to its shell. The statuses and their meaning are in exit.def.
 */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum cli_exit {
#define X(symbol, status, sentence) symbol = (status),
#include "cli/exit.def"
#undef X
};

/* The status for 0 or an EXP_E… code. EXIT_USAGE never comes from a code: only the parser knows. */
enum cli_exit exit_of_error(int code);

const char *exit_sentence(enum cli_exit status);

#endif

/*
 * option.h: command lines by table.
 *
 * A command says in a table which positional arguments and options it takes and where in its struct each goes; the
 * parser fills the struct and the help is written from the same table. Forms: --name VALUE, --name=VALUE, --flag; "--"
 * ends the options. Names are never abbreviated. An option that is given twice is an error unless it is a list.
 * Ownership: texts point into argv. Threads: one.
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char *; NULL when it is not given */
	OPTION_INT,    /* int64_t within [min, max] */
	OPTION_NUMBER, /* double within [min, max], finite */
	OPTION_ENUM,   /* int: index into names */
	OPTION_LIST,   /* struct option_list: may be given several times */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
	const char *items[OPTION_LIST_MAX];
	size_t count;
};

/* One row. A name in upper case ("FILE") is a positional argument; those are filled in the order of the table. What is
 * not given leaves the struct as it was. */
struct option_row {
	const char *name;
	enum option_kind kind;
	bool required;
	size_t offset;
	const char *value; /* stands for the value in the help: "X.npy"; unused for flags, enums and positionals */
	const char *help;  /* one sentence, no full stop */
	double min, max;   /* OPTION_INT, OPTION_NUMBER: inclusive; both 0 means no bound */
	const char *const *names; /* OPTION_ENUM: NULL-terminated */
};

/* A table and the struct that it fills. Several are tried in turn, so that commands share tables. */
struct option_table {
	const struct option_row *rows;
	size_t count;
	void *out;
};

bool option_is_positional(const struct option_row *row);

/* argv[0 … argc-1] holds arguments only, no program name. EXP_EINVAL says which argument is wrong. */
EXP_NODISCARD int option_parse(int argc, char *const *argv, const struct option_table *tables, size_t table_count,
			       struct exp_error *err);

/* "--reduce sum|square_sum", "FILE", "--json": how a row is written. */
void option_write_form(const struct option_row *row, struct buf *out);

#endif

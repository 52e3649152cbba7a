/*
 * case_list.h: which ONNX test cases are known not to pass, and why: a file that is kept beside the tests.
 *
 *   # comment
 *   operator Loop              control flow                 cases that use operators that the engine does not know
 *   unsupported node/test_*16  float16 is not held          cases (fnmatch) of which the engine says so itself
 *   failed node/test_x         what is wrong, and where     cases with a wrong result
 *
 * A list is exact: whoever is on it must still not pass, in the way that it says, and every row must say something
 * about at least one case. So a list cannot hide what it was not made for, nor outlive it. Ownership: case_list_fini.
 * Threads: one.
 */
#ifndef CLI_CASE_LIST_H
#define CLI_CASE_LIST_H

#include "base/buf.h"
#include "engine/onnx_suite.h"

enum case_kind { CASE_OPERATOR, CASE_UNSUPPORTED, CASE_FAILED };

struct case_row {
	enum case_kind kind;
	char *what; /* an operator, or the glob of names */
	char *reason;
	size_t line;
	size_t cases; /* that it speaks of; counted by case_list_check */
};

struct case_list {
	struct case_row *rows;
	size_t count, room;
};

/* EXP_EPARSE names the line. Start from a zeroed struct. */
EXP_NODISCARD int case_list_read(struct case_list *list, const char *path, struct exp_error *err);

/* Holds the cases that have run to the list. Appends a line to out for each contradiction, and returns how many there
 * are. complete: all cases have run, so a row that speaks of none is wrong. */
size_t case_list_check(struct case_list *list, const struct onnx_suite *suite, bool complete, struct buf *out);

void case_list_fini(struct case_list *list);

#endif

/*
 * names_internal.h: the words of the .def tables, as the databases hold them. Pure; any thread.
 */
#ifndef STORAGE_NAMES_INTERNAL_H
#define STORAGE_NAMES_INTERNAL_H

#include <stddef.h>

#include "base/error.h"

/* An enum's names by value; a NULL name stands for SQL's NULL. */
struct names {
	const char *noun;
	const char *const *items;
	size_t count;
};

#define NAMES(noun, array)                                                                                             \
	{                                                                                                              \
		noun, array, sizeof(array) / sizeof((array)[0])                                                        \
	}

extern const struct names job_state_names, job_kind_names;
extern const struct names request_status_names, request_outcome_names, request_verdict_names, regime_names;

/* The value of a name, NULL included; EXP_EINVAL when the table does not have it. */
EXP_NODISCARD int names_find(const struct names *names, const char *text, int *value);

/* The name of a value. A value outside of the table is a bug. */
const char *names_text(const struct names *names, int value);

#endif

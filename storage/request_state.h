/*
 * request_state.h: the three axes of a request, which are never squashed, from request_status.def, outcome.def,
 * verdict.def. Pure; any thread.
 */
#ifndef STORAGE_REQUEST_STATE_H
#define STORAGE_REQUEST_STATE_H

#include <stdbool.h>

#include "base/error.h"

enum request_status {
#define X(symbol, name, next, closed) symbol,
#include "storage/request_status.def"
#undef X
	REQUEST_STATUS_COUNT,
};

enum request_outcome {
#define X(symbol, name, next) symbol,
#include "storage/outcome.def"
#undef X
	REQUEST_OUTCOME_COUNT,
};

enum request_verdict {
#define X(symbol, name) symbol,
#include "storage/verdict.def"
#undef X
	REQUEST_VERDICT_COUNT,
};

enum regime {
#define X(symbol, name) symbol,
#include "storage/regime.def"
#undef X
	REGIME_COUNT,
};

const char *request_status_name(enum request_status status);
EXP_NODISCARD int request_status_parse(const char *name, enum request_status *status); /* EXP_EINVAL */
bool request_status_may_move(enum request_status from, enum request_status to);
bool request_status_is_closed(enum request_status status);

const char *request_outcome_name(enum request_outcome outcome); /* NULL for REQUEST_OUTCOME_UNSET */
EXP_NODISCARD int request_outcome_parse(const char *name,
					enum request_outcome *outcome); /* EXP_EINVAL; NULL is unset */
bool request_outcome_may_move(enum request_outcome from, enum request_outcome to);

const char *request_verdict_name(enum request_verdict verdict);
EXP_NODISCARD int request_verdict_parse(const char *name, enum request_verdict *verdict); /* EXP_EINVAL */

const char *regime_name(enum regime regime);
EXP_NODISCARD int regime_parse(const char *name, enum regime *regime); /* EXP_EINVAL */

#endif

#include "storage/request_state.h"

#include "base/check.h"
#include "storage/names_internal.h"

struct status_row {
	unsigned next;
	bool closed;
};

static const struct status_row statuses[] = {
#define X(symbol, name, next, closed) { next, closed },
#include "storage/request_status.def"
#undef X
};

static const unsigned outcome_next[] = {
#define X(symbol, name, next) next,
#include "storage/outcome.def"
#undef X
};

static const char *const status_names[] = {
#define X(symbol, name, next, closed) name,
#include "storage/request_status.def"
#undef X
};

static const char *const outcome_names[] = {
#define X(symbol, name, next) name,
#include "storage/outcome.def"
#undef X
};

static const char *const verdict_names[] = {
#define X(symbol, name) name,
#include "storage/verdict.def"
#undef X
};

static const char *const names_of_regimes[] = {
#define X(symbol, name) name,
#include "storage/regime.def"
#undef X
};

const struct names request_status_names = NAMES("status", status_names);
const struct names request_outcome_names = NAMES("outcome", outcome_names);
const struct names request_verdict_names = NAMES("verdict", verdict_names);
const struct names regime_names = NAMES("regime", names_of_regimes);

const char *request_status_name(enum request_status status)
{
	return names_text(&request_status_names, (int)status);
}

int request_status_parse(const char *name, enum request_status *status)
{
	int value, rc = names_find(&request_status_names, name, &value);

	if (!rc)
		*status = (enum request_status)value;
	return rc;
}

bool request_status_may_move(enum request_status from, enum request_status to)
{
	exp_require((unsigned)from < REQUEST_STATUS_COUNT && (unsigned)to < REQUEST_STATUS_COUNT);
	return from == to || statuses[from].next & 1u << to;
}

bool request_status_is_closed(enum request_status status)
{
	exp_require((unsigned)status < REQUEST_STATUS_COUNT);
	return statuses[status].closed;
}

const char *request_outcome_name(enum request_outcome outcome)
{
	return names_text(&request_outcome_names, (int)outcome);
}

int request_outcome_parse(const char *name, enum request_outcome *outcome)
{
	int value, rc = names_find(&request_outcome_names, name, &value);

	if (!rc)
		*outcome = (enum request_outcome)value;
	return rc;
}

bool request_outcome_may_move(enum request_outcome from, enum request_outcome to)
{
	exp_require((unsigned)from < REQUEST_OUTCOME_COUNT && (unsigned)to < REQUEST_OUTCOME_COUNT);
	return from == to || outcome_next[from] & 1u << to;
}

const char *request_verdict_name(enum request_verdict verdict)
{
	return names_text(&request_verdict_names, (int)verdict);
}

int request_verdict_parse(const char *text, enum request_verdict *verdict)
{
	int value, rc = names_find(&request_verdict_names, text, &value);

	if (!rc)
		*verdict = (enum request_verdict)value;
	return rc;
}

const char *regime_name(enum regime regime)
{
	return names_text(&regime_names, (int)regime);
}

int regime_parse(const char *name, enum regime *regime)
{
	int value, rc = names_find(&regime_names, name, &value);

	if (!rc)
		*regime = (enum regime)value;
	return rc;
}

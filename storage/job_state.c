#include "storage/job_state.h"

#include "base/check.h"
#include "storage/names_internal.h"

struct row {
	unsigned next;
	bool terminal, holds_model;
};

static const struct row rows[] = {
#define X(symbol, name, next, terminal, holds_model) { next, terminal, holds_model },
#include "storage/job_state.def"
#undef X
};

static const char *const state_names[] = {
#define X(symbol, name, next, terminal, holds_model) name,
#include "storage/job_state.def"
#undef X
};

static const char *const kind_names[] = {
#define X(symbol, name) name,
#include "storage/job_kind.def"
#undef X
};

const struct names job_state_names = NAMES("job state", state_names);
const struct names job_kind_names = NAMES("kind of job", kind_names);

static const struct row *row_of(enum job_state state)
{
	exp_require((unsigned)state < JOB_STATE_COUNT);
	return &rows[state];
}

const char *job_state_name(enum job_state state)
{
	return names_text(&job_state_names, (int)state);
}

int job_state_parse(const char *name, enum job_state *state)
{
	int value, rc = names_find(&job_state_names, name, &value);

	if (!rc)
		*state = (enum job_state)value;
	return rc;
}

bool job_state_may_move(enum job_state from, enum job_state to)
{
	return row_of(from)->next & 1u << to;
}

bool job_state_is_terminal(enum job_state state)
{
	return row_of(state)->terminal;
}

bool job_state_holds_model(enum job_state state)
{
	return row_of(state)->holds_model;
}

const char *job_kind_name(enum job_kind kind)
{
	return names_text(&job_kind_names, (int)kind);
}

int job_kind_parse(const char *name, enum job_kind *kind)
{
	int value, rc = names_find(&job_kind_names, name, &value);

	if (!rc)
		*kind = (enum job_kind)value;
	return rc;
}

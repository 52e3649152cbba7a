/*
 * job_state.h: the states of a job and the moves between them, from job_state.def. Pure; any thread.
 */
#ifndef STORAGE_JOB_STATE_H
#define STORAGE_JOB_STATE_H

#include <stdbool.h>

#include "base/error.h"

enum job_state {
#define X(symbol, name, next, terminal, holds_model) symbol,
#include "storage/job_state.def"
#undef X
	JOB_STATE_COUNT,
};

enum job_kind {
#define X(symbol, name) symbol,
#include "storage/job_kind.def"
#undef X
	JOB_KIND_COUNT,
};

const char *job_state_name(enum job_state state);
EXP_NODISCARD int job_state_parse(const char *name, enum job_state *state); /* EXP_EINVAL */
bool job_state_may_move(enum job_state from, enum job_state to);
bool job_state_is_terminal(enum job_state state);
bool job_state_holds_model(enum job_state state);

const char *job_kind_name(enum job_kind kind);
EXP_NODISCARD int job_kind_parse(const char *name, enum job_kind *kind); /* EXP_EINVAL */

#endif

/*
 * follow.h: waits until a thing at the daemon has come to its end, looking again whenever it changes (Prefer: wait and
 * If-None-Match, so that an idle wait costs nothing).
 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/remote.h"
#include "cli/timeline.h"

struct follow {
	const char *path;
	bool (*is_over)(const json_t *state);
	void (*tell)(struct timeline *t, const json_t *state); /* of each new state */
	bool is_silent;
};

/* *last: the state at the end, a new reference. */
EXP_NODISCARD int follow_to_end(struct remote *r, const struct follow *f, json_t **last, struct exp_error *err);

/* Follows a job and tells its states and progress. EXP_EVERIFY with its reason when it failed or was cancelled; *last
 * is filled then too. */
EXP_NODISCARD int follow_job(struct remote *r, const char *id, bool is_silent, json_t **last, struct exp_error *err);

/* Follows a deletion request and tells what becomes of it on each model. EXP_EVERIFY when it ended otherwise than
 * completed; *last is filled then too. */
EXP_NODISCARD int follow_request(struct remote *r, const char *id, bool is_silent, json_t **last,
				 struct exp_error *err);

#endif

/*
 * request_view.h: a deletion request as a person reads it, with the evidence of every attempt that was made for it.
 *
 * Attempts are in the jobs, which a submitter may not see: then the evidence of the published attempt stands alone,
 * as the request itself carries it.
 */
#ifndef CLI_REQUEST_VIEW_H
#define CLI_REQUEST_VIEW_H

#include "cli/command.h"
#include "cli/remote.h"

struct request_view {
	json_t *request; /* as GET /v1/deletion-requests/{id} answers */
	json_t *jobs;    /* as GET /v1/jobs/{id} answers, oldest first; those that the token may see */
};

EXP_NODISCARD int request_view_load(struct remote *r, const char *id, struct request_view *out, struct exp_error *err);
void request_view_print(const struct request_view *v);
void request_view_fini(struct request_view *v);

/* One line: where the request stands. */
void request_view_print_head(const json_t *request);

/* Follows a request to its end and shows it as it then is; EXP_EVERIFY when it ended otherwise than completed. */
EXP_NODISCARD int request_view_follow(const struct command_context *c, struct remote *r, const char *id,
				      struct exp_error *err);

#endif

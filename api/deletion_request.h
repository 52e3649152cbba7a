/*
 * deletion_request.h: how a deletion request looks from outside. Never who it is about.
 * Threads: any; new references are the caller's.
 */
#ifndef API_DELETION_REQUEST_H
#define API_DELETION_REQUEST_H

#include "base/json.h"
#include "storage/requests.h"

/* What lists show: the three axes, the clock, links. */
json_t *deletion_request_summary(const struct stored_request *r);

/* The summary, and how it fares on each model, its jobs, the progress of the one that runs. *closed may be NULL.
 * EXP_ENOTFOUND. */
EXP_NODISCARD int deletion_request_render(struct db *db, const char *id, json_t **out, bool *closed,
					  struct exp_error *err);

/* EXP_ENOTFOUND unless id has the form of one. */
EXP_NODISCARD int deletion_request_check_id(const char *id, struct exp_error *err);

#endif

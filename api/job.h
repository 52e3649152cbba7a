/*
 * job.h: how a job looks from outside. Threads: any; new references are the caller's.
 */
#ifndef API_JOB_H
#define API_JOB_H

#include "base/json.h"
#include "storage/jobs.h"

json_t *job_summary(const struct stored_job *job);

/* The summary, the requests that it serves, its attempts with their verdicts. *over may be NULL. EXP_ENOTFOUND. */
EXP_NODISCARD int job_render(struct db *db, const char *id, json_t **out, bool *over, struct exp_error *err);

/* EXP_ENOTFOUND unless id has the form of one. */
EXP_NODISCARD int job_check_id(const char *id, struct exp_error *err);

#endif

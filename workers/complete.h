/*
 * complete.h: the last step of requests: rows and scores overwritten, then T2.
 *
 * A request is completed by the job that finishes the last of its models: exact work is published on all of them (or
 * the policy lets a mitigation stand where exact work cannot be done). Until then its rows stay, tombstoned.
 */
#ifndef WORKERS_COMPLETE_H
#define WORKERS_COMPLETE_H

#include "workers/selection.h"

/* Marks this model as done for the job's requests that are, and completes those whose models all are. Idempotent. */
EXP_NODISCARD int complete_requests(struct run *r, const struct selection *s, struct exp_error *err);

#endif

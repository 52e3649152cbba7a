/*
 * job_view.h: how a job is shown to a person.
 */
#ifndef CLI_JOB_VIEW_H
#define CLI_JOB_VIEW_H

#include "base/json.h"

/* job: an answer of GET /v1/jobs/{id}. Attempts with their verdicts, one line each. */
void job_view_print(const json_t *job);

/* "references 40/160" of a job or a link to one; nothing when it tells of no progress. Appended. */
void job_view_progress(const json_t *job, struct buf *out);

#endif

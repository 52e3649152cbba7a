/*
 * failpoint.h: where the crash tests kill the daemon. Compiled in with the build option "failpoints" only.
 *
 * With EXPUNGE_FAILPOINT=KIND:STATE in the environment, for example "unlearn:staged", the process kills itself
 * (SIGKILL) as soon as a job of that kind has durably entered that state, before anything else of it is done.
 */
#ifndef WORKERS_FAILPOINT_H
#define WORKERS_FAILPOINT_H

#include "storage/job_state.h"

void failpoint(enum job_kind kind, enum job_state state);

#endif

/*
 * recover.h: what a start does before any job runs, so that a kill at any point leaves nothing behind.
 *
 *   leases        of the process that died are over: its jobs are claimable at once
 *   keys          of requests that were never committed are destroyed
 *   versions      that were staged by a job that will run again are destroyed
 *   files         of weights and datasets that nothing refers to are overwritten and removed
 */
#ifndef WORKERS_RECOVER_H
#define WORKERS_RECOVER_H

#include "workers/workers.h"

/* EXP_EIO and storage's errors; what was done before stays done. */
EXP_NODISCARD int recover(const struct workers_options *options, struct exp_error *err);

#endif

/*
 * run_job.h: what each kind of job does, from claim to end, and what becomes of it when something goes wrong.
 *
 *   register           publish version 1, calibrate, ready
 *   unlearn, retrain   select → unlearn and verify → stage → publish → drain → erase      (erasure_job.c, finish_job.c)
 *
 * A failure that may pass (busy, disk full, i/o, memory) gives the job back with a growing delay, as often as it takes;
 * any other before the publication fails the job and, for requests, asks for a person; after it the job is taken up
 * until it is done.
 */
#ifndef WORKERS_RUN_JOB_H
#define WORKERS_RUN_JOB_H

#include "workers/run.h"

/* Runs the claimed job to its end, or gives it back. Never fails: what went wrong is in the job's record and the log.
 */
void run_job(struct run *r);

/* The kinds, for run_job's table. They return 0 when the job is over or was given back by themselves. */
EXP_NODISCARD int register_job(struct run *r, struct exp_error *err);
EXP_NODISCARD int erasure_job(struct run *r, struct exp_error *err);

/* From `published` on: swap, drain, destroy, overwrite rows, complete requests. Idempotent. */
EXP_NODISCARD int finish_job(struct run *r, struct exp_error *err);

#endif

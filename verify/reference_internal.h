/*
 * reference_internal.h: reference_setup.c makes the table that reference.c fills.
 */
#ifndef VERIFY_REFERENCE_INTERNAL_H
#define VERIFY_REFERENCE_INTERNAL_H

#include "verify/reference.h"

/* Creates the job's score table, or finds the same one. EXP_ECONFLICT as scores_create. */
EXP_NODISCARD int reference_prepare(const struct reference_job *job, struct exp_error *err);

#endif

/*
 * live_internal.h: what the registry needs of a snapshot beyond its contract.
 */
#ifndef MODEL_LIVE_INTERNAL_H
#define MODEL_LIVE_INTERNAL_H

#include "model/live.h"

/* Zeroes and frees the weights, and frees all else but the struct itself. Idempotent. */
void snapshot_wipe(struct snapshot *s);

#endif

/*
 * live_internal.h: what the registry needs of a snapshot beyond its contract.
 */
#ifndef MODEL_LIVE_INTERNAL_H
#define MODEL_LIVE_INTERNAL_H

#include "model/live.h"

/* Frees all but the struct itself; params_free and graph_unref zero the weights. Idempotent. */
void snapshot_wipe(struct snapshot *s);

#endif

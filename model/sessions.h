/*
 * sessions.h: a bounded pool of engine sessions over one graph, so that predictions run side by side.
 *
 * Sessions are made when they are first needed. Threads: any number; more than max wait for the next that comes back.
 * The pool's lock has rank LOCK_MODELS and is not held while anything is computed.
 */
#ifndef MODEL_SESSIONS_H
#define MODEL_SESSIONS_H

#include <stddef.h>

#include "engine/session.h"

struct sessions;

/* One session is made at once, so that the first prediction cannot fail for want of memory. EXP_EMEMORY, EXP_ESHAPE. */
EXP_NODISCARD int sessions_new(struct graph *g, size_t max, size_t batch, struct sessions **out, struct exp_error *err);

/* All must have come back. NULL is fine. */
void sessions_free(struct sessions *p);

/* inputs [n, row floats] -> outputs [n, classes] in chunks of a batch, at parameters p of the same graph. */
EXP_NODISCARD int sessions_forward(struct sessions *pool, const struct params *p, const float *inputs, size_t n,
				   float *outputs, struct exp_error *err);

#endif

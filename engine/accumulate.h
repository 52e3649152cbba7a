/*
 * accumulate.h: what session_backward gives, added up over all rows of a source.
 *
 * The sum runs batch by batch in the order of the rows, so the same rows and batch size give the same bits.
 * Threads: those of the session.
 */
#ifndef ENGINE_ACCUMULATE_H
#define ENGINE_ACCUMULATE_H

#include <stdbool.h>

#include "engine/session.h"
#include "engine/source.h"

/* Told between batches; returning true cancels the work with EXP_ECANCELLED. NULL where nobody listens. */
struct progress {
	bool (*report)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct accumulation {
	struct session *session;
	const struct params *at; /* where the gradients are taken */
	const struct source *source;
	enum session_reduce reduce;      /* SESSION_SUM or SESSION_SQUARE_SUM */
	const struct progress *progress; /* may be NULL */
};

/* *out: a new block, the caller's. EXP_ESHAPE, EXP_ERANGE, EXP_ENONFINITE (the rows of the batch are named),
 * EXP_ECANCELLED, EXP_EMEMORY. */
EXP_NODISCARD int accumulate(const struct accumulation *a, struct params **out, struct exp_error *err);

#endif

/*
 * importance.h: per-parameter sum of squared per-sample gradients over a set of rows, with the row count: the diagonal
 * of the empirical Fisher information, times the rows (Foster et al., "Fast Machine Unlearning Without Retraining
 * Through Selective Synaptic Dampening", AAAI 2024, without its batch-mean shortcut).
 *
 * Sums are additive over disjoint sets of rows and independent of batch size and order up to rounding.
 * File form: safetensors, one F32 tensor a parameter under the initializer's name, metadata "rows".
 */
#ifndef ENGINE_IMPORTANCE_H
#define ENGINE_IMPORTANCE_H

#include "engine/accumulate.h"
#include "engine/params.h"
#include "engine/session.h"
#include "engine/source.h"

struct importance {
	struct params *sum; /* owned; layout of the graph's parameters */
	uint64_t rows;
};

/* Over all rows of source at parameters p. EXP_ERANGE, EXP_ENONFINITE, EXP_ECANCELLED; *out is untouched on failure. */
EXP_NODISCARD int importance_compute(struct session *s, const struct params *p, const struct source *source,
				     const struct progress *progress, struct importance *out, struct exp_error *err);

/* a -= b, floored at zero: forgotten rows leave. Same graph; rows of b at most rows of a. */
EXP_NODISCARD int importance_subtract(struct importance *a, const struct importance *b);

EXP_NODISCARD int importance_save(const struct importance *i, const char *path, struct exp_error *err);
EXP_NODISCARD int importance_load(struct graph *g, const char *path, struct importance *out, struct exp_error *err);
void importance_fini(struct importance *i);

#endif

/*
 * params.h: all parameters of a model as one flat fp32 block, with the graph's named views into it.
 *
 * A snapshot is a memcpy, dampening is one pass, an optimiser's state is a block of the same size. Gradients and
 * importances are blocks of the same layout.
 * Ownership: params_free; the graph is referenced and outlives the block. Threads: a block that nobody writes may be
 * read by any number of threads.
 */
#ifndef ENGINE_PARAMS_H
#define ENGINE_PARAMS_H

#include <stdint.h>

#include "base/digest.h"
#include "engine/graph.h"

struct params {
	struct graph *graph;
	float *values; /* [count], 64-byte aligned */
	size_t count;
	uint64_t id; /* of this block: no other in this process ever has it */
};

/* Zeroed. EXP_EMEMORY. */
EXP_NODISCARD int params_new(struct graph *g, struct params **out);
EXP_NODISCARD int params_clone(const struct params *p, struct params **out);
void params_copy(struct params *to, const struct params *from); /* same graph */
void params_free(struct params *p);                             /* zeroes the values first; NULL is fine */

/* SHA-256 over the floats, little-endian, in block order. */
void params_digest(const struct params *p, uint8_t out[DIGEST_SIZE]);

/* EXP_ENONFINITE names the parameter that holds a NaN or an infinity. */
EXP_NODISCARD int params_check_finite(const struct params *p, struct exp_error *err);

#endif

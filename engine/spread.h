/*
 * spread.h: operands that do not depend on the sample, in nodes whose output does: a class token put in front of every
 * sequence, a table of positions given to every row.
 *
 * Where the output has samples, such an operand has one entry that all of them share, or one for each. Either way what
 * reaches the operand is split up by sample again, for its reduction (engine/reduce.h).
 * Threads: constant once it is made.
 */
#ifndef ENGINE_SPREAD_H
#define ENGINE_SPREAD_H

#include "engine/strided.h"

/* Where an operand comes to lie: a box of the operand's shape after broadcasting, steps in elements. */
struct spread_place {
	struct shape shape;
	ptrdiff_t steps[GRAPH_MAX_DIMS];
	size_t at;
	const struct op_samples *samples; /* NULL: unbatched */
};

struct spread {
	struct strided map;  /* from the operand to its place */
	struct strided rows; /* from its place to [samples, count] */
	size_t samples, count;
	bool once;      /* every element of the operand is taken, and once */
	bool by_sample; /* the operand gets its gradient by a reduction */
};

/* The steps of a tensor that is dense. */
void spread_dense(const struct shape *shape, ptrdiff_t steps[GRAPH_MAX_DIMS]);

/* EXP_ESHAPE when input i does not broadcast to the place. Raises b->scratch to what spread_reduce needs. */
EXP_NODISCARD int spread_init(struct op_build *b, size_t i, const struct spread_place *place, struct spread *out,
			      struct exp_error *err);

/* The two halves of spread_init, for operators with so many operands that they keep no map of each: entries is what the
 * one says for the other. */
EXP_NODISCARD int spread_check(const struct op_build *b, size_t i, const struct spread_place *place, size_t *entries,
			       struct exp_error *err);
void spread_build(const struct op_value *v, size_t samples, const struct spread_place *place, size_t entries,
		  struct spread *out);

/* As spread_init for a map that the caller has built, unmerged; axis counts the samples, if there are any. */
void spread_init_map(struct op_build *b, size_t i, const struct strided *map, size_t axis, struct spread *out);

/* Gradients of the place to those of the operand; grad of in is written, or its reduction is served. */
void spread_back(const struct spread *s, const struct op_input *in, const float *grads, float *scratch);

/* Of numbers that make a shape, the one that counts samples: *found is false when none does. EXP_EUNSUPPORTED when two
 * do, or one counts in another way than by multiples. */
EXP_NODISCARD int spread_find_samples(const struct op_build *b, const int64_t *known, const int64_t *probe,
				      size_t count, struct op_samples *out, bool *found, struct exp_error *err);

#endif

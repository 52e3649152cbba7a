/*
 * batch.h: the rows of a source, a batch at a time, in a buffer that is made once.
 *
 * Ownership: batch_init allocates, batch_fini frees; source and order are borrowed. Threads: a batch belongs to one
 * thread.
 */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "engine/graph.h"
#include "engine/source.h"

struct batch {
	const struct source *source;
	size_t capacity;
	size_t *index;   /* [capacity], scratch for rows in their own order */
	float *inputs;   /* [n, row floats] of the last read */
	int32_t *labels; /* [n, row labels] of the last read */
	size_t n;
};

/* EXP_ESHAPE when the source's rows do not fit the graph's input, EXP_EMEMORY. */
EXP_NODISCARD int batch_init(struct batch *b, const struct graph *g, const struct source *source, size_t capacity,
			     struct exp_error *err);

/* Reads rows order[first …] (order NULL: rows first …), as many as fit and are left: b->n of them, 0 at the end. */
EXP_NODISCARD int batch_read(struct batch *b, const size_t *order, size_t first, struct exp_error *err);

void batch_fini(struct batch *b);

#endif

/*
 * strided.h: copies between two tensors whose elements correspond by steps: what Transpose, Slice, Split, Concat,
 * Expand, Tile and DepthToSpace have in common.
 *
 * A map is a box of axes. Its element (i_0, i_1, …) stands at from_at + sum i_d from[d] in one tensor and at
 * to_at + sum i_d to[d] in the other, counted in elements. A step of 0 means the same element again, a negative one
 * walks backwards.
 *
 * Build a map with strided_push, outermost axis first, then strided_merge it. The two tensors of a call do not overlap.
 * Threads: a map is constant once it is built.
 */
#ifndef ENGINE_STRIDED_H
#define ENGINE_STRIDED_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/op.h"

enum { STRIDED_MAX_AXES = 2 * GRAPH_MAX_DIMS + 2 }; /* as many as Tile has */

struct strided {
	size_t rank, sizes[STRIDED_MAX_AXES];
	ptrdiff_t from[STRIDED_MAX_AXES], to[STRIDED_MAX_AXES];
	ptrdiff_t from_at, to_at;
	bool crossed; /* the last two axes are a matrix and its transpose */
};

void strided_push(struct strided *s, size_t size, ptrdiff_t from, ptrdiff_t to);

/* A dimension before * N * after as three axes; returns the number of the one that counts samples. The tensor that is
 * read has before * entries * after there; where entries is not N, all samples read the first. */
size_t strided_push_samples(struct strided *s, const struct op_samples *at, size_t samples, size_t entries,
			    const ptrdiff_t steps[2]);

/* Puts the axes in the order in which they are written, makes one axis of those that act as one. */
void strided_merge(struct strided *s);

/* The same map read the other way round, merged. */
struct strided strided_reverse(const struct strided *s);

/* The reverse of a map whose tensor is the same for all samples, into one such tensor of count elements for each
 * sample: [N, count]. axis counts the samples (strided_push_samples); s is not merged yet. Merged. */
struct strided strided_reverse_by_sample(const struct strided *s, size_t axis, size_t count);

/* to = from; elements of size bytes: 1, 4 or 8. */
void strided_copy(const struct strided *s, size_t size, void *to, const void *from);

/* to += from, in an order that depends on the map alone. */
void strided_add(const struct strided *s, float *to, const float *from);

#endif

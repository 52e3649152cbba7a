/*
 * shape.h: the dimensions of a tensor.
 *
 * A batched value lies in memory row after row (sample-major), so the shape that is kept is that of one row: dims[0] is
 * the number of leading entries that one sample owns, nearly always 1, T where an export merges [N, T, C] into
 * [N * T, C]. A value that does not depend on the sample (a weight) keeps its whole shape.
 */
#ifndef ENGINE_SHAPE_H
#define ENGINE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/graph.h"

/* Floats that one tensor (one row of a batched one) may have: a file asks for more only by mistake or malice. */
#define SHAPE_MAX_FLOATS ((size_t)1 << 28)

struct shape {
	size_t rank;
	size_t dims[GRAPH_MAX_DIMS];
};

enum { SHAPE_TEXT = 192 };

/* Elements; false when the product exceeds SHAPE_MAX_FLOATS. */
EXP_NODISCARD bool shape_try_count(const struct shape *s, size_t *count);

/* Elements of a shape that has been checked before. */
size_t shape_count(const struct shape *s);

/* Product of dims[from … to-1]. */
size_t shape_span(const struct shape *s, size_t from, size_t to);

bool shape_equal(const struct shape *a, const struct shape *b);

/* "[N, 3, 28, 28]" for a batched value, "[16, 3, 3, 3]" otherwise, into text; returns text. */
char *shape_format(const struct shape *s, bool batched, char text[SHAPE_TEXT]);

#endif

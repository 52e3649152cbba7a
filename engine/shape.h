/*
 * shape.h: the dimensions of a tensor, outermost first, the batch included.
 */
#ifndef ENGINE_SHAPE_H
#define ENGINE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "engine/graph.h"

/* Elements that one tensor may have: a file asks for more only by mistake or malice. */
#define SHAPE_MAX_COUNT ((size_t)1 << 31)

struct shape {
	size_t rank; /* 0: one element */
	size_t dims[GRAPH_MAX_DIMS];
};

enum { SHAPE_TEXT = 192 };

/* Elements; false when the product exceeds SHAPE_MAX_COUNT, whatever zeros there are. */
EXP_NODISCARD bool shape_try_count(const struct shape *s, size_t *count);

/* Elements of a shape that has been checked before. */
size_t shape_count(const struct shape *s);

/* Product of dims[from … to-1]. */
size_t shape_span(const struct shape *s, size_t from, size_t to);

bool shape_equal(const struct shape *a, const struct shape *b);

/* "[16, 3, 3, 3]" into text; returns text. */
char *shape_format(const struct shape *s, char text[SHAPE_TEXT]);

#endif

/*
 * source.h: where the engine gets rows from. dataset/ implements it for forget, retain and held-out views; npy_source
 * for files.
 *
 * Rows are numbered 0 … rows-1 within the source. read fills float32 inputs [n, row floats] and labels [n, row labels]
 * for the given rows; scaling of uint8 is the source's business. Threads: read may be called from several threads at
 * once.
 */
#ifndef ENGINE_SOURCE_H
#define ENGINE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct source {
	size_t rows;
	size_t row_floats; /* floats of one input row */
	size_t row_labels; /* labels of one row: the positions of a sequence; 0 means one */
	int (*read)(const struct source *s, const size_t *index, size_t n, float *inputs, int32_t *labels);
	const void *self;
};

/* A source over rows picked from another: index [rows] is borrowed and numbers rows of parent. */
struct source_subset {
	struct source source; /* hand &subset.source to the engine */
	const struct source *parent;
	const size_t *index;
};

size_t source_row_labels(const struct source *s); /* 1 or more */

void source_subset_init(struct source_subset *s, const struct source *parent, const size_t *index, size_t rows);

#endif

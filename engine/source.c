#include "engine/source.h"

#include "base/check.h"

enum { CHUNK = 256 };

/* Translates a chunk of indices at a time, so that nothing is allocated. */
static int read_subset(const struct source *source, const size_t *index, size_t n, float *inputs, int32_t *labels)
{
	const struct source_subset *s = source->self;
	size_t chunk[CHUNK];
	int rc = 0;

	for (size_t first = 0; !rc && first < n; first += CHUNK) {
		size_t count = n - first < CHUNK ? n - first : CHUNK;

		for (size_t i = 0; i < count; i++) {
			exp_require(index[first + i] < source->rows);
			chunk[i] = s->index[index[first + i]];
		}
		rc = s->parent->read(s->parent, chunk, count, inputs + first * source->row_floats,
				     labels + first * source_row_labels(source));
	}
	return rc;
}

size_t source_row_labels(const struct source *s)
{
	return s->row_labels ? s->row_labels : 1;
}

void source_subset_init(struct source_subset *s, const struct source *parent, const size_t *index, size_t rows)
{
	s->source = (struct source){ .rows = rows,
				     .row_floats = parent->row_floats,
				     .row_labels = parent->row_labels,
				     .read = read_subset,
				     .self = s };
	s->parent = parent;
	s->index = index;
}

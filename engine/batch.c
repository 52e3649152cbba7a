#include "engine/batch.h"

#include <string.h>

#include "base/mem.h"

int batch_init(struct batch *b, const struct graph *g, const struct source *source, size_t capacity,
	       struct exp_error *err)
{
	struct batch made = { .source = source, .capacity = capacity };
	size_t floats;

	if (source->row_floats != graph_input_floats(g))
		return error_set(err, EXP_ESHAPE,
				 "a row of the data has %zu numbers, but the model's input \"%s\" takes %zu",
				 source->row_floats, graph_input_name(g), graph_input_floats(g));
	if (source_row_labels(source) != graph_positions(g))
		return error_set(err, EXP_ESHAPE,
				 "a row of the data has %zu labels, but the model makes %zu predictions for it",
				 source_row_labels(source), graph_positions(g));
	if (mem_size(capacity, source->row_floats, &floats))
		made.inputs = mem_try_aligned(floats, sizeof(*made.inputs));
	made.index = mem_try_alloc(capacity, sizeof(*made.index));
	made.labels = mem_try_alloc(capacity, source_row_labels(source) * sizeof(*made.labels));
	if (!made.inputs || !made.index || !made.labels) {
		batch_fini(&made);
		return error_set(err, EXP_EMEMORY, "no memory for a batch of %zu rows", capacity);
	}
	*b = made;
	return 0;
}

int batch_read(struct batch *b, const size_t *order, size_t first, struct exp_error *err)
{
	size_t left = first < b->source->rows ? b->source->rows - first : 0;
	size_t n = left < b->capacity ? left : b->capacity;
	int rc;

	b->n = 0;
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		b->index[i] = order ? order[first + i] : first + i;
	rc = b->source->read(b->source, b->index, n, b->inputs, b->labels);
	if (rc)
		return error_set(err, rc, "the data's rows from %zu on cannot be read: %s", first, error_sentence(rc));
	b->n = n;
	return 0;
}

void batch_fini(struct batch *b)
{
	mem_free(b->inputs);
	mem_free(b->index);
	mem_free(b->labels);
	memset(b, 0, sizeof(*b));
}

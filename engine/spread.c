#include "engine/spread.h"

#include <inttypes.h>
#include <string.h>

void spread_dense(const struct shape *shape, ptrdiff_t steps[GRAPH_MAX_DIMS])
{
	for (size_t d = 0; d < shape->rank; d++)
		steps[d] = (ptrdiff_t)shape_span(shape, d + 1, shape->rank);
}

static int misfit(const struct op_build *b, size_t i, const struct spread_place *place, struct exp_error *err)
{
	char from[SHAPE_TEXT], to[SHAPE_TEXT];

	return error_set(err, EXP_ESHAPE, "input %zu of shape %s does not fit where %s is expected", i,
			 op_format(b, i, from), shape_format(&place->shape, to));
}

static void build(const struct op_value *v, size_t samples, const struct strided *map, size_t axis, struct spread *out)
{
	out->map = *map;
	out->by_sample = axis < map->rank && !v->batched && v->trainable;
	out->samples = samples;
	out->count = v->count;
	if (out->by_sample)
		out->rows = strided_reverse_by_sample(map, axis, v->count);
	strided_merge(&out->map);
	out->once = true;
	for (size_t d = 0; d < out->map.rank; d++)
		out->once = out->once && out->map.from[d] && out->map.sizes[d];
}

static void raise_scratch(struct op_build *b, const struct spread *s)
{
	size_t scratch = s->by_sample ? s->samples * s->count : 0;

	b->scratch = scratch > b->scratch ? scratch : b->scratch;
}

void spread_init_map(struct op_build *b, size_t i, const struct strided *map, size_t axis, struct spread *out)
{
	build(b->inputs[i], b->samples, map, axis, out);
	raise_scratch(b, out);
}

/* A value that a file made for its own batch size can serve another when it says the same of every sample. */
static bool says_the_same(const struct op_value *v, size_t d, const struct op_samples *at, size_t entries)
{
	size_t bytes = at->after * shape_span(&v->shape, d + 1, v->shape.rank) * tensor_size(v->type);
	size_t blocks = shape_span(&v->shape, 0, d) * at->before;
	const char *first = v->known;

	for (size_t i = 0; first && i < blocks; i++, first += entries * bytes)
		for (size_t n = 1; n < entries; n++)
			if (memcmp(first, first + n * bytes, bytes) != 0)
				return false;
	return first != NULL;
}

/* How many samples dimension d of input i speaks for; 0: it does not fit. */
static size_t count_entries(const struct op_build *b, size_t i, size_t d, const struct op_samples *at)
{
	const struct op_value *v = b->inputs[i];
	size_t each = at->before * at->after, entries = v->shape.dims[d] / each;

	if (v->shape.dims[d] % each || (v->batched && entries != b->samples))
		return 0;
	if (entries == b->samples || entries == 1)
		return entries;
	return entries == b->file_batch && says_the_same(v, d, at, entries) ? entries : 0;
}

/* Size of v along dimension d of the place. */
static size_t size_at(const struct op_value *v, const struct spread_place *place, size_t d)
{
	size_t lead = place->shape.rank - v->shape.rank;

	return d < lead ? 1 : v->shape.dims[d - lead];
}

int spread_check(const struct op_build *b, size_t i, const struct spread_place *place, size_t *entries,
		 struct exp_error *err)
{
	const struct op_value *v = b->inputs[i];
	const struct shape *to = &place->shape;

	*entries = 1;
	if (v->shape.rank > to->rank)
		return misfit(b, i, place, err);
	for (size_t d = 0; d < to->rank; d++) {
		const struct op_samples *at = place->samples && place->samples->axis == d ? place->samples : NULL;
		size_t have = size_at(v, place, d);

		if (at && have != 1)
			*entries = count_entries(b, i, d - (to->rank - v->shape.rank), at);
		if (at ? *entries == 0 : have != to->dims[d] && have != 1)
			return misfit(b, i, place, err);
	}
	return 0;
}

void spread_build(const struct op_value *v, size_t samples, const struct spread_place *place, size_t entries,
		  struct spread *out)
{
	const struct shape *to = &place->shape;
	struct strided map = { .to_at = (ptrdiff_t)place->at };
	size_t axis = STRIDED_MAX_AXES;

	for (size_t d = 0; d < to->rank; d++) {
		ptrdiff_t steps[2] = { 0, place->steps[d] };

		if (size_at(v, place, d) != 1)
			steps[0] = (ptrdiff_t)shape_span(&v->shape, d + 1 - (to->rank - v->shape.rank), v->shape.rank);
		if (place->samples && place->samples->axis == d)
			axis = strided_push_samples(&map, place->samples, samples, entries, steps);
		else
			strided_push(&map, to->dims[d], steps[0], steps[1]);
	}
	build(v, samples, &map, axis, out);
}

int spread_init(struct op_build *b, size_t i, const struct spread_place *place, struct spread *out,
		struct exp_error *err)
{
	size_t entries;
	int rc = spread_check(b, i, place, &entries, err);

	if (rc)
		return rc;
	spread_build(b->inputs[i], b->samples, place, entries, out);
	raise_scratch(b, out);
	return 0;
}

void spread_back(const struct spread *s, const struct op_input *in, const float *grads, float *scratch)
{
	if (in->grad) {
		struct strided back = strided_reverse(&s->map);

		if (s->once) {
			strided_copy(&back, sizeof(float), in->grad, grads);
			return;
		}
		memset(in->grad, 0, in->value->count * sizeof(float));
		strided_add(&back, in->grad, grads);
	} else if (in->reduce && s->by_sample) {
		memset(scratch, 0, s->samples * s->count * sizeof(float));
		strided_add(&s->rows, scratch, grads);
		reduce_add_rows(in->reduce,
				&(struct reduce_rows){
				    .rows = scratch, .samples = s->samples, .count = s->count, .scale = 1.0f });
	}
}

int spread_find_samples(const struct op_build *b, const int64_t *known, const int64_t *probe, size_t count,
			struct op_samples *out, bool *found, struct exp_error *err)
{
	int64_t n = (int64_t)b->samples;

	*found = false;
	for (size_t i = 0; b->samples && i < count; i++) {
		if (!op_counts_samples(known[i], probe[i]))
			continue;
		if (*found || known[i] > (int64_t)SHAPE_MAX_COUNT || known[i] % n || known[i] / n < 0 ||
		    probe[i] != known[i] / n * (n + 1))
			return error_set(err, EXP_EUNSUPPORTED,
					 "its output's shape depends on the number of samples in dimension %zu, "
					 "which is %" PRId64 " for %" PRId64 " samples",
					 i, known[i], n);
		*out = (struct op_samples){ i, 1, (size_t)(known[i] / n) };
		*found = true;
	}
	return 0;
}

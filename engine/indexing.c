#include "engine/indexing.h"

#include <inttypes.h>
#include <math.h>

#include "base/mem.h"

int indexing_elements(struct op_build *b, size_t i, const struct spread_place *places, const struct shape *data,
		      size_t axis, struct indexing *out, struct exp_error *err)
{
	const struct shape *s = &places->shape;
	char have[SHAPE_TEXT], want[SHAPE_TEXT];

	out->rank = s->rank;
	for (size_t d = 0; d < s->rank; d++) {
		bool shared = data->dims[d] == 1 && places->samples && places->samples->axis == d;

		if (s->dims[d] > data->dims[d] && d != axis && !shared)
			return error_set(err, EXP_ESHAPE, "indices of shape %s reach beyond data of shape %s",
					 shape_format(s, have), shape_format(data, want));
		out->dims[d] = s->dims[d];
		out->steps[d] = d == axis || shared ? 0 : shape_span(data, d + 1, data->rank);
		out->index_at[d] = shape_span(s, d + 1, s->rank);
	}
	out->places = shape_count(s);
	out->rows = shape_count(data);
	out->width = out->tuple = out->own = 1;
	out->sizes[0] = data->dims[axis];
	out->index_steps[0] = shape_span(data, axis + 1, data->rank);
	return spread_init(b, i, places, &out->spread, err);
}

bool indexing_may_share(const struct op_build *b, size_t i, const struct op_samples *own, size_t *axis)
{
	const struct shape *s = &b->inputs[i]->shape;

	if (b->inputs[i]->batched || b->file_batch != 1 || own->before > 1)
		return false;
	for (*axis = 0; *axis + 1 < s->rank; ++*axis)
		if (s->dims[*axis] == 1)
			return true;
	return false;
}

static int check_tuples(const struct shape *s, const struct indexing_tuples *how, struct exp_error *err)
{
	const struct shape *data = how->data;
	size_t places = s->rank - 1, tuple = s->dims[places];

	if (tuple > data->rank || how->first > data->rank - tuple || how->first > places)
		return error_set(err, EXP_ESHAPE, "tuples of %zu indices are too long for data of %zu dimensions",
				 tuple, data->rank);
	for (size_t d = 0; d < how->first; d++)
		if (s->dims[d] != data->dims[d])
			return error_set(err, EXP_ESHAPE, "dimension %zu is %zu for the indices and %zu for the data",
					 d, s->dims[d], data->dims[d]);
	return 0;
}

int indexing_tuples(struct op_build *b, size_t i, const struct indexing_tuples *how, struct indexing *out,
		    struct exp_error *err)
{
	const struct op_value *v = b->inputs[i];
	const struct shape *s = &v->shape, *data = how->data;
	int rc = check_tuples(s, how, err);

	if (rc)
		return rc;
	out->rank = s->rank - 1;
	out->tuple = s->dims[out->rank];
	out->width = shape_span(data, how->first + out->tuple, data->rank);
	out->rows = shape_span(data, 0, how->first + out->tuple);
	out->places = 1;
	for (size_t d = 0; d < out->rank; d++) {
		bool shared = how->shared && d == how->axis;

		out->dims[d] = shared ? b->samples : s->dims[d];
		out->steps[d] = d < how->first ? shape_span(data, d + 1, how->first + out->tuple) : 0;
		out->index_at[d] = shared ? 0 : shape_span(s, d + 1, s->rank);
		out->places *= out->dims[d];
	}
	for (size_t k = 0; k < out->tuple; k++) {
		out->sizes[k] = data->dims[how->first + k];
		out->index_steps[k] = shape_span(data, how->first + k + 1, how->first + out->tuple);
	}
	out->own = out->tuple;
	if (how->own && out->places > 0) {
		out->own = how->own->axis - how->first;
		out->own_after = how->own->after;
		out->samples = b->samples;
		out->inner = out->places / b->samples / (how->shared ? shape_span(s, 0, how->axis) : v->outer);
		out->of_one = b->file_batch == 1 && how->own->before == 1;
	}
	return 0;
}

/* The row of place p, whose base is given; INDEXING_NONE when there is none. */
static int64_t find_row(const struct indexing *x, const int64_t *tuple, size_t p, size_t base)
{
	for (size_t k = 0; k < x->tuple; k++) {
		int64_t size = (int64_t)x->sizes[k], at = tuple[k] < 0 ? tuple[k] + size : tuple[k];

		if (at < 0 || at >= size)
			return INDEXING_NONE;
		if (k == x->own) {
			size_t sample = p / x->inner % x->samples, named = (size_t)at / x->own_after % x->samples;

			if (x->of_one && named == 0)
				at += (int64_t)(sample * x->own_after);
			else if (named != sample)
				return INDEXING_NONE;
		}
		base += (size_t)at * x->index_steps[k];
	}
	return (int64_t)base;
}

void indexing_rows(const struct indexing *x, const int64_t *indices, int64_t *rows)
{
	size_t at[GRAPH_MAX_DIMS] = { 0 }, base = 0, tuple = 0;

	if (x->spread.map.rank) {
		strided_copy(&x->spread.map, sizeof(*rows), rows, indices);
		indices = rows;
	}
	for (size_t p = 0; p < x->places; p++) {
		rows[p] = find_row(x, indices + tuple, p, base);
		for (size_t d = x->rank; d-- > 0;) {
			base += x->steps[d];
			tuple += x->index_at[d];
			if (++at[d] < x->dims[d])
				break;
			base -= x->steps[d] * x->dims[d];
			tuple -= x->index_at[d] * x->dims[d];
			at[d] = 0;
		}
	}
}

int indexing_check(const struct op_build *b, size_t i, const struct indexing *x, struct exp_error *err)
{
	int64_t *rows;
	size_t p = 0;

	if (!b->inputs[i]->known)
		return 0;
	rows = mem_try_alloc(x->places + 1, sizeof(*rows));
	if (!rows)
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	indexing_rows(x, b->inputs[i]->known, rows);
	while (p < x->places && rows[p] >= 0)
		p++;
	mem_free(rows);
	return p < x->places ? error_set(err, EXP_ESHAPE, "index %zu lies outside the data", p) : 0;
}

void indexing_fill_missing(enum tensor_type type, void *out, size_t count)
{
	for (size_t j = 0; j < count; j++) {
		if (type == TENSOR_F32)
			((float *)out)[j] = NAN;
		else if (type == TENSOR_I64)
			((int64_t *)out)[j] = INT64_MIN;
		else
			((uint8_t *)out)[j] = 0;
	}
}

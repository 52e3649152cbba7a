/*
 * GatherElements: for each place of the output one element, its position along one axis given by an index.
 * GatherND: for each place a slice, its position along several axes given by a tuple.
 *
 * An index that the data decide may name nothing: see indexing_fill_missing.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/indexing.h"
#include "engine/kernels.h"

enum { DATA, INDICES };

struct gather_nd {
	struct indexing at;
	struct reduce_lookup table; /* of samples 0 when the data have no reduction */
	size_t bytes;               /* of a row */
};

static int finish(struct op_build *b, struct gather_nd *c, struct exp_error *err)
{
	const struct op_value *x = b->inputs[DATA];
	struct op_value *out = b->outputs[0];
	size_t count;

	if (!shape_try_count(&out->shape, &count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	out->type = x->type;
	out->onnx_type = x->onnx_type;
	c->bytes = c->at.width * tensor_size(x->type);
	b->scratch = 2 * c->at.places;
	if (out->batched && !x->batched && x->trainable && c->at.places > 0) {
		c->table = (struct reduce_lookup){ .samples = b->samples,
						   .outer = out->outer,
						   .inner = c->at.places / b->samples / out->outer,
						   .count = c->at.rows,
						   .width = c->at.width };
		b->reduce_scratch = reduce_scratch_lookup(&c->table);
	}
	return indexing_check(b, INDICES, &c->at, err);
}

/* ---- GatherElements ---- */

/* The samples of the first batched input; the other's must be at the same place. */
static int find_samples(const struct op_build *b, struct op_samples *at, bool *batched, struct exp_error *err)
{
	*batched = false;
	for (size_t i = DATA; i <= INDICES; i++) {
		struct op_samples each;
		int rc;

		if (!b->inputs[i]->batched)
			continue;
		rc = op_find_samples(b, b->inputs[i], &each, err);
		if (rc)
			return rc;
		if (*batched && (each.axis != at->axis || each.before != at->before || each.after != at->after))
			return error_set(err, EXP_EUNSUPPORTED, "its inputs hold the samples on different dimensions");
		*at = each;
		*batched = true;
	}
	return 0;
}

static int infer_elements(struct op_build *b, struct exp_error *err)
{
	struct gather_nd *c = b->config;
	const struct shape *x = &b->inputs[DATA]->shape;
	struct spread_place places = { 0 };
	struct op_samples at;
	size_t axis;
	bool batched;
	int rc;

	if ((rc = op_need(b, INDICES, TENSOR_I64, err)) || (rc = op_get_axis(b, "axis", x->rank, 0, &axis, err)) ||
	    (rc = op_keep_apart(b, DATA, axis, err)) || (rc = find_samples(b, &at, &batched, err)))
		return rc;
	if (b->inputs[INDICES]->shape.rank != x->rank)
		return error_set(err, EXP_ESHAPE, "its data have %zu dimensions, its indices %zu", x->rank,
				 b->inputs[INDICES]->shape.rank);
	places.shape = b->inputs[INDICES]->shape;
	places.samples = batched ? &at : NULL;
	if (batched)
		places.shape.dims[at.axis] = at.before * b->samples * at.after;
	spread_dense(&places.shape, places.steps);
	b->outputs[0]->shape = places.shape;
	if (batched)
		op_put_samples(b, b->outputs[0], &at);
	rc = indexing_elements(b, INDICES, &places, x, axis, &c->at, err);
	return rc ? rc : finish(b, c, err);
}

/* ---- GatherND ---- */

/*
 * Dimensions of the output: those of the places, then those of a slice. Samples come from the indices, or from the
 * slice; where the data have them in an indexed dimension, the indices must have them too and stay in their own (or be
 * those of the one sample that the file was made for). Fills how->own and how->shared.
 */
static int place_samples(struct op_build *b, struct indexing_tuples *how, struct op_samples *own, struct exp_error *err)
{
	const struct op_value *x = b->inputs[DATA], *indices = b->inputs[INDICES];
	size_t places = indices->shape.rank - 1, tuple = indices->shape.dims[places], first = how->first;
	struct op_samples at = { 0 };
	int rc = 0;

	if ((x->batched && (rc = op_find_samples(b, x, own, err))) ||
	    (indices->batched &&
	     ((rc = op_keep_apart(b, INDICES, places, err)) || (rc = op_find_samples(b, indices, &at, err)))))
		return rc;
	if (x->batched && own->axis >= first + tuple) {
		if (indices->batched)
			return error_set(err, EXP_EUNSUPPORTED, "each sample would take entries of all samples");
		own->axis = own->axis - first - tuple + places;
		op_put_samples(b, b->outputs[0], own);
		return 0;
	}
	if (x->batched && own->axis >= first && indexing_may_share(b, INDICES, own, &how->axis) && how->axis >= first) {
		how->shared = true;
		how->own = own;
		b->outputs[0]->shape.dims[how->axis] = b->samples;
		op_put_samples(b, b->outputs[0], &(struct op_samples){ how->axis, 1, 1 });
		return 0;
	}
	if (x->batched && (!indices->batched || (own->axis < first) != (at.axis < first) ||
			   (own->axis < first && (own->axis != at.axis || own->before != at.before))))
		return error_set(err, EXP_EUNSUPPORTED,
				 "it mixes samples: it indexes dimension %zu of the data, which holds them, in a way "
				 "that does not stay in each sample",
				 own->axis);
	how->own = x->batched && own->axis >= first ? own : NULL;
	if (indices->batched)
		op_put_samples(b, b->outputs[0], &at);
	return 0;
}

static int infer_tuples(struct op_build *b, struct exp_error *err)
{
	struct gather_nd *c = b->config;
	const struct shape *x = &b->inputs[DATA]->shape, *s = &b->inputs[INDICES]->shape;
	struct shape *out = &b->outputs[0]->shape;
	struct indexing_tuples how = { .data = x };
	struct op_samples own = { 0 };
	int64_t first = 0;
	size_t slice;
	int rc;

	if ((rc = op_need(b, INDICES, TENSOR_I64, err)) || (rc = op_get_int(b, "batch_dims", &first, err)))
		return rc;
	if (s->rank < 1 || first < 0 || first >= (int64_t)s->rank || first > (int64_t)x->rank)
		return error_set(err, EXP_ESHAPE, "batch_dims is %" PRId64 " for indices of %zu dimensions", first,
				 s->rank);
	how.first = (size_t)first;
	rc = indexing_tuples(b, INDICES, &how, &c->at, err);
	if (rc)
		return rc;
	slice = x->rank - how.first - c->at.tuple;
	if (s->rank - 1 + slice > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "more than %d dimensions are not supported", GRAPH_MAX_DIMS);
	out->rank = s->rank - 1 + slice;
	memcpy(out->dims, s->dims, (s->rank - 1) * sizeof(s->dims[0]));
	memcpy(out->dims + s->rank - 1, x->dims + how.first + c->at.tuple, slice * sizeof(s->dims[0]));
	rc = place_samples(b, &how, &own, err);
	if (rc == 0 && how.own)
		rc = indexing_tuples(b, INDICES, &how, &c->at, err);
	return rc ? rc : finish(b, c, err);
}

/* ---- run ---- */

static void forward(const struct op_run *r)
{
	const struct gather_nd *c = r->config;
	int64_t *rows = (int64_t *)(void *)r->scratch;
	const char *x = r->in[DATA].data;
	char *out = r->out->data;

	indexing_rows(&c->at, r->in[INDICES].i, rows);
	for (size_t p = 0; p < c->at.places; p++, out += c->bytes) {
		if (rows[p] >= 0)
			memcpy(out, x + (size_t)rows[p] * c->bytes, c->bytes);
		else
			indexing_fill_missing(r->out->value->type, out, c->at.width);
	}
}

static void backward(const struct op_run *r)
{
	const struct gather_nd *c = r->config;
	struct reduce_lookup table = c->table;
	int64_t *rows = (int64_t *)(void *)r->scratch;
	size_t width = c->at.width;

	indexing_rows(&c->at, r->in[INDICES].i, rows);
	if (r->in[DATA].grad) {
		memset(r->in[DATA].grad, 0, r->in[DATA].value->count * sizeof(float));
		for (size_t p = 0; p < c->at.places; p++)
			if (rows[p] >= 0)
				kernel_add(r->in[DATA].grad + (size_t)rows[p] * width, r->out->grad + p * width, width);
	}
	table.rows = rows;
	table.grads = r->out->grad;
	if (r->in[DATA].reduce && table.samples)
		reduce_add_lookup(r->in[DATA].reduce, &table);
}

const struct op op_gather_elements = {
	.name = "GatherElements",
	.min_inputs = 2,
	.max_inputs = 2,
	.attributes = "axis",
	.flags = OP_LINEAR,
	.indices = 1u << INDICES,
	.config_size = sizeof(struct gather_nd),
	.infer = infer_elements,
	.forward = forward,
	.backward = backward,
};
const struct op op_gather_nd = {
	.name = "GatherND",
	.min_inputs = 2,
	.max_inputs = 2,
	.attributes = "batch_dims",
	.flags = OP_LINEAR,
	.indices = 1u << INDICES,
	.config_size = sizeof(struct gather_nd),
	.infer = infer_tuples,
	.forward = forward,
	.backward = backward,
};

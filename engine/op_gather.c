/*
 * Gather: entries of a tensor along one axis, taken by index: an embedding's lookup, a column, one token of a sequence.
 *
 * An index that the data decide may lie outside the table: see indexing_fill_missing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "engine/indexing.h"
#include "engine/kernels.h"

enum { DATA, INDICES };

struct gather {
	size_t before, size, after; /* of the data: [before, size, after] */
	size_t count;               /* indices */
	size_t bytes;               /* of [after] */
	struct reduce_lookup table; /* when the data are a table that each sample looks things up in */
	size_t own;                 /* > 0: an index must stay in its own sample's entries, own of them side by side */
	size_t samples, inner;
	bool of_one; /* the file was made for one sample, which its indices may mean by 0 */
};

/* The entry that place p takes; size when there is none. */
static size_t entry_of(const struct gather *c, const int64_t *indices, size_t p)
{
	int64_t size = (int64_t)c->size, at = indices[p] < 0 ? indices[p] + size : indices[p];

	if (at < 0 || at >= size)
		return c->size;
	if (c->own) {
		size_t sample = p / c->inner % c->samples, named = (size_t)at / c->own % c->samples;

		if (c->of_one && named == 0)
			return (size_t)at + sample * c->own;
		if (named != sample)
			return c->size;
	}
	return (size_t)at;
}

/* ---- infer ---- */

static int check_known(const struct op_build *b, const struct gather *c, struct exp_error *err)
{
	const int64_t *indices = b->inputs[INDICES]->known;

	for (size_t p = 0; indices && p < c->count; p++)
		if (entry_of(c, indices, p) == c->size)
			return error_set(err, EXP_ESHAPE, "the index %" PRId64 " lies outside %zu entries", indices[p],
					 c->size);
	return 0;
}

static int find_unique(struct op_build *b, const struct gather *c, struct exp_error *err)
{
	const int64_t *indices = b->inputs[INDICES]->known;
	uint8_t *taken;

	if (!indices)
		return 0;
	taken = mem_try_alloc(c->size + 1, 1);
	if (!taken)
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	b->selects = true;
	for (size_t p = 0; p < c->count; p++) {
		size_t entry = entry_of(c, indices, p);

		b->selects = b->selects && !taken[entry];
		taken[entry] = 1;
	}
	mem_free(taken);
	return 0;
}

/* Samples of the indices come to lie where the axis was. Data that are batched along that axis too are looked up by
 * indices of their own sample's entries only: x[arange(N), last], or the same with the dimensions flattened. */
static int place_indices(struct op_build *b, struct gather *c, size_t axis, struct exp_error *err)
{
	const struct op_value *x = b->inputs[DATA], *indices = b->inputs[INDICES];
	struct op_samples at, in;
	int rc = op_find_samples(b, indices, &in, err);

	if (rc)
		return rc;
	if (x->batched) {
		rc = op_find_samples(b, x, &at, err);
		if (rc == 0 && (at.axis != axis || at.before > 1))
			rc = error_set(err, EXP_EUNSUPPORTED, "each sample would take entries of all samples");
		if (rc)
			return rc;
		c->own = at.after;
		c->of_one = b->file_batch == 1;
	}
	c->samples = b->samples;
	c->inner = c->count / b->samples / indices->outer;
	c->table = (struct reduce_lookup){
		.samples = b->samples, .outer = indices->outer, .inner = c->inner, .count = c->size, .width = c->after
	};
	if (x->trainable && !x->batched)
		b->reduce_scratch = reduce_scratch_lookup(&c->table);
	in.axis += axis;
	op_put_samples(b, b->outputs[0], &in);
	return 0;
}

static int place_samples(struct op_build *b, struct gather *c, size_t axis, struct exp_error *err)
{
	const struct op_value *x = b->inputs[DATA], *indices = b->inputs[INDICES];
	struct op_samples at;
	int rc;

	if (indices->batched && indices->count > 0)
		return place_indices(b, c, axis, err);
	if (!x->batched)
		return 0;
	if ((rc = op_keep_apart(b, DATA, axis, err)) || (rc = op_find_samples(b, x, &at, err)))
		return rc;
	if (at.axis > axis)
		at.axis = at.axis + indices->shape.rank - 1;
	op_put_samples(b, b->outputs[0], &at);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct gather *c = b->config;
	const struct shape *x = &b->inputs[DATA]->shape, *in = &b->inputs[INDICES]->shape;
	struct op_value *out = b->outputs[0];
	size_t axis, count;
	int rc;

	if ((rc = op_need(b, INDICES, TENSOR_I64, err)) || (rc = op_get_axis(b, "axis", x->rank, 0, &axis, err)))
		return rc;
	if (in->rank + x->rank - 1 > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "more than %d dimensions are not supported", GRAPH_MAX_DIMS);
	out->type = b->inputs[DATA]->type;
	out->onnx_type = b->inputs[DATA]->onnx_type;
	out->shape.rank = in->rank + x->rank - 1;
	memcpy(out->shape.dims, x->dims, axis * sizeof(x->dims[0]));
	memcpy(out->shape.dims + axis, in->dims, in->rank * sizeof(x->dims[0]));
	memcpy(out->shape.dims + axis + in->rank, x->dims + axis + 1, (x->rank - axis - 1) * sizeof(x->dims[0]));
	if (!shape_try_count(&out->shape, &count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	c->before = shape_span(x, 0, axis);
	c->size = x->dims[axis];
	c->after = shape_span(x, axis + 1, x->rank);
	c->count = b->inputs[INDICES]->count;
	c->bytes = c->after * tensor_size(out->type);
	if ((rc = place_samples(b, c, axis, err)) || (rc = check_known(b, c, err)))
		return rc;
	return find_unique(b, c, err);
}

/* ---- run ---- */

static void forward(const struct op_run *r)
{
	const struct gather *c = r->config;
	const char *x = r->in[DATA].data;
	char *out = r->out->data;

	for (size_t k = 0; k < c->before; k++, x += c->size * c->bytes) {
		for (size_t p = 0; p < c->count; p++, out += c->bytes) {
			size_t entry = entry_of(c, r->in[INDICES].i, p);

			if (entry < c->size)
				memcpy(out, x + entry * c->bytes, c->bytes);
			else
				indexing_fill_missing(r->out->value->type, out, c->after);
		}
	}
}

static void write_grad(const struct gather *c, const struct op_run *r)
{
	float *grad = r->in[DATA].grad;
	const float *from = r->out->grad;

	memset(grad, 0, r->in[DATA].value->count * sizeof(float));
	for (size_t k = 0; k < c->before; k++, grad += c->size * c->after) {
		for (size_t p = 0; p < c->count; p++, from += c->after) {
			size_t entry = entry_of(c, r->in[INDICES].i, p);

			if (entry < c->size)
				kernel_add(grad + entry * c->after, from, c->after);
		}
	}
}

static void backward(const struct op_run *r)
{
	const struct gather *c = r->config;
	struct reduce_lookup table = c->table;

	if (r->in[DATA].grad)
		write_grad(c, r);
	table.rows = r->in[INDICES].i;
	for (size_t k = 0; r->in[DATA].reduce && k < c->before; k++) {
		table.grads = r->out->grad + k * c->count * c->after;
		table.at = k * c->size * c->after;
		reduce_add_lookup(r->in[DATA].reduce, &table);
	}
}

const struct op op_gather = {
	.name = "Gather",
	.min_inputs = 2,
	.max_inputs = 2,
	.attributes = "axis",
	.flags = OP_LINEAR,
	.indices = 1u << INDICES,
	.config_size = sizeof(struct gather),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

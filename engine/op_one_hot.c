/*
 * OneHot: for each index a line of off-values with the on-value at the index; an index outside the line leaves it off.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/op.h"

enum { INDICES, DEPTH, VALUES };

struct one_hot {
	size_t before, depth, after, size; /* size: bytes of an element */
};

/* A number of any type. */
static int read_depth(const struct op_build *b, size_t *depth, struct exp_error *err)
{
	const void *known;
	int64_t value = -1;
	int rc = op_need_known(b, DEPTH, b->inputs[DEPTH]->type, &known, err);

	if (rc)
		return rc;
	if (b->inputs[DEPTH]->count == 1 && b->inputs[DEPTH]->type == TENSOR_I64)
		value = *(const int64_t *)known;
	else if (b->inputs[DEPTH]->count == 1 && op_is_float(b, DEPTH) &&
		 *(const float *)known < (float)SHAPE_MAX_COUNT)
		value = (int64_t) * (const float *)known;
	if (value < 0 || value > (int64_t)SHAPE_MAX_COUNT)
		return error_set(err, EXP_ESHAPE, "depth must be one number, not negative");
	*depth = (size_t)value;
	return 0;
}

static int infer_shape(struct op_build *b, size_t depth, size_t *axis, struct exp_error *err)
{
	const struct op_value *indices = b->inputs[INDICES];
	struct op_value *out = b->outputs[0];
	struct op_samples at;
	size_t count;
	int rc = op_get_axis(b, "axis", indices->shape.rank + 1, -1, axis, err);

	if (rc)
		return rc;
	if (indices->shape.rank == GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "more than %d dimensions are not supported", GRAPH_MAX_DIMS);
	out->type = b->inputs[VALUES]->type;
	out->onnx_type = b->inputs[VALUES]->onnx_type;
	out->shape.rank = indices->shape.rank + 1;
	for (size_t d = 0, from = 0; d < out->shape.rank; d++)
		out->shape.dims[d] = d == *axis ? depth : indices->shape.dims[from++];
	if (!shape_try_count(&out->shape, &count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	if (!indices->batched)
		return 0;
	rc = op_find_samples(b, indices, &at, err);
	if (rc)
		return rc;
	at.axis += at.axis >= *axis;
	op_put_samples(b, out, &at);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct one_hot *c = b->config;
	const struct op_value *values = b->inputs[VALUES];
	size_t axis;
	int rc;

	if ((rc = read_depth(b, &c->depth, err)) || (rc = infer_shape(b, c->depth, &axis, err)))
		return rc;
	if (b->inputs[INDICES]->type == TENSOR_BOOL)
		return error_set(err, EXP_EUNSUPPORTED, "its indices must be numbers");
	if (values->count != 2 || values->batched || values->trainable)
		return error_set(err, EXP_EUNSUPPORTED,
				 "its values must be two numbers that depend neither on the data nor on weights");
	c->before = shape_span(&b->inputs[INDICES]->shape, 0, axis);
	c->after = shape_span(&b->inputs[INDICES]->shape, axis, b->inputs[INDICES]->shape.rank);
	c->size = tensor_size(values->type);
	return 0;
}

/* Index i of the input; depth when it lies outside. */
static size_t index_at(const struct one_hot *c, const struct op_input *in, size_t i)
{
	int64_t depth = (int64_t)c->depth, at = depth;

	if (in->value->type == TENSOR_I64)
		at = in->i[i];
	else if (in->f[i] >= -(float)depth && in->f[i] < (float)depth)
		at = (int64_t)in->f[i];
	at = at < 0 && at >= -depth ? at + depth : at;
	return at < 0 || at > depth ? c->depth : (size_t)at;
}

static void forward(const struct op_run *r)
{
	const struct one_hot *c = r->config;
	const char *off = r->in[VALUES].data, *on = off + c->size;
	char *out = r->out->data;

	for (size_t i = 0; i < r->out->value->count; i++)
		memcpy(out + i * c->size, off, c->size);
	for (size_t i = 0; i < c->before * c->after; i++) {
		size_t at = index_at(c, &r->in[INDICES], i);

		if (at < c->depth)
			memcpy(out + ((i / c->after * c->depth + at) * c->after + i % c->after) * c->size, on, c->size);
	}
}

const struct op op_one_hot = {
	.name = "OneHot",
	.min_inputs = 3,
	.max_inputs = 3,
	.attributes = "axis",
	.fixed = 1u << INDICES | 1u << DEPTH | 1u << VALUES,
	.indices = 1u << INDICES | 1u << DEPTH,
	.config_size = sizeof(struct one_hot),
	.infer = infer,
	.forward = forward,
};

/*
 * ConstantOfShape: one number over and over. Where its shape counts samples, each sample has its part.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/spread.h"

struct constant_of_shape {
	uint8_t value[8];
	size_t size; /* bytes of an element */
};

static int read_value(struct op_build *b, struct constant_of_shape *c, struct exp_error *err)
{
	const struct op_attribute *a = op_get(b, "value");
	struct op_value *out = b->outputs[0];

	c->size = sizeof(float);
	if (!a)
		return 0;
	if (a->type != OP_TENSOR || !a->t || shape_count(&a->t->shape) != 1)
		return error_set(err, EXP_EPARSE, "the attribute \"value\" must be a tensor of one element");
	out->type = a->t->type;
	out->onnx_type = a->t->onnx_type;
	c->size = tensor_size(a->t->type);
	memcpy(c->value, a->t->data, c->size);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct op_value *out = b->outputs[0];
	const int64_t *known, *probe;
	struct op_samples at;
	size_t rank, count;
	bool found;
	int rc;

	if ((rc = read_value(b, b->config, err)) || (rc = op_need_ints(b, 0, &known, &probe, &rank, err)) ||
	    (rc = spread_find_samples(b, known, probe, rank, &at, &found, err)))
		return rc;
	if (rank > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "a shape of %zu dimensions is not supported; %d are", rank,
				 GRAPH_MAX_DIMS);
	out->shape.rank = rank;
	for (size_t i = 0; i < rank; i++) {
		if (known[i] < 0)
			return error_set(err, EXP_ESHAPE, "element %zu of its shape is %" PRId64, i, known[i]);
		out->shape.dims[i] = (size_t)known[i];
	}
	if (!shape_try_count(&out->shape, &count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	if (found)
		op_put_samples(b, out, &at);
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct constant_of_shape *c = r->config;
	char *out = r->out->data;

	for (size_t i = 0; i < r->out->value->count; i++)
		memcpy(out + i * c->size, c->value, c->size);
}

const struct op op_constant_of_shape = {
	.name = "ConstantOfShape",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "value",
	.config_size = sizeof(struct constant_of_shape),
	.infer = infer,
	.forward = forward,
};

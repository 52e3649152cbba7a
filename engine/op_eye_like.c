/*
 * EyeLike: ones on a diagonal of a matrix of the input's shape.
 */
#include <string.h>

#include "engine/op.h"

struct eye_like {
	size_t rows, columns;
	int64_t k;
};

static int infer(struct op_build *b, struct exp_error *err)
{
	struct eye_like *c = b->config;
	const struct op_value *x = b->inputs[0];
	struct op_value *out = b->outputs[0];
	int64_t type = x->onnx_type;
	int rc;

	if ((rc = op_get_int(b, "dtype", &type, err)) || (rc = op_get_int(b, "k", &c->k, err)))
		return rc;
	if (x->shape.rank != 2)
		return error_set(err, EXP_ESHAPE, "its input has %zu dimensions; 2 are expected", x->shape.rank);
	if ((rc = op_keep_apart(b, 0, 0, err)) || (rc = op_keep_apart(b, 0, 1, err)))
		return rc;
	out->type = x->type;
	if (type < 0 || type > INT32_MAX || (type && !tensor_type_of((int)type, &out->type)))
		return error_set(err, EXP_EUNSUPPORTED, "its dtype is not supported");
	out->onnx_type = (int)type;
	out->shape = x->shape;
	c->rows = x->shape.dims[0];
	c->columns = x->shape.dims[1];
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct eye_like *c = r->config;
	enum tensor_type type = r->out->value->type;

	memset(r->out->data, 0, r->out->value->count * tensor_size(type));
	for (size_t row = 0; row < c->rows; row++) {
		size_t at;

		if (c->k < -(int64_t)row || c->k >= (int64_t)c->columns - (int64_t)row)
			continue;
		at = row * c->columns + (size_t)(c->k + (int64_t)row);
		if (type == TENSOR_F32)
			r->out->f[at] = 1.0f;
		else if (type == TENSOR_I64)
			r->out->i[at] = 1;
		else
			r->out->b[at] = 1;
	}
}

const struct op op_eye_like = {
	.name = "EyeLike",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "dtype k",
	.config_size = sizeof(struct eye_like),
	.infer = infer,
	.forward = forward,
};

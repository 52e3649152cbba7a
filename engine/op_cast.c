/*
 * Cast and CastLike between the types that are held: fp32 (double too), integers, booleans.
 *
 * fp32 to integer cuts the fraction off; what no 64 bits hold becomes the nearest number that they do, a NaN 0; then
 * the result is wrapped to the target's width. fp32 to fp32 hands gradients on; all else ends them.
 */
#include <math.h>
#include <string.h>

#include "engine/elementwise.h"

enum { BY_ATTRIBUTE, LIKE_INPUT };

struct cast {
	enum tensor_type from, to;
	int onnx_type;
};

static int read_target(const struct op_build *b, struct cast *c, struct exp_error *err)
{
	int64_t to = 0;
	int rc = 0;

	if (b->op->variant == LIKE_INPUT)
		to = b->inputs[1]->onnx_type ? b->inputs[1]->onnx_type : tensor_onnx_type(b->inputs[1]->type);
	else
		rc = op_get_int(b, "to", &to, err);
	if (rc)
		return rc;
	if (to < 1 || to > INT32_MAX || !tensor_type_of((int)to, &c->to))
		return error_set(err, EXP_EUNSUPPORTED,
				 "it casts to a type that is not supported; fp32, double, integers and bool are");
	c->onnx_type = (int)to;
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct cast *c = b->config;
	int rc = read_target(b, c, err);

	if (rc)
		return rc;
	c->from = b->inputs[0]->type;
	op_copy(b, 0, 0);
	b->outputs[0]->type = c->to;
	b->outputs[0]->onnx_type = c->onnx_type;
	b->selects = c->from == c->to;
	return 0;
}

static int64_t to_integer(float x)
{
	if (isnan(x))
		return 0;
	return x >= 0x1p63f ? INT64_MAX : x < -0x1p63f ? INT64_MIN : (int64_t)x;
}

static void from_floats(const struct cast *c, const struct op_output *out, const float *x)
{
	for (size_t i = 0; c->to == TENSOR_I64 && i < out->value->count; i++)
		out->i[i] = to_integer(x[i]);
	for (size_t i = 0; c->to == TENSOR_BOOL && i < out->value->count; i++)
		out->b[i] = x[i] != 0.0f;
}

static void from_integers(const struct cast *c, const struct op_output *out, const int64_t *x)
{
	for (size_t i = 0; c->to == TENSOR_F32 && i < out->value->count; i++)
		out->f[i] = (float)x[i];
	for (size_t i = 0; c->to == TENSOR_BOOL && i < out->value->count; i++)
		out->b[i] = x[i] != 0;
}

static void from_booleans(const struct cast *c, const struct op_output *out, const uint8_t *x)
{
	for (size_t i = 0; c->to == TENSOR_F32 && i < out->value->count; i++)
		out->f[i] = x[i] ? 1.0f : 0.0f;
	for (size_t i = 0; c->to == TENSOR_I64 && i < out->value->count; i++)
		out->i[i] = x[i] != 0;
}

static void forward(const struct op_run *r)
{
	const struct cast *c = r->config;
	size_t count = r->out->value->count;

	if (c->from == c->to)
		memcpy(r->out->data, r->in->data, count * tensor_size(c->to));
	else if (c->from == TENSOR_F32)
		from_floats(c, r->out, r->in->f);
	else if (c->from == TENSOR_I64)
		from_integers(c, r->out, r->in->i);
	else
		from_booleans(c, r->out, r->in->b);
	if (c->to == TENSOR_I64)
		elementwise_wrap(r->out->i, count, c->onnx_type);
}

static void backward(const struct op_run *r)
{
	if (r->in->grad)
		memcpy(r->in->grad, r->out->grad, r->out->value->count * sizeof(float));
}

const struct op op_cast = {
	.name = "Cast",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "to",
	.flags = OP_LINEAR, /* where it has a gradient */
	.config_size = sizeof(struct cast),
	.variant = BY_ATTRIBUTE,
	.infer = infer,
	.forward = forward,
	.backward = backward,
};
const struct op op_cast_like = {
	.name = "CastLike",
	.min_inputs = 2,
	.max_inputs = 2,
	.flags = OP_LINEAR,
	.indices = 1u << 1,
	.config_size = sizeof(struct cast),
	.variant = LIKE_INPUT,
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

/*
 * CumSum: running sums along one axis, with or without the entry itself, from either end. The gradient runs the other
 * way.
 */
#include "engine/op.h"

enum { AXIS = 1 };

struct cum_sum {
	size_t before, size, after;
	bool exclusive, reverse;
};

static int infer(struct op_build *b, struct exp_error *err)
{
	struct cum_sum *c = b->config;
	const struct shape *s = &b->inputs[0]->shape;
	const int64_t *value;
	int64_t exclusive = 0, reverse = 0;
	size_t count, axis;
	int rc;

	if ((rc = op_need_ints(b, AXIS, &value, NULL, &count, err)) ||
	    (rc = op_get_int(b, "exclusive", &exclusive, err)) || (rc = op_get_int(b, "reverse", &reverse, err)))
		return rc;
	if (count != 1)
		return error_set(err, EXP_ESHAPE, "axis must be one number");
	if ((rc = op_axis(*value, s->rank, &axis, err)) || (rc = op_keep_apart(b, 0, axis, err)))
		return rc;
	if (b->inputs[0]->type == TENSOR_BOOL)
		return error_set(err, EXP_EUNSUPPORTED, "it adds numbers, not truth values");
	c->before = shape_span(s, 0, axis);
	c->size = s->dims[axis];
	c->after = shape_span(s, axis + 1, s->rank);
	c->exclusive = exclusive != 0;
	c->reverse = reverse != 0;
	op_copy(b, 0, 0);
	b->flops = shape_count(s);
	return 0;
}

/* Entry k of a line is made of entry k, and of the sum of those behind it, which is entry k - 1 of the result. */
#define ACCUMULATE(type)                                                                                               \
	static void accumulate_##type(const struct cum_sum *c, bool reverse, type *y, const type *x)                   \
	{                                                                                                              \
		for (size_t line = 0; line < c->before * c->size; line++) {                                            \
			size_t k = line % c->size, at = (line - k + (reverse ? c->size - 1 - k : k)) * c->after;       \
			size_t behind = reverse ? at + c->after : at - c->after;                                       \
                                                                                                                       \
			for (size_t j = 0; j < c->after; j++) {                                                        \
				type sum = k ? y[behind + j] : 0;                                                      \
                                                                                                                       \
				if (!c->exclusive)                                                                     \
					sum += x[at + j];                                                              \
				else if (k)                                                                            \
					sum += x[behind + j];                                                          \
				y[at + j] = sum;                                                                       \
			}                                                                                              \
		}                                                                                                      \
	}

ACCUMULATE(float)
ACCUMULATE(uint64_t)

static void forward(const struct op_run *r)
{
	const struct cum_sum *c = r->config;

	if (r->in->value->type == TENSOR_F32)
		accumulate_float(c, c->reverse, r->out->f, r->in->f);
	else
		accumulate_uint64_t(c, c->reverse, (uint64_t *)r->out->i, (const uint64_t *)r->in->i);
}

static void backward(const struct op_run *r)
{
	const struct cum_sum *c = r->config;

	if (r->in->grad)
		accumulate_float(c, !c->reverse, r->in->grad, r->out->grad);
}

const struct op op_cum_sum = {
	.name = "CumSum",
	.min_inputs = 2,
	.max_inputs = 2,
	.attributes = "exclusive reverse",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct cum_sum),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

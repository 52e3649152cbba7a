/*
 * Clip: Y = min(max(X, low), high). Bounds are attributes before opset 11, inputs since then; either may be left out.
 * dX = dY inside, 0 at the bounds and beyond, as PyTorch's Hardtanh and Relu6. A NaN stays one. The gradient is read
 * off Y, so that Y may take X's memory.
 */
#include "engine/elementwise.h"
#include "engine/kernels_math.h"

enum { X, LOW, HIGH };

struct clip {
	float low, high; /* attributes; where there is an input it counts */
};

static int infer(struct op_build *b, struct exp_error *err)
{
	struct clip *c = b->config;
	int rc = 0;

	*c = (struct clip){ -INFINITY, INFINITY };
	if (b->inputs[X]->type != TENSOR_I64)
		rc = op_need_float(b, X, err);
	for (size_t i = LOW; rc == 0 && i <= HIGH; i++) {
		if (!op_has(b, i))
			continue;
		rc = op_need(b, i, b->inputs[X]->type, err);
		if (rc == 0 && (b->inputs[i]->batched || b->inputs[i]->count != 1))
			rc = error_set(err, EXP_ESHAPE, "a bound must be one number, the same for all samples");
	}
	if (rc || (rc = op_get_float(b, "min", &c->low, err)) || (rc = op_get_float(b, "max", &c->high, err)))
		return rc;
	op_copy(b, 0, X);
	b->flops = b->inputs[X]->count;
	return 0;
}

static bool has(const struct op_run *r, size_t i)
{
	return i < r->in_count && r->in[i].value;
}

static struct clip bounds(const struct op_run *r)
{
	struct clip c = *(const struct clip *)r->config;

	if (has(r, LOW))
		c.low = *r->in[LOW].f;
	if (has(r, HIGH))
		c.high = *r->in[HIGH].f;
	return c;
}

KERNEL static void clip_floats(float *y, const float *x, struct clip c, size_t n)
{
#pragma GCC ivdep
	for (size_t i = 0; i < n; i++) {
		float raised = math_select(x[i] < c.low, c.low, x[i]);

		y[i] = math_select(raised > c.high, c.high, raised);
	}
}

static void clip_integers(const struct op_run *r)
{
	int64_t low = has(r, LOW) ? *r->in[LOW].i : INT64_MIN, high = has(r, HIGH) ? *r->in[HIGH].i : INT64_MAX;

	for (size_t i = 0; i < r->out->value->count; i++) {
		int64_t x = r->in[X].i[i] < low ? low : r->in[X].i[i];

		r->out->i[i] = x > high ? high : x;
	}
}

static void forward(const struct op_run *r)
{
	if (r->out->value->type == TENSOR_I64)
		clip_integers(r);
	else
		clip_floats(r->out->f, r->in[X].f, bounds(r), r->out->value->count);
}

KERNEL static void mask(float *restrict dx, const float *dy, const float *y, struct clip c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dx[i] = math_select((y[i] > c.low) & (y[i] < c.high), dy[i], 0.0f);
}

static void backward(const struct op_run *r)
{
	if (r->in[X].grad)
		mask(r->in[X].grad, r->out->grad, r->out->f, bounds(r), r->out->value->count);
}

static void tangent(const struct op_run *r)
{
	mask(r->out->tangent, r->in[X].tangent, r->out->f, bounds(r), r->out->value->count);
}

const struct op op_clip = {
	.name = "Clip",
	.min_inputs = 1,
	.max_inputs = 3,
	.attributes = "max min",
	.flags = OP_READS_OUTPUT | OP_IN_PLACE,
	.fixed = 1u << LOW | 1u << HIGH,
	.indices = 1u << LOW | 1u << HIGH,
	.config_size = sizeof(struct clip),
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

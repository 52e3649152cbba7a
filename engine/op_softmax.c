/*
 * Softmax, LogSoftmax and Hardmax (1 at the first of the largest, 0 elsewhere). Before opset 13 the tensor is read as a
 * matrix whose rows are the dimensions from axis on; since then only the one axis counts.
 *
 *   Softmax:     dX = Y * (dY - sum(dY * Y))
 *   LogSoftmax:  dX = dY - exp(Y) * sum(dY)
 */
#include <string.h>

#include "engine/kernels_rows.h"
#include "engine/op.h"

enum { SOFTMAX, LOG_SOFTMAX, HARDMAX };

static int infer(struct op_build *b, struct exp_error *err)
{
	struct op_softmax *c = b->config;
	bool matrix = b->opset < 13;
	const struct shape *s;
	size_t axis;
	int rc = op_need_float(b, 0, err);

	if (rc)
		return rc;
	s = &b->inputs[0]->shape;
	rc = op_get_axis(b, "axis", s->rank, matrix ? 1 : -1, &axis, err);
	for (size_t d = axis; rc == 0 && d < (matrix ? s->rank : axis + 1); d++)
		rc = op_keep_apart(b, 0, d, err);
	if (rc)
		return rc;
	c->before = shape_span(s, 0, axis);
	c->size = matrix ? shape_span(s, axis, s->rank) : s->dims[axis];
	c->after = matrix ? 1 : shape_span(s, axis + 1, s->rank);
	op_copy(b, 0, 0);
	b->flops = 5 * (uint64_t)b->inputs[0]->count;
	return 0;
}

static struct kernel_axis axis_of(const struct op_run *r)
{
	const struct op_softmax *c = r->config;

	return (struct kernel_axis){ .outer = c->before, .size = c->size, .inner = c->after };
}

static void harden(const struct op_run *r, const struct op_softmax *c)
{
	memset(r->out->f, 0, r->out->value->count * sizeof(float));
	for (size_t line = 0; c->size && line < c->before * c->after; line++) {
		size_t at = line / c->after * c->size * c->after + line % c->after, best = 0;
		const float *x = r->in->f + at;

		for (size_t i = 1; i < c->size; i++)
			if (x[i * c->after] > x[best * c->after])
				best = i;
		r->out->f[at + best * c->after] = 1.0f;
	}
}

static void forward(const struct op_run *r)
{
	if (r->op->variant == SOFTMAX)
		kernel_softmax(r->out->f, r->in->f, axis_of(r));
	else if (r->op->variant == LOG_SOFTMAX)
		kernel_log_softmax(r->out->f, r->in->f, axis_of(r));
	else
		harden(r, r->config);
}

static void backward(const struct op_run *r)
{
	if (!r->in->grad)
		return;
	if (r->op->variant == SOFTMAX)
		kernel_softmax_gradient(r->in->grad, r->out->grad, r->out->f, axis_of(r));
	else
		kernel_log_softmax_gradient(r->in->grad, r->out->grad, r->out->f, axis_of(r));
}

static void tangent(const struct op_run *r)
{
	if (r->op->variant == SOFTMAX)
		kernel_softmax_gradient(r->out->tangent, r->in->tangent, r->out->f, axis_of(r));
	else
		kernel_log_softmax_tangent(r->out->tangent, r->in->tangent, r->out->f, axis_of(r));
}

const struct op op_softmax = {
	.name = "Softmax",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "axis",
	.flags = OP_SOFTMAX | OP_READS_OUTPUT,
	.config_size = sizeof(struct op_softmax),
	.variant = SOFTMAX,
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};
const struct op op_log_softmax = {
	.name = "LogSoftmax",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "axis",
	.flags = OP_LOG_SOFTMAX | OP_READS_OUTPUT,
	.config_size = sizeof(struct op_softmax),
	.variant = LOG_SOFTMAX,
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};
const struct op op_hardmax = {
	.name = "Hardmax",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "axis",
	.config_size = sizeof(struct op_softmax),
	.variant = HARDMAX,
	.infer = infer,
	.forward = forward,
};

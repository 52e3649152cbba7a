/*
 * Softmax and LogSoftmax. Before opset 13 the tensor is read as a matrix whose rows are the dimensions from axis on;
 * since then only the one axis counts. As [outer, size, inner], with inner = 1 in the first case.
 *
 *   Softmax:     dX = Y * (dY - sum(dY * Y))
 *   LogSoftmax:  dX = dY - exp(Y) * sum(dY)
 */
#include <math.h>

#include "engine/loss.h"
#include "engine/op.h"

enum { SOFTMAX, LOG_SOFTMAX };

struct softmax {
	size_t outer, size, inner; /* of one row */
};

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct softmax *c = b->config;
	bool matrix = b->opset < 13;
	const struct shape *s;
	size_t axis;
	int rc = op_need_float(b, 0, err);

	(void)op;
	if (rc)
		return rc;
	s = &b->inputs[0]->shape;
	rc = op_get_axis(b, "axis", s->rank, matrix ? 1 : -1, &axis, err);
	if (rc)
		return rc;
	if (b->inputs[0]->batched && axis == 0)
		return error_set(err, EXP_EUNSUPPORTED, "the axis 0 runs across the rows");
	c->outer = shape_span(s, 0, axis);
	c->size = matrix ? shape_span(s, axis, s->rank) : s->dims[axis];
	c->inner = matrix ? 1 : shape_span(s, axis + 1, s->rank);
	b->output->shape = *s;
	b->normalised = c->size;
	b->scratch = c->size;
	b->flops_per_row = 4 * (uint64_t)shape_count(s);
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct softmax *c = r->config;
	size_t lines = r->rows * c->outer * c->inner;

	for (size_t line = 0; line < lines; line++) {
		size_t at = line / c->inner * c->size * c->inner + line % c->inner;
		const float *x = r->in[0].data + at;
		float *y = r->out->data + at, *t = r->scratch;

		for (size_t i = 0; i < c->size; i++)
			t[i] = x[i * c->inner];
		loss_log_softmax(t, t, c->size);
		for (size_t i = 0; i < c->size; i++)
			y[i * c->inner] = r->op->variant == SOFTMAX ? expf(t[i]) : t[i];
	}
}

static void line_gradient(const struct op_run *r, size_t at)
{
	const struct softmax *c = r->config;
	const float *y = r->out->data + at, *dy = r->out->grad + at;
	float *dx = r->in[0].grad + at, sum = 0.0f;
	bool logs = r->op->variant == LOG_SOFTMAX;

	for (size_t i = 0; i < c->size; i++)
		sum += logs ? dy[i * c->inner] : dy[i * c->inner] * y[i * c->inner];
	for (size_t i = 0; i < c->size; i++) {
		size_t k = i * c->inner;

		dx[k] = logs ? dy[k] - expf(y[k]) * sum : y[k] * (dy[k] - sum);
	}
}

static void backward(const struct op_run *r)
{
	const struct softmax *c = r->config;
	size_t lines = r->rows * c->outer * c->inner;

	for (size_t line = 0; r->in[0].grad && line < lines; line++)
		line_gradient(r, line / c->inner * c->size * c->inner + line % c->inner);
}

const struct op op_softmax = {
	.name = "Softmax",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "axis",
	.flags = OP_SOFTMAX,
	.config_size = sizeof(struct softmax),
	.variant = SOFTMAX,
	.infer = infer,
	.forward = forward,
	.backward = backward,
};
const struct op op_log_softmax = {
	.name = "LogSoftmax",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "axis",
	.flags = OP_LOG_SOFTMAX,
	.config_size = sizeof(struct softmax),
	.variant = LOG_SOFTMAX,
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

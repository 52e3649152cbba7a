/*
 * Functions of one number, element by element: Y = f(X), dX = dY * f'(x), with f' written in x or y, whichever is
 * handier.
 */
#include <math.h>

#include "engine/kernels.h"
#include "engine/op.h"

enum { RELU, SIGMOID, TANH };

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	int rc = op_need_float(b, 0, err);

	(void)op;
	if (rc)
		return rc;
	b->output->shape = b->inputs[0]->shape;
	b->flops_per_row = shape_count(&b->output->shape);
	return 0;
}

/* A NaN stays one, so that it is noticed. */
KERNEL static void relu(float *restrict y, const float *restrict x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

/* 1 / (1 + e^-x), from the side on which e^ cannot overflow. */
static float sigmoid(float x)
{
	float e = expf(-fabsf(x));

	return x >= 0.0f ? 1.0f / (1.0f + e) : e / (1.0f + e);
}

static void forward(const struct op_run *r)
{
	const float *x = r->in[0].data;
	float *y = r->out->data;
	size_t n = r->rows * r->out->floats;

	if (r->op->variant == RELU)
		relu(y, x, n);
	for (size_t i = 0; r->op->variant == SIGMOID && i < n; i++)
		y[i] = sigmoid(x[i]);
	for (size_t i = 0; r->op->variant == TANH && i < n; i++)
		y[i] = tanhf(x[i]);
}

KERNEL static void relu_gradient(float *restrict dx, const float *restrict dy, const float *restrict y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

KERNEL static void sigmoid_gradient(float *restrict dx, const float *restrict dy, const float *restrict y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dx[i] = dy[i] * (y[i] * (1.0f - y[i]));
}

KERNEL static void tanh_gradient(float *restrict dx, const float *restrict dy, const float *restrict y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

static void backward(const struct op_run *r)
{
	static void (*const gradients[])(float *restrict, const float *restrict, const float *restrict, size_t) = {
		[RELU] = relu_gradient,
		[SIGMOID] = sigmoid_gradient,
		[TANH] = tanh_gradient,
	};

	if (r->in[0].grad)
		gradients[r->op->variant](r->in[0].grad, r->out->grad, r->out->data, r->rows * r->out->floats);
}

#define UNARY(onnx_name, which)                                                                                        \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 1, .max_inputs = 1, .variant = which, .infer = infer,                 \
		.forward = forward, .backward = backward                                                               \
	}

const struct op op_relu = UNARY("Relu", RELU);
const struct op op_sigmoid = UNARY("Sigmoid", SIGMOID);
const struct op op_tanh = UNARY("Tanh", TANH);

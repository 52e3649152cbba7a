/*
 * Gelu (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016), Y = X P(Z <= X) for a normal Z, and its form with
 * tanh: one node for the chain of nodes that exporters make of it (engine/fuse.h). ONNX of the opsets that are read has
 * no such operators, so neither is in the table of ops.c.
 *
 * The slope is formed anew from X, so that nothing is kept between forward and backward.
 */
#include "engine/fuse.h"
#include "engine/kernels_math.h"

enum { ERF, TANH };

static int infer(struct op_build *b, struct exp_error *err)
{
	int rc = op_need_float(b, 0, err);

	if (rc)
		return rc;
	op_copy(b, 0, 0);
	b->flops = 8 * (uint64_t)b->inputs[0]->count;
	return 0;
}

static void forward(const struct op_run *r)
{
	if (r->op->variant == ERF)
		kernel_gelu(r->out->f, r->in->f, r->out->value->count);
	else
		kernel_gelu_tanh(r->out->f, r->in->f, r->out->value->count);
}

/* to = from times the slope at X. */
static void apply_slope(const struct op_run *r, float *to, const float *from)
{
	if (r->op->variant == ERF)
		kernel_gelu_gradient(to, from, r->in->f, r->out->value->count);
	else
		kernel_gelu_tanh_gradient(to, from, r->in->f, r->out->value->count);
}

static void backward(const struct op_run *r)
{
	if (r->in->grad)
		apply_slope(r, r->in->grad, r->out->grad);
}

static void tangent(const struct op_run *r)
{
	apply_slope(r, r->out->tangent, r->in->tangent);
}

#define GELU(which)                                                                                                    \
	{                                                                                                              \
		.name = "Gelu", .min_inputs = 1, .max_inputs = 1, .variant = which, .infer = infer,                    \
		.forward = forward, .backward = backward, .tangent = tangent                                           \
	}

const struct op op_gelu = GELU(ERF);
const struct op op_gelu_tanh = GELU(TANH);

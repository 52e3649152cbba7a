/*
 * MatMul with a matrix on the right: Y [..., N] = A [..., K] * B [K, N]. All leading entries of A are rows of one
 * product; those that a sample owns are its positions.
 */
#include "engine/blas.h"
#include "engine/op.h"

struct mat_mul {
	size_t positions, inner, outer;
};

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct mat_mul *c = b->config;
	const struct shape *x, *w;
	char left[SHAPE_TEXT], right[SHAPE_TEXT];
	int rc;

	(void)op;
	if ((rc = op_need_float(b, 0, err)) || (rc = op_need_float(b, 1, err)))
		return rc;
	x = &b->inputs[0]->shape;
	w = &b->inputs[1]->shape;
	if (b->inputs[1]->batched || w->rank != 2)
		return error_set(err, EXP_EUNSUPPORTED, "B %s must be a matrix that does not depend on the rows",
				 shape_format(w, b->inputs[1]->batched, right));
	if (x->rank < 2 || x->dims[x->rank - 1] != w->dims[0])
		return error_set(err, EXP_ESHAPE, "A %s and B %s do not fit",
				 shape_format(x, b->inputs[0]->batched, left), shape_format(w, false, right));
	c->positions = shape_span(x, 0, x->rank - 1);
	c->inner = w->dims[0];
	c->outer = w->dims[1];
	b->output->shape = *x;
	b->output->shape.dims[x->rank - 1] = c->outer;
	b->output->fan_in = c->inner;
	b->flops_per_row = 2 * (uint64_t)c->positions * c->inner * c->outer;
	op_set_role(b, 1, GRAPH_ROLE_WEIGHT, c->inner);
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct mat_mul *c = r->config;

	blas_multiply(&(struct blas_product){ .a = r->in[0].data,
					      .b = r->in[1].data,
					      .c = r->out->data,
					      .m = r->rows * c->positions,
					      .n = c->outer,
					      .k = c->inner,
					      .alpha = 1.0f });
}

static void backward(const struct op_run *r)
{
	const struct mat_mul *c = r->config;
	size_t rows = r->rows * c->positions;

	if (r->in[0].grad)
		blas_multiply(&(struct blas_product){ .a = r->out->grad,
						      .b = r->in[1].data,
						      .c = r->in[0].grad,
						      .m = rows,
						      .n = c->inner,
						      .k = c->outer,
						      .trans_b = true,
						      .alpha = 1.0f });
	if (r->in[1].grad)
		blas_multiply(&(struct blas_product){ .a = r->in[0].data,
						      .b = r->out->grad,
						      .c = r->in[1].grad,
						      .m = c->inner,
						      .n = c->outer,
						      .k = rows,
						      .trans_a = true,
						      .alpha = 1.0f });
	/* B is stored [K, N], so A takes the part of the output gradients. */
	if (r->in[1].reduce)
		reduce_add_factors(r->in[1].reduce, &(struct reduce_factors){ .activations = r->out->grad,
									      .out_grads = r->in[0].data,
									      .samples = r->rows,
									      .positions = c->positions,
									      .in = c->outer,
									      .out = c->inner,
									      .scale = 1.0f });
}

const struct op op_mat_mul = {
	.name = "MatMul",
	.min_inputs = 2,
	.max_inputs = 2,
	.weights = 1u << 1,
	.config_size = sizeof(struct mat_mul),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

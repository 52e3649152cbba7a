/*
 * Gemm: Y [M, N] = alpha * A [M, K] * B [K, N] + beta * C, with A or B transposed on request.
 *
 * As a layer: A holds the rows, B the weight, C the bias. M = rows * positions; positions is 1 unless an export merged
 * a sequence into the batch, in which case the positions of a sample add up before anything is squared.
 */
#include "engine/blas.h"
#include "engine/kernels.h"
#include "engine/op.h"

struct gemm {
	size_t positions;    /* rows of A that one sample owns; all of them when A is unbatched */
	size_t inner, outer; /* K, N */
	bool trans_a, trans_b;
	float alpha, beta;
	size_t bias_rows, bias_columns; /* C as stored: 1 where it is broadcast */
};

static int infer_matrices(const struct op_build *b, struct gemm *c, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0], *w = b->inputs[1];
	char left[SHAPE_TEXT], right[SHAPE_TEXT];

	if (x->shape.rank != 2 || w->shape.rank != 2)
		return error_set(err, EXP_ESHAPE, "A %s and B %s must be matrices",
				 shape_format(&x->shape, x->batched, left), shape_format(&w->shape, w->batched, right));
	if (w->batched || (x->batched && c->trans_a))
		return error_set(err, EXP_EUNSUPPORTED, "only A may depend on the rows, and then not transposed");
	c->positions = x->shape.dims[c->trans_a ? 1 : 0];
	c->inner = x->shape.dims[c->trans_a ? 0 : 1];
	c->outer = w->shape.dims[c->trans_b ? 0 : 1];
	if (w->shape.dims[c->trans_b ? 1 : 0] != c->inner)
		return error_set(err, EXP_ESHAPE, "A %s and B %s do not fit%s",
				 shape_format(&x->shape, x->batched, left), shape_format(&w->shape, w->batched, right),
				 c->trans_b ? " (B transposed)" : "");
	return 0;
}

static int infer_bias(const struct op_build *b, struct gemm *c, struct exp_error *err)
{
	const struct op_value *bias = b->inputs[2];
	const struct shape *s = &bias->shape;
	bool per_row = b->inputs[0]->batched;
	char text[SHAPE_TEXT];
	bool fits;

	c->bias_columns = s->rank > 0 ? s->dims[s->rank - 1] : 1;
	c->bias_rows = s->rank > 1 ? s->dims[0] : 1;
	fits = s->rank <= 2 && (c->bias_columns == c->outer || c->bias_columns == 1);
	if (bias->batched)
		fits = fits && per_row && c->bias_rows == c->positions && c->bias_columns == c->outer;
	else
		fits = fits && (c->bias_rows == 1 || (!per_row && c->bias_rows == c->positions));
	if (!fits)
		return error_set(err, EXP_ESHAPE, "C %s does not fit the output's %zu columns",
				 shape_format(s, bias->batched, text), c->outer);
	return op_need_float(b, 2, err);
}

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct gemm *c = b->config;
	int64_t trans_a = 0, trans_b = 0;
	int rc;

	(void)op;
	c->alpha = c->beta = 1.0f;
	if ((rc = op_get_float(b, "alpha", &c->alpha, err)) || (rc = op_get_float(b, "beta", &c->beta, err)) ||
	    (rc = op_get_int(b, "transA", &trans_a, err)) || (rc = op_get_int(b, "transB", &trans_b, err)) ||
	    (rc = op_need_float(b, 0, err)) || (rc = op_need_float(b, 1, err)))
		return rc;
	c->trans_a = trans_a != 0;
	c->trans_b = trans_b != 0;
	rc = infer_matrices(b, c, err);
	if (rc == 0 && b->input_count > 2 && b->inputs[2])
		rc = infer_bias(b, c, err);
	if (rc)
		return rc;
	b->output->shape = (struct shape){ 2, { c->positions, c->outer } };
	b->output->fan_in = c->inner;
	b->scratch = b->output->batched ? 0 : c->positions * c->outer;
	b->scratch_per_row = c->positions * c->outer;
	b->flops_per_row = 2 * (uint64_t)c->positions * c->inner * c->outer;
	op_set_role(b, 1, GRAPH_ROLE_WEIGHT, c->inner);
	op_set_role(b, 2, GRAPH_ROLE_BIAS, c->inner);
	return 0;
}

/* Y = beta * C, broadcast. */
static void spread_bias(const struct gemm *c, const struct op_input *bias, float *y, size_t rows)
{
	bool by_row = bias->value->batched || c->bias_rows > 1;

	if (c->beta == 1.0f && !by_row && c->bias_columns == c->outer) {
		kernel_copy_rows(y, bias->data, rows, c->outer);
		return;
	}
	for (size_t i = 0; i < rows; i++) {
		const float *from = bias->data + (by_row ? i * c->bias_columns : 0);

		for (size_t k = 0; k < c->outer; k++)
			y[i * c->outer + k] = c->beta * from[c->bias_columns == 1 ? 0 : k];
	}
}

static bool has_bias(const struct op_run *r)
{
	return r->in_count > 2 && r->in[2].data;
}

static void forward(const struct op_run *r)
{
	const struct gemm *c = r->config;
	size_t rows = r->rows * c->positions;

	if (has_bias(r))
		spread_bias(c, &r->in[2], r->out->data, rows);
	blas_multiply(&(struct blas_product){ .a = r->in[0].data,
					      .b = r->in[1].data,
					      .c = r->out->data,
					      .m = rows,
					      .n = c->outer,
					      .k = c->inner,
					      .trans_a = c->trans_a,
					      .trans_b = c->trans_b,
					      .alpha = c->alpha,
					      .beta = has_bias(r) ? 1.0f : 0.0f });
}

/* dA [M, K] = alpha * dY [M, N] * B^T, or its transpose */
static void input_gradient(const struct op_run *r, const struct gemm *c)
{
	struct blas_product p = { .c = r->in[0].grad, .alpha = c->alpha };
	size_t rows = r->rows * c->positions;

	if (c->trans_a) {
		p.a = r->in[1].data, p.b = r->out->grad;
		p.m = c->inner, p.n = rows, p.k = c->outer;
		p.trans_a = c->trans_b, p.trans_b = true;
	} else {
		p.a = r->out->grad, p.b = r->in[1].data;
		p.m = rows, p.n = c->inner, p.k = c->outer;
		p.trans_b = !c->trans_b;
	}
	blas_multiply(&p);
}

/* dB = alpha * A^T dY, for a B that the rows share */
static void reduce_weight(const struct op_run *r, const struct gemm *c)
{
	struct reduce_factors f = { .samples = r->rows, .positions = c->positions, .scale = c->alpha };

	/* The weight's leading dimension is "out": the outputs when transposed, the inputs otherwise. */
	f.activations = c->trans_b ? r->in[0].data : r->out->grad;
	f.out_grads = c->trans_b ? r->out->grad : r->in[0].data;
	f.in = c->trans_b ? c->inner : c->outer;
	f.out = c->trans_b ? c->outer : c->inner;
	reduce_add_factors(r->in[1].reduce, &f);
}

/* dB of an unbatched product */
static void weight_gradient(const struct op_run *r, const struct gemm *c)
{
	struct blas_product p = { .c = r->in[1].grad, .alpha = c->alpha, .k = c->positions };

	if (c->trans_b) {
		p.a = r->out->grad, p.b = r->in[0].data;
		p.m = c->outer, p.n = c->inner;
		p.trans_a = true, p.trans_b = c->trans_a;
	} else {
		p.a = r->in[0].data, p.b = r->out->grad;
		p.m = c->inner, p.n = c->outer;
		p.trans_a = !c->trans_a;
	}
	blas_multiply(&p);
}

/* dC of one sample (or of the whole, unbatched): dY summed where C was broadcast. */
static void sum_bias(const struct gemm *c, const float *out_grad, float *out)
{
	size_t size = c->bias_rows * c->bias_columns;

	for (size_t i = 0; i < size; i++)
		out[i] = 0.0f;
	for (size_t i = 0; i < c->positions; i++)
		for (size_t k = 0; k < c->outer; k++)
			out[(c->bias_rows == 1 ? 0 : i) * c->bias_columns + (c->bias_columns == 1 ? 0 : k)] +=
			    c->beta * out_grad[i * c->outer + k];
}

static void bias_gradient(const struct op_run *r, const struct gemm *c)
{
	const struct op_input *bias = &r->in[2];
	size_t row = c->positions * c->outer, size = c->bias_rows * c->bias_columns;
	struct reduce_rows f = { .rows = r->out->grad, .samples = r->rows, .count = size, .scale = c->beta };

	if (bias->grad) {
		size_t samples = bias->value->batched ? r->rows : 1;

		for (size_t n = 0; n < samples; n++)
			sum_bias(c, r->out->grad + n * row, bias->grad + n * size);
		return;
	}
	if (c->positions > 1 || size != c->outer) {
		for (size_t n = 0; n < r->rows; n++)
			sum_bias(c, r->out->grad + n * row, r->scratch + n * size);
		f.rows = r->scratch;
		f.scale = 1.0f;
	}
	reduce_add_rows(bias->reduce, &f);
}

static void backward(const struct op_run *r)
{
	const struct gemm *c = r->config;

	if (r->in[0].grad)
		input_gradient(r, c);
	if (r->in[1].grad)
		weight_gradient(r, c);
	else if (r->in[1].reduce)
		reduce_weight(r, c);
	if (has_bias(r) && (r->in[2].grad || r->in[2].reduce))
		bias_gradient(r, c);
}

const struct op op_gemm = {
	.name = "Gemm",
	.min_inputs = 2,
	.max_inputs = 3,
	.attributes = "alpha beta transA transB",
	.weights = 1u << 1 | 1u << 2,
	.config_size = sizeof(struct gemm),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

/*
 * Gemm: Y [M, N] = alpha A' [M, K] B' [K, N] + beta C, A' and B' transposed on request, C broadcast.
 *
 * As a layer: A holds the samples along M, B the weight, C the bias. Where an export merged a sequence into the batch,
 * a sample has several rows, whose bias gradients add up before anything is squared.
 */
#include <string.h>

#include "engine/contraction.h"
#include "engine/kernels.h"

struct gemm {
	struct contraction product; /* first: contraction_infer fills it */
	float alpha, beta;
	size_t rows, columns;           /* M, N */
	size_t bias_rows, bias_columns; /* C as stored: 1 where it is broadcast */
	struct op_samples samples;      /* of Y */
};

static int infer_product(struct op_build *b, bool trans_a, bool trans_b, struct exp_error *err)
{
	const struct shape *x = &b->inputs[0]->shape, *w = &b->inputs[1]->shape;
	struct shape *y = &b->outputs[0]->shape;
	size_t m = trans_a ? 1 : 0, n = trans_b ? 0 : 1;
	char left[SHAPE_TEXT], right[SHAPE_TEXT];

	if (x->rank != 2 || w->rank != 2 || x->dims[1 - m] != w->dims[1 - n])
		return error_set(err, EXP_ESHAPE, "A %s%s and B %s%s are not two matrices that fit",
				 op_format(b, 0, left), trans_a ? " (transposed)" : "", op_format(b, 1, right),
				 trans_b ? " (transposed)" : "");
	*y = (struct shape){ 2, { x->dims[m], w->dims[n] } };
	const struct contraction_letter letters[] = {
		{ y->dims[0], { m ? 1 : x->dims[1], 0, y->dims[1] }, { (int)m, -1, 0 } },
		{ y->dims[1], { 0, n ? 1 : w->dims[1], 1 }, { -1, (int)n, 1 } },
		{ x->dims[1 - m], { m ? x->dims[1] : 1, n ? w->dims[1] : 1, 0 }, { 1 - (int)m, 1 - (int)n, -1 } },
	};

	op_set_role(b, 0, GRAPH_ROLE_WEIGHT, x->dims[1 - m]);
	op_set_role(b, 1, GRAPH_ROLE_WEIGHT, x->dims[1 - m]);
	b->outputs[0]->fan_in = x->dims[1 - m];
	return contraction_infer(b, letters, 3, b->config, err);
}

/* C of a layer is the same for all samples; where it has rows of its own, these must be the output's. */
static int infer_bias(struct op_build *b, struct gemm *c, struct exp_error *err)
{
	const struct op_value *bias = b->inputs[2], *y = b->outputs[0];
	const struct shape *s = &bias->shape;
	char text[SHAPE_TEXT];
	bool fits;
	int rc = op_need_float(b, 2, err);

	if (rc)
		return rc;
	c->bias_columns = s->rank > 0 ? s->dims[s->rank - 1] : 1;
	c->bias_rows = s->rank > 1 ? s->dims[0] : 1;
	if (s->rank > 2 || (c->bias_columns != c->columns && c->bias_columns != 1) ||
	    (c->bias_rows != c->rows && c->bias_rows != 1))
		return error_set(err, EXP_ESHAPE, "C %s does not fit the output [%zu, %zu]", op_format(b, 2, text),
				 c->rows, c->columns);
	if (bias->batched)
		fits =
		    y->batched && c->bias_rows == c->rows && c->bias_columns == c->columns && bias->outer == y->outer;
	else
		fits = !y->batched || (c->samples.axis == 0 ? c->bias_rows : c->bias_columns) == 1;
	if (!fits)
		return error_set(err, EXP_EUNSUPPORTED, "C %s does not have its samples where the output has them",
				 op_format(b, 2, text));
	op_set_role(b, 2, GRAPH_ROLE_BIAS, y->fan_in);
	b->scratch = (y->batched ? b->samples : 1) * c->bias_rows * c->bias_columns;
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct gemm *c = b->config;
	int64_t trans_a = 0, trans_b = 0;
	int rc;

	c->alpha = c->beta = 1.0f;
	if ((rc = op_get_float(b, "alpha", &c->alpha, err)) || (rc = op_get_float(b, "beta", &c->beta, err)) ||
	    (rc = op_get_int(b, "transA", &trans_a, err)) || (rc = op_get_int(b, "transB", &trans_b, err)) ||
	    (rc = op_need_float(b, 0, err)) || (rc = op_need_float(b, 1, err)) ||
	    (rc = infer_product(b, trans_a != 0, trans_b != 0, err)))
		return rc;
	c->rows = b->outputs[0]->shape.dims[0];
	c->columns = b->outputs[0]->shape.dims[1];
	if (b->outputs[0]->batched && (rc = op_find_samples(b, b->outputs[0], &c->samples, err)))
		return rc;
	return op_has(b, 2) ? infer_bias(b, c, err) : 0;
}

/* Y = beta C, broadcast */
static void spread_bias(const struct gemm *c, const float *bias, float *y)
{
	for (size_t i = 0; i < c->rows; i++) {
		const float *from = bias + (c->bias_rows > 1 ? i * c->bias_columns : 0);
		float *to = y + i * c->columns;

		if (c->bias_columns == c->columns && c->beta == 1.0f)
			memcpy(to, from, c->columns * sizeof(*to));
		else
			for (size_t k = 0; k < c->columns; k++)
				to[k] = c->beta * from[c->bias_columns > 1 ? k : 0];
	}
}

static void forward(const struct op_run *r)
{
	const struct gemm *c = r->config;
	const float *bias = r->in_count > 2 ? r->in[2].f : NULL;

	if (bias && c->bias_rows == 1 && c->bias_columns == c->columns && c->beta == 1.0f &&
	    contraction_takes_bias(&c->product, r, c->columns)) {
		contraction_forward(&c->product, r, c->alpha, 0.0f, bias);
		return;
	}
	if (bias)
		spread_bias(c, bias, r->out[0].f);
	contraction_forward(&c->product, r, c->alpha, bias ? 1.0f : 0.0f, NULL);
}

static void prepare(const struct op_run *r, float *prepared)
{
	const struct gemm *c = r->config;

	contraction_prepare(&c->product, r, prepared);
}

/* ---- dC: dY summed where C was broadcast ---- */

/* The sample that an element of Y belongs to. */
static size_t sample_of(const struct gemm *c, size_t samples, size_t row, size_t column)
{
	return (c->samples.axis == 0 ? row : column) / c->samples.after % samples;
}

/* sums [parts, bias_rows, bias_columns], zero before: one part for each sample, or one for all. */
static void sum_bias(const struct gemm *c, const float *dy, size_t parts, float *sums)
{
	size_t size = c->bias_rows * c->bias_columns;

	for (size_t i = 0; i < c->rows; i++) {
		const float *row = dy + i * c->columns;
		float *to = sums + (c->bias_rows > 1 ? i * c->bias_columns : 0);

		if (c->bias_columns == c->columns && (parts == 1 || c->samples.axis == 0))
			kernel_add(to + (parts > 1 ? sample_of(c, parts, i, 0) * size : 0), row, c->columns);
		else
			for (size_t k = 0; k < c->columns; k++)
				to[(parts > 1 ? sample_of(c, parts, i, k) * size : 0) +
				   (c->bias_columns > 1 ? k : 0)] += row[k];
	}
}

/* Each row of dY is one sample's, in order. */
static bool are_rows(const struct gemm *c, size_t samples)
{
	return c->rows == samples && c->samples.axis == 0 && c->bias_columns == c->columns && c->bias_rows == 1;
}

static void bias_gradient(const struct op_run *r, const struct gemm *c)
{
	const struct op_input *bias = &r->in[2];
	size_t size = c->bias_rows * c->bias_columns;
	struct reduce_rows f = { .rows = r->out[0].grad, .samples = r->samples, .count = size, .scale = c->beta };

	if (bias->grad) {
		memset(bias->grad, 0, size * sizeof(*bias->grad));
		sum_bias(c, r->out[0].grad, 1, bias->grad);
		for (size_t i = 0; i < size; i++)
			bias->grad[i] *= c->beta;
		return;
	}
	if (!are_rows(c, r->samples)) {
		memset(r->scratch, 0, r->samples * size * sizeof(*r->scratch));
		sum_bias(c, r->out[0].grad, r->samples, r->scratch);
		f.rows = r->scratch;
	}
	reduce_add_rows(bias->reduce, &f);
}

static void backward(const struct op_run *r)
{
	const struct gemm *c = r->config;

	contraction_backward(&c->product, r, c->alpha);
	if (r->in_count > 2 && (r->in[2].grad || r->in[2].reduce))
		bias_gradient(r, c);
}

const struct op op_gemm = {
	.name = "Gemm",
	.min_inputs = 2,
	.max_inputs = 3,
	.attributes = "alpha beta transA transB",
	.flags = OP_BILINEAR,
	.weights = 1u << 1 | 1u << 2,
	.config_size = sizeof(struct gemm),
	.infer = infer,
	.forward = forward,
	.prepare = prepare,
	.backward = backward,
};

/*
 * Transpose: Y[i_perm] = X[i]. Of rows, only the dimensions inside a row can change places.
 */
#include <inttypes.h>

#include "engine/op.h"

struct transpose {
	size_t rank, dims[GRAPH_MAX_DIMS]; /* of the output */
	size_t strides[GRAPH_MAX_DIMS];    /* floats in the input for a step in the output */
	size_t count;
};

static int read_permutation(const struct op_build *b, size_t rank, size_t perm[GRAPH_MAX_DIMS], struct exp_error *err)
{
	const int64_t *values = NULL;
	bool seen[GRAPH_MAX_DIMS] = { false };
	size_t count = rank;
	int rc = op_get_ints(b, "perm", &values, &count, err);

	if (rc)
		return rc;
	if (count != rank)
		return error_set(err, EXP_ESHAPE, "perm has %zu elements; %zu are expected", count, rank);
	for (size_t i = 0; i < rank; i++) {
		int64_t axis = values ? values[i] : (int64_t)(rank - 1 - i);

		if (axis < 0 || axis >= (int64_t)rank || seen[axis])
			return error_set(err, EXP_ESHAPE, "perm is no permutation");
		seen[axis] = true;
		perm[i] = (size_t)axis;
	}
	return 0;
}

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct transpose *c = b->config;
	size_t perm[GRAPH_MAX_DIMS] = { 0 };
	const struct shape *s;
	int rc = op_need_float(b, 0, err);

	(void)op;
	if (rc)
		return rc;
	s = &b->inputs[0]->shape;
	rc = read_permutation(b, s->rank, perm, err);
	if (rc)
		return rc;
	if (b->inputs[0]->batched && perm[0] != 0)
		return error_set(err, EXP_EUNSUPPORTED, "the batch must stay the first dimension");
	c->rank = b->output->shape.rank = s->rank;
	c->count = shape_count(s);
	for (size_t i = 0; i < s->rank; i++) {
		c->dims[i] = b->output->shape.dims[i] = s->dims[perm[i]];
		c->strides[i] = shape_span(s, perm[i] + 1, s->rank);
	}
	return 0;
}

/* One row, in the order of the output; back: from the output's layout to the input's. */
static void permute(const struct transpose *c, float *out, const float *in, bool back)
{
	size_t index[GRAPH_MAX_DIMS] = { 0 }, at = 0;

	for (size_t i = 0; i < c->count; i++) {
		size_t d = c->rank;

		if (back)
			out[at] = in[i];
		else
			out[i] = in[at];
		while (d-- > 0) {
			at += c->strides[d];
			if (++index[d] < c->dims[d])
				break;
			at -= c->strides[d] * c->dims[d];
			index[d] = 0;
		}
	}
}

static void forward(const struct op_run *r)
{
	const struct transpose *c = r->config;

	for (size_t n = 0; n < r->rows; n++)
		permute(c, r->out->data + n * c->count, r->in[0].data + n * c->count, false);
}

static void backward(const struct op_run *r)
{
	const struct transpose *c = r->config;

	for (size_t n = 0; r->in[0].grad && n < r->rows; n++)
		permute(c, r->in[0].grad + n * c->count, r->out->grad + n * c->count, true);
}

const struct op op_transpose = {
	.name = "Transpose",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "perm",
	.config_size = sizeof(struct transpose),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

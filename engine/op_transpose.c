/*
 * Transpose: Y[i_perm] = X[i]. Samples move with their axis.
 */
#include "engine/strided.h"

struct transpose {
	struct strided map;
	size_t size; /* bytes of an element */
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

static int move_samples(struct op_build *b, const size_t perm[], struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	struct op_samples at;
	size_t to = 0;
	int rc;

	if (!x->batched)
		return 0;
	rc = op_find_samples(b, x, &at, err);
	if (rc)
		return rc;
	while (perm[to] != at.axis)
		to++;
	at.axis = to;
	op_put_samples(b, b->outputs[0], &at);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct transpose *c = b->config;
	const struct shape *x = &b->inputs[0]->shape;
	struct shape *out = &b->outputs[0]->shape;
	size_t perm[GRAPH_MAX_DIMS] = { 0 };
	int rc = read_permutation(b, x->rank, perm, err);

	if (rc)
		return rc;
	op_copy(b, 0, 0);
	for (size_t i = 0; i < x->rank; i++)
		out->dims[i] = x->dims[perm[i]];
	for (size_t i = 0; i < x->rank; i++)
		strided_push(&c->map, out->dims[i], (ptrdiff_t)shape_span(x, perm[i] + 1, x->rank),
			     (ptrdiff_t)shape_span(out, i + 1, x->rank));
	strided_merge(&c->map);
	c->size = tensor_size(b->inputs[0]->type);
	b->selects = true;
	if (!b->inputs[0]->is_parameter)
		b->outputs[0]->fan_in = b->inputs[0]->fan_in;
	return move_samples(b, perm, err);
}

static void forward(const struct op_run *r)
{
	const struct transpose *c = r->config;

	strided_copy(&c->map, c->size, r->out->data, r->in->data);
}

static void backward(const struct op_run *r)
{
	const struct transpose *c = r->config;
	struct strided back = strided_reverse(&c->map);

	if (r->in->grad)
		strided_copy(&back, sizeof(float), r->in->grad, r->out->grad);
}

const struct op op_transpose = {
	.name = "Transpose",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "perm",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct transpose),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

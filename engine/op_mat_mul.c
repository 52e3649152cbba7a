/*
 * MatMul: NumPy's matmul. Y [..., M, N] = A [..., M, K] B [..., K, N], leading dimensions broadcast; a vector A is one
 * row, a vector B one column, and that dimension is not in Y. Either side may be a weight, and samples may be along any
 * dimension but K.
 */
#include "engine/contraction.h"

static size_t step_after(const struct shape *s, size_t dim)
{
	return shape_span(s, dim + 1, s->rank);
}

/* Dimension dim of an operand, when it has it, takes part in the letter; one of size 1 is the same for all. */
static int join(const struct op_build *b, struct contraction_letter *l, size_t operand, size_t dim,
		struct exp_error *err)
{
	const struct shape *s = &b->inputs[operand]->shape;
	char left[SHAPE_TEXT], right[SHAPE_TEXT];

	if (s->dims[dim] != l->size && s->dims[dim] != 1 && l->size != 1)
		return error_set(err, EXP_ESHAPE, "A %s and B %s do not fit", op_format(b, 0, left),
				 op_format(b, 1, right));
	l->dim[operand] = (int)dim;
	l->step[operand] = s->dims[dim] == 1 ? 0 : step_after(s, dim);
	l->size = s->dims[dim] == 1 ? l->size : s->dims[dim];
	return 0;
}

static const struct contraction_letter no_letter = { .size = 1, .dim = { -1, -1, -1 } };

/* The leading dimensions, counted from the last of them. */
static int join_leading(const struct op_build *b, size_t i, struct contraction_letter *l, struct exp_error *err)
{
	for (size_t operand = 0; operand < 2; operand++) {
		size_t rank = b->inputs[operand]->shape.rank;
		int rc = rank > i + 2 ? join(b, l, operand, rank - 3 - i, err) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

/* K must be the same on both sides: nothing is broadcast along it. */
static int join_inner(const struct op_build *b, struct contraction_letter *l, struct exp_error *err)
{
	const struct shape *a = &b->inputs[0]->shape, *w = &b->inputs[1]->shape;
	size_t last = a->rank - 1, first = w->rank > 1 ? w->rank - 2 : 0;
	char left[SHAPE_TEXT], right[SHAPE_TEXT];

	if (a->dims[last] != w->dims[first])
		return error_set(err, EXP_ESHAPE, "A %s and B %s do not fit: %zu is not %zu", op_format(b, 0, left),
				 op_format(b, 1, right), a->dims[last], w->dims[first]);
	*l = (struct contraction_letter){ .size = a->dims[last], .dim = { (int)last, (int)first, -1 } };
	l->step[0] = 1;
	l->step[1] = step_after(w, first);
	return 0;
}

static void set_output(const struct op_build *b, struct contraction_letter *letters, size_t count)
{
	struct shape *y = &b->outputs[0]->shape;

	y->rank = count;
	for (size_t i = 0; i < count; i++)
		y->dims[i] = letters[i].size;
	for (size_t i = 0; i < count; i++) {
		letters[i].dim[CONTRACTION_Y] = (int)i;
		letters[i].step[CONTRACTION_Y] = y->dims[i] == 1 ? 0 : step_after(y, i);
	}
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct contraction_letter letters[GRAPH_MAX_DIMS + 3];
	const struct shape *x = &b->inputs[0]->shape, *w = &b->inputs[1]->shape;
	size_t count = 0, leading = 0;
	int rc;

	if ((rc = op_need_float(b, 0, err)) || (rc = op_need_float(b, 1, err)))
		return rc;
	if (x->rank == 0 || w->rank == 0)
		return error_set(err, EXP_ESHAPE, "its inputs must have at least one dimension");
	for (size_t operand = 0; operand < 2; operand++) {
		size_t rank = b->inputs[operand]->shape.rank;

		leading = rank > leading + 2 ? rank - 2 : leading;
	}
	for (; rc == 0 && count < leading; count++) {
		letters[count] = no_letter;
		rc = join_leading(b, leading - 1 - count, &letters[count], err);
	}
	if (rc == 0 && x->rank > 1) {
		letters[count] = no_letter;
		rc = join(b, &letters[count++], 0, x->rank - 2, err);
	}
	if (rc == 0 && w->rank > 1) {
		letters[count] = no_letter;
		rc = join(b, &letters[count++], 1, w->rank - 1, err);
	}
	if (rc == 0)
		rc = join_inner(b, &letters[count], err);
	if (rc)
		return rc;
	set_output(b, letters, count);
	op_set_role(b, 0, GRAPH_ROLE_WEIGHT, letters[count].size);
	op_set_role(b, 1, GRAPH_ROLE_WEIGHT, letters[count].size);
	b->outputs[0]->fan_in = letters[count].size;
	return contraction_infer(b, letters, count + 1, b->config, err);
}

static void forward(const struct op_run *r)
{
	contraction_forward(r->config, r, 1.0f, 0.0f, NULL);
}

static void prepare(const struct op_run *r, float *prepared)
{
	contraction_prepare(r->config, r, prepared);
}

static void backward(const struct op_run *r)
{
	contraction_backward(r->config, r, 1.0f);
}

const struct op op_mat_mul = {
	.name = "MatMul",
	.min_inputs = 2,
	.max_inputs = 2,
	.flags = OP_BILINEAR,
	.weights = 1u << 1,
	.config_size = sizeof(struct contraction),
	.infer = infer,
	.forward = forward,
	.prepare = prepare,
	.backward = backward,
};

/*
 * Shape and Size: known as soon as the plan is. What counts samples is told by its value for one sample more.
 */
#include "engine/op.h"

/* Dimension d of the input when there is one sample more. */
static size_t with_one_more(const struct op_build *b, const struct op_samples *at, size_t d)
{
	const struct op_value *x = b->inputs[0];

	return x->batched && at->axis == d ? x->shape.dims[d] / b->samples * (b->samples + 1) : x->shape.dims[d];
}

/* Since opset 15: bounds as a slice takes them. */
static int read_bound(const struct op_build *b, const char *name, int64_t *value, struct exp_error *err)
{
	int64_t rank = (int64_t)b->inputs[0]->shape.rank;
	int rc = op_get_int(b, name, value, err);

	if (*value < 0)
		*value = *value < -rank ? 0 : *value + rank;
	if (*value > rank)
		*value = rank;
	return rc;
}

static int infer_shape(struct op_build *b, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	struct op_samples at = { 0 };
	int64_t start = 0, end = GRAPH_MAX_DIMS;
	void *known, *probe = NULL;
	int rc;

	if ((rc = read_bound(b, "start", &start, err)) || (rc = read_bound(b, "end", &end, err)) ||
	    (x->batched && (rc = op_find_samples(b, x, &at, err))))
		return rc;
	end = end < start ? start : end;
	b->outputs[0]->type = TENSOR_I64;
	b->outputs[0]->shape = (struct shape){ 1, { (size_t)(end - start) } };
	rc = op_set_known(b, 0, &known, x->batched ? &probe : NULL, err);
	for (int64_t i = start; rc == 0 && i < end; i++) {
		((int64_t *)known)[i - start] = (int64_t)x->shape.dims[i];
		if (probe)
			((int64_t *)probe)[i - start] = (int64_t)with_one_more(b, &at, (size_t)i);
	}
	return rc;
}

static int infer_size(struct op_build *b, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	void *known, *probe = NULL;
	int rc;

	b->outputs[0]->type = TENSOR_I64;
	rc = op_set_known(b, 0, &known, x->batched ? &probe : NULL, err);
	if (rc)
		return rc;
	*(int64_t *)known = (int64_t)x->count;
	if (probe)
		*(int64_t *)probe = (int64_t)(x->count / b->samples * (b->samples + 1));
	return 0;
}

const struct op op_shape = {
	.name = "Shape",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "start end",
	.infer = infer_shape,
};
const struct op op_size = {
	.name = "Size",
	.min_inputs = 1,
	.max_inputs = 1,
	.infer = infer_size,
};

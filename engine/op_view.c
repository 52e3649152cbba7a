/*
 * The same numbers under another shape: Identity, Dropout (inference), Flatten, Reshape, Squeeze, Unsqueeze. Memory is
 * shared, so there is nothing to run; what counts is where the batch goes. It must stay first: a sample's floats remain
 * one block.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/op.h"

static int infer_same(const struct op *op, struct op_build *b, struct exp_error *err)
{
	int rc = op_need_float(b, 0, err);

	(void)op;
	if (rc == 0)
		b->output->shape = b->inputs[0]->shape;
	return rc;
}

/* The copy of integers under a shape that has been set. */
static int fold_same(struct op_build *b, struct exp_error *err)
{
	const struct op_integer *from;
	struct op_integer *to;
	size_t count;
	int rc = op_need_integers(b, 0, &from, &count, err);

	if (rc == 0)
		rc = op_new_integers(b, &to, err);
	if (rc)
		return rc;
	memcpy(to, from, count * sizeof(*to));
	b->output->integers = to;
	return 0;
}

static int fold_identity(const struct op *op, struct op_build *b, struct exp_error *err)
{
	(void)op;
	b->output->shape = b->inputs[0]->shape;
	return fold_same(b, err);
}

/* Since opset 12 the third input asks for training; a constant false does no harm. */
static int infer_dropout(const struct op *op, struct op_build *b, struct exp_error *err)
{
	const struct op_value *training = b->input_count > 2 ? b->inputs[2] : NULL;

	if (training && !(training->integers && shape_count(&training->shape) == 1 && training->integers[0].value == 0))
		return error_set(err, EXP_EUNSUPPORTED,
				 "training mode is not supported: export the model in evaluation mode");
	return infer_same(op, b, err);
}

/* ---- Flatten ---- */

static int infer_flatten(const struct op *op, struct op_build *b, struct exp_error *err)
{
	const struct shape *s;
	int64_t value = 1;
	size_t axis;
	int rc = op_need_float(b, 0, err);

	(void)op;
	if (rc == 0)
		rc = op_get_int(b, "axis", &value, err);
	if (rc)
		return rc;
	s = &b->inputs[0]->shape;
	if (value == (int64_t)s->rank)
		axis = s->rank;
	else if ((rc = op_axis(value, s->rank, &axis, err)))
		return rc;
	if (b->inputs[0]->batched && axis == 0)
		return error_set(err, EXP_EUNSUPPORTED, "the axis 0 would merge the rows into one");
	b->output->shape = (struct shape){ 2, { shape_span(s, 0, axis), shape_span(s, axis, s->rank) } };
	return 0;
}

/* ---- Reshape ---- */

static int bad_target(struct exp_error *err, size_t i, int64_t value)
{
	return error_set(err, EXP_ESHAPE,
			 "element %zu of the target shape is %" PRId64 ", which does not fit the input", i, value);
}

/*
 * The first element of a batched target, in entries a row. A file that fixes the batch at n writes multiples of n
 * there; a sensible shape for other batches follows by dividing. *open is set for -1.
 */
static int first_dim(const struct op_build *b, struct op_integer t, size_t *dim, bool *open, struct exp_error *err)
{
	if (t.per_row)
		*dim = (size_t)t.value;
	else if (t.value == 0)
		*dim = b->inputs[0]->shape.dims[0];
	else if (t.value == -1)
		*open = true;
	else if (b->file_batch > 0 && t.value > 0 && t.value % b->file_batch == 0)
		*dim = (size_t)(t.value / b->file_batch);
	else
		return error_set(err, EXP_ESHAPE,
				 "the target shape starts with %" PRId64 ", which fixes the batch: use -1 or 0 there",
				 t.value);
	return 0;
}

static int read_target(const struct op_build *b, const struct op_integer *target, size_t rank, bool zero_is_zero,
		       struct shape *out, size_t *open, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];

	*open = GRAPH_MAX_DIMS;
	out->rank = rank;
	for (size_t i = 0; i < rank; i++) {
		struct op_integer t = target[i];
		bool is_open = t.value == -1 && !t.per_row;
		int rc = 0;

		if (t.per_row && (i > 0 || !x->batched || t.value < 1))
			return error_set(err, EXP_EUNSUPPORTED, "the batch must stay the first dimension");
		if (t.value < -1 || (is_open && *open < GRAPH_MAX_DIMS) ||
		    (t.value == 0 && (zero_is_zero || i >= x->shape.rank)))
			return bad_target(err, i, t.value);
		if (i == 0 && x->batched)
			rc = first_dim(b, t, &out->dims[0], &is_open, err);
		else
			out->dims[i] = t.value == 0 ? x->shape.dims[i] : (size_t)t.value;
		if (rc)
			return rc;
		if (is_open) {
			*open = i;
			out->dims[i] = 1;
		}
	}
	return 0;
}

static int resolve(const struct op_build *b, struct shape *out, size_t open, struct exp_error *err)
{
	size_t have = shape_count(&b->inputs[0]->shape), rest;
	char from[SHAPE_TEXT], to[SHAPE_TEXT];
	bool fits = shape_try_count(out, &rest) && rest > 0;

	if (fits && open < GRAPH_MAX_DIMS) {
		fits = have % rest == 0 && have >= rest;
		out->dims[open] = fits ? have / rest : 1;
	} else if (fits) {
		fits = rest == have;
	}
	if (!fits)
		return error_set(err, EXP_ESHAPE, "%s cannot be reshaped to %s",
				 shape_format(&b->inputs[0]->shape, b->inputs[0]->batched, from),
				 shape_format(out, b->inputs[0]->batched, to));
	return 0;
}

static int target_shape(const struct op_build *b, struct shape *out, struct exp_error *err)
{
	const struct op_integer *target;
	size_t rank, open;
	int64_t zero_is_zero = 0;
	int rc = op_need_integers(b, 1, &target, &rank, err);

	if (rc == 0)
		rc = op_get_int(b, "allowzero", &zero_is_zero, err);
	if (rc)
		return rc;
	if (rank > GRAPH_MAX_DIMS || (rank == 0 && b->inputs[0]->batched))
		return error_set(err, EXP_ESHAPE, "a target of %zu dimensions is not supported", rank);
	rc = read_target(b, target, rank, zero_is_zero != 0, out, &open, err);
	return rc ? rc : resolve(b, out, open, err);
}

static int infer_reshape(const struct op *op, struct op_build *b, struct exp_error *err)
{
	int rc = op_need_float(b, 0, err);

	(void)op;
	return rc ? rc : target_shape(b, &b->output->shape, err);
}

static int fold_reshape(const struct op *op, struct op_build *b, struct exp_error *err)
{
	int rc = target_shape(b, &b->output->shape, err);

	(void)op;
	return rc ? rc : fold_same(b, err);
}

/* ---- Squeeze, Unsqueeze ---- */

enum { SQUEEZE, UNSQUEEZE };

/* Since opset 13 the axes are an input, before an attribute. marks[i] is set for each; rank is what they count in. */
static int read_axes(const struct op_build *b, size_t rank, bool marks[GRAPH_MAX_DIMS], size_t *given,
		     struct exp_error *err)
{
	const struct op_integer *integers = NULL;
	const int64_t *list = NULL;
	size_t count = 0;
	int rc = 0;

	if (b->input_count > 1 && b->inputs[1])
		rc = op_need_integers(b, 1, &integers, &count, err);
	else
		rc = op_get_ints(b, "axes", &list, &count, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		size_t axis;

		rc = op_axis(integers ? integers[i].value : list[i], rank, &axis, err);
		if (rc == 0 && marks[axis])
			rc = error_set(err, EXP_ESHAPE, "an axis is given twice");
		if (rc == 0)
			marks[axis] = true;
	}
	*given = count;
	return rc;
}

static int squeeze_shape(const struct op_build *b, struct shape *out, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	bool marks[GRAPH_MAX_DIMS] = { false };
	size_t given;
	int rc = read_axes(b, x->shape.rank, marks, &given, err);

	if (rc)
		return rc;
	out->rank = 0;
	for (size_t i = 0; i < x->shape.rank; i++) {
		bool is_batch = i == 0 && x->batched;
		bool drop = given ? marks[i] : x->shape.dims[i] == 1 && !is_batch;

		if (drop && (x->shape.dims[i] != 1 || is_batch))
			return error_set(err, EXP_ESHAPE, "axis %zu cannot be squeezed: it is %s", i,
					 is_batch ? "the batch" : "not 1");
		if (!drop)
			out->dims[out->rank++] = x->shape.dims[i];
	}
	return 0;
}

static int unsqueeze_shape(const struct op_build *b, struct shape *out, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	bool marks[GRAPH_MAX_DIMS] = { false };
	size_t given, from = 0;
	int rc;

	/* The axes count in the output's rank, which their number decides. */
	given = b->input_count > 1 && b->inputs[1] ? shape_count(&b->inputs[1]->shape) : 0;
	for (size_t i = 0; i < b->attribute_count; i++)
		given += strcmp(b->attributes[i].name, "axes") == 0 ? b->attributes[i].count : 0;
	if (given > GRAPH_MAX_DIMS || x->shape.rank + given > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "more than %d dimensions are not supported", GRAPH_MAX_DIMS);
	rc = read_axes(b, x->shape.rank + given, marks, &given, err);
	if (rc)
		return rc;
	if (x->batched && marks[0])
		return error_set(err, EXP_EUNSUPPORTED, "the batch must stay the first dimension");
	out->rank = x->shape.rank + given;
	for (size_t i = 0; i < out->rank; i++)
		out->dims[i] = marks[i] ? 1 : x->shape.dims[from++];
	return 0;
}

static int axes_shape(const struct op *op, const struct op_build *b, struct shape *out, struct exp_error *err)
{
	return op->variant == SQUEEZE ? squeeze_shape(b, out, err) : unsqueeze_shape(b, out, err);
}

static int infer_axes(const struct op *op, struct op_build *b, struct exp_error *err)
{
	int rc = op_need_float(b, 0, err);

	return rc ? rc : axes_shape(op, b, &b->output->shape, err);
}

static int fold_axes(const struct op *op, struct op_build *b, struct exp_error *err)
{
	int rc = axes_shape(op, b, &b->output->shape, err);

	return rc ? rc : fold_same(b, err);
}

const struct op op_identity = {
	.name = "Identity",
	.min_inputs = 1,
	.max_inputs = 1,
	.flags = OP_VIEW,
	.infer = infer_same,
	.fold = fold_identity,
};
const struct op op_dropout = {
	.name = "Dropout",
	.min_inputs = 1,
	.max_inputs = 3,
	.attributes = "ratio seed",
	.flags = OP_VIEW,
	.fixed = 1u << 1,
	.infer = infer_dropout,
};
const struct op op_flatten = {
	.name = "Flatten",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "axis",
	.flags = OP_VIEW,
	.infer = infer_flatten,
};
const struct op op_reshape = {
	.name = "Reshape",
	.min_inputs = 2,
	.max_inputs = 2,
	.attributes = "allowzero",
	.flags = OP_VIEW,
	.infer = infer_reshape,
	.fold = fold_reshape,
};
const struct op op_squeeze = {
	.name = "Squeeze",
	.min_inputs = 1,
	.max_inputs = 2,
	.attributes = "axes",
	.flags = OP_VIEW,
	.variant = SQUEEZE,
	.infer = infer_axes,
	.fold = fold_axes,
};
const struct op op_unsqueeze = {
	.name = "Unsqueeze",
	.min_inputs = 1,
	.max_inputs = 2,
	.attributes = "axes",
	.flags = OP_VIEW,
	.variant = UNSQUEEZE,
	.infer = infer_axes,
	.fold = fold_axes,
};

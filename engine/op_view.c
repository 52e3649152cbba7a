/*
 * The same numbers under another shape: Identity, Dropout (in evaluation), Flatten, Reshape, Squeeze, Unsqueeze. Memory
 * is shared, so there is nothing to run; and since no number moves, a sample's stay where they are: outer is the
 * input's.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/op.h"

/* The output is the input but for the shape that the caller sets. */
static struct shape *view(struct op_build *b)
{
	op_copy(b, 0, 0);
	if (!b->inputs[0]->is_parameter)
		b->outputs[0]->fan_in = b->inputs[0]->fan_in;
	return &b->outputs[0]->shape;
}

static int infer_identity(struct op_build *b, struct exp_error *err)
{
	(void)err;
	view(b);
	return 0;
}

/* ---- Dropout ---- */

enum { RATIO = 1, TRAINING = 2, MASK = 1 };

/* Since opset 12 an input asks for training; it does no harm when it says no, or drops nothing. */
static int refuse_training(const struct op_build *b, struct exp_error *err)
{
	const void *training, *ratio;
	int rc;

	if (!op_has(b, TRAINING))
		return 0;
	rc = op_need_known(b, TRAINING, TENSOR_BOOL, &training, err);
	if (rc)
		return rc;
	if (b->inputs[TRAINING]->count != 1)
		return error_set(err, EXP_ESHAPE, "training_mode must be one truth value");
	if (!*(const uint8_t *)training)
		return 0;
	if (op_is_float(b, RATIO) && b->inputs[RATIO]->known && b->inputs[RATIO]->count == 1) {
		ratio = b->inputs[RATIO]->known;
		if (*(const float *)ratio == 0.0f)
			return 0;
	}
	return error_set(err, EXP_EUNSUPPORTED, "training mode is not supported: export the model in evaluation mode");
}

/* Known data are known at once, so that the mask beside them is not computed by a view. */
static int copy_known(struct op_build *b, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	void *known, *probe = NULL;
	int rc;

	if (!x->known)
		return 0;
	rc = op_set_known(b, 0, &known, x->probe ? &probe : NULL, err);
	if (rc == 0)
		memcpy(known, x->known, x->count * sizeof(float));
	if (rc == 0 && probe)
		memcpy(probe, x->probe, x->count * sizeof(float));
	return rc;
}

static int infer_dropout(struct op_build *b, struct exp_error *err)
{
	void *mask;
	int rc;

	if ((rc = op_need_float(b, 0, err)) || (rc = refuse_training(b, err)))
		return rc;
	view(b);
	if (!op_wants(b, MASK))
		return 0;
	op_copy(b, MASK, 0);
	b->outputs[MASK]->type = TENSOR_BOOL;
	b->outputs[MASK]->onnx_type = 0;
	if ((rc = copy_known(b, err)) || (rc = op_set_known(b, MASK, &mask, NULL, err)))
		return rc;
	memset(mask, 1, shape_count(&b->inputs[0]->shape));
	return 0;
}

/* ---- Flatten ---- */

static int infer_flatten(struct op_build *b, struct exp_error *err)
{
	const struct shape *s = &b->inputs[0]->shape;
	int64_t value = 1;
	size_t axis = s->rank;
	int rc = op_get_int(b, "axis", &value, err);

	if (rc == 0 && value != (int64_t)s->rank)
		rc = op_axis(value, s->rank, &axis, err);
	if (rc == 0)
		*view(b) = (struct shape){ 2, { shape_span(s, 0, axis), shape_span(s, axis, s->rank) } };
	return rc;
}

/* ---- Reshape ---- */

/*
 * A target is resolved in the numbers of a file that fixes its batch size B: what counts samples is brought from N to
 * B first, and the dimension that the samples fall into is brought back from B to N. Without such a size B is N.
 */
struct target {
	struct shape shape;
	size_t open;    /* the element -1 */
	size_t counted; /* an element that is known to count samples */
	size_t count;   /* elements of the input at B */
	size_t batch;   /* B; 1 when the input is not batched */
};

enum { NO_DIM = GRAPH_MAX_DIMS };

static int copy_dim(const struct op_build *b, struct target *t, size_t i, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	struct op_samples at;

	if (i >= x->shape.rank)
		return error_set(err, EXP_ESHAPE,
				 "element %zu of the target shape is 0, but the input has %zu dimensions", i,
				 x->shape.rank);
	t->shape.dims[i] = x->shape.dims[i];
	if (!x->batched || op_find_samples(b, x, &at, NULL) || at.axis != i)
		return 0;
	t->shape.dims[i] = t->shape.dims[i] / b->samples * t->batch;
	t->counted = i;
	return 0;
}

static int read_element(const struct op_build *b, struct target *t, size_t i, int64_t known, int64_t probe,
			struct exp_error *err)
{
	if (known < -1 || known > (int64_t)SHAPE_MAX_COUNT || (known == -1 && t->open != NO_DIM))
		return error_set(err, EXP_ESHAPE,
				 "element %zu of the target shape is %" PRId64 ", which has no meaning there", i,
				 known);
	t->shape.dims[i] = (size_t)known;
	if (known == -1) {
		t->open = i;
		t->shape.dims[i] = 1;
	} else if (b->inputs[0]->batched && op_counts_samples(known, probe) && (size_t)known % b->samples == 0) {
		t->shape.dims[i] = (size_t)known / b->samples * t->batch;
		t->counted = i;
	}
	return 0;
}

static int read_target(const struct op_build *b, struct target *t, struct exp_error *err)
{
	const int64_t *known, *probe;
	int64_t zero_is_zero = 0;
	size_t rank;
	int rc = op_need_ints(b, 1, &known, &probe, &rank, err);

	if (rc || (rc = op_get_int(b, "allowzero", &zero_is_zero, err)))
		return rc;
	if (rank > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "a target of %zu dimensions is not supported; %d are", rank,
				 GRAPH_MAX_DIMS);
	t->shape.rank = rank;
	for (size_t i = 0; rc == 0 && i < rank; i++)
		rc = known[i] == 0 && !zero_is_zero ? copy_dim(b, t, i, err)
						    : read_element(b, t, i, known[i], probe[i], err);
	return rc;
}

/* Settles -1. */
static bool resolve(struct target *t)
{
	size_t rest;

	if (!shape_try_count(&t->shape, &rest))
		return false;
	if (t->open == NO_DIM)
		return rest == t->count;
	if (rest == 0 || t->count % rest)
		return false;
	t->shape.dims[t->open] = t->count / rest;
	return true;
}

/*
 * The dimension that the samples fall into. With B = 1 several may do: one that is known to count them, else one that
 * is B exactly; else where they come first in a dimension ([T, B * heads, D]), but not in the last one, where features
 * are; else the first ([T * B, D]).
 */
static size_t sample_dim(const struct target *t, size_t outer)
{
	size_t front = 1, fallback = NO_DIM;

	if (t->counted != NO_DIM)
		return t->counted;
	for (size_t d = 0; d < t->shape.rank && front > 0 && outer % front == 0; d++) {
		size_t before = outer / front, size = t->shape.dims[d];

		if (size == t->batch && before == 1)
			return d;
		if (before * t->batch > 0 && size % (before * t->batch) == 0 &&
		    (fallback == NO_DIM || (before == 1 && d + 1 < t->shape.rank)))
			fallback = d;
		front *= size;
	}
	return fallback;
}

static int infer_reshape(struct op_build *b, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	struct target t = { .open = NO_DIM, .counted = NO_DIM, .count = x->count, .batch = 1 };
	char from[SHAPE_TEXT], to[SHAPE_TEXT];
	size_t d;
	int rc;

	if (x->batched) {
		t.batch = b->file_batch ? b->file_batch : b->samples;
		t.count = x->count / b->samples * t.batch;
	}
	rc = read_target(b, &t, err);
	if (rc)
		return rc;
	if (!resolve(&t))
		return error_set(err, EXP_ESHAPE, "%s cannot be reshaped to %s", op_format(b, 0, from),
				 shape_format(&t.shape, to));
	if (x->batched && t.batch != b->samples && x->count) {
		d = sample_dim(&t, x->outer);
		if (d == NO_DIM)
			return error_set(err, EXP_EUNSUPPORTED,
					 "%s reshaped to %s spreads the samples over several dimensions",
					 op_format(b, 0, from), shape_format(&t.shape, to));
		t.shape.dims[d] = t.shape.dims[d] / t.batch * b->samples;
	}
	*view(b) = t.shape;
	return 0;
}

/* ---- Squeeze, Unsqueeze ---- */

/* Since opset 13 the axes are an input, before an attribute. */
static int read_axes(const struct op_build *b, const int64_t **axes, size_t *count, struct exp_error *err)
{
	*axes = NULL;
	*count = 0;
	return op_has(b, 1) ? op_need_ints(b, 1, axes, NULL, count, err) : op_get_ints(b, "axes", axes, count, err);
}

static int mark_axes(const int64_t *axes, size_t count, size_t rank, bool marks[GRAPH_MAX_DIMS], struct exp_error *err)
{
	for (size_t i = 0; i < count; i++) {
		size_t axis;
		int rc = op_axis(axes[i], rank, &axis, err);

		if (rc)
			return rc;
		if (marks[axis])
			return error_set(err, EXP_ESHAPE, "the axis %" PRId64 " is given twice", axes[i]);
		marks[axis] = true;
	}
	return 0;
}

static int infer_squeeze(struct op_build *b, struct exp_error *err)
{
	const struct shape *x = &b->inputs[0]->shape;
	struct op_samples at = { .axis = NO_DIM };
	bool marks[GRAPH_MAX_DIMS] = { false };
	struct shape *out;
	const int64_t *axes;
	size_t count;
	int rc = read_axes(b, &axes, &count, err);

	if (rc || (rc = mark_axes(axes, count, x->rank, marks, err)) ||
	    (b->inputs[0]->batched && (rc = op_find_samples(b, b->inputs[0], &at, err))))
		return rc;
	for (size_t i = 0; i < x->rank; i++) {
		if (marks[i] && i == at.axis)
			return error_set(err, EXP_EUNSUPPORTED, "axis %zu cannot be squeezed: it holds the samples", i);
		if (marks[i] && x->dims[i] != 1)
			return error_set(err, EXP_ESHAPE, "axis %zu cannot be squeezed: its size is %zu, not 1", i,
					 x->dims[i]);
		if (count == 0)
			marks[i] = x->dims[i] == 1 && i != at.axis;
	}
	out = view(b);
	out->rank = 0;
	for (size_t i = 0; i < x->rank; i++)
		if (!marks[i])
			out->dims[out->rank++] = x->dims[i];
	return 0;
}

static int infer_unsqueeze(struct op_build *b, struct exp_error *err)
{
	const struct shape *x = &b->inputs[0]->shape;
	bool marks[GRAPH_MAX_DIMS] = { false };
	const int64_t *axes;
	struct shape *out;
	size_t count, from = 0;
	int rc = read_axes(b, &axes, &count, err);

	if (rc)
		return rc;
	if (count > GRAPH_MAX_DIMS || x->rank + count > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "more than %d dimensions are not supported", GRAPH_MAX_DIMS);
	rc = mark_axes(axes, count, x->rank + count, marks, err);
	if (rc)
		return rc;
	out = view(b);
	out->rank = x->rank + count;
	for (size_t i = 0; i < out->rank; i++)
		out->dims[i] = marks[i] ? 1 : x->dims[from++];
	return 0;
}

const struct op op_identity = {
	.name = "Identity",
	.min_inputs = 1,
	.max_inputs = 1,
	.flags = OP_VIEW,
	.infer = infer_identity,
};
const struct op op_dropout = {
	.name = "Dropout",
	.min_inputs = 1,
	.max_inputs = 3,
	.max_outputs = 2,
	.attributes = "ratio seed",
	.flags = OP_VIEW,
	.fixed = 1u << RATIO,
	.indices = 1u << RATIO,
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
};
const struct op op_squeeze = {
	.name = "Squeeze",
	.min_inputs = 1,
	.max_inputs = 2,
	.attributes = "axes",
	.flags = OP_VIEW,
	.infer = infer_squeeze,
};
const struct op op_unsqueeze = {
	.name = "Unsqueeze",
	.min_inputs = 1,
	.max_inputs = 2,
	.attributes = "axes",
	.flags = OP_VIEW,
	.infer = infer_unsqueeze,
};

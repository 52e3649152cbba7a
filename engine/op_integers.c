/*
 * What exporters use to compute shapes: Shape, Gather, Concat, Slice, Cast on integer tensors. All of it is worked out
 * once, when the graph is loaded; the batch stays a symbol (struct op_integer).
 */
#include <inttypes.h>
#include <string.h>

#include "engine/op.h"

static int fold_shape(const struct op *op, struct op_build *b, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	int64_t start = 0, end = (int64_t)x->shape.rank, rank = (int64_t)x->shape.rank;
	struct op_integer *out;
	int rc;

	(void)op;
	if ((rc = op_get_int(b, "start", &start, err)) || (rc = op_get_int(b, "end", &end, err)))
		return rc;
	start = start < 0 ? start + rank : start;
	end = end < 0 ? end + rank : end > rank ? rank : end;
	if (start < 0 || start > end)
		return error_set(err, EXP_ESHAPE, "it asks for dimensions %" PRId64 " to %" PRId64 " of %" PRId64,
				 start, end, rank);
	b->output->shape = (struct shape){ 1, { (size_t)(end - start) } };
	rc = op_new_integers(b, &out, err);
	if (rc)
		return rc;
	for (int64_t i = start; i < end; i++)
		out[i - start] = (struct op_integer){ (int64_t)x->shape.dims[i], i == 0 && x->batched };
	b->output->integers = out;
	return 0;
}

static int fold_gather(const struct op *op, struct op_build *b, struct exp_error *err)
{
	const struct op_integer *data, *index;
	struct op_integer *out;
	size_t size, count, axis;
	int rc;

	(void)op;
	if ((rc = op_need_integers(b, 0, &data, &size, err)) || (rc = op_need_integers(b, 1, &index, &count, err)))
		return rc;
	if (b->inputs[0]->shape.rank != 1)
		return error_set(err, EXP_EUNSUPPORTED, "of integer tensors only vectors are supported");
	rc = op_get_axis(b, "axis", 1, 0, &axis, err);
	if (rc)
		return rc;
	b->output->shape = b->inputs[1]->shape;
	rc = op_new_integers(b, &out, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		int64_t at = index[i].value < 0 ? index[i].value + (int64_t)size : index[i].value;

		if (at < 0 || (size_t)at >= size || index[i].per_row)
			return error_set(err, EXP_ESHAPE, "the index %" PRId64 " lies outside %zu elements",
					 index[i].value, size);
		out[i] = data[at];
	}
	b->output->integers = out;
	return 0;
}

static int fold_concat(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct op_integer *out;
	size_t total = 0, used = 0;
	int rc;

	(void)op;
	for (size_t i = 0; i < b->input_count; i++) {
		const struct op_value *v = b->inputs[i];

		if (!v || !v->integers || v->shape.rank != 1)
			return error_set(err, EXP_EUNSUPPORTED, "of integer tensors only vectors are supported");
		total += v->shape.dims[0];
	}
	b->output->shape = (struct shape){ 1, { total } };
	rc = op_new_integers(b, &out, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < b->input_count; i++) {
		memcpy(out + used, b->inputs[i]->integers, b->inputs[i]->shape.dims[0] * sizeof(*out));
		used += b->inputs[i]->shape.dims[0];
	}
	b->output->integers = out;
	return 0;
}

/* One number that bounds a slice: an input since opset 10, an attribute before. */
static int slice_bound(const struct op_build *b, size_t input, const char *name, int64_t *value, struct exp_error *err)
{
	const struct op_integer *integers = NULL;
	const int64_t *list = NULL;
	size_t count = 0;
	int rc = 0;

	if (input < b->input_count && b->inputs[input])
		rc = op_need_integers(b, input, &integers, &count, err);
	else if (b->opset < 10)
		rc = op_get_ints(b, name, &list, &count, err);
	if (rc == 0 && count > 1)
		return error_set(err, EXP_EUNSUPPORTED, "of integer tensors only vectors are supported");
	if (rc == 0 && count == 1)
		*value = integers ? integers[0].value : list[0];
	return rc;
}

static int64_t clamp_bound(int64_t value, int64_t size)
{
	value = value < 0 ? value + size : value;
	return value < 0 ? 0 : value > size ? size : value;
}

static int fold_slice(const struct op *op, struct op_build *b, struct exp_error *err)
{
	const struct op_integer *data;
	struct op_integer *out;
	int64_t start = 0, end = INT64_MAX, axis = 0, step = 1;
	size_t size;
	int rc = op_need_integers(b, 0, &data, &size, err);

	(void)op;
	if (rc || (rc = slice_bound(b, 1, "starts", &start, err)) || (rc = slice_bound(b, 2, "ends", &end, err)) ||
	    (rc = slice_bound(b, 3, "axes", &axis, err)) || (rc = slice_bound(b, 4, "steps", &step, err)))
		return rc;
	if (b->inputs[0]->shape.rank != 1 || (axis != 0 && axis != -1) || step != 1)
		return error_set(err, EXP_EUNSUPPORTED,
				 "of integer tensors only plain slices of vectors are supported");
	start = clamp_bound(start, (int64_t)size);
	end = clamp_bound(end, (int64_t)size);
	b->output->shape = (struct shape){ 1, { end > start ? (size_t)(end - start) : 0 } };
	rc = op_new_integers(b, &out, err);
	if (rc)
		return rc;
	memcpy(out, data + start, b->output->shape.dims[0] * sizeof(*out));
	b->output->integers = out;
	return 0;
}

static int fold_cast(const struct op *op, struct op_build *b, struct exp_error *err)
{
	enum { TO_INT32 = 6, TO_INT64 = 7 };
	const struct op_integer *from;
	struct op_integer *out;
	size_t count;
	int64_t to = TO_INT64;
	int rc;

	(void)op;
	if ((rc = op_need_integers(b, 0, &from, &count, err)) || (rc = op_get_int(b, "to", &to, err)))
		return rc;
	if (to != TO_INT32 && to != TO_INT64)
		return error_set(err, EXP_EUNSUPPORTED, "integers can only be cast to integers");
	b->output->shape = b->inputs[0]->shape;
	rc = op_new_integers(b, &out, err);
	if (rc)
		return rc;
	memcpy(out, from, count * sizeof(*out));
	b->output->integers = out;
	return 0;
}

const struct op op_shape = {
	.name = "Shape",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "start end",
	.fold = fold_shape,
};
const struct op op_gather = {
	.name = "Gather",
	.min_inputs = 2,
	.max_inputs = 2,
	.attributes = "axis",
	.fold = fold_gather,
};
const struct op op_concat = {
	.name = "Concat",
	.min_inputs = 1,
	.max_inputs = 64,
	.attributes = "axis",
	.fold = fold_concat,
};
const struct op op_slice = {
	.name = "Slice",
	.min_inputs = 1,
	.max_inputs = 5,
	.attributes = "starts ends axes",
	.fold = fold_slice,
};
const struct op op_cast = {
	.name = "Cast",
	.min_inputs = 1,
	.max_inputs = 1,
	.attributes = "to",
	.fold = fold_cast,
};

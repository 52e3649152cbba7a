/*
 * Split: pieces of the input along one axis, one for each output.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/strided.h"

enum { SIZES = 1 };

struct split {
	size_t *ends;                /* [outputs]: of each piece, along the axis */
	size_t before, whole, after; /* of the input: [before, whole, after] */
	size_t size;                 /* bytes of an element */
};

/* The sizes are an attribute until opset 12, an input since 13; without them the pieces are equal. */
static int read_sizes(const struct op_build *b, size_t whole, const int64_t **sizes, struct exp_error *err)
{
	size_t count = 0, rest = whole;
	int rc;

	*sizes = NULL;
	rc = op_has(b, SIZES) ? op_need_ints(b, SIZES, sizes, NULL, &count, err)
			      : op_get_ints(b, "split", sizes, &count, err);
	if (rc)
		return rc;
	if (!*sizes && whole % b->output_count)
		return error_set(err, EXP_ESHAPE, "%zu entries cannot be split into %zu equal parts", whole,
				 b->output_count);
	if (!*sizes)
		return 0;
	if (count != b->output_count)
		return error_set(err, EXP_ESHAPE, "it has %zu sizes for %zu outputs", count, b->output_count);
	for (size_t i = 0; i < count; i++) {
		if ((*sizes)[i] < 0 || (uint64_t)(*sizes)[i] > rest)
			return error_set(err, EXP_ESHAPE, "part %zu has the size %" PRId64 "; %zu entries are left", i,
					 (*sizes)[i], rest);
		rest -= (size_t)(*sizes)[i];
	}
	if (rest)
		return error_set(err, EXP_ESHAPE, "the parts leave %zu of %zu entries out", rest, whole);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct split *c = b->config;
	const struct shape *x = &b->inputs[0]->shape;
	const int64_t *sizes;
	size_t axis, at = 0;
	int rc;

	if (b->output_count == 0)
		return error_set(err, EXP_ESHAPE, "it has no output");
	if ((rc = op_get_axis(b, "axis", x->rank, 0, &axis, err)) || (rc = read_sizes(b, x->dims[axis], &sizes, err)) ||
	    (b->output_count > 1 && (rc = op_keep_apart(b, 0, axis, err))))
		return rc;
	c->size = tensor_size(b->inputs[0]->type);
	c->before = shape_span(x, 0, axis);
	c->whole = x->dims[axis];
	c->after = shape_span(x, axis + 1, x->rank);
	c->ends = arena_try_alloc(b->arena, b->output_count, sizeof(c->ends[0]));
	if (!c->ends)
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	for (size_t i = 0; rc == 0 && i < b->output_count; i++) {
		size_t size = sizes ? (size_t)sizes[i] : x->dims[axis] / b->output_count;

		at += size;
		c->ends[i] = at;
		if (!b->outputs[i])
			continue;
		op_copy(b, i, 0);
		b->outputs[i]->shape.dims[axis] = size;
		rc = op_keep_samples(b, i, 0, err);
	}
	b->selects = true;
	return rc;
}

/* From the input to output i. */
static struct strided piece(const struct split *c, size_t i)
{
	size_t start = i ? c->ends[i - 1] : 0, line = (c->ends[i] - start) * c->after;
	struct strided map = { .from_at = (ptrdiff_t)(start * c->after) };

	strided_push(&map, c->before, (ptrdiff_t)(c->whole * c->after), (ptrdiff_t)line);
	strided_push(&map, line, 1, 1);
	strided_merge(&map);
	return map;
}

static void forward(const struct op_run *r)
{
	const struct split *c = r->config;

	for (size_t i = 0; i < r->out_count; i++) {
		struct strided map = piece(c, i);

		if (r->out[i].data)
			strided_copy(&map, c->size, r->out[i].data, r->in->data);
	}
}

static void backward(const struct op_run *r)
{
	const struct split *c = r->config;
	bool whole = true;

	if (!r->in->grad)
		return;
	for (size_t i = 0; i < r->out_count; i++)
		whole = whole && r->out[i].grad;
	if (!whole)
		memset(r->in->grad, 0, r->in->value->count * sizeof(float));
	for (size_t i = 0; i < r->out_count; i++) {
		struct strided map = piece(c, i), back = strided_reverse(&map);

		if (r->out[i].grad)
			strided_copy(&back, sizeof(float), r->in->grad, r->out[i].grad);
	}
}

const struct op op_split = {
	.name = "Split",
	.min_inputs = 1,
	.max_inputs = 2,
	.max_outputs = SIZE_MAX,
	.attributes = "axis split",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct split),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

/*
 * Slice: every step-th entry between two bounds, along some axes.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/strided.h"

enum { STARTS = 1, ENDS, AXES, STEPS };

struct slice {
	struct strided map;
	size_t size; /* bytes of an element */
	bool whole;  /* nothing is cut off */
};

struct list {
	const int64_t *values, *probes;
	size_t count;
};

struct bounds {
	int64_t start, end, step;
	bool counts_samples; /* they differ between two batch sizes */
};

/* Inputs since opset 10, attributes before. */
static int read_list(const struct op_build *b, size_t input, const char *name, struct list *out, struct exp_error *err)
{
	int rc = 0;

	*out = (struct list){ 0 };
	if (b->opset >= 10 && op_has(b, input))
		return op_need_ints(b, input, &out->values, &out->probes, &out->count, err);
	if (b->opset < 10 && input != STEPS)
		rc = op_get_ints(b, name, &out->values, &out->count, err);
	out->probes = out->values;
	return rc;
}

/* bounds[axis] for each axis that is cut; the others keep step 0. */
static int read_bounds(const struct op_build *b, size_t rank, struct bounds bounds[GRAPH_MAX_DIMS],
		       struct exp_error *err)
{
	struct list starts, ends, axes, steps;
	int rc;

	if ((rc = read_list(b, STARTS, "starts", &starts, err)) || (rc = read_list(b, ENDS, "ends", &ends, err)) ||
	    (rc = read_list(b, AXES, "axes", &axes, err)) || (rc = read_list(b, STEPS, "steps", &steps, err)))
		return rc;
	if (ends.count != starts.count || (axes.values && axes.count != starts.count) ||
	    (steps.values && steps.count != starts.count))
		return error_set(err, EXP_ESHAPE, "it has %zu starts, %zu ends, %zu axes and %zu steps", starts.count,
				 ends.count, axes.count, steps.count);
	for (size_t i = 0; i < starts.count; i++) {
		struct bounds each = { starts.values[i], ends.values[i], steps.values ? steps.values[i] : 1, false };
		size_t axis;

		rc = op_axis(axes.values ? axes.values[i] : (int64_t)i, rank, &axis, err);
		if (rc)
			return rc;
		if (bounds[axis].step != 0 || each.step == 0)
			return error_set(err, EXP_ESHAPE, "%s", each.step ? "an axis is given twice" : "a step is 0");
		each.counts_samples =
		    op_counts_samples(each.start, starts.probes[i]) || op_counts_samples(each.end, ends.probes[i]);
		bounds[axis] = each;
	}
	return 0;
}

static int64_t clamp(int64_t value, int64_t size, int64_t least, int64_t most)
{
	value = value < 0 ? value + size : value;
	return value < least ? least : value > most ? most : value;
}

/* The entries between the bounds, which are brought into the size. */
static size_t count_entries(struct bounds *at, size_t size)
{
	int64_t n = (int64_t)size;
	bool up = at->step > 0;
	uint64_t span, step = up ? (uint64_t)at->step : 0 - (uint64_t)at->step;

	at->start = clamp(at->start, n, 0, up ? n : n - 1);
	at->end = clamp(at->end, n, up ? 0 : -1, up ? n : n - 1);
	if (n == 0 || (up ? at->end <= at->start : at->end >= at->start))
		return 0;
	span = (uint64_t)(up ? at->end - at->start : at->start - at->end);
	return (size_t)((span - 1) / step + 1);
}

/* Along the axis that holds samples only everything may be taken: all of the N, or of as many as the file was made for.
 */
static int keep_samples(const struct op_build *b, size_t axis, const struct bounds *bounds, struct exp_error *err)
{
	size_t size = b->inputs[0]->shape.dims[axis], made_for = b->file_batch ? b->file_batch : b->samples;
	struct bounds now = *bounds, then = *bounds;

	if (bounds->step == 1 && count_entries(&now, size) == size)
		return 0;
	size = size / b->samples * made_for;
	if (bounds->step == 1 && !bounds->counts_samples && count_entries(&then, size) == size)
		return 0;
	return op_keep_apart(b, 0, axis, err);
}

static int cut_axis(const struct op_build *b, const struct op_samples *at, size_t d, struct bounds *bounds,
		    size_t *count, struct exp_error *err)
{
	size_t size = b->inputs[0]->shape.dims[d];
	int rc;

	*count = size;
	if (bounds->step == 0 || (b->inputs[0]->batched && at->axis == d)) {
		rc = bounds->step ? keep_samples(b, d, bounds, err) : 0;
		*bounds = (struct bounds){ .step = 1 };
		return rc;
	}
	*count = count_entries(bounds, size);
	if (bounds->counts_samples && *count != size)
		return error_set(err, EXP_EUNSUPPORTED,
				 "how much it takes of axis %zu depends on the number of samples", d);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct slice *c = b->config;
	const struct op_value *x = b->inputs[0];
	struct shape *out = &b->outputs[0]->shape;
	struct bounds bounds[GRAPH_MAX_DIMS] = { 0 };
	struct op_samples at = { 0 };
	int rc = read_bounds(b, x->shape.rank, bounds, err);

	if (rc || (x->batched && (rc = op_find_samples(b, x, &at, err))))
		return rc;
	op_copy(b, 0, 0);
	for (size_t d = 0; rc == 0 && d < x->shape.rank; d++)
		rc = cut_axis(b, &at, d, &bounds[d], &out->dims[d], err);
	if (rc)
		return rc;
	for (size_t d = 0; d < x->shape.rank; d++) {
		ptrdiff_t step = (ptrdiff_t)shape_span(&x->shape, d + 1, x->shape.rank);

		/* Of one entry the step does not matter, and may be too long to multiply. */
		if (out->dims[d] <= 1)
			bounds[d].step = 1;
		c->map.from_at += bounds[d].start * step;
		strided_push(&c->map, out->dims[d], bounds[d].step * step,
			     (ptrdiff_t)shape_span(out, d + 1, out->rank));
	}
	strided_merge(&c->map);
	c->size = tensor_size(x->type);
	c->whole = shape_count(out) == x->count;
	b->selects = true;
	return op_keep_samples(b, 0, 0, err);
}

static void forward(const struct op_run *r)
{
	const struct slice *c = r->config;

	strided_copy(&c->map, c->size, r->out->data, r->in->data);
}

static void backward(const struct op_run *r)
{
	const struct slice *c = r->config;
	struct strided back = strided_reverse(&c->map);

	if (!r->in->grad)
		return;
	if (!c->whole)
		memset(r->in->grad, 0, r->in->value->count * sizeof(float));
	strided_copy(&back, sizeof(float), r->in->grad, r->out->grad);
}

const struct op op_slice = {
	.name = "Slice",
	.min_inputs = 1,
	.max_inputs = 5,
	.attributes = "starts ends axes",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct slice),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

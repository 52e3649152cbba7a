/*
 * Concat: inputs side by side along one axis. An input that is the same for all samples, a class token, stands in front
 * of each of them.
 */
#include "engine/spread.h"

/* A file may name thousands of inputs in a few bytes each, so they are remembered in few bytes. */
struct part {
	size_t at, entries; /* see spread.h */
};

struct concat {
	struct part *parts; /* [inputs] */
	struct op_samples samples;
	bool batched;
	size_t axis, size; /* size: bytes of an element */
};

/* The first batched input decides on the shape, else the first. */
static size_t model_input(const struct op_build *b)
{
	for (size_t i = 0; i < b->input_count; i++)
		if (b->inputs[i]->batched)
			return i;
	return 0;
}

static int check_input(const struct op_build *b, size_t i, size_t model, size_t axis, const struct op_samples *samples,
		       struct exp_error *err)
{
	const struct shape *s = &b->inputs[i]->shape, *m = &b->inputs[model]->shape;
	char text[SHAPE_TEXT], expected[SHAPE_TEXT];
	struct op_samples at;
	bool fits = s->rank == m->rank;
	int rc;

	for (size_t d = 0; fits && d < s->rank; d++)
		fits = s->dims[d] == m->dims[d] || d == axis || (samples && samples->axis == d);
	if (!fits)
		return error_set(err, EXP_ESHAPE, "input %zu of shape %s does not fit beside %s", i,
				 op_format(b, i, text), op_format(b, model, expected));
	if (!b->inputs[i]->batched)
		return 0;
	if ((rc = op_keep_apart(b, i, axis, err)) || (rc = op_find_samples(b, b->inputs[i], &at, err)))
		return rc;
	if (at.axis != samples->axis || at.before != samples->before)
		return error_set(err, EXP_EUNSUPPORTED, "its inputs hold the samples on different dimensions");
	return 0;
}

static int infer_shape(struct op_build *b, size_t model, size_t *axis, struct op_samples *at, struct exp_error *err)
{
	const struct op_value *m = b->inputs[model];
	struct op_value *out = b->outputs[0];
	size_t total = 0;
	int rc = op_get_axis(b, "axis", m->shape.rank, 1, axis, err);

	if (rc || (m->batched && (rc = op_find_samples(b, m, at, err))))
		return rc;
	for (size_t i = 0; rc == 0 && i < b->input_count; i++) {
		rc = check_input(b, i, model, *axis, m->batched ? at : NULL, err);
		total += b->inputs[i]->shape.dims[*axis];
	}
	if (rc)
		return rc;
	op_copy(b, 0, model);
	out->onnx_type = b->inputs[0]->onnx_type;
	out->shape.dims[*axis] = total;
	if (m->batched)
		op_put_samples(b, out, at);
	return 0;
}

static struct spread_place place_of(const struct concat *c, const struct shape *out)
{
	struct spread_place place = { .shape = *out, .samples = c->batched ? &c->samples : NULL };

	spread_dense(&place.shape, place.steps);
	return place;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct concat *c = b->config;
	struct spread_place place;
	size_t model;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < b->input_count; i++)
		rc = op_need(b, i, b->inputs[0]->type, err);
	if (rc)
		return rc;
	model = model_input(b);
	rc = infer_shape(b, model, &c->axis, &c->samples, err);
	if (rc)
		return rc;
	c->batched = b->inputs[model]->batched;
	c->size = tensor_size(b->outputs[0]->type);
	c->parts = arena_try_alloc(b->arena, b->input_count, sizeof(c->parts[0]));
	if (!c->parts)
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	place = place_of(c, &b->outputs[0]->shape);
	for (size_t i = 0; rc == 0 && i < b->input_count; i++) {
		const struct op_value *v = b->inputs[i];
		size_t each = !v->batched && v->trainable && c->batched ? b->samples * v->count : 0;

		place.shape.dims[c->axis] = v->shape.dims[c->axis];
		c->parts[i].at = place.at;
		rc = spread_check(b, i, &place, &c->parts[i].entries, err);
		place.at += v->shape.dims[c->axis] * (size_t)place.steps[c->axis];
		b->scratch = each > b->scratch ? each : b->scratch;
	}
	return rc;
}

static struct spread part(const struct op_run *r, size_t i)
{
	const struct concat *c = r->config;
	struct spread_place place = place_of(c, &r->out->value->shape);
	struct spread spread;

	place.shape.dims[c->axis] = r->in[i].value->shape.dims[c->axis];
	place.at = c->parts[i].at;
	spread_build(r->in[i].value, r->samples, &place, c->parts[i].entries, &spread);
	return spread;
}

static void forward(const struct op_run *r)
{
	const struct concat *c = r->config;

	for (size_t i = 0; i < r->in_count; i++) {
		struct spread spread = part(r, i);

		strided_copy(&spread.map, c->size, r->out->data, r->in[i].data);
	}
}

static void backward(const struct op_run *r)
{
	for (size_t i = 0; i < r->in_count; i++) {
		struct spread spread;

		if (!r->in[i].grad && !r->in[i].reduce)
			continue;
		spread = part(r, i);
		spread_back(&spread, &r->in[i], r->out->grad, r->scratch);
	}
}

const struct op op_concat = {
	.name = "Concat",
	.min_inputs = 1,
	.max_inputs = SIZE_MAX,
	.attributes = "axis",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct concat),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

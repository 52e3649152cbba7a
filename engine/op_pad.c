/*
 * Pad with a constant, inside the rows. PyTorch's exporter puts one in front of every AveragePool that counts its
 * padding.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/op.h"

enum { PADS = 1, VALUE = 2 };

struct pad {
	size_t rank, in[GRAPH_MAX_DIMS], before[GRAPH_MAX_DIMS];
	size_t out_strides[GRAPH_MAX_DIMS]; /* floats */
	size_t in_count, out_count;
	float value;
};

/* Since opset 11 the pads are an input, before an attribute. All starts, then all ends. */
static int read_pads(const struct op_build *b, size_t rank, size_t before[], size_t after[], struct exp_error *err)
{
	const struct op_integer *integers = NULL;
	const int64_t *list = NULL;
	size_t count = 0;
	int rc;

	if (b->input_count > PADS)
		rc = op_need_integers(b, PADS, &integers, &count, err);
	else
		rc = op_get_ints(b, "pads", &list, &count, err);
	if (rc)
		return rc;
	if (count != 2 * rank)
		return error_set(err, EXP_ESHAPE, "pads has %zu elements; %zu are expected", count, 2 * rank);
	for (size_t i = 0; i < count; i++) {
		int64_t v = integers ? integers[i].value : list[i];

		if (v < 0 || v > (int64_t)SHAPE_MAX_FLOATS || (integers && integers[i].per_row))
			return error_set(err, EXP_EUNSUPPORTED, "pads holds %" PRId64, v);
		*(i < rank ? &before[i] : &after[i - rank]) = (size_t)v;
	}
	return 0;
}

static int read_value(const struct op_build *b, float *value, struct exp_error *err)
{
	const char *mode = "constant";
	int rc;

	if ((rc = op_get_string(b, "mode", &mode, err)) || (rc = op_get_float(b, "value", value, err)))
		return rc;
	if (strcmp(mode, "constant") != 0)
		return error_set(err, EXP_EUNSUPPORTED, "the mode \"%.32s\" is not supported", mode);
	if (b->input_count <= VALUE || !b->inputs[VALUE])
		return 0;
	if (!b->inputs[VALUE]->constant || shape_count(&b->inputs[VALUE]->shape) != 1)
		return error_set(err, EXP_EUNSUPPORTED, "the padding value must be one constant number");
	*value = b->inputs[VALUE]->constant[0];
	return 0;
}

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct pad *c = b->config;
	size_t after[GRAPH_MAX_DIMS] = { 0 };
	const struct shape *s;
	int rc;

	(void)op;
	if ((rc = op_need_float(b, 0, err)))
		return rc;
	s = &b->inputs[0]->shape;
	if ((rc = read_pads(b, s->rank, c->before, after, err)) || (rc = read_value(b, &c->value, err)))
		return rc;
	if (b->inputs[0]->batched && c->before[0] + after[0] > 0)
		return error_set(err, EXP_EUNSUPPORTED, "the batch cannot be padded");
	c->rank = s->rank;
	b->output->shape = *s;
	for (size_t i = 0; i < s->rank; i++) {
		c->in[i] = s->dims[i];
		b->output->shape.dims[i] += c->before[i] + after[i];
	}
	c->in_count = shape_count(s);
	if (!shape_try_count(&b->output->shape, &c->out_count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu floats a row", SHAPE_MAX_FLOATS);
	for (size_t i = 0; i < s->rank; i++)
		c->out_strides[i] = shape_span(&b->output->shape, i + 1, s->rank);
	return 0;
}

/* Copies the inner part line by line, to the padded tensor or back from it. */
static void copy_inner(const struct pad *c, float *padded, float *inner, const float *from_padded,
		       const float *from_inner)
{
	size_t index[GRAPH_MAX_DIMS] = { 0 }, line = c->rank ? c->in[c->rank - 1] : 1;

	for (size_t at = 0; at < c->in_count; at += line) {
		size_t to = 0;

		for (size_t d = 0; d < c->rank; d++)
			to += (index[d] + c->before[d]) * c->out_strides[d];
		if (padded)
			memcpy(padded + to, from_inner + at, line * sizeof(*padded));
		else
			memcpy(inner + at, from_padded + to, line * sizeof(*inner));
		for (size_t d = c->rank > 0 ? c->rank - 1 : 0; d-- > 0;) {
			if (++index[d] < c->in[d])
				break;
			index[d] = 0;
		}
	}
}

static void forward(const struct op_run *r)
{
	const struct pad *c = r->config;

	for (size_t i = 0; i < r->rows * c->out_count; i++)
		r->out->data[i] = c->value;
	for (size_t n = 0; n < r->rows; n++)
		copy_inner(c, r->out->data + n * c->out_count, NULL, NULL, r->in[0].data + n * c->in_count);
}

static void backward(const struct op_run *r)
{
	const struct pad *c = r->config;

	for (size_t n = 0; r->in[0].grad && n < r->rows; n++)
		copy_inner(c, NULL, r->in[0].grad + n * c->in_count, r->out->grad + n * c->out_count, NULL);
}

const struct op op_pad = {
	.name = "Pad",
	.min_inputs = 1,
	.max_inputs = 3,
	.attributes = "mode pads value",
	.fixed = 1u << VALUE,
	.config_size = sizeof(struct pad),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

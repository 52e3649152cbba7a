/*
 * ReverseSequence: of each entry along the batch axis the first so many steps of time in reverse order, the rest as it
 * is. The gradient goes back the same way.
 */
#include <string.h>

#include "engine/op.h"

enum { LENGTHS = 1 };

struct reverse {
	size_t before, first, between, second, after; /* [before, first, between, second, after] */
	size_t bytes;                                 /* of [after] */
	bool time_first;
};

static int check_lengths(const struct op_build *b, size_t batch, struct exp_error *err)
{
	const struct op_value *lengths = b->inputs[LENGTHS];
	int rc = op_need(b, LENGTHS, TENSOR_I64, err);

	if (rc == 0 && (lengths->shape.rank != 1 || lengths->shape.dims[0] != b->inputs[0]->shape.dims[batch]))
		rc = error_set(err, EXP_ESHAPE, "it needs one length for each of %zu entries",
			       b->inputs[0]->shape.dims[batch]);
	if (rc == 0 && lengths->batched && !b->inputs[0]->batched)
		rc = error_set(err, EXP_EUNSUPPORTED, "its lengths depend on the samples, its input does not");
	return rc;
}

/* Lengths of samples belong to the axis that holds the samples. */
static int check_samples(const struct op_build *b, size_t batch, struct exp_error *err)
{
	struct op_samples x, lengths;
	int rc;

	if (!b->inputs[LENGTHS]->batched)
		return 0;
	if ((rc = op_find_samples(b, b->inputs[0], &x, err)) ||
	    (rc = op_find_samples(b, b->inputs[LENGTHS], &lengths, err)))
		return rc;
	if (x.axis != batch || x.before != lengths.before)
		return error_set(err, EXP_EUNSUPPORTED, "its lengths and its input hold the samples differently");
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct reverse *c = b->config;
	const struct shape *s = &b->inputs[0]->shape;
	size_t batch, time, first, second;
	int rc;

	if (s->rank < 2)
		return error_set(err, EXP_ESHAPE, "its input has %zu dimensions; 2 at least are expected", s->rank);
	if ((rc = op_get_axis(b, "batch_axis", s->rank, 1, &batch, err)) ||
	    (rc = op_get_axis(b, "time_axis", s->rank, 0, &time, err)) || (rc = op_keep_apart(b, 0, time, err)))
		return rc;
	if (batch == time)
		return error_set(err, EXP_ESHAPE, "batch_axis and time_axis are the same");
	if ((rc = check_lengths(b, batch, err)) || (rc = check_samples(b, batch, err)))
		return rc;
	c->time_first = time < batch;
	first = c->time_first ? time : batch;
	second = c->time_first ? batch : time;
	c->before = shape_span(s, 0, first);
	c->first = s->dims[first];
	c->between = shape_span(s, first + 1, second);
	c->second = s->dims[second];
	c->after = shape_span(s, second + 1, s->rank);
	c->bytes = c->after * tensor_size(b->inputs[0]->type);
	op_copy(b, 0, 0);
	return 0;
}

/* The step of time that comes to lie at time t. */
static size_t mirror(int64_t length, size_t t, size_t times)
{
	size_t n = length < 0 ? 0 : (uint64_t)length > times ? times : (size_t)length;

	return t < n ? n - 1 - t : t;
}

static void turn(const struct reverse *c, size_t bytes, char *out, const char *in, const int64_t *lengths)
{
	size_t block = c->first * c->between * c->second;

	for (size_t i = 0; c->bytes && i < c->before * block; i++) {
		size_t second = i % c->second, between = i / c->second % c->between;
		size_t first = i / (c->second * c->between) % c->first, start = i - i % block;

		if (c->time_first)
			first = mirror(lengths[second], first, c->first);
		else
			second = mirror(lengths[first], second, c->second);
		memcpy(out + i * bytes, in + (start + (first * c->between + between) * c->second + second) * bytes,
		       bytes);
	}
}

static void forward(const struct op_run *r)
{
	const struct reverse *c = r->config;

	turn(c, c->bytes, r->out->data, r->in[0].data, r->in[LENGTHS].i);
}

static void backward(const struct op_run *r)
{
	const struct reverse *c = r->config;

	if (r->in[0].grad)
		turn(c, c->after * sizeof(float), (char *)r->in[0].grad, (const char *)r->out->grad, r->in[LENGTHS].i);
}

const struct op op_reverse_sequence = {
	.name = "ReverseSequence",
	.min_inputs = 2,
	.max_inputs = 2,
	.attributes = "batch_axis time_axis",
	.flags = OP_LINEAR,
	.indices = 1u << LENGTHS,
	.config_size = sizeof(struct reverse),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

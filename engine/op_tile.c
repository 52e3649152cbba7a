/*
 * Tile: the input again and again along each axis. Repeated along the axis that holds samples, the repeats come in
 * front of the samples; an input without samples that is repeated once for each of them has samples from here on.
 */
#include <inttypes.h>

#include "engine/spread.h"

enum { REPEATS = 1 };

struct tile {
	struct spread spread;
	size_t size; /* bytes of an element */
};

struct repeats {
	size_t times[GRAPH_MAX_DIMS];
	struct op_samples at; /* the element that counts samples */
	bool counted;
};

static int read_repeats(const struct op_build *b, struct repeats *out, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	const int64_t *known, *probe;
	size_t rank;
	int rc = op_need_ints(b, REPEATS, &known, &probe, &rank, err);

	if (rc)
		return rc;
	if (rank != x->shape.rank)
		return error_set(err, EXP_ESHAPE, "it has %zu repeats for %zu dimensions", rank, x->shape.rank);
	rc = spread_find_samples(b, known, probe, rank, &out->at, &out->counted, err);
	if (rc)
		return rc;
	if (out->counted && x->batched)
		return error_set(err, EXP_EUNSUPPORTED, "it repeats every sample once for each sample");
	for (size_t d = 0; d < rank; d++) {
		if (known[d] < 0 || known[d] > (int64_t)SHAPE_MAX_COUNT)
			return error_set(err, EXP_ESHAPE, "it repeats axis %zu %" PRId64 " times", d, known[d]);
		out->times[d] = (size_t)known[d];
	}
	if (!out->counted && !x->batched && b->file_batch > 1 && rank > 1 && out->times[0] == b->file_batch &&
	    x->shape.dims[0] == 1) {
		out->times[0] = b->samples;
		out->at = (struct op_samples){ 0, 1, 1 };
		out->counted = true;
	}
	return 0;
}

static int place_samples(struct op_build *b, const struct repeats *repeats, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	struct op_samples at = repeats->at;
	int rc;

	if (repeats->counted) {
		at.after *= x->shape.dims[at.axis];
	} else if (x->batched) {
		rc = op_find_samples(b, x, &at, err);
		if (rc)
			return rc;
		at.before *= repeats->times[at.axis];
	} else {
		return 0;
	}
	op_put_samples(b, b->outputs[0], &at);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct tile *c = b->config;
	const struct shape *x = &b->inputs[0]->shape;
	struct shape *out = &b->outputs[0]->shape;
	struct strided map = { 0 };
	struct repeats repeats = { 0 };
	size_t axis = STRIDED_MAX_AXES, count;
	int rc = read_repeats(b, &repeats, err);

	if (rc)
		return rc;
	op_copy(b, 0, 0);
	for (size_t d = 0; d < x->rank; d++)
		out->dims[d] = x->dims[d] * repeats.times[d];
	if (!shape_try_count(out, &count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	rc = place_samples(b, &repeats, err);
	if (rc)
		return rc;
	for (size_t d = 0; d < x->rank; d++) {
		ptrdiff_t to = (ptrdiff_t)shape_span(out, d + 1, x->rank), again = to * (ptrdiff_t)x->dims[d];
		struct op_samples at = { d, 1, repeats.at.after };

		if (repeats.counted && repeats.at.axis == d)
			axis = strided_push_samples(&map, &at, b->samples, 1, (ptrdiff_t[]){ 0, again });
		else
			strided_push(&map, repeats.times[d], 0, again);
		strided_push(&map, x->dims[d], (ptrdiff_t)shape_span(x, d + 1, x->rank), to);
	}
	c->size = tensor_size(b->inputs[0]->type);
	spread_init_map(b, 0, &map, axis, &c->spread);
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct tile *c = r->config;

	strided_copy(&c->spread.map, c->size, r->out->data, r->in->data);
}

static void backward(const struct op_run *r)
{
	const struct tile *c = r->config;

	spread_back(&c->spread, r->in, r->out->grad, r->scratch);
}

const struct op op_tile = {
	.name = "Tile",
	.min_inputs = 2,
	.max_inputs = 2,
	.flags = OP_LINEAR,
	.config_size = sizeof(struct tile),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

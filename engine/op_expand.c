/*
 * Expand: repeats what broadcasting to a target shape repeats. A parameter expanded to one entry for each sample, a
 * class token, has samples from here on.
 */
#include <inttypes.h>

#include "engine/spread.h"

enum { TARGET = 1 };

struct expand {
	struct spread spread;
	size_t size; /* bytes of an element */
};

struct target {
	const int64_t *known, *probe;
	size_t rank;
};

/* Of a file that fixes its batch size B > 1: the first dimension that is expanded from 1 to B; rank when there is none.
 * What is expanded is the same for all, so that taking it for samples is right wherever it meets them. */
static size_t find_batch(const struct op_build *b, const struct target *t, size_t rank)
{
	const struct shape *x = &b->inputs[0]->shape;
	size_t d = 0;

	if (b->file_batch <= 1 || t->rank != rank)
		return rank;
	while (d < rank &&
	       (t->known[d] != (int64_t)b->file_batch || (d >= rank - x->rank && x->dims[d - (rank - x->rank)] != 1)))
		d++;
	return d;
}

/* The dimension of the output that holds samples: the input's, or the one that the target counts. */
static int find_samples(const struct op_build *b, const struct target *t, size_t rank, struct op_samples *at,
			bool *found, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	size_t lead = rank - x->shape.rank, counted;
	int rc = spread_find_samples(b, t->known, t->probe, t->rank, at, found, err);

	if (rc)
		return rc;
	counted = *found ? at->axis + rank - t->rank : rank;
	at->axis = counted;
	if (x->batched) {
		rc = op_find_samples(b, x, at, err);
		at->axis += lead;
		if (rc == 0 && *found && counted != at->axis)
			rc = error_set(err, EXP_EUNSUPPORTED, "it repeats every sample once for each sample");
		*found = true;
	} else if (!*found && rank > 1) {
		*at = (struct op_samples){ find_batch(b, t, rank), 1, 1 };
		*found = at->axis < rank;
	}
	return rc;
}

static int misfit(const struct op_build *b, const struct target *t, size_t i, struct exp_error *err)
{
	char text[SHAPE_TEXT];

	return error_set(err, EXP_ESHAPE, "%s does not broadcast to element %zu of the target shape, %" PRId64,
			 op_format(b, 0, text), i, t->known[i]);
}

static int infer_shape(const struct op_build *b, const struct target *t, const struct op_samples *at, struct shape *out,
		       struct exp_error *err)
{
	const struct shape *x = &b->inputs[0]->shape;

	for (size_t d = 0; d < out->rank; d++) {
		size_t from_last = out->rank - d;
		size_t have = from_last > x->rank ? 1 : x->dims[x->rank - from_last];
		size_t i = t->rank - from_last;
		int64_t want = from_last > t->rank ? 1 : t->known[i];

		if (at && at->axis == d) {
			size_t each = at->before * at->after;
			bool counts = want == 1 || want == (int64_t)(each * b->samples) ||
				      (b->file_batch && want == (int64_t)(each * b->file_batch));

			if (!counts)
				return misfit(b, t, i, err);
			out->dims[d] = each * b->samples;
			continue;
		}
		if (want < 0 || want > (int64_t)SHAPE_MAX_COUNT || (want != 1 && have != 1 && (size_t)want != have))
			return misfit(b, t, i, err);
		out->dims[d] = want == 1 ? have : (size_t)want;
	}
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct expand *c = b->config;
	struct spread_place place = { 0 };
	struct op_samples at;
	struct target t;
	size_t rank, count;
	bool found;
	int rc = op_need_ints(b, TARGET, &t.known, &t.probe, &t.rank, err);

	if (rc)
		return rc;
	rank = t.rank > b->inputs[0]->shape.rank ? t.rank : b->inputs[0]->shape.rank;
	if (rank > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "a target of %zu dimensions is not supported; %d are", t.rank,
				 GRAPH_MAX_DIMS);
	rc = find_samples(b, &t, rank, &at, &found, err);
	if (rc)
		return rc;
	op_copy(b, 0, 0);
	b->outputs[0]->shape.rank = rank;
	place.samples = found ? &at : NULL;
	rc = infer_shape(b, &t, place.samples, &b->outputs[0]->shape, err);
	if (rc)
		return rc;
	if (!shape_try_count(&b->outputs[0]->shape, &count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	if (found)
		op_put_samples(b, b->outputs[0], &at);
	c->size = tensor_size(b->inputs[0]->type);
	place.shape = b->outputs[0]->shape;
	spread_dense(&place.shape, place.steps);
	return spread_init(b, 0, &place, &c->spread, err);
}

static void forward(const struct op_run *r)
{
	const struct expand *c = r->config;

	strided_copy(&c->spread.map, c->size, r->out->data, r->in->data);
}

static void backward(const struct op_run *r)
{
	const struct expand *c = r->config;

	spread_back(&c->spread, r->in, r->out->grad, r->scratch);
}

const struct op op_expand = {
	.name = "Expand",
	.min_inputs = 2,
	.max_inputs = 2,
	.flags = OP_LINEAR,
	.config_size = sizeof(struct expand),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

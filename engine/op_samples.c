/*
 * Where samples lie. A batched value is [outer, N, inner] in memory; which dimension of its shape that falls into
 * follows from the product of the dimensions in front.
 */
#include "engine/op.h"

int op_find_samples(const struct op_build *b, const struct op_value *v, struct op_samples *out, struct exp_error *err)
{
	size_t front = 1;

	if (b->samples == 0 || v->outer == 0)
		return error_set(err, EXP_ESHAPE, "\"%.64s\" has no elements", v->name);
	if (b->samples == 1 && v->hint) {
		*out = *v->hint;
		return 0;
	}
	/* Tensors without elements hold no samples anywhere. */
	for (size_t d = 0; d < v->shape.rank && v->outer && front; d++) {
		size_t size = v->shape.dims[d], before = v->outer / front;

		if (v->outer % front)
			break;
		if (size % (before * b->samples) == 0 && size > 0) {
			*out = (struct op_samples){ d, before, size / (before * b->samples) };
			return 0;
		}
		front *= size;
	}
	return error_set(err, EXP_EUNSUPPORTED, "the samples of \"%.64s\" are spread over several of its dimensions",
			 v->name);
}

void op_put_samples(const struct op_build *b, struct op_value *v, const struct op_samples *samples)
{
	if (!b->samples)
		return;
	v->batched = true;
	v->outer = shape_span(&v->shape, 0, samples->axis) * samples->before;
}

int op_keep_samples(struct op_build *b, size_t i, size_t j, struct exp_error *err)
{
	const struct op_value *from = b->inputs[j];
	struct op_value *to = b->outputs[i];
	struct op_samples at;
	int rc;

	if (!to || !from->batched)
		return 0;
	rc = op_find_samples(b, from, &at, err);
	if (rc)
		return rc;
	if (at.axis >= to->shape.rank || to->shape.dims[at.axis] != from->shape.dims[at.axis])
		return error_set(err, EXP_EUNSUPPORTED, "it changes the dimension %zu, which holds the samples",
				 at.axis);
	op_put_samples(b, to, &at);
	return 0;
}

int op_keep_apart(const struct op_build *b, size_t i, size_t axis, struct exp_error *err)
{
	const struct op_value *v = b->inputs[i];
	struct op_samples at;
	int rc = v->batched ? op_find_samples(b, v, &at, err) : 0;
	char text[SHAPE_TEXT];

	if (rc || !v->batched || at.axis != axis)
		return rc;
	return error_set(err, EXP_EUNSUPPORTED,
			 "it mixes samples: dimension %zu of its input %s is the one that holds them", axis,
			 op_format(b, i, text));
}

bool op_counts_samples(int64_t known, int64_t probe)
{
	return known != probe;
}

/* ---- broadcasting ---- */

static int misfit(const struct op_build *b, size_t i, size_t first, struct exp_error *err)
{
	char left[SHAPE_TEXT], right[SHAPE_TEXT];

	return error_set(err, EXP_ESHAPE, "the shapes %s and %s do not broadcast", op_format(b, first, left),
			 op_format(b, i, right));
}

/* dims of out grow to what input i needs; dimensions are counted from the last. */
static int widen(const struct op_build *b, size_t first, size_t i, struct shape *out, struct exp_error *err)
{
	const struct shape *s = &b->inputs[i]->shape;

	for (size_t k = 1; k <= s->rank; k++) {
		size_t *d = &out->dims[out->rank - k], size = s->dims[s->rank - k];

		if (*d != size && *d != 1 && size != 1)
			return misfit(b, i, first, err);
		if (*d == 1)
			*d = size;
	}
	return 0;
}

/* Where input i's samples come to lie in the output. */
static int align(const struct op_build *b, size_t first, size_t i, struct op_value *out, struct exp_error *err)
{
	const struct op_value *v = b->inputs[i];
	struct op_samples at;
	size_t outer;
	int rc = op_find_samples(b, v, &at, err);

	if (rc)
		return rc;
	at.axis += out->shape.rank - v->shape.rank;
	if (out->shape.dims[at.axis] != v->shape.dims[at.axis - (out->shape.rank - v->shape.rank)])
		return misfit(b, i, first, err);
	outer = shape_span(&out->shape, 0, at.axis) * at.before;
	if (out->batched && out->outer != outer)
		return error_set(err, EXP_EUNSUPPORTED, "its inputs hold the samples on different dimensions");
	out->batched = true;
	out->outer = outer;
	return 0;
}

/* What has no samples may not tell them apart. */
static int check_unbatched(const struct op_build *b, size_t first, size_t i, const struct op_samples *at,
			   struct exp_error *err)
{
	const struct op_value *v = b->inputs[i], *out = b->outputs[0];
	size_t missing = out->shape.rank - v->shape.rank;

	if (at->axis < missing || v->shape.dims[at->axis - missing] == 1 || at->before * at->after > 1)
		return 0;
	return misfit(b, i, first, err);
}

static int check_others(const struct op_build *b, size_t first, size_t last, struct exp_error *err)
{
	struct op_samples at;
	int rc = b->outputs[0]->batched ? op_find_samples(b, b->outputs[0], &at, err) : 0;

	for (size_t i = first; rc == 0 && b->outputs[0]->batched && i <= last; i++)
		if (op_has(b, i) && !b->inputs[i]->batched)
			rc = check_unbatched(b, first, i, &at, err);
	return rc;
}

int op_broadcast(struct op_build *b, size_t first, size_t last, struct exp_error *err)
{
	struct op_value *out = b->outputs[0];
	struct shape s = { 0 };

	for (size_t i = first; i <= last; i++)
		if (op_has(b, i) && b->inputs[i]->shape.rank > s.rank)
			s.rank = b->inputs[i]->shape.rank;
	for (size_t d = 0; d < s.rank; d++)
		s.dims[d] = 1;
	for (size_t i = first; i <= last; i++) {
		int rc = op_has(b, i) ? widen(b, first, i, &s, err) : 0;

		if (rc)
			return rc;
	}
	out->shape = s;
	for (size_t i = first; i <= last; i++) {
		int rc = op_has(b, i) && b->inputs[i]->batched ? align(b, first, i, out, err) : 0;

		if (rc)
			return rc;
	}
	return check_others(b, first, last, err);
}

/*
 * Range: start, start + delta, … up to limit, which is left out. Where the limit counts samples (0, 1, …, N - 1) each
 * sample has its number.
 */
#include <math.h>

#include "engine/spread.h"

enum { START, LIMIT, DELTA };

static int read_scalars(const struct op_build *b, struct exp_error *err)
{
	for (size_t i = START; i <= DELTA; i++) {
		const void *known;
		int rc = op_need_known(b, i, b->inputs[START]->type, &known, err);

		if (rc)
			return rc;
		if (b->inputs[i]->count != 1)
			return error_set(err, EXP_ESHAPE, "input %zu must be one number", i);
	}
	return 0;
}

static int too_long(struct exp_error *err)
{
	return error_set(err, EXP_ELIMIT, "it would make more than %zu numbers", SHAPE_MAX_COUNT);
}

/* max(ceil((limit - start) / delta), 0), by magnitudes: differences of any two numbers fit. */
static int count_ints(const int64_t v[3], size_t *count, struct exp_error *err)
{
	bool up = v[DELTA] > 0;
	uint64_t step = up ? (uint64_t)v[DELTA] : 0 - (uint64_t)v[DELTA], n = 0;

	if (step == 0)
		return error_set(err, EXP_ESHAPE, "its step is 0");
	if (up && v[LIMIT] > v[START])
		n = ((uint64_t)v[LIMIT] - (uint64_t)v[START] - 1) / step + 1;
	else if (!up && v[LIMIT] < v[START])
		n = ((uint64_t)v[START] - (uint64_t)v[LIMIT] - 1) / step + 1;
	*count = (size_t)n;
	return n > SHAPE_MAX_COUNT ? too_long(err) : 0;
}

static int count_floats(const struct op_build *b, size_t *count, struct exp_error *err)
{
	const float *start = b->inputs[START]->known, *limit = b->inputs[LIMIT]->known,
		    *delta = b->inputs[DELTA]->known;
	double n = ceil(((double)*limit - (double)*start) / (double)*delta);

	if (*delta == 0.0f || isnan(n))
		return error_set(err, EXP_ESHAPE, "its step is 0, or a bound is not a number");
	*count = 0;
	if (n > (double)SHAPE_MAX_COUNT)
		return too_long(err);
	if (n > 0.0)
		*count = (size_t)n;
	return 0;
}

static void collect(const struct op_build *b, bool probe, int64_t v[3])
{
	for (size_t i = START; i <= DELTA; i++) {
		const struct op_value *x = b->inputs[i];

		v[i] = *(const int64_t *)(probe && x->probe ? x->probe : x->known);
	}
}

static int infer_ints(struct op_build *b, size_t *count, struct exp_error *err)
{
	int64_t now[3], then[3], known, probe;
	struct op_samples at;
	size_t other;
	bool found;
	int rc;

	collect(b, false, now);
	collect(b, true, then);
	if ((rc = count_ints(now, count, err)) || (rc = count_ints(then, &other, err)))
		return rc;
	known = (int64_t)*count;
	probe = (int64_t)other;
	rc = spread_find_samples(b, &known, &probe, 1, &at, &found, err);
	b->outputs[0]->shape = (struct shape){ 1, { *count } };
	if (rc == 0 && found)
		op_put_samples(b, b->outputs[0], &at);
	return rc;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct op_value *out = b->outputs[0];
	size_t count = 0;
	int rc = read_scalars(b, err);

	if (rc)
		return rc;
	out->type = b->inputs[START]->type;
	out->onnx_type = b->inputs[START]->onnx_type;
	if (out->type == TENSOR_BOOL)
		return error_set(err, EXP_EUNSUPPORTED, "it counts in numbers, not in truth values");
	rc = out->type == TENSOR_I64 ? infer_ints(b, &count, err) : count_floats(b, &count, err);
	out->shape = (struct shape){ 1, { count } };
	return rc;
}

static void forward(const struct op_run *r)
{
	if (r->out->value->type == TENSOR_I64)
		for (size_t i = 0; i < r->out->value->count; i++)
			r->out->i[i] = (int64_t)((uint64_t)*r->in[START].i + i * (uint64_t)*r->in[DELTA].i);
	else
		for (size_t i = 0; i < r->out->value->count; i++)
			r->out->f[i] = (float)((double)*r->in[START].f + (double)i * (double)*r->in[DELTA].f);
}

const struct op op_range = {
	.name = "Range",
	.min_inputs = 3,
	.max_inputs = 3,
	.fixed = 1u << START | 1u << LIMIT | 1u << DELTA,
	.infer = infer,
	.forward = forward,
};

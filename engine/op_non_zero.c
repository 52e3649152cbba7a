/*
 * NonZero: where a tensor that is known beforehand is not zero. How many places there are decides on the output's
 * shape, so the data cannot have a say.
 */
#include <string.h>

#include "engine/op.h"

static bool is_set(const struct op_value *x, const void *data, size_t i)
{
	if (x->type == TENSOR_F32)
		return ((const float *)data)[i] != 0.0f;
	if (x->type == TENSOR_I64)
		return ((const int64_t *)data)[i] != 0;
	return ((const uint8_t *)data)[i] != 0;
}

/* Where all of N samples' numbers are set, ones made to count them, each sample has its own places. */
static int place_samples(struct op_build *b, size_t count, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	struct op_samples at = { 1, x->outer, 0 };

	if (!x->batched)
		return 0;
	if (count != x->count || count == 0)
		return error_set(err, EXP_EUNSUPPORTED, "which places are not zero differs between samples");
	at.after = count / b->samples / x->outer;
	op_put_samples(b, b->outputs[0], &at);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	size_t count = 0, rank = x->shape.rank ? x->shape.rank : 1;
	const void *data;
	void *known;
	int rc = op_need_known(b, 0, x->type, &data, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < x->count; i++) {
		count += is_set(x, data, i);
		if (x->probe && is_set(x, data, i) != is_set(x, x->probe, i))
			return error_set(err, EXP_EUNSUPPORTED,
					 "which places are not zero depends on the number of samples");
	}
	b->outputs[0]->type = TENSOR_I64;
	b->outputs[0]->shape = (struct shape){ 2, { rank, count } };
	if ((rc = place_samples(b, count, err)) || (rc = op_set_known(b, 0, &known, NULL, err)))
		return rc;
	for (size_t i = 0, to = 0; i < x->count; i++) {
		size_t rest = i;

		if (!is_set(x, data, i))
			continue;
		for (size_t d = rank; d-- > 0;) {
			size_t size = x->shape.rank ? x->shape.dims[d] : 1;

			((int64_t *)known)[d * count + to] = (int64_t)(rest % size);
			rest /= size;
		}
		to++;
	}
	return 0;
}

const struct op op_non_zero = {
	.name = "NonZero",
	.min_inputs = 1,
	.max_inputs = 1,
	.infer = infer,
};

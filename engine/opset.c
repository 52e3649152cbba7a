#include "engine/opset.h"

#include <inttypes.h>
#include <string.h>

/* Operators that are older than OPSET_PLAIN: the opset from which they mean what they mean now, and attributes that
 * they had until then. */
static const struct past {
	const char *name;
	int64_t oldest;
	const char *attributes;
} pasts[] = {
	{ "Abs", 6, NULL },
	{ "Acos", 7, NULL },
	{ "Add", 6, "axis broadcast" },
	{ "And", 1, "axis broadcast" },
	{ "ArgMax", 1, NULL },
	{ "ArgMin", 1, NULL },
	{ "Asin", 7, NULL },
	{ "Atan", 7, NULL },
	{ "AveragePool", 1, NULL },
	{ "BatchNormalization", 6, "is_test spatial" },
	{ "Cast", 6, NULL },
	{ "Ceil", 6, NULL },
	{ "Clip", 6, NULL },
	{ "Concat", 4, NULL },
	{ "Conv", 1, NULL },
	{ "ConvTranspose", 1, NULL },
	{ "Cos", 7, NULL },
	{ "DepthToSpace", 1, NULL },
	{ "Div", 6, "axis broadcast" },
	{ "Dropout", 6, "is_test" },
	{ "Elu", 6, NULL },
	{ "Equal", 1, "axis broadcast" },
	{ "Exp", 6, NULL },
	{ "Expand", 8, NULL },
	{ "Flatten", 1, NULL },
	{ "Floor", 6, NULL },
	{ "GRU", 7, NULL },
	{ "Gather", 1, NULL },
	{ "Gemm", 6, "broadcast" },
	{ "GlobalAveragePool", 1, NULL },
	{ "GlobalMaxPool", 1, NULL },
	{ "Greater", 1, "axis broadcast" },
	{ "HardSigmoid", 6, NULL },
	{ "Hardmax", 1, NULL },
	{ "Identity", 1, NULL },
	{ "InstanceNormalization", 6, NULL },
	{ "LSTM", 7, NULL },
	{ "LeakyRelu", 6, NULL },
	{ "Less", 1, "axis broadcast" },
	{ "Log", 6, NULL },
	{ "LogSoftmax", 1, NULL },
	{ "MatMul", 1, NULL },
	{ "Max", 6, NULL },
	{ "MaxPool", 1, NULL },
	{ "Mean", 6, NULL },
	{ "Min", 6, NULL },
	{ "Mul", 6, "axis broadcast" },
	{ "Neg", 6, NULL },
	{ "Not", 1, NULL },
	{ "Or", 1, "axis broadcast" },
	{ "PRelu", 6, NULL },
	{ "Pad", 2, NULL },
	{ "Pow", 1, "axis broadcast" },
	{ "RNN", 7, NULL },
	{ "Reciprocal", 6, NULL },
	{ "ReduceL1", 1, NULL },
	{ "ReduceL2", 1, NULL },
	{ "ReduceLogSum", 1, NULL },
	{ "ReduceLogSumExp", 1, NULL },
	{ "ReduceMax", 1, NULL },
	{ "ReduceMean", 1, NULL },
	{ "ReduceMin", 1, NULL },
	{ "ReduceProd", 1, NULL },
	{ "ReduceSum", 1, NULL },
	{ "ReduceSumSquare", 1, NULL },
	{ "Relu", 6, NULL },
	{ "Reshape", 5, NULL },
	{ "Selu", 6, NULL },
	{ "Shape", 1, NULL },
	{ "Sigmoid", 6, NULL },
	{ "Sin", 7, NULL },
	{ "Size", 1, NULL },
	{ "Slice", 1, NULL },
	{ "Softmax", 1, NULL },
	{ "Softplus", 1, NULL },
	{ "Softsign", 1, NULL },
	{ "SpaceToDepth", 1, NULL },
	{ "Split", 2, NULL },
	{ "Sqrt", 6, NULL },
	{ "Squeeze", 1, NULL },
	{ "Sub", 6, "axis broadcast" },
	{ "Sum", 6, NULL },
	{ "Tan", 7, NULL },
	{ "Tanh", 6, NULL },
	{ "Tile", 6, NULL },
	{ "Transpose", 1, NULL },
	{ "Unsqueeze", 1, NULL },
	{ "Xor", 1, "axis broadcast" },
};

static const struct past *find_past(const struct op *op)
{
	for (size_t i = 0; i < sizeof(pasts) / sizeof(pasts[0]); i++)
		if (strcmp(pasts[i].name, op->name) == 0)
			return &pasts[i];
	return NULL;
}

int opset_check_operator(const struct op *op, int64_t opset, struct exp_error *err)
{
	const struct past *past = opset < OPSET_PLAIN ? find_past(op) : NULL;

	if (opset >= OPSET_PLAIN || (past && opset >= past->oldest))
		return 0;
	return error_set(err, EXP_EUNSUPPORTED,
			 "the operator of opset %" PRId64 " is not supported: export the model again with an opset "
			 "from %d to %d",
			 opset, OPSET_PLAIN, OPSET_NEWEST);
}

/* list: words separated by single blanks, or NULL. */
static bool is_listed(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (list && *list) {
		size_t size = strcspn(list, " ");

		if (size == length && memcmp(list, word, size) == 0)
			return true;
		list += size + (list[size] == ' ');
	}
	return false;
}

bool opset_has_attribute(const struct op *op, int64_t opset, const char *attribute)
{
	const struct past *past = opset < OPSET_PLAIN ? find_past(op) : NULL;

	return is_listed(op->attributes, attribute) || (past && is_listed(past->attributes, attribute));
}

/* ---- what would make a difference ---- */

/* Dimensions of input 1 met those of input 0 from axis on; now they meet the last ones. */
static int check_axis(const struct op_build *b, struct exp_error *err)
{
	size_t rank = b->inputs[0]->shape.rank, other = b->inputs[1]->shape.rank;
	int64_t axis = (int64_t)rank - (int64_t)other;
	int rc = op_get_int(b, "axis", &axis, err);

	if (rc || axis == (int64_t)rank - (int64_t)other)
		return rc;
	return error_set(err, EXP_EUNSUPPORTED, "broadcasting along axis %" PRId64 " is not supported", axis);
}

/* Until opset 7 evaluation was asked for. */
static int check_test(const struct op_build *b, struct exp_error *err)
{
	int64_t is_test = b->opset >= 7, spatial = 1;
	int rc = op_get_int(b, "is_test", &is_test, err);

	if (rc == 0)
		rc = op_get_int(b, "spatial", &spatial, err);
	if (rc == 0 && !is_test)
		rc = error_set(err, EXP_EUNSUPPORTED,
			       "training mode is not supported: export the model in evaluation mode");
	if (rc == 0 && !spatial)
		rc = error_set(err, EXP_EUNSUPPORTED, "statistics that are not of channels are not supported");
	return rc;
}

/* A vector of slopes belonged to the channels; now it meets the last dimension. */
static int check_slopes(const struct op_build *b, struct exp_error *err)
{
	const struct shape *slope = &b->inputs[1]->shape;

	if (b->opset >= 7 || shape_count(slope) == 1 || b->inputs[0]->shape.rank <= 2)
		return 0;
	return error_set(err, EXP_EUNSUPPORTED, "slopes of channels are not supported in opset %" PRId64, b->opset);
}

int opset_check_use(const struct op_build *b, struct exp_error *err)
{
	const struct past *past = b->opset < OPSET_PLAIN ? find_past(b->op) : NULL;

	if (!past)
		return 0;
	if (is_listed(past->attributes, "axis"))
		return check_axis(b, err);
	if (is_listed(past->attributes, "is_test"))
		return check_test(b, err);
	return strcmp(past->name, "PRelu") == 0 ? check_slopes(b, err) : 0;
}

/*
 * Functions of one number, element by element: Y = f(X), dX = dY f'(X), with f' written in x or y, whichever is
 * handier. Where y is enough, Y may take X's memory. The tangent is the gradient's loop with the tangent in dY's place.
 *
 * Kinks have PyTorch's slopes: Relu 0 at 0, Abs 0 at 0. Floor, Ceil, Round and Sign have none.
 */
#include <string.h>

#include "engine/elementwise.h"
#include "engine/kernels_math.h"

/* Attributes, in the meaning of each function. */
struct unary {
	float a, b;
};

typedef void (*value_loop)(float *py, const float *px, size_t n, struct unary c);
typedef void (*slope_loop)(float *restrict dx, const float *dy, const float *px, const float *py, size_t n,
			   struct unary c);

#define VALUE(name, expression)                                                                                        \
	static void name##_value(float *py, const float *px, size_t n, struct unary c)                                 \
	{                                                                                                              \
		(void)c;                                                                                               \
		_Pragma("GCC ivdep") for (size_t i = 0; i < n; i++)                                                    \
		{                                                                                                      \
			const float x = px[i];                                                                         \
                                                                                                                       \
			py[i] = (expression);                                                                          \
		}                                                                                                      \
	}

#define SLOPE(name, expression)                                                                                        \
	static void name##_slope(float *restrict dx, const float *dy, const float *px, const float *py, size_t n,      \
				 struct unary c)                                                                       \
	{                                                                                                              \
		(void)c;                                                                                               \
		for (size_t i = 0; i < n; i++) {                                                                       \
			const float x = px[i], y = py[i], d = dy[i];                                                   \
                                                                                                                       \
			(void)x, (void)y;                                                                              \
			dx[i] = (expression);                                                                          \
		}                                                                                                      \
	}

#define FAST(name, value, slope)                                                                                       \
	KERNEL VALUE(name, value)                                                                                      \
	KERNEL SLOPE(name, slope)
#define PLAIN(name, value, slope)                                                                                      \
	VALUE(name, value)                                                                                             \
	SLOPE(name, slope)

KERNEL_INLINE float below_zero(float x)
{
	return math_select(x > 0.0f, 0.0f, x);
}

KERNEL_INLINE float clamp_unit(float x)
{
	float floored = x < 0.0f ? 0.0f : x;

	return floored > 1.0f ? 1.0f : floored;
}

/* Formulas, whose products the formatter would take for pointers. */
/* clang-format off */
/* A NaN stays one, so that it is noticed. */
FAST(relu, x < 0.0f ? 0.0f : x, math_select(y > 0.0f, d, 0.0f))
FAST(leaky_relu, math_select(x < 0.0f, c.a * x, x), math_select(x > 0.0f, d, c.a * d))
FAST(elu, math_select(x > 0.0f, x, c.a * math_expm1(below_zero(x))), math_select(x > 0.0f, d, d * (y + c.a)))
FAST(selu, c.b * math_select(x > 0.0f, x, c.a * math_expm1(below_zero(x))),
     d * math_select(x > 0.0f, c.b, y + c.a * c.b))
FAST(celu, math_select(x > 0.0f, x, c.a * math_expm1(below_zero(x / c.a))),
     math_select(x > 0.0f, d, d * (y / c.a + 1.0f)))
FAST(thresholded_relu, math_select(x <= c.a, 0.0f, x), math_select(x > c.a, d, 0.0f))
FAST(sigmoid, math_sigmoid(x), d * (y * (1.0f - y)))
FAST(hard_sigmoid, clamp_unit(c.a * x + c.b), math_select((y > 0.0f) & (y < 1.0f), c.a * d, 0.0f))
FAST(hard_swish, x * clamp_unit(x * (1.0f / 6.0f) + 0.5f),
     d * math_select(x > 3.0f, 1.0f, math_select(x < -3.0f, 0.0f, x * (1.0f / 3.0f) + 0.5f)))
FAST(tanh, math_tanh(x), d * (1.0f - y * y))
FAST(erf, math_erf(x), d * (1.12837917f * math_exp(-(x * x))))
FAST(softplus, math_softplus(x), d * math_sigmoid(x))
FAST(softsign, x / (1.0f + math_abs(x)), d / ((1.0f + math_abs(x)) * (1.0f + math_abs(x))))
FAST(sqrt, sqrtf(x), 0.5f * d / y)
FAST(exp, math_exp(x), d * y)
FAST(log, math_log(x), d / x)
FAST(neg, -x, -d)
FAST(abs, math_abs(x), math_select(x > 0.0f, d, math_select(x < 0.0f, -d, 0.0f)))
FAST(reciprocal, 1.0f / x, -(d * y * y))

PLAIN(sin, sinf(x), d * cosf(x))
PLAIN(cos, cosf(x), -(d * sinf(x)))
PLAIN(tan, tanf(x), d * (1.0f + y * y))
PLAIN(asin, asinf(x), d / sqrtf(1.0f - x * x))
PLAIN(acos, acosf(x), -(d / sqrtf(1.0f - x * x)))
PLAIN(atan, atanf(x), d / (1.0f + x * x))
PLAIN(sinh, sinhf(x), d * coshf(x))
PLAIN(cosh, coshf(x), d * sinhf(x))
PLAIN(asinh, asinhf(x), d / sqrtf(x * x + 1.0f))
PLAIN(acosh, acoshf(x), d / sqrtf(x * x - 1.0f))
PLAIN(atanh, atanhf(x), d / (1.0f - x * x))

VALUE(floor, floorf(x))
VALUE(ceil, ceilf(x))
VALUE(round, rintf(x)) /* halves to even */
VALUE(sign, x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x)
/* clang-format on */

enum {
	RELU,
	LEAKY_RELU,
	ELU,
	SELU,
	CELU,
	THRESHOLDED_RELU,
	SIGMOID,
	HARD_SIGMOID,
	HARD_SWISH,
	TANH,
	ERF,
	SOFTPLUS,
	SOFTSIGN,
	SQRT,
	EXP,
	LOG,
	NEG,
	ABS,
	RECIPROCAL,
	SIN,
	COS,
	TAN,
	ASIN,
	ACOS,
	ATAN,
	SINH,
	COSH,
	ASINH,
	ACOSH,
	ATANH,
	FLOOR,
	CEIL,
	ROUND,
	SIGN,
};

/* Of integers, wrapped to their width afterwards. */
static int64_t of_integer(int variant, int64_t x)
{
	int64_t negative = (int64_t)(0 - (uint64_t)x);

	switch (variant) {
	case RELU:
		return x < 0 ? 0 : x;
	case NEG:
		return negative;
	case ABS:
		return x < 0 ? negative : x;
	default:
		return (x > 0) - (x < 0);
	}
}

static bool takes_integers(int variant)
{
	return variant == RELU || variant == NEG || variant == ABS || variant == SIGN;
}

/* ---- the operators ---- */

struct function {
	value_loop value;
	slope_loop slope;
	const char *a, *b; /* names of attributes; NULL: none */
	struct unary defaults;
};

static const struct function functions[] = {
	[RELU] = { relu_value, relu_slope },
	[LEAKY_RELU] = { leaky_relu_value, leaky_relu_slope, "alpha", NULL, { 0.01f, 0.0f } },
	[ELU] = { elu_value, elu_slope, "alpha", NULL, { 1.0f, 0.0f } },
	[SELU] = { selu_value, selu_slope, "alpha", "gamma", { 1.67326319f, 1.05070102f } },
	[CELU] = { celu_value, celu_slope, "alpha", NULL, { 1.0f, 0.0f } },
	[THRESHOLDED_RELU] = { thresholded_relu_value, thresholded_relu_slope, "alpha", NULL, { 1.0f, 0.0f } },
	[SIGMOID] = { sigmoid_value, sigmoid_slope },
	[HARD_SIGMOID] = { hard_sigmoid_value, hard_sigmoid_slope, "alpha", "beta", { 0.2f, 0.5f } },
	[HARD_SWISH] = { hard_swish_value, hard_swish_slope },
	[TANH] = { tanh_value, tanh_slope },
	[ERF] = { erf_value, erf_slope },
	[SOFTPLUS] = { softplus_value, softplus_slope },
	[SOFTSIGN] = { softsign_value, softsign_slope },
	[SQRT] = { sqrt_value, sqrt_slope },
	[EXP] = { exp_value, exp_slope },
	[LOG] = { log_value, log_slope },
	[NEG] = { neg_value, neg_slope },
	[ABS] = { abs_value, abs_slope },
	[RECIPROCAL] = { reciprocal_value, reciprocal_slope },
	[SIN] = { sin_value, sin_slope },
	[COS] = { cos_value, cos_slope },
	[TAN] = { tan_value, tan_slope },
	[ASIN] = { asin_value, asin_slope },
	[ACOS] = { acos_value, acos_slope },
	[ATAN] = { atan_value, atan_slope },
	[SINH] = { sinh_value, sinh_slope },
	[COSH] = { cosh_value, cosh_slope },
	[ASINH] = { asinh_value, asinh_slope },
	[ACOSH] = { acosh_value, acosh_slope },
	[ATANH] = { atanh_value, atanh_slope },
	[FLOOR] = { floor_value },
	[CEIL] = { ceil_value },
	[ROUND] = { round_value },
	[SIGN] = { sign_value },
};

struct config {
	struct unary c;
	int wrap_to; /* TensorProto.DataType of an integer */
};

static int infer(struct op_build *b, struct exp_error *err)
{
	const struct function *f = &functions[b->op->variant];
	struct config *config = b->config;
	int rc = 0;

	if (b->inputs[0]->type != TENSOR_I64 || !takes_integers(b->op->variant))
		rc = op_need_float(b, 0, err);
	config->c = f->defaults;
	if (rc == 0 && f->a)
		rc = op_get_float(b, f->a, &config->c.a, err);
	if (rc == 0 && f->b)
		rc = op_get_float(b, f->b, &config->c.b, err);
	if (rc)
		return rc;
	op_copy(b, 0, 0);
	config->wrap_to = b->inputs[0]->onnx_type;
	b->flops = b->inputs[0]->count;
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct config *config = r->config;
	size_t n = r->out->value->count;

	if (r->out->value->type == TENSOR_F32) {
		functions[r->op->variant].value(r->out->f, r->in->f, n, config->c);
		return;
	}
	for (size_t i = 0; i < n; i++)
		r->out->i[i] = of_integer(r->op->variant, r->in->i[i]);
	elementwise_wrap(r->out->i, n, config->wrap_to);
}

static void apply_slope(const struct op_run *r, float *to, const float *from)
{
	const struct config *config = r->config;

	functions[r->op->variant].slope(to, from, r->in->f, r->out->f, r->out->value->count, config->c);
}

static void backward(const struct op_run *r)
{
	if (r->in->grad)
		apply_slope(r, r->in->grad, r->out->grad);
}

static void tangent(const struct op_run *r)
{
	apply_slope(r, r->out->tangent, r->in->tangent);
}

enum {
	SLOPE_BY_Y = OP_READS_OUTPUT | OP_IN_PLACE,
	SLOPE_BY_BOTH = OP_READS_OUTPUT,
	SLOPE_BY_X = 0,
};

#define UNARY(onnx_name, which, ...)                                                                                   \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 1, .max_inputs = 1, .config_size = sizeof(struct config),             \
		.variant = which, .infer = infer, .forward = forward, __VA_ARGS__                                      \
	}
#define SMOOTH(onnx_name, which, ...) UNARY(onnx_name, which, .backward = backward, .tangent = tangent, __VA_ARGS__)

const struct op op_relu = SMOOTH("Relu", RELU, .flags = SLOPE_BY_Y);
const struct op op_leaky_relu = SMOOTH("LeakyRelu", LEAKY_RELU, .attributes = "alpha", .flags = SLOPE_BY_X);
const struct op op_elu = SMOOTH("Elu", ELU, .attributes = "alpha", .flags = SLOPE_BY_BOTH);
const struct op op_selu = SMOOTH("Selu", SELU, .attributes = "alpha gamma", .flags = SLOPE_BY_BOTH);
const struct op op_celu = SMOOTH("Celu", CELU, .attributes = "alpha", .flags = SLOPE_BY_BOTH);
const struct op op_thresholded_relu =
    SMOOTH("ThresholdedRelu", THRESHOLDED_RELU, .attributes = "alpha", .flags = SLOPE_BY_X);
const struct op op_sigmoid = SMOOTH("Sigmoid", SIGMOID, .flags = SLOPE_BY_Y);
const struct op op_hard_sigmoid = SMOOTH("HardSigmoid", HARD_SIGMOID, .attributes = "alpha beta", .flags = SLOPE_BY_Y);
const struct op op_hard_swish = SMOOTH("HardSwish", HARD_SWISH, .flags = SLOPE_BY_X);
const struct op op_tanh = SMOOTH("Tanh", TANH, .flags = SLOPE_BY_Y);
const struct op op_erf = SMOOTH("Erf", ERF, .flags = SLOPE_BY_X);
const struct op op_softplus = SMOOTH("Softplus", SOFTPLUS, .flags = SLOPE_BY_X);
const struct op op_softsign = SMOOTH("Softsign", SOFTSIGN, .flags = SLOPE_BY_X);
const struct op op_sqrt = SMOOTH("Sqrt", SQRT, .flags = SLOPE_BY_Y);
const struct op op_exp = SMOOTH("Exp", EXP, .flags = SLOPE_BY_Y);
const struct op op_log = SMOOTH("Log", LOG, .flags = SLOPE_BY_X);
const struct op op_neg = UNARY("Neg", NEG, .flags = OP_LINEAR | OP_IN_PLACE, .backward = backward);
const struct op op_abs = SMOOTH("Abs", ABS, .flags = SLOPE_BY_X);
const struct op op_reciprocal = SMOOTH("Reciprocal", RECIPROCAL, .flags = SLOPE_BY_Y);
const struct op op_sin = SMOOTH("Sin", SIN, .flags = SLOPE_BY_X);
const struct op op_cos = SMOOTH("Cos", COS, .flags = SLOPE_BY_X);
const struct op op_tan = SMOOTH("Tan", TAN, .flags = SLOPE_BY_Y);
const struct op op_asin = SMOOTH("Asin", ASIN, .flags = SLOPE_BY_X);
const struct op op_acos = SMOOTH("Acos", ACOS, .flags = SLOPE_BY_X);
const struct op op_atan = SMOOTH("Atan", ATAN, .flags = SLOPE_BY_X);
const struct op op_sinh = SMOOTH("Sinh", SINH, .flags = SLOPE_BY_X);
const struct op op_cosh = SMOOTH("Cosh", COSH, .flags = SLOPE_BY_X);
const struct op op_asinh = SMOOTH("Asinh", ASINH, .flags = SLOPE_BY_X);
const struct op op_acosh = SMOOTH("Acosh", ACOSH, .flags = SLOPE_BY_X);
const struct op op_atanh = SMOOTH("Atanh", ATANH, .flags = SLOPE_BY_X);
const struct op op_floor = UNARY("Floor", FLOOR, .flags = OP_IN_PLACE);
const struct op op_ceil = UNARY("Ceil", CEIL, .flags = OP_IN_PLACE);
const struct op op_round = UNARY("Round", ROUND, .flags = OP_IN_PLACE);
const struct op op_sign = UNARY("Sign", SIGN, .flags = OP_IN_PLACE);

/* ---- truth values ---- */

enum { NOT, IS_NAN, IS_INF };

/* Which of them IsInf looks for. */
struct infinities {
	bool positive, negative;
};

static int infer_truth(struct op_build *b, struct exp_error *err)
{
	int rc = op_need(b, 0, b->op->variant == NOT ? TENSOR_BOOL : TENSOR_F32, err);
	struct infinities *c = b->config;
	int64_t positive = 1, negative = 1;

	if (rc || (rc = op_get_int(b, "detect_positive", &positive, err)) ||
	    (rc = op_get_int(b, "detect_negative", &negative, err)))
		return rc;
	*c = (struct infinities){ positive != 0, negative != 0 };
	op_copy(b, 0, 0);
	b->outputs[0]->type = TENSOR_BOOL;
	b->outputs[0]->onnx_type = 0;
	return 0;
}

static void forward_truth(const struct op_run *r)
{
	const struct infinities *c = r->config;

	for (size_t i = 0; i < r->out->value->count; i++) {
		if (r->op->variant == NOT)
			r->out->b[i] = !r->in->b[i];
		else if (r->op->variant == IS_NAN)
			r->out->b[i] = (uint8_t)isnan(r->in->f[i]);
		else
			r->out->b[i] =
			    (c->positive && r->in->f[i] == INFINITY) || (c->negative && r->in->f[i] == -INFINITY);
	}
}

#define TRUTH(onnx_name, which, ...)                                                                                   \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 1, .max_inputs = 1, .config_size = sizeof(struct infinities),         \
		.variant = which, .infer = infer_truth, .forward = forward_truth, __VA_ARGS__                          \
	}

const struct op op_not = TRUTH("Not", NOT, .flags = 0);
const struct op op_is_nan = TRUTH("IsNaN", IS_NAN, .flags = 0);
const struct op op_is_inf = TRUTH("IsInf", IS_INF, .attributes = "detect_negative detect_positive");

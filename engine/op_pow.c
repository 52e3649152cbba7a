/*
 * Pow: Y = A^B with NumPy's broadcasting. Since opset 12 the exponent may have another type than the base, which is
 * the result's.
 *
 *   dA = dY B A^(B-1), 0 where B is 0        dB = dY A^B ln A, 0 where A is 0 and B is not negative
 *
 * An exponent that does not change along a line is looked at once: squares, cubes and roots need no exponential.
 */
#include <math.h>

#include "engine/elementwise.h"
#include "engine/kernels.h"

struct power {
	struct elementwise each;
	elementwise_loop loop;
	int wrap_to; /* TensorProto.DataType of an integer result; 0: none */
};

/* ---- one line ---- */

#define LINE(expression)                                                                                               \
	for (size_t i = 0; i < n; i++) {                                                                               \
		const float a = x[i];                                                                                  \
                                                                                                                       \
		z[i] = (expression);                                                                                   \
	}

KERNEL static void raise_line(float *restrict z, const float *x, float b, size_t n)
{
	if (b == 2.0f)
		LINE(a * a)
	else if (b == 3.0f)
		LINE(a * a * a)
	else if (b == 1.0f)
		LINE(a)
	else if (b == 0.5f)
		LINE(sqrtf(a))
	else if (b == -1.0f)
		LINE(1.0f / a)
	else
		LINE(powf(a, b))
}

static float slope_by_base(float a, float b)
{
	return b == 0.0f ? 0.0f : b * powf(a, b - 1.0f);
}

KERNEL static void slope_line(float *restrict z, const float *dy, const float *x, float b, size_t n)
{
	if (b == 2.0f)
		LINE(dy[i] * (2.0f * a))
	else if (b == 3.0f)
		LINE(dy[i] * (3.0f * (a * a)))
	else
		LINE(dy[i] * slope_by_base(a, b))
}

static float slope_by_exponent(float a, float b)
{
	return a == 0.0f && b >= 0.0f ? 0.0f : powf(a, b) * logf(a);
}

/* ---- integers ---- */

static int64_t raise_integer(int64_t a, int64_t b)
{
	uint64_t power = 1, square = (uint64_t)a;

	if (b < 0)
		return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
	for (; b; b /= 2, square *= square)
		power *= b % 2 ? square : 1;
	return (int64_t)power;
}

static int64_t round_to_integer(double y)
{
	return isnan(y) ? 0 : y >= 0x1p63 ? INT64_MAX : y < -0x1p63 ? INT64_MIN : (int64_t)y;
}

/* ---- loops over a plane; x and y are lines of the operands, z of the result ---- */

#define LOOP(name, base_type, exponent_type, result_type, statement)                                                   \
	static void name(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,                   \
			 const void *config)                                                                           \
	{                                                                                                              \
		size_t s = p->step[0], t = p->step[1], n = p->n;                                                       \
                                                                                                                       \
		(void)config;                                                                                          \
		for (size_t r = 0; r < p->rows; r++) {                                                                 \
			const base_type *x = (const base_type *)arrays->in[0] + p->at[0] + r * p->row[0];              \
			const exponent_type *y = (const exponent_type *)arrays->in[1] + p->at[1] + r * p->row[1];      \
			result_type *z = (result_type *)arrays->out + p->out + r * n;                                  \
			const float *dy = arrays->dy ? arrays->dy + p->out + r * n : NULL;                             \
                                                                                                                       \
			(void)dy;                                                                                      \
			statement;                                                                                     \
		}                                                                                                      \
	}

#define EACH(expression)                                                                                               \
	for (size_t i = 0; i < n; i++)                                                                                 \
	z[i] = (expression)

/* Where the exponent stands still the base moves, or there is but one number. */
#define RAISE                                                                                                          \
	if (t == 0)                                                                                                    \
		raise_line(z, x, (float)*y, n);                                                                        \
	else                                                                                                           \
		EACH(powf(x[i * s], (float)y[i * t]))

LOOP(floats_to_floats, float, float, float, RAISE)
LOOP(floats_to_integers, float, int64_t, float, RAISE)
LOOP(integers_to_integers, int64_t, int64_t, int64_t, EACH(raise_integer(x[i * s], y[i * t])))
LOOP(integers_to_floats, int64_t, float, int64_t, EACH(round_to_integer(pow((double)x[i * s], (double)y[i * t]))))

#define SLOPE                                                                                                          \
	if (t == 0)                                                                                                    \
		slope_line(z, dy, x, (float)*y, n);                                                                    \
	else                                                                                                           \
		EACH(dy[i] * slope_by_base(x[i * s], (float)y[i * t]))

LOOP(base_slope, float, float, float, SLOPE)
LOOP(base_slope_of_integers, float, int64_t, float, SLOPE)
LOOP(exponent_slope, float, float, float, EACH(dy[i] * slope_by_exponent(x[i * s], y[i * t])))

/* ---- the operator ---- */

static int infer(struct op_build *b, struct exp_error *err)
{
	static const elementwise_loop loops[2][2] = {
		[TENSOR_F32] = { floats_to_floats, floats_to_integers },
		[TENSOR_I64] = { integers_to_floats, integers_to_integers },
	};
	struct power *c = b->config;
	enum tensor_type base = b->inputs[0]->type, exponent = b->inputs[1]->type;
	int rc;

	if (base == TENSOR_BOOL || exponent == TENSOR_BOOL)
		return error_set(err, EXP_EUNSUPPORTED, "it does not take boolean tensors");
	rc = elementwise_init(b, 0, 2, &c->each, err);
	if (rc)
		return rc;
	c->loop = loops[base][exponent];
	b->outputs[0]->type = base;
	b->outputs[0]->onnx_type = b->inputs[0]->onnx_type;
	c->wrap_to = base == TENSOR_I64 ? b->inputs[0]->onnx_type : 0;
	b->flops = c->each.count;
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct power *c = r->config;
	struct elementwise_arrays a = { .out = r->out->data, .in = { r->in[0].data, r->in[1].data } };

	elementwise_run(&c->each, c->loop, &a, c);
	if (c->wrap_to)
		elementwise_wrap(r->out->i, c->each.count, c->wrap_to);
}

static elementwise_loop slope_of_base(const struct op_run *r)
{
	return r->in[1].value->type == TENSOR_F32 ? base_slope : base_slope_of_integers;
}

static void backward(const struct op_run *r)
{
	const struct power *c = r->config;

	elementwise_backward(&c->each, 0, slope_of_base(r), r, r->in);
	elementwise_backward(&c->each, 1, exponent_slope, r, r->in);
}

static void tangent(const struct op_run *r)
{
	const struct power *c = r->config;

	elementwise_tangent(&c->each, (const elementwise_loop[]){ slope_of_base(r), exponent_slope }, r, r->in);
}

const struct op op_pow = {
	.name = "Pow",
	.min_inputs = 2,
	.max_inputs = 2,
	.fixed = 1u << 1,
	.config_size = sizeof(struct power),
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

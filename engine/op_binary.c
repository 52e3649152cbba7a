/*
 * Two operands, element by element, with NumPy's broadcasting: Add, Sub, Mul, Div, Mod, comparisons, And, Or, Xor.
 *
 * Gradients, for Y = f(A, B): dA = dY * df/dA, added up where A is repeated.
 */
#include <math.h>

#include "engine/elementwise.h"
#include "engine/kernels.h"

enum { ADD, SUB, MUL, DIV, MOD, EQUAL, LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL, AND, OR, XOR, VARIANTS };

struct binary {
	struct elementwise each;
	elementwise_loop loop;
	bool like_c; /* Mod: the remainder has the sign of the dividend */
	int wrap_to; /* TensorProto.DataType of integers that arithmetic may carry out of their width; 0: none */
};

/* ---- loops ---- */

#define STRETCH(a_at, b_at, expression)                                                                                \
	_Pragma("GCC ivdep") for (size_t i = 0; i < p->n; i++)                                                         \
	{                                                                                                              \
		const element a = x[a_at], b = y[b_at];                                                                \
                                                                                                                       \
		(void)a, (void)b;                                                                                      \
		z[i] = (result)(expression);                                                                           \
	}

/* One loop for each way in which the operands move, so that each can be vectorised. */
#define LOOP(name, element_type, result_type, expression)                                                              \
	static void name(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,                   \
			 const void *config)                                                                           \
	{                                                                                                              \
		typedef element_type element;                                                                          \
		typedef result_type result;                                                                            \
                                                                                                                       \
		(void)config;                                                                                          \
		for (size_t r = 0; r < p->rows; r++) {                                                                 \
			const element *x = (const element *)arrays->in[0] + p->at[0] + r * p->row[0];                  \
			const element *y = (const element *)arrays->in[1] + p->at[1] + r * p->row[1];                  \
			result *z = (result *)arrays->out + p->out + r * p->n;                                         \
			const float *dy = arrays->dy ? arrays->dy + p->out + r * p->n : NULL;                          \
                                                                                                                       \
			(void)dy;                                                                                      \
			if (p->step[0] && p->step[1])                                                                  \
				STRETCH(i, i, expression)                                                              \
			else if (p->step[0])                                                                           \
				STRETCH(i, 0, expression)                                                              \
			else                                                                                           \
				STRETCH(0, (i * p->step[1]), expression)                                               \
		}                                                                                                      \
	}

#define FAST_LOOP(name, expression) KERNEL LOOP(name, float, float, expression)

FAST_LOOP(add_floats, a + b)
FAST_LOOP(subtract_floats, a - b)
FAST_LOOP(multiply_floats, (a * b))
FAST_LOOP(divide_floats, a / b)
LOOP(remainders_of_floats, float, float, fmodf(a, b))

/* Overflow wraps around, as two's complement does. */
LOOP(add_integers, int64_t, int64_t, (uint64_t)a + (uint64_t)b)
LOOP(subtract_integers, int64_t, int64_t, (uint64_t)a - (uint64_t)b)
LOOP(multiply_integers, int64_t, int64_t, ((uint64_t)a * (uint64_t)b))

/* Towards zero; 0 where there is no quotient. */
static int64_t quotient(int64_t a, int64_t b)
{
	return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t rest(int64_t a, int64_t b, bool like_c)
{
	int64_t r = b == 0 || b == -1 ? 0 : a % b;

	return r != 0 && !like_c && (r < 0) != (b < 0) ? r + b : r;
}

LOOP(divide_integers, int64_t, int64_t, quotient(a, b))
LOOP(remainders_of_integers, int64_t, int64_t, rest(a, b, ((const struct binary *)config)->like_c))

#define COMPARISONS(kind, type)                                                                                        \
	LOOP(kind##_equal, type, uint8_t, a == b)                                                                      \
	LOOP(kind##_less, type, uint8_t, a < b)                                                                        \
	LOOP(kind##_less_or_equal, type, uint8_t, a <= b)                                                              \
	LOOP(kind##_greater, type, uint8_t, a > b)                                                                     \
	LOOP(kind##_greater_or_equal, type, uint8_t, a >= b)

COMPARISONS(floats, float)
COMPARISONS(integers, int64_t)

LOOP(booleans_equal, uint8_t, uint8_t, a == b)
LOOP(booleans_and, uint8_t, uint8_t, (a & b))
LOOP(booleans_or, uint8_t, uint8_t, a | b)
LOOP(booleans_xor, uint8_t, uint8_t, a ^ b)

static const elementwise_loop loops[VARIANTS][TENSOR_BOOL + 1] = {
	[ADD] = { add_floats, add_integers },
	[SUB] = { subtract_floats, subtract_integers },
	[MUL] = { multiply_floats, multiply_integers },
	[DIV] = { divide_floats, divide_integers },
	[MOD] = { remainders_of_floats, remainders_of_integers },
	[EQUAL] = { floats_equal, integers_equal, booleans_equal },
	[LESS] = { floats_less, integers_less },
	[LESS_OR_EQUAL] = { floats_less_or_equal, integers_less_or_equal },
	[GREATER] = { floats_greater, integers_greater },
	[GREATER_OR_EQUAL] = { floats_greater_or_equal, integers_greater_or_equal },
	[AND] = { NULL, NULL, booleans_and },
	[OR] = { NULL, NULL, booleans_or },
	[XOR] = { NULL, NULL, booleans_xor },
};

/* dY times the slope by A, or by B. */
FAST_LOOP(negate_slope, -dy[i])
FAST_LOOP(times_b, dy[i] * b)
FAST_LOOP(times_a, dy[i] * a)
FAST_LOOP(over_b, dy[i] / b)
FAST_LOOP(divisor_slope, -dy[i] * (a / b) / b)
LOOP(modulus_slope, float, float, -dy[i] * truncf(a / b))

static const elementwise_loop slopes[VARIANTS][2] = {
	[SUB] = { NULL, negate_slope },
	[MUL] = { times_b, times_a },
	[DIV] = { over_b, divisor_slope },
	[MOD] = { NULL, modulus_slope },
};

/* ---- the operator ---- */

/* A vector added to what a weight made is that layer's bias. */
static void set_roles(const struct op_build *b)
{
	for (size_t i = 0; i < 2; i++) {
		size_t fan_in = b->inputs[1 - i]->is_parameter ? 0 : b->inputs[1 - i]->fan_in;

		if (fan_in)
			op_set_role(b, i, GRAPH_ROLE_BIAS, fan_in);
	}
}

static int choose_loop(const struct op_build *b, struct binary *c, struct exp_error *err)
{
	enum tensor_type type = b->inputs[0]->type;
	int64_t like_c = 0;
	int rc = op_need(b, 1, type, err);

	if (rc || (rc = op_get_int(b, "fmod", &like_c, err)))
		return rc;
	c->like_c = like_c != 0;
	c->loop = loops[b->op->variant][type];
	if (!c->loop)
		return error_set(err, EXP_EUNSUPPORTED, "it does not take %s tensors", tensor_type_name(type));
	if (b->op->variant == MOD && type == TENSOR_F32 && !c->like_c)
		return error_set(err, EXP_EUNSUPPORTED, "fp32 remainders need the attribute fmod = 1");
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct binary *c = b->config;
	struct op_value *out = b->outputs[0];
	int rc = choose_loop(b, c, err);

	if (rc || (rc = elementwise_init(b, 0, 2, &c->each, err)))
		return rc;
	out->type = b->op->variant >= EQUAL ? TENSOR_BOOL : b->inputs[0]->type;
	if (b->op->variant < EQUAL) {
		out->onnx_type = b->inputs[0]->onnx_type;
		c->wrap_to = out->type == TENSOR_I64 ? out->onnx_type : 0;
	}
	if (b->op->variant == ADD)
		set_roles(b);
	if (b->op->variant == ADD || b->op->variant == SUB)
		b->passes = c->each.plain[0] | (b->op->variant == ADD && c->each.plain[1]) << 1;
	b->flops = c->each.count;
	return 0;
}

static void forward(const struct op_run *r)
{
	const struct binary *c = r->config;
	struct elementwise_arrays a = { .out = r->out->data, .in = { r->in[0].data, r->in[1].data } };

	elementwise_run(&c->each, c->loop, &a, c);
	if (c->wrap_to)
		elementwise_wrap(r->out->i, c->each.count, c->wrap_to);
}

static void backward(const struct op_run *r)
{
	const struct binary *c = r->config;

	for (size_t k = 0; k < 2; k++)
		elementwise_backward(&c->each, k, slopes[r->op->variant][k], r, r->in);
}

static void tangent(const struct op_run *r)
{
	const struct binary *c = r->config;

	elementwise_tangent(&c->each, slopes[r->op->variant], r, r->in);
}

#define BINARY(onnx_name, which, ...)                                                                                  \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 2, .max_inputs = 2, .config_size = sizeof(struct binary),             \
		.variant = which, .infer = infer, .forward = forward, __VA_ARGS__                                      \
	}

const struct op op_add = BINARY("Add", ADD, .flags = OP_LINEAR | OP_IN_PLACE, .backward = backward);
const struct op op_sub = BINARY("Sub", SUB, .flags = OP_LINEAR | OP_IN_PLACE, .backward = backward);
const struct op op_mul = BINARY("Mul", MUL, .flags = OP_BILINEAR, .backward = backward);
const struct op op_div = BINARY("Div", DIV, .backward = backward, .tangent = tangent);
const struct op op_mod = BINARY("Mod", MOD, .attributes = "fmod", .backward = backward, .tangent = tangent);
const struct op op_equal = BINARY("Equal", EQUAL, .flags = 0);
const struct op op_less = BINARY("Less", LESS, .flags = 0);
const struct op op_less_or_equal = BINARY("LessOrEqual", LESS_OR_EQUAL, .flags = 0);
const struct op op_greater = BINARY("Greater", GREATER, .flags = 0);
const struct op op_greater_or_equal = BINARY("GreaterOrEqual", GREATER_OR_EQUAL, .flags = 0);
const struct op op_and = BINARY("And", AND, .flags = 0);
const struct op op_or = BINARY("Or", OR, .flags = 0);
const struct op op_xor = BINARY("Xor", XOR, .flags = 0);

/*
 * Add, Sub, Mul, Div with NumPy's broadcasting. A batched operand's first dimension is the batch, so an unbatched
 * operand of the same rank must have 1 there.
 *
 * Gradients, for Y = f(A, B): dA = dY * df/dA summed over the dimensions along which A was broadcast. That sum runs
 * inside one sample: what it gives for an unbatched operand is that sample's own gradient.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/op.h"

enum { ADD, SUB, MUL, DIV };

struct binary {
	size_t rank, dims[GRAPH_MAX_DIMS]; /* of one row of the output, neighbours merged where both run on */
	size_t strides[2][GRAPH_MAX_DIMS]; /* floats to step in each operand; 0 where it is broadcast */
	size_t count;                      /* of one row of the output */
	size_t counts[2];                  /* of one row of each operand */
	bool plain[2];                     /* the operand has the output's shape */
};

/* ---- shapes ---- */

static int misfit(const struct op_build *b, struct exp_error *err)
{
	char left[SHAPE_TEXT], right[SHAPE_TEXT];

	return error_set(err, EXP_ESHAPE, "the shapes %s and %s do not broadcast",
			 shape_format(&b->inputs[0]->shape, b->inputs[0]->batched, left),
			 shape_format(&b->inputs[1]->shape, b->inputs[1]->batched, right));
}

static int broadcast(const struct op_build *b, struct shape *out, struct exp_error *err)
{
	const struct shape *x = &b->inputs[0]->shape, *y = &b->inputs[1]->shape;
	size_t rank = x->rank > y->rank ? x->rank : y->rank;

	for (size_t i = 0; i < 2; i++)
		if (b->inputs[i]->batched && b->inputs[i]->shape.rank != rank)
			return misfit(b, err);
	out->rank = rank;
	for (size_t i = 1; i <= rank; i++) {
		size_t p = i <= x->rank ? x->dims[x->rank - i] : 1, q = i <= y->rank ? y->dims[y->rank - i] : 1;

		if (p != q && p != 1 && q != 1)
			return misfit(b, err);
		out->dims[rank - i] = p == 1 ? q : p;
	}
	for (size_t i = 0; i < 2; i++) {
		const struct op_value *v = b->inputs[i];
		bool first_fits =
		    v->batched ? v->shape.dims[0] == out->dims[0] : v->shape.rank < rank || v->shape.dims[0] == 1;

		if (b->output->batched && !first_fits)
			return misfit(b, err);
	}
	return 0;
}

static void set_strides(struct binary *c, size_t operand, const struct shape *s)
{
	size_t step = 1;

	for (size_t i = 1; i <= s->rank; i++) {
		size_t d = s->dims[s->rank - i];

		c->strides[operand][c->rank - i] = d == 1 ? 0 : step;
		step *= d;
	}
	c->counts[operand] = step;
	c->plain[operand] = step == c->count;
}

/* Neighbouring dimensions along which both operands run on are one: fewer, longer runs. */
static void merge_dims(struct binary *c)
{
	size_t kept = 0;

	for (size_t i = 1; i < c->rank; i++) {
		bool joined = c->strides[0][kept] == c->strides[0][i] * c->dims[i] &&
			      c->strides[1][kept] == c->strides[1][i] * c->dims[i];

		if (joined)
			c->dims[kept] *= c->dims[i];
		else
			c->dims[++kept] = c->dims[i];
		c->strides[0][kept] = c->strides[0][i];
		c->strides[1][kept] = c->strides[1][i];
	}
	c->rank = c->rank ? kept + 1 : 0;
}

/* A vector added to what a weight made is that layer's bias. */
static void set_roles(const struct op *op, struct op_build *b)
{
	for (size_t i = 0; i < 2; i++) {
		size_t fan_in = b->inputs[1 - i]->is_parameter ? 0 : b->inputs[1 - i]->fan_in;

		if (op->variant == ADD && fan_in)
			op_set_role(b, i, GRAPH_ROLE_BIAS, fan_in);
	}
}

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct binary *c = b->config;
	struct shape out = { 0 };
	int rc;

	if ((rc = op_need_float(b, 0, err)) || (rc = op_need_float(b, 1, err)) || (rc = broadcast(b, &out, err)))
		return rc;
	if (!shape_try_count(&out, &c->count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu floats a row", SHAPE_MAX_FLOATS);
	b->output->shape = out;
	c->rank = out.rank;
	memcpy(c->dims, out.dims, sizeof(c->dims));
	set_strides(c, 0, &b->inputs[0]->shape);
	set_strides(c, 1, &b->inputs[1]->shape);
	merge_dims(c);
	set_roles(op, b);
	b->scratch = c->count;
	b->scratch_per_row = c->count;
	b->flops_per_row = c->count;
	return 0;
}

/* ---- runs: the last dimension, once for every place in the others ---- */

struct runs {
	const struct binary *c;
	size_t index[GRAPH_MAX_DIMS];
	size_t length;     /* floats of one run */
	size_t out, at[2]; /* where the run starts in the output's row and in the operands' */
	size_t step[2];    /* 0 or 1: how each operand moves within the run */
};

static struct runs first_run(const struct binary *c)
{
	struct runs it = { .c = c, .length = c->rank ? c->dims[c->rank - 1] : 1 };

	for (size_t i = 0; i < 2; i++)
		it.step[i] = c->rank && c->strides[i][c->rank - 1] ? 1 : 0;
	return it;
}

static bool next_run(struct runs *it)
{
	const struct binary *c = it->c;

	it->out += it->length;
	for (size_t d = c->rank > 0 ? c->rank - 1 : 0; d-- > 0;) {
		it->at[0] += c->strides[0][d];
		it->at[1] += c->strides[1][d];
		if (++it->index[d] < c->dims[d])
			return true;
		it->at[0] -= c->strides[0][d] * c->dims[d];
		it->at[1] -= c->strides[1][d] * c->dims[d];
		it->index[d] = 0;
	}
	return false;
}

/* The row of an operand that belongs to row n. */
static const float *row_of(const struct op_run *r, size_t operand, size_t n)
{
	const struct op_input *p = &r->in[operand];

	return p->data + (p->value->batched ? n * p->floats : 0);
}

/* ---- forward ---- */

#define LOOP(x_at, y_at, expression)                                                                                   \
	for (size_t i = 0; i < n; i++) {                                                                               \
		float a = x[x_at], b = y[y_at];                                                                        \
                                                                                                                       \
		z[i] = expression;                                                                                     \
	}

#define APPLY(expression)                                                                                              \
	if (p && q)                                                                                                    \
		LOOP(i, i, expression)                                                                                 \
	else if (p)                                                                                                    \
		LOOP(i, 0, expression)                                                                                 \
	else                                                                                                           \
		LOOP(0, q *i, expression)

/* z [n] = f(x, y); an operand whose step is 0 stays where it is. */
KERNEL static void apply(int variant, float *restrict z, const float *x, const float *y, const size_t step[2], size_t n)
{
	size_t p = step[0], q = step[1];

	if (variant == ADD)
		APPLY(a + b)
	else if (variant == SUB)
		APPLY(a - b)
	else if (variant == MUL)
		APPLY(a * b)
	else
		APPLY(a / b)
}

static void forward(const struct op_run *r)
{
	const struct binary *c = r->config;

	for (size_t n = 0; n < r->rows; n++) {
		const float *x = row_of(r, 0, n), *y = row_of(r, 1, n);
		float *z = r->out->data + n * c->count;
		struct runs it = first_run(c);

		do
			apply(r->op->variant, z + it.out, x + it.at[0], y + it.at[1], it.step, it.length);
		while (next_run(&it));
	}
}

/* ---- backward ---- */

/* g [n] = dY * df/d operand, element by element. */
static void local_gradient(int variant, size_t operand, float *g, const float *dy, const float *x, const float *y,
			   const struct runs *it)
{
	for (size_t i = 0; i < it->length; i++) {
		float a = x[it->at[0] + i * it->step[0]], b = y[it->at[1] + i * it->step[1]];

		if (variant == ADD || variant == SUB)
			g[i] = variant == SUB && operand == 1 ? -dy[i] : dy[i];
		else if (variant == MUL)
			g[i] = dy[i] * (operand == 0 ? b : a);
		else
			g[i] = operand == 0 ? dy[i] / b : -dy[i] * a / (b * b);
	}
}

/* The gradient of one sample with respect to one operand's row. */
static void sample_gradient(const struct op_run *r, size_t operand, size_t n, float *target)
{
	const struct binary *c = r->config;
	const float *dy = r->out->grad + n * c->count, *x = row_of(r, 0, n), *y = row_of(r, 1, n);
	float *g = r->scratch;
	struct runs it = first_run(c);

	memset(target, 0, c->counts[operand] * sizeof(*target));
	do {
		local_gradient(r->op->variant, operand, g, dy + it.out, x, y, &it);
		if (it.step[operand])
			kernel_add(target + it.at[operand], g, it.length);
		else
			target[it.at[operand]] += (float)kernel_sum(g, it.length);
	} while (next_run(&it));
}

static bool passes_through(const struct op_run *r, size_t operand)
{
	const struct binary *c = r->config;

	return c->plain[operand] && (r->op->variant == ADD || (r->op->variant == SUB && operand == 0));
}

static void write_gradient(const struct op_run *r, size_t operand)
{
	const struct binary *c = r->config;
	float *target = r->in[operand].grad;

	if (passes_through(r, operand)) {
		memcpy(target, r->out->grad, r->rows * c->count * sizeof(*target));
		return;
	}
	for (size_t n = 0; n < r->rows; n++)
		sample_gradient(r, operand, n, target + n * c->counts[operand]);
}

static void reduce_gradient(const struct op_run *r, size_t operand)
{
	const struct binary *c = r->config;
	struct reduce_rows f = { .rows = r->out->grad, .samples = r->rows, .count = c->counts[operand], .scale = 1.0f };
	float *rows = r->scratch + c->count;

	if (!passes_through(r, operand)) {
		for (size_t n = 0; n < r->rows; n++)
			sample_gradient(r, operand, n, rows + n * f.count);
		f.rows = rows;
	}
	reduce_add_rows(r->in[operand].reduce, &f);
}

static void backward(const struct op_run *r)
{
	for (size_t i = 0; i < 2; i++) {
		if (r->in[i].grad)
			write_gradient(r, i);
		else if (r->in[i].reduce)
			reduce_gradient(r, i);
	}
}

/* ---- integers ---- */

static int fold_one(int variant, struct op_integer x, struct op_integer y, struct op_integer *out,
		    struct exp_error *err)
{
	bool overflow = false;

	*out = (struct op_integer){ .per_row = x.per_row || y.per_row };
	if (variant == ADD)
		overflow = __builtin_add_overflow(x.value, y.value, &out->value) || x.per_row != y.per_row;
	else if (variant == SUB)
		overflow = __builtin_sub_overflow(x.value, y.value, &out->value) || x.per_row != y.per_row;
	else if (variant == MUL)
		overflow = __builtin_mul_overflow(x.value, y.value, &out->value) || (x.per_row && y.per_row);
	else if (y.value == 0 || (x.value == INT64_MIN && y.value == -1) || (y.per_row && !x.per_row) ||
		 x.value % y.value)
		overflow = true;
	else
		*out = (struct op_integer){ x.value / y.value, x.per_row && !y.per_row };
	return overflow ? error_set(err, EXP_EUNSUPPORTED,
				    "a size that is computed here overflows or mixes the batch with others")
			: 0;
}

static int fold(const struct op *op, struct op_build *b, struct exp_error *err)
{
	const struct op_integer *x, *y;
	struct op_integer *out;
	size_t p, q;
	int rc;

	if ((rc = op_need_integers(b, 0, &x, &p, err)) || (rc = op_need_integers(b, 1, &y, &q, err)))
		return rc;
	if (p != q && p != 1 && q != 1)
		return misfit(b, err);
	b->output->shape = b->inputs[q > p || b->inputs[1]->shape.rank > b->inputs[0]->shape.rank]->shape;
	rc = op_new_integers(b, &out, err);
	for (size_t i = 0; rc == 0 && i < shape_count(&b->output->shape); i++)
		rc = fold_one(op->variant, x[p == 1 ? 0 : i], y[q == 1 ? 0 : i], &out[i], err);
	b->output->integers = out;
	return rc;
}

#define BINARY(onnx_name, which)                                                                                       \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 2, .max_inputs = 2, .config_size = sizeof(struct binary),             \
		.variant = which, .infer = infer, .fold = fold, .forward = forward, .backward = backward               \
	}

const struct op op_add = BINARY("Add", ADD);
const struct op op_sub = BINARY("Sub", SUB);
const struct op op_mul = BINARY("Mul", MUL);
const struct op op_div = BINARY("Div", DIV);

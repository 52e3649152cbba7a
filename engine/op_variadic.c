/*
 * Sum, Mean, Max, Min of any number of inputs, element by element, with NumPy's broadcasting. A NaN wins.
 *
 *   Sum: dX_k = dY        Mean: dX_k = dY / inputs
 *   Max, Min: the inputs that equal Y share dY evenly, as PyTorch's maximum and minimum do
 */
#include <string.h>

#include "engine/elementwise.h"
#include "engine/kernels.h"

enum { SUM, MEAN, MAX, MIN };

struct variadic {
	struct elementwise *each; /* [inputs], each on its own */
	size_t count;             /* of the output */
	float share;              /* Mean: 1 / inputs */
};

/* ---- loops ---- */

/* z: the output's line, x: the input's. */
#define LOOP(name, element, expression)                                                                                \
	static void name(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,                   \
			 const void *config)                                                                           \
	{                                                                                                              \
		(void)config;                                                                                          \
		for (size_t r = 0; r < p->rows; r++) {                                                                 \
			const element *x = (const element *)arrays->in[0] + p->at[0] + r * p->row[0];                  \
			element *restrict z = (element *)arrays->out + p->out + r * p->n;                              \
                                                                                                                       \
			if (p->step[0])                                                                                \
				for (size_t i = 0; i < p->n; i++) {                                                    \
					const element a = x[i];                                                        \
					z[i] = (expression);                                                           \
				}                                                                                      \
			else                                                                                           \
				for (size_t i = 0; i < p->n; i++) {                                                    \
					const element a = *x;                                                          \
					z[i] = (expression);                                                           \
				}                                                                                      \
		}                                                                                                      \
	}

KERNEL LOOP(copy_floats, float, a) LOOP(copy_integers, int64_t, a) KERNEL LOOP(add_floats, float, z[i] + a) KERNEL
    LOOP(raise_floats, float, a > z[i] || a != a ? a : z[i]) KERNEL
    LOOP(lower_floats, float, a < z[i] || a != a ? a : z[i]) LOOP(raise_integers, int64_t, a > z[i] ? a : z[i])
	LOOP(lower_integers, int64_t, a < z[i] ? a : z[i])

    /* What Max and Min need to share a gradient: all of the output's shape. */
    struct shares {
	const float *y, *ties, *dy;
};

/* Counts the inputs that equal the output. */
KERNEL static void count_ties(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,
			      const void *config)
{
	const struct shares *s = config;

	for (size_t r = 0; r < p->rows; r++) {
		const float *x = (const float *)arrays->in[0] + p->at[0] + r * p->row[0];
		const float *y = s->y + p->out + r * p->n;
		float *restrict z = (float *)arrays->out + p->out + r * p->n;

		for (size_t i = 0; i < p->n; i++)
			z[i] += x[i * p->step[0]] == y[i] ? 1.0f : 0.0f;
	}
}

KERNEL static void add_share(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,
			     const void *config)
{
	const struct shares *s = config;

	for (size_t r = 0; r < p->rows; r++) {
		size_t at = p->out + r * p->n;
		const float *x = (const float *)arrays->in[0] + p->at[0] + r * p->row[0];
		float *restrict z = (float *)arrays->out + at;

		for (size_t i = 0; i < p->n; i++)
			z[i] += x[i * p->step[0]] == s->y[at + i] ? s->dy[at + i] / s->ties[at + i] : 0.0f;
	}
}

/* ---- shapes ---- */

static int infer_each(struct op_build *b, struct variadic *c, struct exp_error *err)
{
	size_t scratch = 0;

	for (size_t i = 0; i < b->input_count; i++) {
		int rc = elementwise_place(b, i, 1, &c->each[i], err);

		if (rc)
			return rc;
		if (b->op->variant == SUM && i < 32)
			b->passes |= (unsigned)c->each[i].plain[0] << i;
		scratch = b->scratch > scratch ? b->scratch : scratch;
		b->scratch = 0;
	}
	b->scratch = scratch;
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct variadic *c = b->config;
	bool integers = b->inputs[0] && b->inputs[0]->type == TENSOR_I64 && b->op->variant >= MAX;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < b->input_count; i++)
		rc = op_need(b, i, integers ? TENSOR_I64 : TENSOR_F32, err);
	if (rc || (rc = op_broadcast(b, 0, b->input_count - 1, err)))
		return rc;
	if (!shape_try_count(&b->outputs[0]->shape, &c->count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	b->outputs[0]->type = b->inputs[0]->type;
	b->outputs[0]->onnx_type = b->inputs[0]->onnx_type;
	c->share = 1.0f / (float)b->input_count;
	c->each = arena_try_alloc(b->arena, b->input_count, sizeof(*c->each));
	b->flops = (b->input_count - 1) * (uint64_t)c->count;
	return c->each ? infer_each(b, c, err) : error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
}

/* ---- the operator ---- */

KERNEL static void scale(float *y, float a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] *= a;
}

static elementwise_loop next_loop(const struct op_run *r)
{
	static const elementwise_loop floats[] = { add_floats, add_floats, raise_floats, lower_floats };

	if (r->out->value->type == TENSOR_F32)
		return floats[r->op->variant];
	return r->op->variant == MAX ? raise_integers : lower_integers;
}

static void forward(const struct op_run *r)
{
	const struct variadic *c = r->config;
	elementwise_loop first = r->out->value->type == TENSOR_F32 ? copy_floats : copy_integers;

	for (size_t i = 0; i < r->in_count; i++) {
		struct elementwise_arrays a = { .out = r->out->data, .in = { r->in[i].data } };

		if (i > 0 || r->in[0].data != r->out->data)
			elementwise_run(&c->each[i], i ? next_loop(r) : first, &a, NULL);
	}
	if (r->op->variant == MEAN)
		scale(r->out->f, c->share, c->count);
}

static void sum_backward(const struct op_run *r)
{
	const struct variadic *c = r->config;
	const float *g = r->out->grad;

	if (r->op->variant == MEAN) {
		kernel_scale(r->scratch, g, c->share, c->count);
		g = r->scratch;
	}
	for (size_t i = 0; i < r->in_count; i++)
		spread_back(&c->each[i].spread[0], &r->in[i], g, r->scratch + 2 * c->count);
}

/* The ties, and where one input's share is put. */
static struct shares count_shares(const struct op_run *r, const float *dy)
{
	const struct variadic *c = r->config;
	struct shares s = { .y = r->out->f, .ties = r->scratch, .dy = dy };

	memset(r->scratch, 0, c->count * sizeof(float));
	for (size_t i = 0; i < r->in_count; i++)
		elementwise_run(&c->each[i], count_ties,
				&(struct elementwise_arrays){ .out = r->scratch, .in = { r->in[i].data } }, &s);
	return s;
}

static void extreme_backward(const struct op_run *r)
{
	const struct variadic *c = r->config;
	struct shares s = count_shares(r, r->out->grad);
	float *g = r->scratch + c->count;

	for (size_t i = 0; i < r->in_count; i++) {
		if (!r->in[i].grad && !r->in[i].reduce)
			continue;
		memset(g, 0, c->count * sizeof(*g));
		elementwise_run(&c->each[i], add_share,
				&(struct elementwise_arrays){ .out = g, .in = { r->in[i].data } }, &s);
		spread_back(&c->each[i].spread[0], &r->in[i], g, g + c->count);
	}
}

static void extreme_tangent(const struct op_run *r)
{
	const struct variadic *c = r->config;
	float *whole = r->scratch + c->count;
	struct shares s = count_shares(r, whole);

	memset(r->out->tangent, 0, c->count * sizeof(float));
	for (size_t i = 0; i < r->in_count; i++) {
		if (!r->in[i].tangent)
			continue;
		strided_copy(&c->each[i].spread[0].map, sizeof(float), whole, r->in[i].tangent);
		elementwise_run(&c->each[i], add_share,
				&(struct elementwise_arrays){ .out = r->out->tangent, .in = { r->in[i].data } }, &s);
	}
}

#define VARIADIC(onnx_name, which, ...)                                                                                \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 1, .max_inputs = SIZE_MAX, .config_size = sizeof(struct variadic),    \
		.variant = which, .infer = infer, .forward = forward, __VA_ARGS__                                      \
	}

const struct op op_sum = VARIADIC("Sum", SUM, .flags = OP_LINEAR | OP_IN_PLACE, .backward = sum_backward);
const struct op op_mean = VARIADIC("Mean", MEAN, .flags = OP_LINEAR | OP_IN_PLACE, .backward = sum_backward);
const struct op op_max =
    VARIADIC("Max", MAX, .flags = OP_READS_OUTPUT, .backward = extreme_backward, .tangent = extreme_tangent);
const struct op op_min =
    VARIADIC("Min", MIN, .flags = OP_READS_OUTPUT, .backward = extreme_backward, .tangent = extreme_tangent);

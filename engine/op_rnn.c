/*
 * RNN: h' = a(W x + R h + b), a tanh or Relu (Elman, Cognitive Science 1990).
 */
#include <strings.h>

#include "engine/kernels_math.h"
#include "engine/recurrent.h"

KERNEL static void bend(float *restrict gates, float *restrict h, bool relu, size_t n)
{
	if (relu)
		for (size_t j = 0; j < n; j++)
			h[j] = math_select(gates[j] < 0, 0, gates[j]);
	else
		for (size_t j = 0; j < n; j++)
			h[j] = math_tanh(gates[j]);
	memcpy(gates, h, n * sizeof(float));
}

/* to = from times the slope where the function's value is y; to may be from, or y. */
KERNEL static void tilt(float *to, const float *from, const float *y, bool relu, size_t n)
{
#pragma GCC ivdep
	for (size_t j = 0; j < n; j++)
		to[j] = from[j] * (relu ? math_select(y[j] > 0, 1, 0) : 1 - y[j] * y[j]);
}

static void step(const struct recurrent_pass *p, size_t t)
{
	const struct recurrent *c = p->c;

	recurrent_drive(p, recurrent_gates(p, t), c->width, recurrent_before(p, 0, t), p->r, c->width);
	bend(recurrent_gates(p, t), recurrent_after(p, 0, t), c->relu, c->rows * c->hidden);
}

static void back(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden;
	float *gates = recurrent_gates(p, t);

	for (size_t row = 0; row < p->c->rows; row++) {
		if (recurrent_is_over(p, row, t)) {
			memset(gates + row * n, 0, n * sizeof(float));
			continue;
		}
		tilt(gates + row * n, p->grads[0] + row * n, gates + row * n, p->c->relu, n);
		memset(p->grads[0] + row * n, 0, n * sizeof(float));
	}
	recurrent_drive_back(p, p->grads[0], gates, n, p->r, n);
}

static void tangent(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden;
	float *moved = p->gate_tangents + t * p->c->rows * n;

	recurrent_drive(p, moved, n, p->tangents[0], p->r, n);
	if (p->r_tangent)
		recurrent_drive(p, moved, n, recurrent_before(p, 0, t), p->r_tangent, n);
	for (size_t row = 0; row < p->c->rows; row++)
		if (!recurrent_is_over(p, row, t))
			tilt(p->tangents[0] + row * n, moved + row * n, recurrent_gates(p, t) + row * n, p->c->relu, n);
}

static void reduce(const struct recurrent_pass *p, struct reduce *to)
{
	size_t n = p->c->hidden;
	struct recurrent_factor all = { .left = p->gates, .right = recurrent_before(p, 0, 0), .ld = n, .rows = n };

	recurrent_reduce(p, &all, to);
}

static const struct recurrent_cell cell = {
	.gates = 1, .states = 1, .step = step, .back = back, .tangent = tangent, .reduce = reduce
};

static int infer(struct op_build *b, struct exp_error *err)
{
	struct recurrent *c = b->config;
	const struct op_attribute *a = op_get(b, "activations");
	const char *name;
	int rc;

	c->relu = a && a->type == OP_STRINGS && a->count > 0 && strcasecmp(a->strings[0], "Relu") == 0;
	name = c->relu ? "Relu" : "Tanh";
	rc = recurrent_expect_activations(b, &name, 1, err);
	return rc ? rc : recurrent_infer(b, &cell, err);
}

const struct op op_rnn = {
	.name = "RNN",
	.min_inputs = 3,
	.max_inputs = 6,
	.max_outputs = 2,
	.attributes = "activations direction hidden_size layout",
	.config_size = sizeof(struct recurrent),
	.infer = infer,
	.forward = recurrent_forward,
	.backward = recurrent_backward,
	.tangent = recurrent_tangent,
};

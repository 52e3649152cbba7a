/*
 * LSTM (Hochreiter and Schmidhuber, Neural Computation 1997; with forget gates, Gers et al. 2000), as ONNX and PyTorch
 * have it. With the gates i, o, f and the candidate g in this order in W, R and B, and p the peepholes (none: zeros):
 *
 *   i = s(Wi x + Ri h + bi + pi c)   f = s(Wf x + Rf h + bf + pf c)   g = tanh(Wg x + Rg h + bg)
 *   c' = f c + i g                   o = s(Wo x + Ro h + bo + po c')  h' = o tanh(c')
 */
#include "engine/kernels_math.h"
#include "engine/recurrent.h"

enum { I, O, F, G, GATES };
enum { H, C };

/* A row of each array of a step; n numbers a gate. */
struct row {
	float *gates, *after_c, *after_h;
	const float *before_c, *peepholes;
	size_t n;
};

static struct row row_at(const struct recurrent_pass *p, size_t t, size_t row)
{
	size_t n = p->c->hidden;

	return (struct row){ .gates = recurrent_gates(p, t) + row * p->c->width,
			     .after_c = recurrent_after(p, C, t) + row * n,
			     .after_h = recurrent_after(p, H, t) + row * n,
			     .before_c = recurrent_before(p, C, t) + row * n,
			     .peepholes = p->peepholes,
			     .n = n };
}

KERNEL static void step_row(const struct row *r)
{
	float *gates = r->gates, *after_c = r->after_c, *after_h = r->after_h;
	const float *before = r->before_c, *p = r->peepholes;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++) {
		float i = math_sigmoid(gates[I * n + j] + p[I * n + j] * before[j]);
		float f = math_sigmoid(gates[F * n + j] + p[F * n + j] * before[j]);
		float g = math_tanh(gates[G * n + j]), c = f * before[j] + i * g;
		float o = math_sigmoid(gates[O * n + j] + p[O * n + j] * c);

		gates[I * n + j] = i;
		gates[O * n + j] = o;
		gates[F * n + j] = f;
		gates[G * n + j] = g;
		after_c[j] = c;
		after_h[j] = o * math_tanh(c);
	}
}

static void step(const struct recurrent_pass *p, size_t t)
{
	size_t width = p->c->width;

	recurrent_drive(p, recurrent_gates(p, t), width, recurrent_before(p, H, t), p->r, width);
	for (size_t row = 0; row < p->c->rows; row++) {
		struct row r = row_at(p, t, row);

		step_row(&r);
	}
}

KERNEL static void back_row(const struct row *r, float *dh, float *dc)
{
	float *gates = r->gates;
	const float *before = r->before_c, *after = r->after_c, *p = r->peepholes;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++) {
		float i = gates[I * n + j], o = gates[O * n + j], f = gates[F * n + j], g = gates[G * n + j];
		float bent = math_tanh(after[j]), output = dh[j] * bent * o * (1 - o);
		float c = dc[j] + dh[j] * o * (1 - bent * bent) + output * p[O * n + j];
		float input = c * g * i * (1 - i), forget = c * before[j] * f * (1 - f);

		gates[I * n + j] = input;
		gates[O * n + j] = output;
		gates[F * n + j] = forget;
		gates[G * n + j] = c * i * (1 - g * g);
		dc[j] = c * f + input * p[I * n + j] + forget * p[F * n + j];
		dh[j] = 0;
	}
}

static void back(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden, width = p->c->width;

	for (size_t row = 0; row < p->c->rows; row++) {
		struct row r = row_at(p, t, row);

		if (recurrent_is_over(p, row, t))
			memset(r.gates, 0, width * sizeof(float));
		else
			back_row(&r, p->grads[H] + row * n, p->grads[C] + row * n);
	}
	recurrent_drive_back(p, p->grads[H], recurrent_gates(p, t), width, p->r, width);
}

/* moved: the tangents of what the gates' functions are applied to, without the peepholes' part. */
KERNEL static void tangent_row(const struct row *r, const float *moved, const float *tp, float *th, float *tc)
{
	const float *gates = r->gates, *before = r->before_c, *after = r->after_c, *p = r->peepholes;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++) {
		float i = gates[I * n + j], o = gates[O * n + j], f = gates[F * n + j], g = gates[G * n + j];
		float di = moved[I * n + j] + p[I * n + j] * tc[j] + tp[I * n + j] * before[j];
		float df = moved[F * n + j] + p[F * n + j] * tc[j] + tp[F * n + j] * before[j];
		float c = df * f * (1 - f) * before[j] + f * tc[j] + di * i * (1 - i) * g +
			  i * moved[G * n + j] * (1 - g * g);
		float out = moved[O * n + j] + p[O * n + j] * c + tp[O * n + j] * after[j], bent = math_tanh(after[j]);

		tc[j] = c;
		th[j] = out * o * (1 - o) * bent + o * (1 - bent * bent) * c;
	}
}

static void tangent(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden, width = p->c->width;
	float *moved = p->gate_tangents + t * p->c->rows * width;

	recurrent_drive(p, moved, width, p->tangents[H], p->r, width);
	if (p->r_tangent)
		recurrent_drive(p, moved, width, recurrent_before(p, H, t), p->r_tangent, width);
	for (size_t row = 0; row < p->c->rows; row++) {
		struct row r = row_at(p, t, row);

		if (!recurrent_is_over(p, row, t))
			tangent_row(&r, moved + row * width, p->peephole_tangent, p->tangents[H] + row * n,
				    p->tangents[C] + row * n);
	}
}

static void reduce(const struct recurrent_pass *p, struct reduce *to)
{
	size_t width = p->c->width;
	struct recurrent_factor all = {
		.left = p->gates, .right = recurrent_before(p, H, 0), .ld = width, .rows = width
	};

	recurrent_reduce(p, &all, to);
}

static const struct recurrent_cell cell = {
	.gates = GATES, .states = 2, .step = step, .back = back, .tangent = tangent, .reduce = reduce
};

static int infer(struct op_build *b, struct exp_error *err)
{
	static const char *const activations[] = { "Sigmoid", "Tanh", "Tanh" };
	int64_t coupled = 0;
	int rc;

	if ((rc = recurrent_expect_activations(b, activations, 3, err)) ||
	    (rc = op_get_int(b, "input_forget", &coupled, err)))
		return rc;
	if (coupled)
		return error_set(err, EXP_EUNSUPPORTED, "coupled input and forget gates are not supported");
	return recurrent_infer(b, &cell, err);
}

const struct op op_lstm = {
	.name = "LSTM",
	.min_inputs = 3,
	.max_inputs = 8,
	.max_outputs = 3,
	.attributes = "activations direction hidden_size input_forget layout",
	.config_size = sizeof(struct recurrent),
	.infer = infer,
	.forward = recurrent_forward,
	.backward = recurrent_backward,
	.tangent = recurrent_tangent,
};

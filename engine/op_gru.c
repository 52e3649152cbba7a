/*
 * GRU (Cho et al., EMNLP 2014). With the gates z (update), r (reset) and the candidate g in this order in W, R and B:
 *
 *   z = s(Wz x + Rz h + bz)   r = s(Wr x + Rr h + br)   h' = (1 - z) g + z h
 *   g = tanh(Wg x + wg + Rg (r h) + rg)                 as published
 *   g = tanh(Wg x + wg + r (Rg h + rg))                 with linear_before_reset: PyTorch's, cuDNN's
 *
 * wg and rg are the candidate's biases of W and of R. What the reset gate has to do with is kept for the way back: r h,
 * or Rg h + rg.
 */
#include "engine/kernels_math.h"
#include "engine/recurrent.h"

enum { Z, R, G, GATES };

/* A row of each array of a step; n numbers a gate. */
struct row {
	float *gates, *kept, *after;
	const float *before;
	size_t n;
};

static struct row row_at(const struct recurrent_pass *p, size_t t, size_t row)
{
	size_t n = p->c->hidden;

	return (struct row){ .gates = recurrent_gates(p, t) + row * p->c->width,
			     .kept = recurrent_kept(p, t) + row * n,
			     .after = recurrent_after(p, 0, t) + row * n,
			     .before = recurrent_before(p, 0, t) + row * n,
			     .n = n };
}

/* The candidate's rows of R, or of its tangent. */
static const float *candidate(const struct recurrent_pass *p, const float *r)
{
	return r + G * p->c->hidden * p->c->hidden;
}

/* ---- step ---- */

KERNEL static void open_gates(const struct row *r)
{
	float *gates = r->gates;
	size_t n = r->n;

	for (size_t j = 0; j < G * n; j++)
		gates[j] = math_sigmoid(gates[j]);
}

KERNEL static void reset(const struct row *r)
{
	float *kept = r->kept;
	const float *gate = r->gates + R * r->n, *before = r->before;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++)
		kept[j] = gate[j] * before[j];
}

KERNEL static void reset_product(const struct row *r)
{
	float *g = r->gates + G * r->n;
	const float *gate = r->gates + R * r->n, *kept = r->kept;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++)
		g[j] += gate[j] * kept[j];
}

KERNEL static void update(const struct row *r)
{
	float *gates = r->gates, *after = r->after;
	const float *before = r->before;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++) {
		float g = math_tanh(gates[G * n + j]);

		gates[G * n + j] = g;
		after[j] = g + gates[Z * n + j] * (before[j] - g);
	}
}

/* kept [B, H] = Rg h + rg */
static void keep_product(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden;
	float *kept = recurrent_kept(p, t);

	if (p->bias)
		kernel_copy_rows(kept, p->bias + p->c->width + G * n, p->c->rows, n);
	else
		memset(kept, 0, p->c->rows * n * sizeof(float));
	recurrent_drive(p, kept, n, recurrent_before(p, 0, t), candidate(p, p->r), n);
}

static void step(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden, width = p->c->width;
	bool before_reset = p->c->linear_before_reset;

	recurrent_drive(p, recurrent_gates(p, t), width, recurrent_before(p, 0, t), p->r, G * n);
	if (before_reset)
		keep_product(p, t);
	for (size_t row = 0; row < p->c->rows; row++) {
		struct row r = row_at(p, t, row);

		open_gates(&r);
		if (before_reset)
			reset_product(&r);
		else
			reset(&r);
	}
	if (!before_reset)
		recurrent_drive(p, recurrent_gates(p, t) + G * n, width, recurrent_kept(p, t), candidate(p, p->r), n);
	for (size_t row = 0; row < p->c->rows; row++) {
		struct row r = row_at(p, t, row);

		update(&r);
	}
}

/* ---- back ---- */

/* Gradients of z and the candidate; dh: what goes past the gates. */
KERNEL static void back_update(const struct row *r, float *dh)
{
	float *gates = r->gates;
	const float *before = r->before;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++) {
		float z = gates[Z * n + j], g = gates[G * n + j];

		gates[Z * n + j] = dh[j] * (before[j] - g) * z * (1 - z);
		gates[G * n + j] = dh[j] * (1 - z) * (1 - g * g);
		dh[j] *= z;
	}
}

/* back: the gradient by r h. */
KERNEL static void back_reset(const struct row *r, const float *back, float *dh)
{
	float *gate = r->gates + R * r->n;
	const float *before = r->before;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++) {
		dh[j] += back[j] * gate[j];
		gate[j] = back[j] * before[j] * gate[j] * (1 - gate[j]);
	}
}

KERNEL static void back_reset_product(const struct row *r)
{
	float *gates = r->gates, *kept = r->kept;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++) {
		float g = gates[G * n + j], gate = gates[R * n + j];

		gates[R * n + j] = g * kept[j] * gate * (1 - gate);
		kept[j] = g * gate;
	}
}

static void back_first(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden;

	for (size_t row = 0; row < p->c->rows; row++) {
		struct row r = row_at(p, t, row);

		if (recurrent_is_over(p, row, t)) {
			memset(r.gates, 0, GATES * n * sizeof(float));
			memset(r.kept, 0, n * sizeof(float));
			continue;
		}
		back_update(&r, p->grads[0] + row * n);
		if (p->c->linear_before_reset)
			back_reset_product(&r);
	}
}

static void back(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden, width = p->c->width;
	float *gates = recurrent_gates(p, t), *dh = p->grads[0];

	back_first(p, t);
	if (p->c->linear_before_reset) {
		recurrent_drive_back(p, dh, recurrent_kept(p, t), n, candidate(p, p->r), n);
	} else {
		memset(p->spare, 0, p->c->rows * n * sizeof(float));
		recurrent_drive_back(p, p->spare, gates + G * n, width, candidate(p, p->r), n);
		for (size_t row = 0; row < p->c->rows; row++) {
			struct row r = row_at(p, t, row);

			back_reset(&r, p->spare + row * n, dh + row * n);
		}
	}
	recurrent_drive_back(p, dh, gates, width, p->r, G * n);
}

/* ---- forward mode ---- */

/* moved: tangents of what the gates' functions are applied to; here of r itself. */
KERNEL static void tangent_gate(const struct row *r, float *moved)
{
	const float *gate = r->gates + R * r->n;
	size_t n = r->n;

	moved += R * n;
#pragma GCC ivdep
	for (size_t j = 0; j < n; j++)
		moved[j] *= gate[j] * (1 - gate[j]);
}

/* to = tangent of r h, where first is h and tangent its own; or to += r (Rg h + rg)'s. */
KERNEL static void tangent_product(float *to, const float *gate, const float *gate_tangent, const float *first,
				   const float *tangent, size_t n)
{
#pragma GCC ivdep
	for (size_t j = 0; j < n; j++)
		to[j] += gate_tangent[j] * first[j] + gate[j] * tangent[j];
}

KERNEL static void tangent_update(const struct row *r, const float *moved, float *th)
{
	const float *gates = r->gates, *before = r->before;
	size_t n = r->n;

#pragma GCC ivdep
	for (size_t j = 0; j < n; j++) {
		float z = gates[Z * n + j], g = gates[G * n + j], tz = moved[Z * n + j] * z * (1 - z);
		float tg = moved[G * n + j] * (1 - g * g);

		th[j] = tg + tz * (before[j] - g) + z * (th[j] - tg);
	}
}

/* spare [B, H] = the tangent of Rg h + rg. */
static void product_tangent(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden;

	if (p->bias_tangent)
		kernel_copy_rows(p->spare, p->bias_tangent + p->c->width + G * n, p->c->rows, n);
	else
		memset(p->spare, 0, p->c->rows * n * sizeof(float));
	recurrent_drive(p, p->spare, n, p->tangents[0], candidate(p, p->r), n);
	if (p->r_tangent)
		recurrent_drive(p, p->spare, n, recurrent_before(p, 0, t), candidate(p, p->r_tangent), n);
}

/* Adds to the candidate's tangent what comes through the reset gate. */
static void candidate_tangent(const struct recurrent_pass *p, size_t t, float *moved)
{
	size_t n = p->c->hidden, width = p->c->width;
	bool before_reset = p->c->linear_before_reset;

	if (before_reset)
		product_tangent(p, t);
	else
		memset(p->spare, 0, p->c->rows * n * sizeof(float));
	for (size_t row = 0; row < p->c->rows; row++) {
		struct row r = row_at(p, t, row);
		float *own = moved + row * width, *spare = p->spare + row * n;

		tangent_gate(&r, own);
		if (before_reset)
			tangent_product(own + G * n, r.gates + R * n, own + R * n, r.kept, spare, n);
		else
			tangent_product(spare, r.gates + R * n, own + R * n, r.before, p->tangents[0] + row * n, n);
	}
	if (before_reset)
		return;
	recurrent_drive(p, moved + G * n, width, p->spare, candidate(p, p->r), n);
	if (p->r_tangent)
		recurrent_drive(p, moved + G * n, width, recurrent_kept(p, t), candidate(p, p->r_tangent), n);
}

static void tangent(const struct recurrent_pass *p, size_t t)
{
	size_t n = p->c->hidden, width = p->c->width;
	float *moved = p->gate_tangents + t * p->c->rows * width;

	recurrent_drive(p, moved, width, p->tangents[0], p->r, G * n);
	if (p->r_tangent)
		recurrent_drive(p, moved, width, recurrent_before(p, 0, t), p->r_tangent, G * n);
	candidate_tangent(p, t, moved);
	for (size_t row = 0; row < p->c->rows; row++) {
		struct row r = row_at(p, t, row);

		if (!recurrent_is_over(p, row, t))
			tangent_update(&r, moved + row * width, p->tangents[0] + row * n);
	}
}

/* ---- the operator ---- */

static void reduce(const struct recurrent_pass *p, struct reduce *to)
{
	size_t n = p->c->hidden, width = p->c->width;
	const float *before = recurrent_before(p, 0, 0);
	struct recurrent_factor gates = { .left = p->gates, .right = before, .ld = width, .rows = G * n };
	struct recurrent_factor rest = {
		.left = p->gates + G * n, .right = p->kept, .ld = width, .first = G * n, .rows = n
	};

	if (p->c->linear_before_reset)
		rest =
		    (struct recurrent_factor){ .left = p->kept, .right = before, .ld = n, .first = G * n, .rows = n };
	recurrent_reduce(p, &gates, to);
	recurrent_reduce(p, &rest, to);
}

static const struct recurrent_cell cell = {
	.gates = GATES, .states = 1, .keeps = true, .step = step, .back = back, .tangent = tangent, .reduce = reduce
};

static int infer(struct op_build *b, struct exp_error *err)
{
	static const char *const activations[] = { "Sigmoid", "Tanh" };
	struct recurrent *c = b->config;
	int64_t before_reset = 0;
	int rc;

	if ((rc = recurrent_expect_activations(b, activations, 2, err)) ||
	    (rc = op_get_int(b, "linear_before_reset", &before_reset, err)))
		return rc;
	c->linear_before_reset = before_reset != 0;
	return recurrent_infer(b, &cell, err);
}

const struct op op_gru = {
	.name = "GRU",
	.min_inputs = 3,
	.max_inputs = 6,
	.max_outputs = 2,
	.attributes = "activations direction hidden_size layout linear_before_reset",
	.config_size = sizeof(struct recurrent),
	.infer = infer,
	.forward = recurrent_forward,
	.backward = recurrent_backward,
	.tangent = recurrent_tangent,
};

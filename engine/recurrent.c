#include "engine/recurrent.h"

#include <string.h>

#include "engine/blas.h"
#include "engine/kernels.h"

/* ---- where things are ---- */

bool recurrent_is_over(const struct recurrent_pass *p, size_t row, size_t t)
{
	return p->lengths && (int64_t)t >= p->lengths[row % p->c->lengths];
}

static size_t state_floats(const struct recurrent *c)
{
	return c->rows * c->hidden;
}

float *recurrent_gates(const struct recurrent_pass *p, size_t t)
{
	return p->gates + t * p->c->rows * p->c->width;
}

float *recurrent_kept(const struct recurrent_pass *p, size_t t)
{
	return p->kept + t * state_floats(p->c);
}

float *recurrent_before(const struct recurrent_pass *p, size_t state, size_t t)
{
	return p->states[state] + (p->reverse ? t + 1 : t) * state_floats(p->c);
}

float *recurrent_after(const struct recurrent_pass *p, size_t state, size_t t)
{
	return p->states[state] + (p->reverse ? t : t + 1) * state_floats(p->c);
}

/* The time of a direction's step s. */
static size_t time_of(const struct recurrent_pass *p, size_t s)
{
	return p->reverse ? p->c->times - 1 - s : s;
}

/* ---- scratch ---- */

enum purpose { FORWARD, BACKWARD, TANGENT };

struct room {
	float *at; /* NULL: only counted */
	size_t floats;
};

static float *take(struct room *room, size_t floats)
{
	float *taken = room->at ? room->at + room->floats : NULL;

	room->floats += (floats + 15) / 16 * 16;
	return taken;
}

/* Gives the pass its arrays; afterwards room->floats is what they need. Scratch of reductions comes last: its size
 * matters to who counts only. */
static void furnish(struct recurrent_pass *p, enum purpose purpose, size_t reduce_scratch, struct room *room)
{
	const struct recurrent *c = p->c;
	size_t gates = c->times * c->rows * c->width, state = state_floats(c);

	p->zeros = take(room, 3 * c->hidden);
	p->gates = take(room, gates);
	for (size_t i = 0; i < c->cell->states; i++)
		p->states[i] = take(room, (c->times + 1) * state);
	if (c->cell->keeps)
		p->kept = take(room, c->times * state);
	p->spare = take(room, state);
	if (purpose == BACKWARD) {
		for (size_t i = 0; i < c->cell->states; i++)
			p->grads[i] = take(room, state);
		p->sums = take(room, c->samples * 2 * c->width);
		p->scratch = take(room, reduce_scratch);
	}
	if (purpose == TANGENT) {
		p->gate_tangents = take(room, gates);
		for (size_t i = 0; i < c->cell->states; i++)
			p->tangents[i] = take(room, state);
	}
}

static struct reduce_factors factors_of(const struct recurrent *c, size_t rows, size_t cols)
{
	return (struct reduce_factors){
		.samples = c->samples, .outer = c->times, .positions = c->each, .rows = rows, .cols = cols, .scale = 1
	};
}

static struct reduce_side over_rows(const struct recurrent *c, const float *data, size_t ld)
{
	return (struct reduce_side){
		.data = data, .sample = c->each * ld, .outer = c->rows * ld, .position = ld, .element = 1
	};
}

static struct reduce_factors input_factors(const struct recurrent *c, const float *gates, const float *x)
{
	struct reduce_factors f = factors_of(c, c->width, c->inputs);

	f.left = over_rows(c, gates, c->width);
	f.right = (struct reduce_side){
		.data = x, .sample = c->each * c->x.row, .outer = c->x.time, .position = c->x.row, .element = 1
	};
	return f;
}

static struct reduce_factors state_factors(const struct recurrent *c, const struct recurrent_factor *f)
{
	struct reduce_factors factors = factors_of(c, f->rows, c->hidden);

	factors.left = over_rows(c, f->left, f->ld);
	factors.right = over_rows(c, f->right, c->hidden);
	return factors;
}

static size_t scratch_for(const struct recurrent *c, enum purpose purpose, size_t reduce_scratch)
{
	struct recurrent_pass p = { .c = c };
	struct room room = { 0 };

	furnish(&p, purpose, reduce_scratch, &room);
	return room.floats;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

size_t recurrent_scratch(const struct recurrent *c, size_t *reduce_scratch)
{
	struct recurrent_factor all = { .ld = c->width, .rows = c->width };
	struct reduce_factors w = input_factors(c, NULL, NULL), r = state_factors(c, &all);

	*reduce_scratch = larger(reduce_scratch_factors(&w), reduce_scratch_factors(&r));
	return larger(larger(scratch_for(c, FORWARD, 0), scratch_for(c, TANGENT, 0)),
		      scratch_for(c, BACKWARD, *reduce_scratch));
}

/* ---- products ---- */

void recurrent_drive(const struct recurrent_pass *p, float *out, size_t ld, const float *states, const float *weights,
		     size_t count)
{
	blas_multiply(&(struct blas_product){ .a = states,
					      .b = weights,
					      .c = out,
					      .m = p->c->rows,
					      .n = count,
					      .k = p->c->hidden,
					      .trans_b = true,
					      .alpha = 1,
					      .beta = 1,
					      .ldc = ld });
}

void recurrent_drive_back(const struct recurrent_pass *p, float *out, const float *grads, size_t ld,
			  const float *weights, size_t count)
{
	blas_multiply(&(struct blas_product){ .a = grads,
					      .b = weights,
					      .c = out,
					      .m = p->c->rows,
					      .n = p->c->hidden,
					      .k = count,
					      .alpha = 1,
					      .beta = 1,
					      .lda = ld });
}

/* All times at once where their rows follow each other. */
static size_t block_rows(const struct recurrent *c)
{
	return c->batch_first ? c->rows : c->times * c->rows;
}

/* gates [T, B, width] += x W^T */
static void add_inputs(const struct recurrent_pass *p, float *gates, const float *x, const float *w)
{
	const struct recurrent *c = p->c;
	size_t block = block_rows(c);

	for (size_t first = 0, t = 0; first < c->times * c->rows; first += block, t++)
		blas_multiply(&(struct blas_product){ .a = x + t * c->x.time,
						      .b = w,
						      .c = gates + first * c->width,
						      .m = block,
						      .n = c->width,
						      .k = c->inputs,
						      .trans_b = true,
						      .alpha = 1,
						      .beta = 1,
						      .lda = c->x.row });
}

/* The gradient by x, written or, in a second direction, added to. */
static void give_inputs(const struct recurrent_pass *p, float *grad)
{
	const struct recurrent *c = p->c;
	size_t block = block_rows(c);

	for (size_t first = 0, t = 0; first < c->times * c->rows; first += block, t++)
		blas_multiply(&(struct blas_product){ .a = p->gates + first * c->width,
						      .b = p->w,
						      .c = grad + t * c->x.time,
						      .m = block,
						      .n = c->inputs,
						      .k = c->width,
						      .alpha = 1,
						      .beta = p->direction ? 1 : 0,
						      .ldc = c->x.row });
}

/* Both biases on every row; where R's product stands beside the reset gate, the cell adds R's bias to it. */
static void start_gates(const struct recurrent *c, float *gates, const float *bias)
{
	size_t rows = c->times * c->rows, joined = c->linear_before_reset ? c->width - c->hidden : c->width;

	if (!bias) {
		memset(gates, 0, rows * c->width * sizeof(float));
		return;
	}
	memcpy(gates, bias, c->width * sizeof(float));
	kernel_add(gates, bias + c->width, joined);
	kernel_copy_rows(gates + c->width, gates, rows - 1, c->width);
}

/* ---- a direction ---- */

static const float *input_of(const struct op_run *r, size_t i, size_t direction, bool tangent)
{
	const float *whole;

	if (i >= r->in_count || !r->in[i].value)
		return NULL;
	whole = tangent ? r->in[i].tangent : r->in[i].f;
	return whole ? whole + direction * (r->in[i].value->count / ((const struct recurrent *)r->config)->directions)
		     : NULL;
}

static void open_pass(struct recurrent_pass *p, const struct op_run *r, enum purpose purpose, size_t direction)
{
	const struct recurrent *c = r->config;
	struct room room = { .at = r->scratch };

	*p = (struct recurrent_pass){ .c = c,
				      .run = r,
				      .direction = direction,
				      .reverse = direction == 1 || c->first_is_reverse,
				      .w = input_of(r, RECURRENT_W, direction, false),
				      .r = input_of(r, RECURRENT_R, direction, false),
				      .bias = input_of(r, RECURRENT_B, direction, false),
				      .peepholes = input_of(r, RECURRENT_P, direction, false),
				      .lengths = c->lengths ? r->in[RECURRENT_LENGTHS].i : NULL };
	furnish(p, purpose, 0, &room);
	memset(p->zeros, 0, 3 * c->hidden * sizeof(float));
	if (!p->peepholes)
		p->peepholes = p->zeros;
}

/* to [B, H]: what is given for the states, or zeros. */
static void load_initial(const struct recurrent_pass *p, size_t state, const float *from, float *to)
{
	const struct recurrent *c = p->c;
	size_t rows = c->shared[state] ? c->each : c->rows;
	size_t direction = c->batch_first ? c->hidden : rows * c->hidden;

	if (!c->initial[state] || !from) {
		memset(to, 0, state_floats(c) * sizeof(float));
		return;
	}
	for (size_t row = 0; row < c->rows; row++)
		memcpy(to + row * c->hidden, from + p->direction * direction + row % rows * c->state.row,
		       c->hidden * sizeof(float));
}

static void load_initials(const struct recurrent_pass *p)
{
	for (size_t i = 0; i < p->c->cell->states; i++)
		load_initial(p, i, p->c->initial[i] ? p->run->in[RECURRENT_INITIAL + i].f : NULL,
			     recurrent_before(p, i, time_of(p, 0)));
}

/* A sequence that is over is as it was. */
static void hold(const struct recurrent_pass *p, size_t t)
{
	size_t h = p->c->hidden;

	for (size_t row = 0; row < p->c->rows; row++) {
		if (!recurrent_is_over(p, row, t))
			continue;
		for (size_t i = 0; i < p->c->cell->states; i++)
			memcpy(recurrent_after(p, i, t) + row * h, recurrent_before(p, i, t) + row * h,
			       h * sizeof(float));
	}
}

static void run_forward(const struct recurrent_pass *p)
{
	const struct recurrent *c = p->c;

	start_gates(c, p->gates, p->bias);
	add_inputs(p, p->gates, p->run->in[RECURRENT_X].f, p->w);
	load_initials(p);
	for (size_t s = 0; s < c->times; s++) {
		c->cell->step(p, time_of(p, s));
		hold(p, time_of(p, s));
	}
}

/* Rows [B, H] of one time to their places in Y, those that are over as zeros. */
static void put_times(const struct recurrent_pass *p, size_t t, const float *rows, float *y)
{
	const struct recurrent *c = p->c;

	y += t * c->y.time + p->direction * c->y.direction;
	for (size_t row = 0; row < c->rows; row++) {
		if (recurrent_is_over(p, row, t))
			memset(y + row * c->y.row, 0, c->hidden * sizeof(float));
		else
			memcpy(y + row * c->y.row, rows + row * c->hidden, c->hidden * sizeof(float));
	}
}

/* Rows [B, H] to and from their places among final or initial states. */
static void put_states(const struct recurrent_pass *p, const float *rows, float *to)
{
	const struct recurrent *c = p->c;

	to += p->direction * c->state.direction;
	for (size_t row = 0; row < c->rows; row++)
		memcpy(to + row * c->state.row, rows + row * c->hidden, c->hidden * sizeof(float));
}

static void take_states(const struct recurrent_pass *p, const float *from, float *rows)
{
	const struct recurrent *c = p->c;

	from += p->direction * c->state.direction;
	for (size_t row = 0; row < c->rows; row++)
		memcpy(rows + row * c->hidden, from + row * c->state.row, c->hidden * sizeof(float));
}

void recurrent_forward(const struct op_run *r)
{
	const struct recurrent *c = r->config;
	struct recurrent_pass p;

	for (size_t d = 0; d < c->directions; d++) {
		open_pass(&p, r, FORWARD, d);
		run_forward(&p);
		for (size_t t = 0; r->out[0].f && t < c->times; t++)
			put_times(&p, t, recurrent_after(&p, 0, t), r->out[0].f);
		for (size_t i = 0; i < c->cell->states && i + 1 < r->out_count; i++)
			if (r->out[i + 1].f)
				put_states(&p, recurrent_after(&p, i, time_of(&p, c->times - 1)), r->out[i + 1].f);
	}
}

/* ---- backward ---- */

/* Where the gradient of weight i goes; NULL: nowhere. A whole gradient is a sum over one sample. */
static struct reduce *sink_of(const struct recurrent_pass *p, size_t i, struct reduce *own)
{
	const struct op_input *in = i < p->run->in_count ? &p->run->in[i] : NULL;

	if (!in || in->reduce || !in->grad)
		return in ? in->reduce : NULL;
	*own = (struct reduce){
		.kind = REDUCE_SUM, .floats = in->value->count, .samples = 1, .out = in->grad, .scratch = p->scratch
	};
	return own;
}

void recurrent_reduce(const struct recurrent_pass *p, const struct recurrent_factor *f, struct reduce *to)
{
	const struct recurrent *c = p->c;
	struct reduce_factors factors = state_factors(c, f);

	factors.at = (p->direction * c->width + f->first) * c->hidden;
	reduce_add_factors(to, &factors);
}

static void reduce_inputs(const struct recurrent_pass *p, struct reduce *to)
{
	const struct recurrent *c = p->c;
	struct reduce_factors factors = input_factors(c, p->gates, p->run->in[RECURRENT_X].f);

	factors.at = p->direction * c->width * c->inputs;
	reduce_add_factors(to, &factors);
}

static void reduce_sums(const struct recurrent_pass *p, size_t count, struct reduce *to)
{
	struct reduce_rows rows = {
		.rows = p->sums, .samples = p->c->samples, .count = count, .scale = 1, .at = p->direction * count
	};

	reduce_add_rows(to, &rows);
}

/* sums [samples, 2 width] */
static void reduce_bias(const struct recurrent_pass *p, struct reduce *to)
{
	const struct recurrent *c = p->c;
	size_t h = c->hidden, width = c->width;

	memset(p->sums, 0, c->samples * 2 * width * sizeof(float));
	for (size_t t = 0; t < c->times; t++) {
		for (size_t row = 0; row < c->rows; row++) {
			float *sum = p->sums + row / c->each * 2 * width;

			kernel_add(sum, recurrent_gates(p, t) + row * width, width);
			if (c->linear_before_reset)
				kernel_add(sum + 2 * width - h, recurrent_kept(p, t) + row * h, h);
		}
	}
	for (size_t n = 0; n < c->samples; n++) {
		float *sum = p->sums + n * 2 * width;

		memcpy(sum + width, sum, (c->linear_before_reset ? width - h : width) * sizeof(float));
	}
	reduce_sums(p, 2 * width, to);
}

/* The gate's gradient times the state that its peephole shows: for the output gate the one after the step. */
static void add_peepholes(const struct recurrent_pass *p, size_t t, size_t row, float *sum)
{
	size_t h = p->c->hidden;
	const float *gates = recurrent_gates(p, t) + row * p->c->width;
	const float *before = recurrent_before(p, 1, t) + row * h, *after = recurrent_after(p, 1, t) + row * h;

	for (size_t j = 0; j < h; j++) {
		sum[j] += gates[j] * before[j];
		sum[h + j] += gates[h + j] * after[j];
		sum[2 * h + j] += gates[2 * h + j] * before[j];
	}
}

static void reduce_peepholes(const struct recurrent_pass *p, struct reduce *to)
{
	const struct recurrent *c = p->c;
	size_t count = 3 * c->hidden;

	memset(p->sums, 0, c->samples * count * sizeof(float));
	for (size_t t = 0; t < c->times; t++)
		for (size_t row = 0; row < c->rows; row++)
			add_peepholes(p, t, row, p->sums + row / c->each * count);
	reduce_sums(p, count, to);
}

static void give_weights(const struct recurrent_pass *p)
{
	struct reduce own, *to;

	if ((to = sink_of(p, RECURRENT_W, &own)))
		reduce_inputs(p, to);
	if ((to = sink_of(p, RECURRENT_R, &own)))
		p->c->cell->reduce(p, to);
	if ((to = sink_of(p, RECURRENT_B, &own)))
		reduce_bias(p, to);
	if ((to = sink_of(p, RECURRENT_P, &own)))
		reduce_peepholes(p, to);
}

static void give_initial(const struct recurrent_pass *p, size_t state)
{
	const struct recurrent *c = p->c;
	const struct op_input *in = &p->run->in[RECURRENT_INITIAL + state];
	size_t count = c->each * c->hidden;
	struct reduce_rows rows = {
		.rows = p->grads[state], .samples = c->samples, .count = count, .scale = 1, .at = p->direction * count
	};

	if (in->reduce)
		reduce_add_rows(in->reduce, &rows);
	else if (in->grad)
		put_states(p, p->grads[state], in->grad);
}

static void start_grads(const struct recurrent_pass *p)
{
	for (size_t i = 0; i < p->c->cell->states; i++) {
		const float *from = i + 1 < p->run->out_count ? p->run->out[i + 1].grad : NULL;

		if (from)
			take_states(p, from, p->grads[i]);
		else
			memset(p->grads[i], 0, state_floats(p->c) * sizeof(float));
	}
}

static void add_time(const struct recurrent_pass *p, size_t t, const float *grad)
{
	const struct recurrent *c = p->c;

	grad += t * c->y.time + p->direction * c->y.direction;
	for (size_t row = 0; row < c->rows; row++)
		if (!recurrent_is_over(p, row, t))
			kernel_add(p->grads[0] + row * c->hidden, grad + row * c->y.row, c->hidden);
}

static void run_backward(const struct recurrent_pass *p)
{
	const struct recurrent *c = p->c;

	start_grads(p);
	for (size_t s = c->times; s-- > 0;) {
		size_t t = time_of(p, s);

		if (p->run->out[0].grad)
			add_time(p, t, p->run->out[0].grad);
		c->cell->back(p, t);
	}
}

void recurrent_backward(const struct op_run *r)
{
	static const size_t weights[] = { RECURRENT_W, RECURRENT_R, RECURRENT_B, RECURRENT_P };
	const struct recurrent *c = r->config;
	struct recurrent_pass p;

	for (size_t k = 0; k < sizeof(weights) / sizeof(weights[0]); k++)
		if (weights[k] < r->in_count && r->in[weights[k]].grad)
			memset(r->in[weights[k]].grad, 0, r->in[weights[k]].value->count * sizeof(float));
	for (size_t d = 0; d < c->directions; d++) {
		open_pass(&p, r, BACKWARD, d);
		run_forward(&p);
		run_backward(&p);
		give_weights(&p);
		for (size_t i = 0; i < c->cell->states; i++)
			if (c->initial[i])
				give_initial(&p, i);
		if (r->in[RECURRENT_X].grad)
			give_inputs(&p, r->in[RECURRENT_X].grad);
	}
}

/* ---- forward mode ---- */

static void open_tangents(struct recurrent_pass *p)
{
	const struct op_run *r = p->run;
	const struct recurrent *c = p->c;
	const float *x = r->in[RECURRENT_X].tangent;

	p->w_tangent = input_of(r, RECURRENT_W, p->direction, true);
	p->r_tangent = input_of(r, RECURRENT_R, p->direction, true);
	p->bias_tangent = input_of(r, RECURRENT_B, p->direction, true);
	p->peephole_tangent = input_of(r, RECURRENT_P, p->direction, true);
	if (!p->peephole_tangent)
		p->peephole_tangent = p->zeros;
	start_gates(c, p->gate_tangents, p->bias_tangent);
	if (x)
		add_inputs(p, p->gate_tangents, x, p->w);
	if (p->w_tangent)
		add_inputs(p, p->gate_tangents, r->in[RECURRENT_X].f, p->w_tangent);
	for (size_t i = 0; i < c->cell->states; i++)
		load_initial(p, i, c->initial[i] ? r->in[RECURRENT_INITIAL + i].tangent : NULL, p->tangents[i]);
}

void recurrent_tangent(const struct op_run *r)
{
	const struct recurrent *c = r->config;
	struct recurrent_pass p;

	for (size_t d = 0; d < c->directions; d++) {
		open_pass(&p, r, TANGENT, d);
		run_forward(&p);
		open_tangents(&p);
		for (size_t s = 0; s < c->times; s++) {
			size_t t = time_of(&p, s);

			c->cell->tangent(&p, t);
			if (r->out[0].tangent)
				put_times(&p, t, p.tangents[0], r->out[0].tangent);
		}
		for (size_t i = 0; i < c->cell->states && i + 1 < r->out_count; i++)
			if (r->out[i + 1].tangent)
				put_states(&p, p.tangents[i], r->out[i + 1].tangent);
	}
}

#include "engine/elementwise.h"

#include <string.h>

#include "engine/kernels.h"

/* ---- shapes ---- */

static void set_steps(struct elementwise *e, size_t k, const struct shape *out, const struct shape *s)
{
	size_t lead = out->rank - s->rank;

	for (size_t d = 0; d < out->rank; d++) {
		bool moves = d >= lead && s->dims[d - lead] != 1;

		e->steps[k][d] = moves ? shape_span(s, d - lead + 1, s->rank) : 0;
	}
}

static bool may_join(const struct elementwise *e, size_t kept, size_t d)
{
	for (size_t k = 0; k < e->operands; k++)
		if (e->steps[k][kept] != e->steps[k][d] * e->dims[d])
			return false;
	return true;
}

/* Neighbouring dimensions along which all operands run on are one: fewer, longer rows. */
static void merge_dims(struct elementwise *e, const struct shape *out)
{
	e->rank = 0;
	for (size_t d = 0; d < out->rank; d++) {
		size_t last = e->rank ? e->rank - 1 : 0;
		bool joins;

		if (out->dims[d] == 1)
			continue;
		e->dims[e->rank] = out->dims[d];
		for (size_t k = 0; k < e->operands; k++)
			e->steps[k][e->rank] = e->steps[k][d];
		joins = e->rank && may_join(e, last, e->rank);
		if (!joins) {
			e->rank++;
			continue;
		}
		e->dims[last] *= out->dims[d];
		for (size_t k = 0; k < e->operands; k++)
			e->steps[k][last] = e->steps[k][e->rank];
	}
}

static int place_operands(struct op_build *b, size_t first, struct elementwise *e, struct exp_error *err)
{
	const struct op_value *out = b->outputs[0];
	struct spread_place place = { .shape = out->shape };
	struct op_samples at;
	bool trainable = false;
	int rc;

	if (out->batched) {
		rc = op_find_samples(b, out, &at, err);
		if (rc)
			return rc;
		place.samples = &at;
	}
	spread_dense(&place.shape, place.steps);
	for (size_t k = 0; k < e->operands; k++) {
		if (!op_is_float(b, first + k))
			continue;
		rc = spread_init(b, first + k, &place, &e->spread[k], err);
		if (rc)
			return rc;
		trainable = trainable || b->inputs[first + k]->trainable;
	}
	if (trainable)
		b->scratch += 2 * e->count;
	return 0;
}

int elementwise_place(struct op_build *b, size_t first, size_t count, struct elementwise *out, struct exp_error *err)
{
	const struct shape *shape = &b->outputs[0]->shape;

	if (!shape_try_count(shape, &out->count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	out->operands = count;
	for (size_t k = 0; k < count; k++) {
		const struct op_value *v = b->inputs[first + k];

		set_steps(out, k, shape, &v->shape);
		out->plain[k] = v->count == out->count;
	}
	merge_dims(out, shape);
	return place_operands(b, first, out, err);
}

int elementwise_init(struct op_build *b, size_t first, size_t count, struct elementwise *out, struct exp_error *err)
{
	int rc = op_broadcast(b, first, first + count - 1, err);

	return rc ? rc : elementwise_place(b, first, count, out, err);
}

/* ---- the walk ---- */

static struct elementwise_plane first_plane(const struct elementwise *e)
{
	struct elementwise_plane p = { .rows = e->rank > 1 ? e->dims[e->rank - 2] : 1,
				       .n = e->rank > 0 ? e->dims[e->rank - 1] : 1 };

	for (size_t k = 0; k < e->operands; k++) {
		p.row[k] = e->rank > 1 ? e->steps[k][e->rank - 2] : 0;
		p.step[k] = e->rank > 0 ? e->steps[k][e->rank - 1] : 0;
	}
	return p;
}

static bool next_plane(const struct elementwise *e, size_t index[], struct elementwise_plane *p)
{
	p->out += p->rows * p->n;
	for (size_t d = e->rank > 2 ? e->rank - 2 : 0; d-- > 0;) {
		for (size_t k = 0; k < e->operands; k++)
			p->at[k] += e->steps[k][d];
		if (++index[d] < e->dims[d])
			return true;
		for (size_t k = 0; k < e->operands; k++)
			p->at[k] -= e->steps[k][d] * e->dims[d];
		index[d] = 0;
	}
	return false;
}

void elementwise_run(const struct elementwise *e, elementwise_loop loop, const struct elementwise_arrays *a,
		     const void *config)
{
	struct elementwise_plane p = first_plane(e);
	size_t index[GRAPH_MAX_DIMS] = { 0 };

	if (e->count == 0)
		return;
	do
		loop(&p, a, config);
	while (next_plane(e, index, &p));
}

/* ---- gradients and tangents ---- */

static void run_slope(const struct elementwise *e, elementwise_loop slope, const struct op_run *r,
		      const struct op_input *in, const float *dy, float *out)
{
	struct elementwise_arrays a = { .out = out, .dy = dy };

	for (size_t k = 0; k < e->operands; k++)
		a.in[k] = in[k].data;
	elementwise_run(e, slope, &a, r->config);
}

void elementwise_backward(const struct elementwise *e, size_t k, elementwise_loop slope, const struct op_run *r,
			  const struct op_input *in)
{
	const float *g = r->out->grad;

	if (!g || (!in[k].grad && !in[k].reduce))
		return;
	if (in[k].grad && e->plain[k]) {
		if (slope)
			run_slope(e, slope, r, in, g, in[k].grad);
		else
			memcpy(in[k].grad, g, e->count * sizeof(*g));
		return;
	}
	if (slope) {
		run_slope(e, slope, r, in, g, r->scratch);
		g = r->scratch;
	}
	spread_back(&e->spread[k], &in[k], g, r->scratch + e->count);
}

void elementwise_tangent(const struct elementwise *e, const elementwise_loop slopes[], const struct op_run *r,
			 const struct op_input *in)
{
	float *target = r->out->tangent, *spread = r->scratch, *product = r->scratch + e->count;
	bool written = false;

	for (size_t k = 0; k < e->operands; k++) {
		const float *t = in[k].tangent;

		if (!t)
			continue;
		if (!e->plain[k]) {
			strided_copy(&e->spread[k].map, sizeof(float), spread, t);
			t = spread;
		}
		if (slopes[k]) {
			run_slope(e, slopes[k], r, in, t, written ? product : target);
			t = product;
		} else if (!written) {
			memcpy(target, t, e->count * sizeof(*target));
		}
		if (written)
			kernel_add(target, t, e->count);
		written = true;
	}
	if (!written)
		memset(target, 0, e->count * sizeof(*target));
}

/* ---- integers ---- */

void elementwise_wrap(int64_t *x, size_t count, int onnx_type)
{
	/* By TensorProto.DataType: 2 uint8, 3 int8, 4 uint16, 5 int16, 6 int32, 12 uint32. */
	static const struct {
		unsigned bits;
		bool is_signed;
	} widths[] = { [2] = { 8, false }, [3] = { 8, true },  [4] = { 16, false },
		       [5] = { 16, true }, [6] = { 32, true }, [12] = { 32, false } };
	size_t known = sizeof(widths) / sizeof(widths[0]);
	unsigned bits = onnx_type > 0 && (size_t)onnx_type < known ? widths[onnx_type].bits : 0;
	uint64_t mask = (UINT64_C(1) << bits) - 1, sign = bits ? UINT64_C(1) << (bits - 1) : 0;

	for (size_t i = 0; bits && i < count; i++) {
		uint64_t low = (uint64_t)x[i] & mask;

		x[i] = widths[onnx_type].is_signed ? (int64_t)((low ^ sign) - sign) : (int64_t)low;
	}
}

/*
 * Pad: a constant, the reflection of what is inside, or its edge around a tensor; a negative width cuts instead. What
 * each output index along a dimension reads is a table, so the three modes are one.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/op.h"

enum { PADS = 1, VALUE = 2 };
enum { MOST_ALONG_ONE = 1 << 24 }; /* outputs along a dimension */
enum mode { CONSTANT, REFLECT, EDGE };

#define PADDING SIZE_MAX /* in place of an index: the constant */

struct pad {
	size_t rank, in[GRAPH_MAX_DIMS], out[GRAPH_MAX_DIMS];
	size_t *from[GRAPH_MAX_DIMS]; /* [out] of each dimension: the input's index, or PADDING */
	size_t run, run_end;          /* along the last dimension: outputs that read neighbours in order */
	size_t lines;                 /* product of all outer output dimensions */
	size_t in_count, size;        /* elements; bytes of one */
	unsigned char value[8];       /* one element */
};

/* Since opset 11 the pads are an input, before an attribute. All starts, then all ends. */
static int read_pads(const struct op_build *b, size_t rank, const int64_t **pads, const int64_t **probe,
		     struct exp_error *err)
{
	size_t count = 0;
	int rc;

	*pads = NULL;
	if (op_has(b, PADS)) {
		rc = op_need_ints(b, PADS, pads, probe, &count, err);
	} else {
		rc = op_get_ints(b, "pads", pads, &count, err);
		*probe = *pads;
	}
	if (rc == 0 && count != 2 * rank)
		rc = error_set(err, EXP_ESHAPE, "pads has %zu elements; %zu are expected", count, 2 * rank);
	return rc;
}

static int read_mode(const struct op_build *b, enum mode *mode, struct exp_error *err)
{
	static const char *const names[] = { "constant", "reflect", "edge" };
	const char *name = names[0];
	int rc = op_get_string(b, "mode", &name, err);

	for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*mode = (enum mode)i;
			return 0;
		}
	}
	return rc ? rc : error_set(err, EXP_EUNSUPPORTED, "the mode \"%.32s\" is not supported", name);
}

static int read_value(const struct op_build *b, struct pad *c, struct exp_error *err)
{
	enum tensor_type type = b->inputs[0]->type;
	const void *known;
	float number = 0.0f;
	int rc;

	if (!op_has(b, VALUE)) {
		rc = op_get_float(b, "value", &number, err);
		if (rc == 0 && type == TENSOR_F32)
			memcpy(c->value, &number, sizeof(number));
		return rc;
	}
	rc = op_need_known(b, VALUE, type, &known, err);
	if (rc == 0 && b->inputs[VALUE]->count != 1)
		rc = error_set(err, EXP_ESHAPE, "the padding value must be one number");
	if (rc == 0)
		memcpy(c->value, known, c->size);
	return rc;
}

/* What output o reads along a dimension of n elements that begins pads before it. */
static size_t source_of(enum mode mode, int64_t o, int64_t pad, int64_t n)
{
	int64_t i = o - pad, period = n > 1 ? 2 * (n - 1) : 1;

	if (i >= 0 && i < n)
		return (size_t)i;
	if (mode == CONSTANT)
		return PADDING;
	if (mode == EDGE)
		return i < 0 ? 0 : (size_t)(n - 1);
	i = (i % period + period) % period;
	return (size_t)(i < n ? i : period - i);
}

static int infer_dim(struct op_build *b, enum mode mode, size_t d, const int64_t pads[2], struct exp_error *err)
{
	const int64_t limit = MOST_ALONG_ONE;
	struct pad *c = b->config;
	int64_t n = (int64_t)c->in[d], out;

	if (pads[0] < -limit || pads[0] > limit || pads[1] < -limit || pads[1] > limit)
		return error_set(err, EXP_ELIMIT, "pads holds %" PRId64 " and %" PRId64, pads[0], pads[1]);
	out = n + pads[0] + pads[1];
	if (out < 0 || (out > limit && out > n) || (n == 0 && out > 0 && mode != CONSTANT))
		return error_set(err, EXP_ESHAPE, "dimension %zu of %" PRId64 " cannot be padded to %" PRId64, d, n,
				 out);
	c->out[d] = (size_t)out;
	b->outputs[0]->shape.dims[d] = c->out[d];
	return 0;
}

static int fill_table(struct op_build *b, enum mode mode, size_t d, int64_t pad, struct exp_error *err)
{
	struct pad *c = b->config;

	c->from[d] = arena_try_alloc(b->arena, c->out[d] + 1, sizeof(*c->from[d]));
	if (!c->from[d])
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	for (size_t o = 0; o < c->out[d]; o++)
		c->from[d][o] = source_of(mode, (int64_t)o, pad, (int64_t)c->in[d]);
	return 0;
}

/* The first run of neighbours in rising order. */
static void find_run(struct pad *c)
{
	size_t last = c->rank - 1, out = c->out[last];
	const size_t *from = c->from[last];

	while (c->run < out && (from[c->run] == PADDING || (c->run + 1 < out && from[c->run + 1] <= from[c->run])))
		c->run++;
	for (c->run_end = c->run; c->run_end < out; c->run_end++)
		if (from[c->run_end] != from[c->run] + (c->run_end - c->run))
			break;
}

static int infer_samples(struct op_build *b, const int64_t *pads, const int64_t *probe, struct exp_error *err)
{
	const struct pad *c = b->config;

	for (size_t d = 0; d < c->rank; d++) {
		bool changes = pads[d] || pads[c->rank + d] || probe[d] || probe[c->rank + d];
		int rc = changes ? op_keep_apart(b, 0, d, err) : 0;

		if (rc)
			return rc;
	}
	return op_keep_samples(b, 0, 0, err);
}

static int infer(struct op_build *b, struct exp_error *err)
{
	const int64_t *pads, *probe;
	struct pad *c = b->config;
	const struct shape *x = &b->inputs[0]->shape;
	enum mode mode = CONSTANT;
	size_t count;
	int rc;

	op_copy(b, 0, 0);
	b->outputs[0]->batched = false;
	c->rank = x->rank;
	c->size = tensor_size(b->inputs[0]->type);
	if (c->rank == 0)
		return error_set(err, EXP_ESHAPE, "a number without dimensions cannot be padded");
	if ((rc = read_pads(b, c->rank, &pads, &probe, err)) || (rc = read_mode(b, &mode, err)) ||
	    (rc = read_value(b, c, err)))
		return rc;
	for (size_t d = 0; d < c->rank; d++) {
		c->in[d] = x->dims[d];
		rc = infer_dim(b, mode, d, (const int64_t[]){ pads[d], pads[c->rank + d] }, err);
		if (rc)
			return rc;
	}
	if (!shape_try_count(&b->outputs[0]->shape, &count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu elements", SHAPE_MAX_COUNT);
	for (size_t d = 0; d < c->rank; d++) {
		rc = fill_table(b, mode, d, pads[d], err);
		if (rc)
			return rc;
	}
	c->in_count = shape_count(x);
	c->lines = shape_span(&b->outputs[0]->shape, 0, c->rank - 1);
	find_run(c);
	return infer_samples(b, pads, probe, err);
}

/* Where the input's line begins that output line number line reads, in elements; PADDING: it reads none. */
static size_t line_source(const struct pad *c, size_t line)
{
	size_t at = 0, step = c->in[c->rank - 1];

	for (size_t d = c->rank - 1; d-- > 0; line /= c->out[d]) {
		size_t i = c->from[d][line % c->out[d]];

		if (i == PADDING)
			return PADDING;
		at += i * step;
		step *= c->in[d];
	}
	return at;
}

static void copy(const struct pad *c, const unsigned char *x, unsigned char *y, const unsigned char *value)
{
	size_t size = c->size, out = c->out[c->rank - 1];
	const size_t *from = c->from[c->rank - 1];

	for (size_t line = 0; line < c->lines; line++, y += out * size) {
		size_t at = line_source(c, line);
		bool inside = at != PADDING;

		for (size_t o = 0; o < out; o++) {
			if (inside && o == c->run && c->run_end > o) {
				memcpy(y + o * size, x + (at + from[o]) * size, (c->run_end - o) * size);
				o = c->run_end - 1;
			} else {
				bool taken = inside && from[o] != PADDING;

				memcpy(y + o * size, taken ? x + (at + from[o]) * size : value, size);
			}
		}
	}
}

static void forward(const struct op_run *r)
{
	const struct pad *c = r->config;

	copy(c, r->in->data, r->out->data, c->value);
}

static void tangent(const struct op_run *r)
{
	static const unsigned char zero[8];

	copy(r->config, (const unsigned char *)r->in->tangent, (unsigned char *)r->out->tangent, zero);
}

static void backward(const struct op_run *r)
{
	const struct pad *c = r->config;
	size_t out = c->out[c->rank - 1];
	const size_t *from = c->from[c->rank - 1];
	const float *g = r->out->grad;

	if (!r->in->grad)
		return;
	memset(r->in->grad, 0, c->in_count * sizeof(float));
	for (size_t line = 0; line < c->lines; line++, g += out) {
		size_t at = line_source(c, line);

		for (size_t o = 0; at != PADDING && o < out; o++)
			if (from[o] != PADDING)
				r->in->grad[at + from[o]] += g[o];
	}
}

const struct op op_pad = {
	.name = "Pad",
	.min_inputs = 1,
	.max_inputs = 3,
	.attributes = "mode pads value",
	.fixed = 1u << VALUE,
	.indices = 1u << VALUE,
	.config_size = sizeof(struct pad),
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

/*
 * Einsum of one or two tensors: each letter of the equation is a dimension that its operands share; letters that the
 * output has not are summed over. An ellipsis stands for the dimensions that have no letter, broadcast. A letter that
 * an operand has twice takes its diagonal.
 */
#include <string.h>

#include "engine/contraction.h"

enum { ALPHABET = 'z' + 1, LABELS = ALPHABET + GRAPH_MAX_DIMS }; /* the rest: ellipsis dimensions from the last */

static const float one = 1.0f;

struct equation {
	struct op_build *b;
	const char *text;
	struct contraction_letter letters[LABELS];
	size_t times[LABELS];  /* that a label stands in the inputs */
	bool repeated[LABELS]; /* in one of them */
	size_t ellipsis;       /* dimensions of the longest */
};

/* A term's labels, one for each dimension. */
struct term {
	size_t labels[GRAPH_MAX_DIMS], count;
	size_t first_free, free; /* the ellipsis: where, and how many dimensions */
	bool has_ellipsis;
};

static int misspelt(const struct equation *e, struct exp_error *err)
{
	return error_set(err, EXP_ESHAPE, "the equation \"%.80s\" does not fit its inputs", e->text);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters up to a comma, an arrow or the end; *text is moved there. */
static int read_term(const struct equation *e, const char **text, struct term *out, struct exp_error *err)
{
	const char *c = *text;

	for (; *c && *c != ',' && *c != '-'; c++) {
		if (*c == ' ')
			continue;
		if (strncmp(c, "...", 3) == 0 && !out->has_ellipsis) {
			out->has_ellipsis = true;
			out->first_free = out->count;
			c += 2;
		} else if (is_letter(*c) && out->count < GRAPH_MAX_DIMS) {
			out->labels[out->count++] = (size_t)*c;
		} else {
			return misspelt(e, err);
		}
	}
	*text = c;
	return 0;
}

/* Makes room for the ellipsis among the labels. */
static int widen(const struct equation *e, struct term *t, size_t rank, struct exp_error *err)
{
	if (t->count > rank || (t->count < rank && !t->has_ellipsis))
		return misspelt(e, err);
	t->free = rank - t->count;
	memmove(t->labels + t->first_free + t->free, t->labels + t->first_free,
		(t->count - t->first_free) * sizeof(t->labels[0]));
	for (size_t i = 0; i < t->free; i++)
		t->labels[t->first_free + i] = ALPHABET + t->free - 1 - i;
	t->count = rank;
	return 0;
}

static int join(struct equation *e, size_t operand, size_t dim, size_t label, struct exp_error *err)
{
	const struct shape *s = &e->b->inputs[operand]->shape;
	struct contraction_letter *l = &e->letters[label];
	size_t size = s->dims[dim];

	if (e->times[label] == 0)
		*l = (struct contraction_letter){ .size = 1, .dim = { -1, -1, -1 } };
	if ((size != l->size && size != 1 && l->size != 1) || (l->step[operand] && size != l->size))
		return error_set(err, EXP_ESHAPE, "a letter of the equation \"%.80s\" is both %zu and %zu", e->text,
				 l->size, size);
	e->times[label]++;
	e->repeated[label] = e->repeated[label] || l->dim[operand] >= 0;
	l->dim[operand] = e->repeated[label] ? -1 : (int)dim;
	l->step[operand] += size == 1 ? 0 : shape_span(s, dim + 1, s->rank);
	l->size = size == 1 ? l->size : size;
	return 0;
}

static int read_inputs(struct equation *e, const char **text, struct exp_error *err)
{
	for (size_t i = 0; i < e->b->input_count; i++) {
		struct term t = { 0 };
		int rc = op_need_float(e->b, i, err);

		if (rc || (rc = read_term(e, text, &t, err)) || (rc = widen(e, &t, e->b->inputs[i]->shape.rank, err)))
			return rc;
		for (size_t d = 0; rc == 0 && d < t.count; d++)
			rc = join(e, i, d, t.labels[d], err);
		if (rc)
			return rc;
		e->ellipsis = t.free > e->ellipsis ? t.free : e->ellipsis;
		if (i + 1 < e->b->input_count && *(*text)++ != ',')
			return misspelt(e, err);
	}
	return **text == '\0' || strncmp(*text, "->", 2) == 0 ? 0 : misspelt(e, err);
}

/* Without an arrow: the ellipsis, then the letters that stand once, in alphabetical order. */
static int read_output(const struct equation *e, const char *text, struct term *out, struct exp_error *err)
{
	int rc = 0;

	if (*text == '\0') {
		out->has_ellipsis = e->ellipsis > 0;
		for (size_t label = 0; label < ALPHABET; label++)
			if (e->times[label] == 1 && out->count < GRAPH_MAX_DIMS)
				out->labels[out->count++] = label;
	} else {
		text += 2;
		rc = read_term(e, &text, out, err);
		if (rc == 0 && *text)
			rc = misspelt(e, err);
	}
	if (rc == 0 && out->count + (out->has_ellipsis ? e->ellipsis : 0) > GRAPH_MAX_DIMS)
		rc = misspelt(e, err);
	return rc ? rc : widen(e, out, out->count + (out->has_ellipsis ? e->ellipsis : 0), err);
}

static int set_output(struct equation *e, const struct term *t, struct exp_error *err)
{
	struct shape *y = &e->b->outputs[0]->shape;

	y->rank = t->count;
	for (size_t d = 0; d < t->count; d++) {
		if (e->times[t->labels[d]] == 0 || e->letters[t->labels[d]].dim[CONTRACTION_Y] >= 0)
			return misspelt(e, err);
		e->letters[t->labels[d]].dim[CONTRACTION_Y] = (int)d;
		y->dims[d] = e->letters[t->labels[d]].size;
	}
	for (size_t d = 0; d < t->count; d++)
		e->letters[t->labels[d]].step[CONTRACTION_Y] = y->dims[d] == 1 ? 0 : shape_span(y, d + 1, y->rank);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct contraction_letter letters[2 * GRAPH_MAX_DIMS];
	struct equation e = { .b = b };
	struct term output = { 0 };
	const char *text;
	size_t count = 0;
	int rc = op_get_string(b, "equation", &e.text, err);

	if (rc)
		return rc;
	if (!e.text)
		return error_set(err, EXP_EPARSE, "it has no equation");
	if (b->input_count > 2)
		return error_set(err, EXP_EUNSUPPORTED, "it multiplies %zu tensors; at most two are supported",
				 b->input_count);
	text = e.text;
	if ((rc = read_inputs(&e, &text, err)) || (rc = read_output(&e, text, &output, err)) ||
	    (rc = set_output(&e, &output, err)))
		return rc;
	for (size_t label = 0; label < LABELS; label++)
		if (e.times[label] > 0)
			letters[count++] = e.letters[label];
	return contraction_infer(b, letters, count, b->config, err);
}

/* ---- running ---- */

/* A missing second tensor is the number one. */
static void run(const struct op_run *r, const float *a, const float *b, float *y, float beta)
{
	float *data[] = { (float *)a, (float *)(r->in_count > 1 ? b : &one), y };

	contraction_run(r->config, CONTRACTION_Y, data, 1.0f, beta);
}

static void forward(const struct op_run *r)
{
	run(r, r->in[0].f, r->in_count > 1 ? r->in[1].f : NULL, r->out[0].f, 0.0f);
}

static void tangent(const struct op_run *r)
{
	bool first = r->in[0].tangent;

	if (first)
		run(r, r->in[0].tangent, r->in_count > 1 ? r->in[1].f : NULL, r->out[0].tangent, 0.0f);
	if (r->in_count > 1 && r->in[1].tangent)
		run(r, r->in[0].f, r->in[1].tangent, r->out[0].tangent, first ? 1.0f : 0.0f);
}

static void backward(const struct op_run *r)
{
	struct op_input in[2] = { r->in[0] };
	struct op_run pair = *r;

	if (r->in_count > 1)
		in[1] = r->in[1];
	else
		in[1].f = &one;
	pair.in = in;
	contraction_backward(r->config, &pair, 1.0f);
}

const struct op op_einsum = {
	.name = "Einsum",
	.min_inputs = 1,
	.max_inputs = SIZE_MAX,
	.attributes = "equation",
	.config_size = sizeof(struct contraction),
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

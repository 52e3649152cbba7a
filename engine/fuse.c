/*
 * A chain is read backwards from its last node: each reader says whether a value is what it looks for, and claims the
 * nodes on the way. Nothing is changed before all chains are found, since the shapes that are read belong to the graph
 * as it was.
 *
 * Steps are counted: arithmetic that uses its own results twice at every level would else be walked forever.
 */
#include "engine/fuse.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/infer.h"

enum { MAX_CHAIN = 16, MAX_STEPS = 64, MAX_INPUTS = 3 };

/* What takes a chain's place. */
struct fusion {
	size_t node; /* the chain's last */
	const struct op *op;
	size_t inputs[MAX_INPUTS], input_count; /* values */
	size_t axes;                            /* LayerNormalization: over so many dimensions */
	double epsilon;
};

struct fuser {
	const struct graph *g;
	struct inference inf;
	size_t *uses; /* [value_count]: by live nodes, and as outputs */
	bool *taken;  /* [node_count]: by a chain that was found */
	struct fusion *found;
	size_t found_count;

	size_t chain[MAX_CHAIN], length; /* nodes of the one being read, its last node first */
	size_t steps;
};

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
}

/* ---- values and nodes ---- */

static const struct op_value *value_of(const struct fuser *f, size_t v)
{
	return &f->inf.values[v];
}

static bool read_constant(const struct fuser *f, size_t v, double *out)
{
	const struct op_value *value = value_of(f, v);

	if (!value->known || value->probe || value->count != 1 || value->type == TENSOR_BOOL)
		return false;
	*out =
	    value->type == TENSOR_F32 ? (double)*(const float *)value->known : (double)*(const int64_t *)value->known;
	return true;
}

static bool is_near(double a, double b)
{
	return fabs(a - b) <= 1e-6 * fabs(b);
}

static bool is_constant(const struct fuser *f, size_t v, double want)
{
	double have;

	return read_constant(f, v, &have) && is_near(have, want);
}

/* The node that computes v for each batch, when it is such a one. */
static const struct graph_node *find_maker(const struct fuser *f, size_t v, const char *op)
{
	size_t i = f->g->values[v].node;
	const struct graph_node *n = i == GRAPH_NONE ? NULL : &f->g->nodes[i];

	if (!n || !n->live || n->is_constant || f->taken[i] || f->inf.nodes[i].phase == PHASE_FOLDED)
		return NULL;
	return strcmp(n->op->name, op) == 0 ? n : NULL;
}

static bool is_claimed(const struct fuser *f, size_t node)
{
	for (size_t i = 0; i < f->length; i++)
		if (f->chain[i] == node)
			return true;
	return false;
}

/* The same, and the node belongs to the chain. */
static const struct graph_node *claim(struct fuser *f, size_t v, const char *op)
{
	const struct graph_node *n = find_maker(f, v, op);

	if (!n || f->steps == MAX_STEPS)
		return NULL;
	f->steps++;
	if (is_claimed(f, f->g->values[v].node))
		return n;
	if (f->length == MAX_CHAIN)
		return NULL;
	f->chain[f->length++] = f->g->values[v].node;
	return n;
}

/* Nobody outside the chain sees its inner values, and what takes its place needs none of them. */
static bool is_closed(const struct fuser *f, const struct fusion *to)
{
	for (size_t i = 0; i < to->input_count; i++)
		if (is_claimed(f, f->g->values[to->inputs[i]].node))
			return false;
	for (size_t i = 1; i < f->length; i++) {
		size_t v = f->g->nodes[f->chain[i]].outputs[0], inside = 0;

		for (size_t k = 0; k < f->length; k++) {
			const struct graph_node *n = &f->g->nodes[f->chain[k]];

			for (size_t j = 0; j < n->input_count; j++)
				inside += n->inputs[j] == v;
		}
		if (inside != f->uses[v])
			return false;
	}
	return true;
}

/* ---- Gelu ---- */

/* scale times what is no constant, of which there may be two. */
struct product {
	double scale;
	size_t factors[2], count;
};

static bool read_product(struct fuser *f, size_t v, struct product *p)
{
	bool inner = f->length == 0 || f->uses[v] == 1;
	const struct graph_node *n;
	double c;

	if (read_constant(f, v, &c)) {
		p->scale *= c;
		return true;
	}
	if (inner && find_maker(f, v, "Mul")) {
		n = claim(f, v, "Mul");
		return n && read_product(f, n->inputs[0], p) && read_product(f, n->inputs[1], p);
	}
	n = inner ? find_maker(f, v, "Div") : NULL;
	if (n && read_constant(f, n->inputs[1], &c)) {
		p->scale /= c;
		return claim(f, v, "Div") && read_product(f, n->inputs[0], p);
	}
	if (p->count == 2)
		return false;
	p->factors[p->count++] = v;
	return true;
}

/* Coefficients of 1, x, x^2 and x^3. */
enum { TERMS = 4 };

static bool multiply(const double a[TERMS], const double b[TERMS], double out[TERMS])
{
	double sum[2 * TERMS - 1] = { 0 };

	for (size_t i = 0; i < TERMS; i++)
		for (size_t k = 0; k < TERMS; k++)
			sum[i + k] += a[i] * b[k];
	memcpy(out, sum, TERMS * sizeof(*out));
	return sum[4] == 0.0 && sum[5] == 0.0 && sum[6] == 0.0;
}

static bool is_number(const double a[TERMS])
{
	return a[1] == 0.0 && a[2] == 0.0 && a[3] == 0.0;
}

static bool power(const double a[TERMS], double exponent, double out[TERMS])
{
	double square[TERMS];

	if (!multiply(a, a, square))
		return false;
	if (exponent == 2.0)
		memcpy(out, square, sizeof(square));
	return exponent == 2.0 || (exponent == 3.0 && multiply(a, square, out));
}

static bool combine(const char *op, const double a[TERMS], const double b[TERMS], double out[TERMS])
{
	double sign = strcmp(op, "Sub") == 0 ? -1.0 : 1.0;

	if (strcmp(op, "Mul") == 0)
		return multiply(a, b, out);
	if (strcmp(op, "Pow") == 0)
		return is_number(b) && power(a, b[0], out);
	if (strcmp(op, "Div") == 0)
		return is_number(b) && multiply(a, (const double[TERMS]){ 1.0 / b[0] }, out);
	for (size_t i = 0; i < TERMS; i++)
		out[i] = a[i] + sign * b[i];
	return true;
}

/* v as a polynomial in x. */
static bool read_polynomial(struct fuser *f, size_t v, size_t x, double out[TERMS])
{
	static const char *const ops[] = { "Add", "Sub", "Mul", "Div", "Pow" };
	double a[TERMS], b[TERMS];

	memset(out, 0, TERMS * sizeof(*out));
	if (v == x) {
		out[1] = 1.0;
		return true;
	}
	if (read_constant(f, v, &out[0]))
		return true;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		const struct graph_node *n = claim(f, v, ops[i]);

		if (n)
			return read_polynomial(f, n->inputs[0], x, a) && read_polynomial(f, n->inputs[1], x, b) &&
			       combine(ops[i], a, b, out);
	}
	return false;
}

/* v is outer of the polynomial in x that is wanted. */
static bool read_curve(struct fuser *f, size_t v, const char *outer, size_t x, const double want[TERMS])
{
	const struct graph_node *n = claim(f, v, outer);
	double have[TERMS];

	if (!n || !read_polynomial(f, n->inputs[0], x, have))
		return false;
	for (size_t i = 0; i < TERMS; i++)
		if (!is_near(have[i], want[i]))
			return false;
	return true;
}

/* v is 1 + erf(…) or 1 + tanh(…). NULL: neither. */
static const struct op *read_gate(struct fuser *f, size_t v, size_t x)
{
	static const double by_erf[TERMS] = { 0.0, M_SQRT1_2 };
	static const double by_tanh[TERMS] = { 0.0, M_2_SQRTPI * M_SQRT1_2, 0.0, 0.044715 * M_2_SQRTPI * M_SQRT1_2 };
	const struct graph_node *n = claim(f, v, "Add");

	for (size_t k = 0; n && k < 2; k++) {
		if (!is_constant(f, n->inputs[k], 1.0))
			continue;
		if (read_curve(f, n->inputs[1 - k], "Erf", x, by_erf))
			return &op_gelu;
		if (read_curve(f, n->inputs[1 - k], "Tanh", x, by_tanh))
			return &op_gelu_tanh;
	}
	return NULL;
}

static bool read_gelu(struct fuser *f, size_t v, struct fusion *out)
{
	struct product p = { .scale = 1.0 };

	if (!read_product(f, v, &p) || p.count != 2 || !is_near(p.scale, 0.5))
		return false;
	for (size_t k = 0; k < 2; k++) {
		size_t x = p.factors[k], length = f->length;

		out->op = read_gate(f, p.factors[1 - k], x);
		out->inputs[0] = x;
		out->input_count = 1;
		if (out->op)
			return value_of(f, x)->type == TENSOR_F32 &&
			       shape_equal(&value_of(f, x)->shape, &value_of(f, v)->shape);
		f->length = length;
	}
	return false;
}

/* ---- layer normalisation ---- */

struct norm {
	size_t x, mean, variance, scale, shift; /* values; scale and shift: GRAPH_NONE without one */
	size_t axes;
	double epsilon;
};

/* v is x - mean(x); *x is GRAPH_NONE, or what it must be. */
static bool read_deviation(struct fuser *f, size_t v, size_t *x, size_t *mean)
{
	const struct graph_node *difference = claim(f, v, "Sub");
	const struct graph_node *average = difference ? claim(f, difference->inputs[1], "ReduceMean") : NULL;

	if (!average || average->inputs[0] != difference->inputs[0] ||
	    (*x != GRAPH_NONE && *x != difference->inputs[0]))
		return false;
	*x = difference->inputs[0];
	*mean = difference->inputs[1];
	return true;
}

/* v is (x - mean(x))^2. */
static bool read_square(struct fuser *f, size_t v, struct norm *m)
{
	const struct graph_node *n = claim(f, v, "Pow");
	bool square = n && is_constant(f, n->inputs[1], 2.0);
	size_t mean;

	if (!n && (n = claim(f, v, "Mul")))
		square = n->inputs[0] == n->inputs[1];
	return square && read_deviation(f, n->inputs[0], &m->x, &mean) &&
	       shape_equal(&value_of(f, mean)->shape, &value_of(f, m->mean)->shape);
}

/* v is sqrt(variance + epsilon). */
static bool read_spread(struct fuser *f, size_t v, struct norm *m)
{
	const struct graph_node *n = claim(f, v, "Sqrt");

	n = n ? claim(f, n->inputs[0], "Add") : NULL;
	for (size_t k = 0; n && k < 2; k++) {
		const struct graph_node *variance;

		if (!read_constant(f, n->inputs[k], &m->epsilon))
			continue;
		m->variance = n->inputs[1 - k];
		variance = claim(f, m->variance, "ReduceMean");
		return variance && read_square(f, variance->inputs[0], m);
	}
	return false;
}

/* What is left of x when the dimensions from axis on are made one. */
static bool is_mean_of(const struct shape *mean, const struct shape *x, size_t axis)
{
	bool fits = mean->rank == x->rank;

	for (size_t d = 0; fits && d < x->rank; d++)
		fits = mean->dims[d] == (d < axis ? x->dims[d] : 1);
	return fits;
}

static bool is_vector_of(const struct op_value *v, const struct shape *x, size_t axis)
{
	bool fits = v->type == TENSOR_F32 && !v->batched && v->shape.rank == x->rank - axis;

	for (size_t d = axis; fits && d < x->rank; d++)
		fits = v->shape.dims[d - axis] == x->dims[d];
	return fits;
}

/* How many dimensions the means were taken over, by scale's or else by their own shape; 0: not the last ones. */
static size_t count_axes(const struct fuser *f, const struct norm *m)
{
	const struct shape *x = &value_of(f, m->x)->shape, *mean = &value_of(f, m->mean)->shape;
	size_t axes = 1;

	if (m->scale != GRAPH_NONE)
		axes = value_of(f, m->scale)->shape.rank;
	else
		while (axes < x->rank && !is_mean_of(mean, x, x->rank - axes))
			axes++;
	return axes <= x->rank && is_mean_of(mean, x, x->rank - axes) ? axes : 0;
}

/* Shapes are those of a normalisation over the last dimensions. */
static bool fits(const struct fuser *f, struct norm *m)
{
	const size_t vectors[] = { m->scale, m->shift };
	const struct op_value *x = value_of(f, m->x);

	m->axes = count_axes(f, m);
	if (m->axes == 0 || x->type != TENSOR_F32 ||
	    !is_mean_of(&value_of(f, m->variance)->shape, &x->shape, x->shape.rank - m->axes))
		return false;
	for (size_t i = 0; i < 2; i++)
		if (vectors[i] != GRAPH_NONE &&
		    !is_vector_of(value_of(f, vectors[i]), &x->shape, x->shape.rank - m->axes))
			return false;
	return true;
}

/* v is (x - mean(x)) / sqrt(variance + epsilon). */
static bool read_quotient(struct fuser *f, size_t v, struct norm *m)
{
	const struct graph_node *n = claim(f, v, "Div");

	m->x = GRAPH_NONE;
	return n && read_deviation(f, n->inputs[0], &m->x, &m->mean) && read_spread(f, n->inputs[1], m) && fits(f, m);
}

/* v is scale times that. */
static bool read_scaled(struct fuser *f, size_t v, struct norm *m)
{
	const struct graph_node *n = claim(f, v, "Mul");

	for (size_t k = 0; n && k < 2; k++) {
		size_t length = f->length;

		m->scale = n->inputs[1 - k];
		if (read_quotient(f, n->inputs[k], m))
			return true;
		f->length = length;
	}
	return false;
}

/* v is shift more than that. */
static bool read_shifted(struct fuser *f, size_t v, struct norm *m)
{
	const struct graph_node *n = claim(f, v, "Add");

	for (size_t k = 0; n && k < 2; k++) {
		size_t length = f->length;

		m->shift = n->inputs[1 - k];
		if (read_scaled(f, n->inputs[k], m))
			return true;
		f->length = length;
	}
	return false;
}

static bool read_norm(struct fuser *f, size_t v, struct fusion *out)
{
	struct norm m = { .scale = GRAPH_NONE, .shift = GRAPH_NONE };

	if (!read_shifted(f, v, &m) && !read_scaled(f, v, &m) && !read_quotient(f, v, &m))
		return false;
	out->op = op_find("LayerNormalization");
	out->inputs[0] = m.x;
	out->inputs[1] = m.scale;
	out->inputs[2] = m.shift;
	out->input_count = m.scale == GRAPH_NONE ? 1 : m.shift == GRAPH_NONE ? 2 : 3;
	out->axes = m.axes;
	out->epsilon = m.epsilon;
	return true;
}

/* ---- all chains ---- */

static bool read_chain(struct fuser *f, size_t node, bool (*read)(struct fuser *, size_t, struct fusion *))
{
	struct fusion *to = &f->found[f->found_count];

	*to = (struct fusion){ .node = node };
	f->length = f->steps = 0;
	return read(f, f->g->nodes[node].outputs[0], to) && is_closed(f, to);
}

static void take_chain(struct fuser *f)
{
	const struct fusion *found = &f->found[f->found_count++];

	for (size_t i = 0; i < f->length; i++) {
		const struct graph_node *n = &f->g->nodes[f->chain[i]];

		f->taken[f->chain[i]] = true;
		for (size_t k = 0; k < n->input_count; k++)
			if (n->inputs[k] != GRAPH_NONE)
				f->uses[n->inputs[k]]--;
	}
	for (size_t k = 0; k < found->input_count; k++)
		f->uses[found->inputs[k]]++;
}

/* Backwards, so that a chain is met at its last node first. most: of chains that there can be. */
static void find_chains(struct fuser *f, size_t most)
{
	for (size_t i = f->g->node_count; i-- > 0 && f->found_count < most;) {
		const struct graph_node *n = &f->g->nodes[i];

		if (!n->live || n->is_constant || f->taken[i] || n->outputs[0] == GRAPH_NONE)
			continue;
		if (read_chain(f, i, read_gelu) || read_chain(f, i, read_norm))
			take_chain(f);
	}
}

static void count_uses(struct fuser *f)
{
	const struct graph *g = f->g;

	for (size_t i = 0; i < g->output_count; i++)
		f->uses[g->outputs[i]]++;
	for (size_t i = 0; i < g->node_count; i++)
		for (size_t k = 0; g->nodes[i].live && k < g->nodes[i].input_count; k++)
			if (g->nodes[i].inputs[k] != GRAPH_NONE)
				f->uses[g->nodes[i].inputs[k]]++;
}

/* Each chain has one node of these kinds, and of no other chain. */
static size_t count_hearts(const struct graph *g)
{
	static const char *const hearts[] = { "Erf", "Tanh", "Sqrt" };
	size_t count = 0;

	for (size_t i = 0; i < g->node_count; i++)
		for (size_t k = 0; g->nodes[i].live && !g->nodes[i].is_constant && k < 3; k++)
			count += strcmp(g->nodes[i].op->name, hearts[k]) == 0;
	return count;
}

/* ---- the graph with its chains fused ---- */

static int describe_norm(struct graph *g, struct graph_node *n, const struct fusion *from)
{
	struct op_attribute *a = arena_try_alloc(&g->arena, 2, sizeof(*a));

	if (!a)
		return EXP_EMEMORY;
	a[0] = (struct op_attribute){ .name = "axis", .type = OP_INT, .i = -(int64_t)from->axes };
	a[1] = (struct op_attribute){ .name = "epsilon", .type = OP_FLOAT, .f = (float)from->epsilon };
	n->attributes = a;
	n->attribute_count = 2;
	return 0;
}

static int replace_node(struct graph *g, const struct fusion *from)
{
	struct graph_node *n = &g->nodes[from->node];
	size_t *inputs = arena_try_alloc(&g->arena, from->input_count, sizeof(*inputs));

	if (!inputs)
		return EXP_EMEMORY;
	memcpy(inputs, from->inputs, from->input_count * sizeof(*inputs));
	n->op = from->op;
	n->op_type = from->op->name;
	n->inputs = inputs;
	n->input_count = from->input_count;
	n->attribute_count = 0;
	n->live = true;
	return from->axes ? describe_norm(g, n, from) : 0;
}

static int replace_chains(struct graph *g, const struct fuser *f)
{
	int rc = 0;

	for (size_t i = 0; i < g->node_count; i++)
		if (f->taken[i])
			g->nodes[i].live = g->values[g->nodes[i].outputs[0]].used = false;
	for (size_t i = 0; rc == 0 && i < f->found_count; i++) {
		g->values[g->nodes[f->found[i].node].outputs[0]].used = true;
		rc = replace_node(g, &f->found[i]);
	}
	return rc;
}

/* Chains are found in the graph as it is, and replaced once its shapes are done with: those hang on its operators. */
static int find_and_replace(struct graph *g, struct fuser *f, const struct infer_options *options, size_t most,
			    struct exp_error *err)
{
	int rc = infer_run(g, options, &f->inf, err);

	if (rc)
		return rc;
	count_uses(f);
	find_chains(f, most);
	infer_fini(&f->inf);
	return replace_chains(g, f) ? no_memory(err) : 0;
}

int fuse_chains(struct graph *g, size_t samples, struct exp_error *err)
{
	const struct infer_options options = { .samples = samples };
	size_t most = count_hearts(g);
	struct fuser f = { .g = g };
	int rc;

	if (most == 0)
		return 0;
	f.uses = mem_try_alloc(g->value_count + 1, sizeof(*f.uses));
	f.taken = mem_try_alloc(g->node_count + 1, sizeof(*f.taken));
	f.found = mem_try_alloc(most, sizeof(*f.found));
	rc = f.uses && f.taken && f.found ? find_and_replace(g, &f, &options, most, err) : no_memory(err);
	mem_free(f.uses);
	mem_free(f.taken);
	mem_free(f.found);
	return rc;
}

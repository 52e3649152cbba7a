/*
 * Backward: nodes in reverse, operators handing the factors of weight gradients to reductions.
 *
 * Weights whose gradient is a sum over places are left out at first. Then, with all activation gradients still in
 * place, their operators hand over once more, now laid out sample by sample for a window of samples; what follows from
 * weights alone is differentiated for each sample, and the complete gradient is squared, measured or multiplied.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/runner_internal.h"

enum pass {
	PASS_SUM,    /* every weight, summed over the samples */
	PASS_DIRECT, /* weights that one operator uses, as they are or rearranged */
	PASS_WINDOW, /* the others, sample by sample; activation gradients are in place */
};

struct backward {
	struct runner *r;
	const struct runner_gradients *g;
	enum pass pass;
	size_t first, samples; /* PASS_WINDOW */
};

/* ---- seeds ---- */

void runner_start_backward(struct runner *r)
{
	memset(r->memory->reached, 0, r->graph->value_count);
}

void runner_seed(struct runner *r, size_t value, const float *cotangent)
{
	size_t root = r->plan->inf.roots[value];
	const struct op_value *v = &r->plan->inf.values[value];
	size_t samples = r->plan->inf.samples, inner = v->count / (v->outer * samples);
	float *grad;

	/* Nothing trainable leads here: a gradient has ended on its way, at a Cast to integers say. */
	if (r->plan->grads[root] == GRAPH_NONE)
		return;
	grad = r->memory->block + r->plan->grads[root];
	if (!r->memory->reached[root])
		memset(grad, 0, v->count * sizeof(*grad));
	r->memory->reached[root] = 1;
	for (size_t o = 0; o < v->outer; o++)
		for (size_t n = 0; n < samples; n++)
			kernel_add(grad + (o * samples + n) * inner, cotangent + (n * v->outer + o) * inner, inner);
}

float *runner_seed_place(struct runner *r, size_t value)
{
	size_t root = r->plan->inf.roots[value];

	if (r->plan->grads[root] == GRAPH_NONE || r->memory->reached[root] || r->plan->inf.values[value].outer != 1)
		return NULL;
	r->memory->reached[root] = 1;
	return r->memory->block + r->plan->grads[root];
}

static bool is_replaced(const struct runner *r, size_t root)
{
	for (size_t i = 0; r->replace && i < r->tap_count; i++)
		if (r->replace[i] && r->plan->inf.roots[r->taps[i]] == root)
			return true;
	return false;
}

/* ---- where gradients of unbatched values go ---- */

static enum plan_share share_of(const struct backward *b, size_t root)
{
	enum plan_share share = b->r->plan->shares[root];

	/* Directions would have to be rearranged too: laid out sample by sample they need not be. */
	return share == SHARE_CARRIED && b->g->kind == REDUCE_DOT ? SHARE_SUMMED : share;
}

static float *row_of(const struct backward *b, size_t root, size_t w)
{
	return b->r->memory->block + b->r->plan->rows[root] + w * b->r->plan->inf.values[root].count;
}

static const struct graph_parameter *parameter_of(const struct backward *b, size_t root)
{
	size_t parameter = b->r->graph->values[root].parameter;

	return parameter == GRAPH_NONE ? NULL : &b->r->graph->parameters[parameter];
}

static void zero_rows(const struct backward *b, enum plan_share share, size_t rows)
{
	for (size_t v = 0; v < b->r->graph->value_count; v++)
		if (b->r->plan->rows[v] != GRAPH_NONE && (share == SHARE_NONE || share_of(b, v) == share))
			memset(row_of(b, v, 0), 0, rows * b->r->plan->inf.values[v].count * sizeof(float));
}

/* ---- reductions ---- */

static bool swaps_two(const struct graph_node *n)
{
	for (size_t i = 0; i < n->attribute_count; i++)
		if (strcmp(n->attributes[i].name, "perm") == 0)
			return n->attributes[i].count == 2 && n->attributes[i].ints[0] == 1;
	return true;
}

/* A matrix that is transposed on its way has its factors swapped. */
static bool is_transposed(const struct backward *b, size_t root, size_t *parameter)
{
	const struct graph_value *v = &b->r->graph->values[root];
	const struct graph_node *n = v->node == GRAPH_NONE ? NULL : &b->r->graph->nodes[v->node];
	size_t from;

	if (!n || strcmp(n->op_type, "Transpose") != 0 || !swaps_two(n))
		return false;
	from = n->inputs[0];
	*parameter = b->r->graph->values[from].parameter;
	return *parameter != GRAPH_NONE && b->r->plan->inf.values[from].shape.rank == 2;
}

/* value: what the operator sees of the weight, which must be the weight's own shape or its transpose. */
static bool set_moments(const struct backward *b, size_t value, struct reduce *r)
{
	size_t root = b->r->plan->inf.roots[value], parameter = b->r->graph->values[root].parameter;
	bool swapped = parameter == GRAPH_NONE && value == root && is_transposed(b, root, &parameter);
	const struct shape *seen = &b->r->plan->inf.values[value].shape;

	if (parameter == GRAPH_NONE ||
	    (!swapped && !shape_equal(seen, &b->r->plan->inf.values[b->r->graph->parameter_values[parameter]].shape)))
		return false;
	r->left = swapped ? b->g->right[parameter] : b->g->left[parameter];
	r->right = swapped ? b->g->left[parameter] : b->g->right[parameter];
	return r->left || r->right;
}

static bool set_direct(const struct backward *b, size_t value, struct reduce *r)
{
	size_t root = b->r->plan->inf.roots[value];
	const struct graph_parameter *p = parameter_of(b, root);

	r->kind = b->g->kind;
	if (r->kind == REDUCE_MOMENTS)
		return set_moments(b, value, r);
	r->dots = b->g->dots;
	if (r->kind == REDUCE_SQUARE_SUM)
		r->out = p ? b->g->out + p->offset : row_of(b, root, 0);
	return true;
}

/* False when this pass leaves the value out. directions: room for the pointers. */
static bool set_reduce(const struct backward *b, size_t value, const float **directions, struct reduce *r)
{
	size_t root = b->r->plan->inf.roots[value];
	const struct plan *p = b->r->plan;
	const struct graph_parameter *q = parameter_of(b, root);
	enum plan_share share = share_of(b, root);

	*r = (struct reduce){ .floats = p->inf.values[root].count,
			      .samples = p->inf.samples,
			      .scratch = b->r->memory->block + p->reduce_scratch };
	if (b->pass == PASS_SUM) {
		r->kind = REDUCE_SUM;
		r->out = q ? b->g->out + q->offset : row_of(b, root, 0);
		return true;
	}
	if ((share == SHARE_SUMMED) != (b->pass == PASS_WINDOW))
		return false;
	if (b->pass == PASS_WINDOW) {
		r->kind = REDUCE_ROWS;
		r->first = b->first;
		r->samples = b->samples;
		r->out = row_of(b, root, 0);
		return true;
	}
	for (size_t k = 0; q && k < b->g->direction_count; k++)
		directions[k] = b->g->directions[k] + q->offset;
	r->directions = directions;
	r->direction_count = b->g->direction_count;
	return set_direct(b, value, r);
}

/* ---- one node ---- */

/* Says to each input what becomes of its gradient; false when there is nothing to do. */
static bool bind_inputs(const struct backward *b, size_t node)
{
	struct runner *r = b->r;
	const struct graph_node *n = &r->graph->nodes[node];
	bool any = false;

	for (size_t i = 0; i < n->input_count; i++) {
		const struct plan_edge *e = &r->plan->edges[r->plan->first_edge[node] + i];
		size_t root;

		if (!e->wanted || e->passed)
			continue;
		root = r->plan->inf.roots[n->inputs[i]];
		if (!r->plan->inf.values[root].batched) {
			if (!b->g->none &&
			    set_reduce(b, n->inputs[i], r->memory->directions + i * RUNNER_MAX_DIRECTIONS,
				       &r->memory->reduces[i]))
				r->memory->in[i].reduce = &r->memory->reduces[i];
		} else if (b->pass != PASS_WINDOW) {
			size_t own = r->plan->grads[root];

			r->memory->in[i].grad = r->memory->block + (r->memory->reached[root] ? e->spare : own);
		}
		any = any || r->memory->in[i].reduce || r->memory->in[i].grad;
	}
	return any;
}

static bool bind_outputs(const struct backward *b, size_t node)
{
	const struct graph_node *n = &b->r->graph->nodes[node];
	bool any = false;

	for (size_t i = 0; i < n->output_count; i++) {
		if (n->outputs[i] == GRAPH_NONE || b->r->plan->grads[n->outputs[i]] == GRAPH_NONE)
			continue;
		b->r->memory->out[i].grad = is_replaced(b->r, n->outputs[i]) ? NULL : runner_grad(b->r, n->outputs[i]);
		any = any || b->r->memory->out[i].grad;
	}
	return any;
}

/* Two inputs of one node may be the same value: the first is written in place, the second aside. */
static void take_spares(const struct backward *b, size_t node)
{
	struct runner *r = b->r;
	const struct graph_node *n = &r->graph->nodes[node];

	for (size_t i = 0; i < n->input_count; i++) {
		size_t root;

		if (!r->memory->in[i].grad)
			continue;
		root = r->plan->inf.roots[n->inputs[i]];
		if (r->memory->in[i].grad != r->memory->block + r->plan->grads[root])
			kernel_add(r->memory->block + r->plan->grads[root], r->memory->in[i].grad,
				   r->plan->inf.values[root].count);
		r->memory->reached[root] = 1;
	}
}

static void mark_passed(const struct backward *b, size_t node)
{
	const struct graph_node *n = &b->r->graph->nodes[node];

	for (size_t i = 0; i < n->input_count; i++)
		if (b->r->plan->edges[b->r->plan->first_edge[node] + i].passed && b->r->memory->out[0].grad)
			b->r->memory->reached[b->r->plan->inf.roots[n->inputs[i]]] = 1;
}

/* Marks the second of equal inputs as to be written aside. */
static void separate_equals(const struct backward *b, size_t node)
{
	struct runner *r = b->r;
	const struct graph_node *n = &r->graph->nodes[node];

	for (size_t i = 1; i < n->input_count; i++)
		for (size_t k = 0; k < i; k++)
			if (r->memory->in[i].grad && r->memory->in[i].grad == r->memory->in[k].grad)
				r->memory->in[i].grad =
				    r->memory->block + r->plan->edges[r->plan->first_edge[node] + i].spare;
}

/* The node adds to what the caller shares between runners. */
static bool has_turn(const struct backward *b, size_t node)
{
	const struct graph_node *n = &b->r->graph->nodes[node];

	if (b->g->none || !b->g->wait || b->pass == PASS_WINDOW || b->g->kind == REDUCE_NORM ||
	    b->g->kind == REDUCE_DOT)
		return false;
	for (size_t i = 0; i < n->input_count; i++)
		if (b->r->plan->edges[b->r->plan->first_edge[node] + i].wanted &&
		    !b->r->plan->inf.values[n->inputs[i]].batched)
			return true;
	return false;
}

static void backward_node(const struct backward *b, size_t node)
{
	bool turn = has_turn(b, node);
	struct runner_step s;

	runner_bind(b->r, node, &s);
	if (turn)
		b->g->wait(b->g->arg, node);
	if (bind_outputs(b, node)) {
		if (bind_inputs(b, node)) {
			separate_equals(b, node);
			s.run.op->backward(&s.run);
			take_spares(b, node);
		}
		mark_passed(b, node);
	}
	if (turn)
		b->g->pass(b->g->arg, node);
}

static bool is_differentiated(const struct runner *r, size_t node)
{
	const struct plan_edge *e = &r->plan->edges[r->plan->first_edge[node]];

	for (size_t i = 0; i < r->graph->nodes[node].input_count; i++)
		if (e[i].wanted)
			return true;
	return false;
}

static void backward_rows(const struct backward *b)
{
	const struct plan *p = b->r->plan;

	for (size_t i = p->order_count; i-- > 0;)
		if (is_differentiated(b->r, p->order[i]))
			backward_node(b, p->order[i]);
}

/* ---- what follows from weights alone, on row w of the unbatched values with that share ---- */

static bool bind_early(const struct backward *b, size_t node, size_t w, enum plan_share share)
{
	const struct graph_node *n = &b->r->graph->nodes[node];
	bool any = false;

	for (size_t i = 0; i < n->output_count; i++) {
		size_t v = n->outputs[i];

		if (v == GRAPH_NONE || b->r->plan->rows[v] == GRAPH_NONE)
			continue;
		if (share != SHARE_NONE && share_of(b, v) != share)
			continue;
		b->r->memory->out[i].grad = row_of(b, v, w);
		any = true;
	}
	for (size_t i = 0; i < n->input_count; i++) {
		const struct plan_edge *e = &b->r->plan->edges[b->r->plan->first_edge[node] + i];

		if (e->wanted)
			b->r->memory->in[i].grad = b->r->memory->block + e->spare;
	}
	return any;
}

static void backward_early(const struct backward *b, size_t w, enum plan_share share)
{
	const struct plan *p = b->r->plan;

	for (size_t k = p->early_count; k-- > 0;) {
		const struct graph_node *n = &b->r->graph->nodes[p->early[k]];
		struct runner_step s;

		if (!is_differentiated(b->r, p->early[k]))
			continue;
		runner_bind(b->r, p->early[k], &s);
		if (!bind_early(b, p->early[k], w, share))
			continue;
		s.run.op->backward(&s.run);
		for (size_t i = 0; i < n->input_count; i++) {
			size_t root = n->inputs[i] == GRAPH_NONE ? GRAPH_NONE : p->inf.roots[n->inputs[i]];
			const struct graph_parameter *q;

			if (!b->r->memory->in[i].grad)
				continue;
			q = parameter_of(b, root);
			kernel_add(b->pass == PASS_SUM && q ? b->g->out + q->offset : row_of(b, root, w),
				   b->r->memory->in[i].grad, p->inf.values[root].count);
		}
	}
}

/* A sample's complete gradients of the summed weights. */
static void take_sample(const struct backward *b, size_t w)
{
	const struct graph *g = b->r->graph;
	size_t n = b->first + w;

	for (size_t i = 0; i < g->parameter_count; i++) {
		const struct graph_parameter *p = &g->parameters[i];
		const float *grad;

		if (share_of(b, g->parameter_values[i]) != SHARE_SUMMED)
			continue;
		grad = row_of(b, g->parameter_values[i], w);
		if (b->g->kind == REDUCE_SQUARE_SUM)
			kernel_add_squares(b->g->out + p->offset, grad, p->count);
		else if (b->g->kind == REDUCE_NORM)
			b->g->dots[n] += kernel_sum_squares(grad, p->count);
		for (size_t k = 0; b->g->kind == REDUCE_DOT && k < b->g->direction_count; k++)
			b->g->dots[n * b->g->direction_count + k] +=
			    kernel_dot(grad, b->g->directions[k] + p->offset, p->count);
	}
}

static void run_windows(struct backward *b)
{
	size_t samples = b->r->plan->inf.samples, window = b->r->plan->window;

	b->pass = PASS_WINDOW;
	for (b->first = 0; b->first < samples; b->first += window) {
		b->samples = samples - b->first < window ? samples - b->first : window;
		zero_rows(b, SHARE_SUMMED, b->samples);
		backward_rows(b);
		for (size_t w = 0; w < b->samples; w++) {
			backward_early(b, w, SHARE_SUMMED);
			take_sample(b, w);
		}
	}
}

/* Squares of rearranged weights, put back in order. */
static void take_carried(const struct backward *b)
{
	const struct graph *g = b->r->graph;

	backward_early(b, 0, SHARE_CARRIED);
	for (size_t i = 0; i < g->parameter_count; i++)
		if (b->r->plan->shares[g->parameter_values[i]] == SHARE_CARRIED)
			kernel_add(b->g->out + g->parameters[i].offset, row_of(b, g->parameter_values[i], 0),
				   g->parameters[i].count);
}

static bool has_last_turn(const struct runner *r, const struct runner_gradients *g)
{
	return g->wait && g->kind != REDUCE_NORM && g->kind != REDUCE_DOT &&
	       (r->plan->any_carried || r->plan->any_summed);
}

void runner_backward(struct runner *r, const struct runner_gradients *g)
{
	struct backward b = { .r = r, .g = g, .pass = g->kind == REDUCE_SUM ? PASS_SUM : PASS_DIRECT };
	bool turn = !g->none && has_last_turn(r, g);

	if (!g->none)
		zero_rows(&b, b.pass == PASS_SUM ? SHARE_NONE : SHARE_CARRIED, 1);
	backward_rows(&b);
	if (g->none)
		return;
	if (turn)
		g->wait(g->arg, r->graph->node_count);
	if (b.pass == PASS_SUM)
		backward_early(&b, 0, SHARE_NONE);
	else if (g->kind == REDUCE_SQUARE_SUM && r->plan->any_carried)
		take_carried(&b);
	if (b.pass != PASS_SUM && g->kind != REDUCE_MOMENTS &&
	    (r->plan->any_summed || (g->kind == REDUCE_DOT && r->plan->any_carried)))
		run_windows(&b);
	if (turn)
		g->pass(g->arg, r->graph->node_count);
}

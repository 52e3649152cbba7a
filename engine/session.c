/*
 * Forward: what follows from the weights alone once, then every node for all rows. Backward: all nodes in reverse for
 * all rows, operators handing the factors of weight gradients to reductions.
 *
 * A weight that is used twice, or by way of another operator, has a gradient that is a sum; it must be complete before
 * it is squared. So for SQUARE_SUM and NORM such weights are left out at first, and then, with all activation gradients
 * still in place, each sample hands over its factors again, into a sum of its own.
 */
#include "engine/session.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/blas.h"
#include "engine/kernels.h"
#include "engine/loss.h"
#include "engine/plan.h"

enum pass {
	PASS_SUM,    /* every weight, summed over the rows */
	PASS_DIRECT, /* weights that one operator uses; the rest is left out */
	PASS_SHARED, /* one sample's sums for the rest; activation gradients are in place */
};

struct session {
	struct graph *graph;
	struct plan plan;
	float *memory;             /* the plan's arena */
	struct op_input *inputs;   /* [plan.max_inputs] */
	struct reduce *reduces;    /* [plan.max_inputs] */
	float *log_probs, *losses; /* [batch, classes], [batch] */

	/* of the present call */
	const struct params *params;
	const float *rows;
	struct session_result *result;
	enum session_reduce kind;
};

/* ---- memory of values ---- */

static const float *data_of(const struct session *s, size_t value, size_t first)
{
	const struct graph_value *v = &s->graph->values[s->graph->values[value].root];
	size_t skip = v->v.batched ? first * shape_count(&v->v.shape) : 0;

	if (v->kind == VALUE_INPUT)
		return s->rows + skip;
	if (v->parameter != GRAPH_NONE)
		return s->params->values + s->graph->parameters[v->parameter].offset;
	if (v->kind == VALUE_INITIALIZER)
		return v->v.constant;
	return s->memory + s->plan.data[v->root] + skip;
}

static float *grad_of(const struct session *s, size_t root, size_t first)
{
	const struct graph_value *v = &s->graph->values[root];

	return s->memory + s->plan.grads[root] + (v->v.batched ? first * shape_count(&v->v.shape) : 0);
}

/* ---- running one node ---- */

struct step {
	struct op_run run;
	struct op_output out;
};

static void bind(struct session *s, const struct graph_node *n, size_t first, size_t rows, struct step *step)
{
	const struct graph *g = s->graph;

	for (size_t i = 0; i < n->input_count; i++) {
		struct op_input *in = &s->inputs[i];

		*in = (struct op_input){ 0 };
		if (n->inputs[i] == GRAPH_NONE)
			continue;
		in->value = &g->values[n->inputs[i]].v;
		if (in->value->integers)
			continue;
		in->floats = shape_count(&in->value->shape);
		in->data = data_of(s, n->inputs[i], first);
	}
	step->out = (struct op_output){ .value = &g->values[n->output].v };
	step->out.floats = shape_count(&step->out.value->shape);
	step->out.data =
	    s->memory + s->plan.data[n->output] + (step->out.value->batched ? first * step->out.floats : 0);
	step->run = (struct op_run){ .op = n->op,
				     .rows = n->phase == PHASE_ROWS ? rows : 1,
				     .config = n->config,
				     .in = s->inputs,
				     .in_count = n->input_count,
				     .out = &step->out,
				     .scratch = s->memory + s->plan.scratch };
}

static void run_forward(struct session *s, size_t node, size_t rows)
{
	const struct graph_node *n = &s->graph->nodes[node];
	struct step step;

	bind(s, n, 0, rows, &step);
	n->op->forward(&step.run);
}

static void run_early(struct session *s, enum graph_phase phase)
{
	for (size_t i = 0; i < s->plan.early_count; i++)
		if (s->graph->nodes[s->plan.early[i]].phase == phase)
			run_forward(s, s->plan.early[i], 1);
}

/* All nodes but, on request, the terminal softmax. */
static void run_rows(struct session *s, size_t rows, bool with_end)
{
	run_early(s, PHASE_PARAMETERS);
	for (size_t i = 0; i < s->plan.order_count; i++)
		if (with_end || s->plan.order[i] != s->graph->loss_node)
			run_forward(s, s->plan.order[i], rows);
}

/* ---- gradients ---- */

static float *parameter_target(const struct session *s, size_t root, enum pass pass)
{
	size_t parameter = s->graph->values[root].parameter;

	if (pass == PASS_SUM && parameter != GRAPH_NONE)
		return s->result->out + s->graph->parameters[parameter].offset;
	return grad_of(s, root, 0);
}

/* The reduction for an unbatched input of a batched operator; NULL when this pass leaves it out. */
static struct reduce *reduce_for(struct session *s, size_t input, size_t root, size_t first, enum pass pass)
{
	static const enum reduce_kind kinds[] = {
		[SESSION_SUM] = REDUCE_SUM,
		[SESSION_SQUARE_SUM] = REDUCE_SQUARE_SUM,
		[SESSION_NORM] = REDUCE_NORM,
	};
	const struct graph_value *v = &s->graph->values[root];
	struct reduce *r = &s->reduces[input];
	bool direct = v->parameter != GRAPH_NONE && !s->plan.shared[v->parameter];

	if (pass != PASS_SUM && direct != (pass == PASS_DIRECT))
		return NULL;
	*r = (struct reduce){ .tile = s->memory + s->plan.tile, .tile_size = s->plan.tile_floats };
	r->kind = pass == PASS_DIRECT ? kinds[s->kind] : REDUCE_SUM;
	if (r->kind == REDUCE_NORM)
		r->dots = s->result->dots + first;
	else if (pass == PASS_DIRECT)
		r->out = s->result->out + s->graph->parameters[v->parameter].offset;
	else
		r->out = parameter_target(s, root, pass);
	return r;
}

/* Says to each input what becomes of its gradient; false when there is nothing to do. */
static bool bind_gradients(struct session *s, size_t node, size_t first, enum pass pass)
{
	const struct graph_node *n = &s->graph->nodes[node];
	bool any = false;

	for (size_t i = 0; i < n->input_count; i++) {
		const struct plan_edge *e = &s->plan.edges[s->plan.first_edge[node] + i];

		if (!e->wanted)
			continue;
		if (e->grad == GRAPH_NONE)
			s->inputs[i].reduce = reduce_for(s, i, s->graph->values[n->inputs[i]].root, first, pass);
		else if (pass != PASS_SHARED || n->phase != PHASE_ROWS)
			s->inputs[i].grad = s->memory + e->grad;
		any = any || s->inputs[i].reduce || s->inputs[i].grad;
	}
	return any;
}

static void add_spares(struct session *s, size_t node, size_t rows, enum pass pass)
{
	const struct graph_node *n = &s->graph->nodes[node];

	for (size_t i = 0; i < n->input_count; i++) {
		const struct plan_edge *e = &s->plan.edges[s->plan.first_edge[node] + i];
		size_t root, count;

		if (!s->inputs[i].grad || !e->added)
			continue;
		root = s->graph->values[n->inputs[i]].root;
		count = s->inputs[i].floats * (s->graph->values[root].v.batched ? rows : 1);
		kernel_add(parameter_target(s, root, pass), s->memory + e->grad, count);
	}
}

static void run_backward(struct session *s, size_t node, size_t first, size_t rows, enum pass pass)
{
	const struct graph_node *n = &s->graph->nodes[node];
	struct step step;

	if (!s->graph->values[n->output].trainable)
		return;
	bind(s, n, first, rows, &step);
	step.out.grad = grad_of(s, n->output, first);
	if (!bind_gradients(s, node, first, pass))
		return;
	n->op->backward(&step.run);
	add_spares(s, node, rows, pass);
}

static void run_pass(struct session *s, size_t first, size_t rows, enum pass pass)
{
	memset(s->memory + s->plan.sums, 0, s->plan.sum_floats * sizeof(float));
	for (size_t i = s->plan.order_count; i-- > 0;)
		if (s->plan.order[i] != s->graph->loss_node)
			run_backward(s, s->plan.order[i], first, rows, pass);
	for (size_t i = s->plan.early_count; pass != PASS_DIRECT && i-- > 0;)
		run_backward(s, s->plan.early[i], 0, 1, pass);
}

/* A sample's complete gradients of the shared weights, squared. */
static void take_shared(struct session *s, size_t sample)
{
	const struct graph *g = s->graph;

	for (size_t i = 0; i < g->parameter_count; i++) {
		const struct graph_parameter *p = &g->parameters[i];
		const float *grad;

		if (!s->plan.shared[i])
			continue;
		grad = grad_of(s, g->parameter_values[i], 0);
		if (s->kind == SESSION_SQUARE_SUM)
			kernel_add_squares(s->result->out + p->offset, grad, p->count);
		else
			s->result->dots[sample] += kernel_sum_squares(grad, p->count);
	}
}

static void run_gradients(struct session *s, size_t rows)
{
	if (s->kind == SESSION_SUM) {
		run_pass(s, 0, rows, PASS_SUM);
		return;
	}
	run_pass(s, 0, rows, PASS_DIRECT);
	for (size_t n = 0; s->plan.any_shared && n < rows; n++) {
		run_pass(s, n, 1, PASS_SHARED);
		take_shared(s, n);
	}
}

/* ---- the outer functions ---- */

static int open_memory(struct session *s, struct exp_error *err)
{
	size_t batch = s->plan.batch, scores;

	s->memory = mem_try_aligned(s->plan.floats, sizeof(float));
	s->inputs = mem_try_alloc(s->plan.max_inputs, sizeof(*s->inputs));
	s->reduces = mem_try_alloc(s->plan.max_inputs, sizeof(*s->reduces));
	s->losses = mem_try_aligned(batch, sizeof(float));
	s->log_probs = mem_size(batch, s->graph->classes, &scores) ? mem_try_aligned(scores, sizeof(float)) : NULL;
	if (!s->memory || !s->inputs || !s->reduces || !s->losses || !s->log_probs)
		return error_set(err, EXP_EMEMORY, "not enough memory for a batch of %zu rows", batch);
	return 0;
}

int session_new(struct graph *g, size_t batch, struct session **out, struct exp_error *err)
{
	struct session *s;
	int rc;

	if (batch < 1)
		return error_set(err, EXP_EINVAL, "a batch has at least one row");
	s = mem_try_alloc(1, sizeof(*s));
	if (!s)
		return error_set(err, EXP_EMEMORY, "not enough memory for a session");
	s->graph = graph_ref(g);
	rc = plan_init(&s->plan, g, batch, err);
	if (rc == 0)
		rc = open_memory(s, err);
	if (rc) {
		session_free(s);
		return rc;
	}
	blas_use_one_thread();
	run_early(s, PHASE_CONSTANT);
	*out = s;
	return 0;
}

/* Activations follow from people's rows, so they do not outlive the session. */
void session_free(struct session *s)
{
	if (!s)
		return;
	mem_free_secret(s->memory, s->plan.floats * sizeof(float));
	if (s->log_probs)
		mem_free_secret(s->log_probs, s->plan.batch * s->graph->classes * sizeof(float));
	if (s->losses)
		mem_free_secret(s->losses, s->plan.batch * sizeof(float));
	mem_free(s->inputs);
	mem_free(s->reduces);
	plan_fini(&s->plan);
	graph_unref(s->graph);
	mem_free(s);
}

size_t session_batch(const struct session *s)
{
	return s->plan.batch;
}

struct graph *session_graph(const struct session *s)
{
	return s->graph;
}

static int start_call(struct session *s, const struct params *p, const float *inputs, size_t n)
{
	if (n > s->plan.batch || p->graph != s->graph)
		return EXP_EINVAL;
	s->params = p;
	s->rows = inputs;
	return 0;
}

int session_forward(struct session *s, const struct params *p, const float *inputs, size_t n, float *outputs)
{
	int rc = start_call(s, p, inputs, n);

	if (rc || n == 0)
		return rc;
	run_rows(s, n, true);
	memcpy(outputs, data_of(s, s->graph->output, 0), n * s->graph->classes * sizeof(float));
	return 0;
}

static void score(struct session *s, size_t n, float *log_probs)
{
	size_t classes = s->graph->classes;
	const float *logits;

	run_rows(s, n, false);
	logits = data_of(s, s->graph->loss_value, 0);
	for (size_t i = 0; i < n; i++)
		loss_log_softmax(log_probs + i * classes, logits + i * classes, classes);
}

int session_log_probs(struct session *s, const struct params *p, const float *inputs, size_t n, float *log_probs)
{
	int rc = start_call(s, p, inputs, n);

	if (rc == 0 && n > 0)
		score(s, n, log_probs);
	return rc;
}

static int take_losses(struct session *s, const int32_t *labels, size_t n)
{
	size_t classes = s->graph->classes;

	for (size_t i = 0; i < n; i++)
		s->losses[i] = -s->log_probs[i * classes + (size_t)labels[i]];
	if (s->result->losses)
		memcpy(s->result->losses, s->losses, n * sizeof(float));
	if (s->result->log_probs)
		memcpy(s->result->log_probs, s->log_probs, n * classes * sizeof(float));
	return kernel_all_finite(s->losses, n) ? 0 : EXP_ENONFINITE;
}

static int check_result(const struct session *s, size_t n)
{
	if (s->kind != SESSION_NORM)
		return kernel_all_finite(s->result->out, s->graph->parameter_floats) ? 0 : EXP_ENONFINITE;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(s->result->dots[i]))
			return EXP_ENONFINITE;
	return 0;
}

static int check_call(const struct session *s, const int32_t *labels, size_t n, const struct session_result *result)
{
	if (s->kind == SESSION_NORM ? !result->dots : !result->out)
		return EXP_EINVAL;
	for (size_t i = 0; i < n; i++)
		if (labels[i] < 0 || (size_t)labels[i] >= s->graph->classes)
			return EXP_ERANGE;
	return 0;
}

int session_backward(struct session *s, const struct params *p, const float *inputs, const int32_t *labels, size_t n,
		     enum session_reduce reduce, struct session_result *result)
{
	int rc = start_call(s, p, inputs, n);

	s->kind = reduce;
	s->result = result;
	if (rc == 0)
		rc = check_call(s, labels, n, result);
	if (rc || n == 0)
		return rc;
	score(s, n, s->log_probs);
	rc = take_losses(s, labels, n);
	if (rc)
		return rc;
	if (reduce == SESSION_NORM)
		memset(result->dots, 0, n * sizeof(*result->dots));
	if (s->graph->parameter_count == 0)
		return 0;
	loss_gradient(grad_of(s, s->graph->loss_value, 0), s->log_probs, labels, n, s->graph->classes);
	run_gradients(s, n);
	return check_result(s, n);
}

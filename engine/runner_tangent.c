/*
 * Forward mode: tangents of all values along a direction of the parameters, nodes in running order. A node's
 * tangent follows its value at once: memory is given on as soon as the next nodes have had it. Linear and bilinear
 * operators are run forward on tangents; the others have a function of their own.
 */
#include <string.h>

#include "engine/kernels.h"
#include "engine/runner_internal.h"

struct tangents {
	struct runner *r;
	const float *direction;
};

static const float *tangent_of(const struct tangents *t, size_t value)
{
	const struct plan *p = t->r->plan;
	size_t root = p->inf.roots[value];
	const struct graph_value *v = &t->r->graph->values[root];

	if (!p->inf.values[value].trainable)
		return NULL;
	if (v->parameter != GRAPH_NONE)
		return t->direction + t->r->graph->parameters[v->parameter].offset;
	return p->tangents[root] == GRAPH_NONE ? NULL : t->r->memory->block + p->tangents[root];
}

const float *runner_tangent(const struct runner *r, size_t value)
{
	size_t root = r->plan->inf.roots[value];

	return r->plan->tangents[root] == GRAPH_NONE ? NULL : r->memory->block + r->plan->tangents[root];
}

static float *target_of(const struct tangents *t, size_t value)
{
	size_t at = value == GRAPH_NONE ? GRAPH_NONE : t->r->plan->tangents[value];

	return at == GRAPH_NONE ? NULL : t->r->memory->block + at;
}

/* Outputs of a linear forward are the tangents themselves. */
static void aim(const struct tangents *t, const struct graph_node *n)
{
	for (size_t i = 0; i < n->output_count; i++)
		t->r->memory->out[i].f = target_of(t, n->outputs[i]);
}

static void run_linear(const struct tangents *t, const struct graph_node *n, struct runner_step *s)
{
	struct runner_memory *m = t->r->memory;

	for (size_t i = 0; i < n->input_count; i++)
		if (m->in[i].value && m->in[i].value->type == TENSOR_F32 && !infer_is_index(n->op, i))
			m->in[i].data = m->in[i].tangent ? m->in[i].tangent : m->block + t->r->plan->zeros;
	aim(t, n);
	s->run.op->forward(&s->run);
}

/* f(da, b) + f(a, db) with the rest left out of the first and replaced in the second. */
static void run_bilinear(const struct tangents *t, const struct graph_node *n, struct runner_step *s)
{
	struct runner_memory *m = t->r->memory;
	bool rest = false, second;

	memcpy(m->spare_in, m->in, n->input_count * sizeof(*m->in));
	for (size_t i = 2; i < n->input_count; i++)
		rest = rest || m->in[i].tangent;
	second = m->in[1].tangent || rest;
	aim(t, n);
	if (m->in[0].tangent) {
		m->in[0].data = m->in[0].tangent;
		for (size_t i = 2; i < n->input_count; i++)
			m->in[i].data = NULL;
		s->run.op->forward(&s->run);
	}
	if (!second)
		return;
	memcpy(m->in, m->spare_in, n->input_count * sizeof(*m->in));
	m->in[1].data = m->in[1].tangent ? m->in[1].tangent : m->block + t->r->plan->zeros;
	for (size_t i = 2; i < n->input_count; i++)
		if (m->in[i].value)
			m->in[i].data = m->in[i].tangent;
	if (!m->in[0].tangent) {
		s->run.op->forward(&s->run);
		return;
	}
	m->out[0].f = m->block + t->r->plan->spare;
	s->run.op->forward(&s->run);
	kernel_add(target_of(t, n->outputs[0]), m->out[0].f, m->out[0].value->count);
}

static void run_node(const struct tangents *t, size_t node)
{
	const struct graph_node *n = &t->r->graph->nodes[node];
	struct runner_memory *m = t->r->memory;
	struct runner_step s;
	bool any = false, wanted = false;

	runner_bind(t->r, node, &s);
	s.run.prepared = NULL;
	for (size_t i = 0; i < n->input_count; i++) {
		if (n->inputs[i] != GRAPH_NONE && !infer_is_index(n->op, i))
			m->in[i].tangent = tangent_of(t, n->inputs[i]);
		any = any || m->in[i].tangent;
	}
	for (size_t i = 0; i < n->output_count; i++) {
		m->out[i].tangent = target_of(t, n->outputs[i]);
		wanted = wanted || m->out[i].tangent;
	}
	if (!wanted)
		return;
	if (any && n->op->flags & OP_LINEAR)
		run_linear(t, n, &s);
	else if (any && n->op->flags & OP_BILINEAR)
		run_bilinear(t, n, &s);
	else if (any && n->op->tangent)
		n->op->tangent(&s.run);
	else
		for (size_t i = 0; i < n->output_count; i++)
			if (m->out[i].tangent)
				memset(m->out[i].tangent, 0, m->out[i].value->count * sizeof(float));
}

void runner_forward_mode(struct runner *r, const float *direction)
{
	const struct plan *p = r->plan;
	struct tangents t = { r, direction };

	memset(r->memory->block + p->zeros, 0, (p->floats - p->zeros) * sizeof(float));
	runner_take_inputs(r);
	for (size_t i = 0; i < p->early_count + p->order_count; i++) {
		size_t node = i < p->early_count ? p->early[i] : p->order[i - p->early_count];

		if (node == r->graph->loss_node && !r->with_end)
			continue;
		runner_forward_node(r, node);
		run_node(&t, node);
	}
}

#include "engine/runner.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/runner_internal.h"

/* ---- memory ---- */

int runner_memory_fit(struct runner_memory *m, const struct plan *p)
{
	if (!m->reached)
		m->reached = mem_try_alloc(p->inf.graph->value_count + 1, 1);
	if (!m->reached)
		return EXP_EMEMORY;
	if (p->floats > m->floats || !m->block) {
		float *block = mem_try_aligned(p->floats + 16, sizeof(*block));

		if (!block)
			return EXP_EMEMORY;
		if (m->block)
			mem_free_secret(m->block, m->floats * sizeof(float));
		m->block = block;
		m->floats = p->floats;
	}
	if (p->max_edges > m->edges || !m->in || !m->spare_in || !m->out || !m->reduces || !m->directions) {
		size_t edges = p->max_edges + 1;

		mem_free(m->in);
		mem_free(m->spare_in);
		mem_free(m->out);
		mem_free(m->reduces);
		mem_free(m->directions);
		m->in = mem_try_alloc(edges, sizeof(*m->in));
		m->spare_in = mem_try_alloc(edges, sizeof(*m->spare_in));
		m->out = mem_try_alloc(edges, sizeof(*m->out));
		m->reduces = mem_try_alloc(edges, sizeof(*m->reduces));
		m->directions = mem_try_alloc(edges, RUNNER_MAX_DIRECTIONS * sizeof(*m->directions));
		m->edges = edges;
	}
	return m->in && m->spare_in && m->out && m->reduces && m->directions ? 0 : EXP_EMEMORY;
}

void runner_memory_fini(struct runner_memory *m)
{
	if (m->block)
		mem_free_secret(m->block, m->floats * sizeof(float));
	mem_free(m->in);
	mem_free(m->spare_in);
	mem_free(m->out);
	mem_free(m->reduces);
	mem_free(m->directions);
	mem_free(m->reached);
	*m = (struct runner_memory){ 0 };
}

/* ---- where values are ---- */

static size_t input_number(const struct graph *g, size_t value)
{
	for (size_t i = 0; i < g->input_count; i++)
		if (g->inputs[i] == value)
			return i;
	exp_require(false);
	return 0;
}

const void *runner_data(const struct runner *r, size_t value)
{
	const struct plan *p = r->plan;
	size_t root = p->inf.roots[value];
	const struct graph_value *v = &r->graph->values[root];

	if (p->inf.values[value].known)
		return p->inf.values[value].known;
	if (v->parameter != GRAPH_NONE)
		return r->params + r->graph->parameters[v->parameter].offset;
	if (v->kind == VALUE_INPUT) {
		size_t at = p->inputs[input_number(r->graph, root)];

		return at == GRAPH_NONE ? r->rows : r->memory->block + at;
	}
	return r->memory->block + p->data[root];
}

const float *runner_grad(const struct runner *r, size_t value)
{
	size_t root = r->plan->inf.roots[value];

	return r->memory->reached[root] ? r->memory->block + r->plan->grads[root] : NULL;
}

/* The two layouts of a batched value: [outer, N, inner] in memory, [N, outer, inner] for the caller. */
static void reorder(const struct runner *r, size_t value, const float *from, float *to, bool gather)
{
	const struct op_value *v = &r->plan->inf.values[value];
	size_t samples = r->plan->inf.samples, inner = v->count / (v->outer * samples);

	for (size_t o = 0; o < v->outer; o++)
		for (size_t n = 0; n < samples; n++) {
			size_t own = (o * samples + n) * inner, other = (n * v->outer + o) * inner;

			memcpy(to + (gather ? other : own), from + (gather ? own : other), inner * sizeof(*to));
		}
}

void runner_gather(const struct runner *r, size_t value, const float *from, float *to)
{
	reorder(r, value, from, to, true);
}

void runner_spread(const struct runner *r, size_t value, const float *from, float *to)
{
	reorder(r, value, from, to, false);
}

/* ---- inputs ---- */

static void convert(const struct op_value *v, const float *from, void *to)
{
	for (size_t i = 0; v->type == TENSOR_I64 && i < v->count; i++)
		((int64_t *)to)[i] = from[i] >= -0x1p63f && from[i] < 0x1p63f ? (int64_t)from[i] : INT64_MIN;
	for (size_t i = 0; v->type == TENSOR_BOOL && i < v->count; i++)
		((uint8_t *)to)[i] = from[i] != 0.0f;
	if (v->type == TENSOR_F32)
		memcpy(to, from, v->count * sizeof(float));
}

/* A row holds all inputs of a sample; each becomes a tensor. */
static void take_input(struct runner *r, size_t i, size_t *column)
{
	const struct graph *g = r->graph;
	const struct op_value *v = &r->plan->inf.values[g->inputs[i]];
	size_t floats = v->count / r->plan->inf.samples, size = tensor_size(v->type);
	char *to;

	if (r->plan->inputs[i] == GRAPH_NONE)
		return;
	to = (char *)(r->memory->block + r->plan->inputs[i]);
	for (size_t n = 0; n < r->plan->inf.samples; n++) {
		struct op_value row = { .type = v->type, .count = floats };

		convert(&row, r->rows + n * g->row_floats + *column, to + n * floats * size);
	}
	*column += floats;
}

static void replace_values(struct runner *r, size_t node)
{
	for (size_t i = 0; r->replace && i < r->tap_count; i++) {
		size_t root = r->plan->inf.roots[r->taps[i]];

		if (r->replace[i] && r->graph->values[root].node == node)
			runner_spread(r, r->taps[i], r->replace[i], (float *)(uintptr_t)runner_data(r, root));
	}
}

void runner_take_inputs(struct runner *r)
{
	size_t column = 0;

	for (size_t i = 0; i < r->graph->input_count; i++) {
		const struct op_value *v = &r->plan->inf.values[r->graph->inputs[i]];

		if (r->graph->whole)
			memcpy(r->memory->block + r->plan->inputs[i], r->feeds[i], v->count * tensor_size(v->type));
		else
			take_input(r, i, &column);
	}
	replace_values(r, GRAPH_NONE);
}

/* ---- forward ---- */

static float *statistic_of(const struct runner *r, size_t value)
{
	const struct graph_value *v = &r->graph->values[r->plan->inf.roots[value]];

	if (!v->is_statistic)
		return NULL;
	return r->statistics + (r->graph->parameters[v->parameter].offset - r->graph->trainable_floats);
}

void runner_bind(struct runner *r, size_t node, struct runner_step *s)
{
	const struct graph_node *n = &r->graph->nodes[node];
	const struct infer_node *to = &r->plan->inf.nodes[node];
	struct runner_memory *m = r->memory;

	for (size_t i = 0; i < n->input_count; i++) {
		m->in[i] = (struct op_input){ .value = to->inputs[i] };
		if (to->inputs[i])
			m->in[i].data = runner_data(r, n->inputs[i]);
		if (r->statistics && to->inputs[i])
			m->in[i].statistic = statistic_of(r, n->inputs[i]);
	}
	for (size_t i = 0; i < n->output_count; i++) {
		m->out[i] = (struct op_output){ .value = to->outputs[i] };
		if (to->outputs[i])
			m->out[i].data = (void *)(uintptr_t)runner_data(r, n->outputs[i]);
	}
	s->run = (struct op_run){ .op = n->op,
				  .config = to->config,
				  .samples = r->plan->inf.samples,
				  .in = m->in,
				  .in_count = n->input_count,
				  .out = m->out,
				  .out_count = n->output_count,
				  .scratch = m->block + r->plan->scratch };
	if (r->prepared && to->prepared && r->prepared->sizes[node] == to->prepared)
		s->run.prepared = r->prepared->floats + r->prepared->at[node];
}

void runner_forward_node(struct runner *r, size_t node)
{
	struct runner_step s;

	runner_bind(r, node, &s);
	s.run.op->forward(&s.run);
	replace_values(r, node);
}

/* ---- prepared weights ---- */

void runner_prepared_fini(struct runner_prepared *p)
{
	if (p->floats)
		mem_free_secret(p->floats, p->count * sizeof(float));
	mem_free(p->at);
	mem_free(p->sizes);
	*p = (struct runner_prepared){ 0 };
}

static bool measure_prepared(const struct runner *r, size_t limit, struct runner_prepared *out)
{
	out->at = mem_try_alloc(r->graph->node_count + 1, sizeof(*out->at));
	out->sizes = mem_try_alloc(r->graph->node_count + 1, sizeof(*out->sizes));
	for (size_t i = 0; out->at && out->sizes && i < r->graph->node_count; i++) {
		const struct infer_node *n = &r->plan->inf.nodes[i];

		if (!n->runs || n->phase != PHASE_ROWS || !n->prepared)
			continue;
		out->at[i] = out->count;
		out->sizes[i] = n->prepared;
		out->count += (n->prepared + 15) / 16 * 16;
		if (out->count > limit)
			return false;
	}
	out->floats = out->at && out->sizes ? mem_try_aligned(out->count + 1, sizeof(float)) : NULL;
	return out->floats != NULL;
}

int runner_prepare(struct runner *r, size_t limit, struct runner_prepared *out)
{
	*out = (struct runner_prepared){ 0 };
	if (!measure_prepared(r, limit, out)) {
		runner_prepared_fini(out);
		return EXP_EMEMORY;
	}
	for (size_t i = 0; i < r->plan->early_count; i++)
		runner_forward_node(r, r->plan->early[i]);
	for (size_t i = 0; i < r->plan->order_count; i++) {
		size_t node = r->plan->order[i];
		struct runner_step s;

		if (!out->sizes[node])
			continue;
		runner_bind(r, node, &s);
		for (size_t k = 0; k < s.run.in_count; k++)
			if (r->memory->in[k].value && r->memory->in[k].value->batched)
				r->memory->in[k].data = NULL;
		s.run.op->prepare(&s.run, out->floats + out->at[node]);
	}
	return 0;
}

/* ---- forward ---- */

void runner_forward(struct runner *r)
{
	const struct plan *p = r->plan;

	runner_take_inputs(r);
	for (size_t i = 0; i < p->early_count; i++)
		runner_forward_node(r, p->early[i]);
	for (size_t i = 0; i < p->order_count; i++)
		if (r->with_end || p->order[i] != r->graph->loss_node)
			runner_forward_node(r, p->order[i]);
}

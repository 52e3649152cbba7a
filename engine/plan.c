#include "engine/plan.h"

#include "base/mem.h"

enum { ALIGN = 16 };
#define MAX_FLOATS ((size_t)1 << 31)

struct planner {
	const struct graph *g;
	struct plan *p;
	bool full; /* the arena would exceed MAX_FLOATS */
};

static size_t place(struct planner *b, size_t count, size_t times)
{
	size_t at = b->p->floats, floats;

	if (!mem_size(count, times, &floats) || floats > MAX_FLOATS || at > MAX_FLOATS) {
		b->full = true;
		return at;
	}
	b->p->floats += (floats + ALIGN - 1) / ALIGN * ALIGN;
	return at;
}

static bool runs(const struct graph_node *n)
{
	return n->live && !n->is_constant && n->phase != PHASE_FOLDED && !(n->op->flags & OP_VIEW);
}

static size_t times(const struct planner *b, const struct graph_value *v)
{
	return v->v.batched ? b->p->batch : 1;
}

static void list_nodes(struct planner *b)
{
	struct plan *p = b->p;
	size_t edges = 0;

	for (size_t i = 0; i < b->g->node_count; i++) {
		const struct graph_node *n = &b->g->nodes[i];

		p->first_edge[i] = edges;
		if (!runs(n))
			continue;
		edges += n->input_count;
		p->max_inputs = n->input_count > p->max_inputs ? n->input_count : p->max_inputs;
		if (n->phase == PHASE_ROWS)
			p->order[p->order_count++] = i;
		else
			p->early[p->early_count++] = i;
	}
}

static void mark_shared(struct planner *b)
{
	struct plan *p = b->p;

	for (size_t i = 0; i < b->g->parameter_count; i++)
		p->shared[i] = b->g->values[b->g->parameter_values[i]].uses > 1;
	for (size_t i = 0; i < p->early_count; i++) {
		const struct graph_node *n = &b->g->nodes[p->early[i]];

		for (size_t k = 0; k < n->input_count; k++) {
			size_t v = n->inputs[k] == GRAPH_NONE ? GRAPH_NONE : b->g->values[n->inputs[k]].root;

			if (v != GRAPH_NONE && b->g->values[v].parameter != GRAPH_NONE)
				p->shared[b->g->values[v].parameter] = true;
		}
	}
	for (size_t i = 0; i < b->g->parameter_count; i++)
		p->any_shared = p->any_shared || p->shared[i];
}

static void place_values(struct planner *b)
{
	struct plan *p = b->p;

	for (size_t i = 0; i < b->g->value_count; i++)
		p->data[i] = p->grads[i] = GRAPH_NONE;
	for (size_t i = 0; i < p->early_count + p->order_count; i++) {
		size_t node = i < p->early_count ? p->early[i] : p->order[i - p->early_count];
		size_t out = b->g->nodes[node].output;
		const struct graph_value *v = &b->g->values[out];

		p->data[out] = place(b, shape_count(&v->v.shape), times(b, v));
		if (v->trainable && v->v.batched)
			p->grads[out] = place(b, shape_count(&v->v.shape), p->batch);
	}
}

/* Gradients of weights that several operators share, and of what was computed from weights. */
static void place_sums(struct planner *b)
{
	struct plan *p = b->p;

	p->sums = p->floats;
	for (size_t i = 0; i < b->g->parameter_count; i++)
		if (p->shared[i])
			p->grads[b->g->parameter_values[i]] = place(b, b->g->parameters[i].count, 1);
	for (size_t i = 0; i < p->early_count; i++) {
		size_t out = b->g->nodes[p->early[i]].output;

		if (b->g->values[out].trainable)
			p->grads[out] = place(b, shape_count(&b->g->values[out].v.shape), 1);
	}
	p->sum_floats = p->floats - p->sums;
}

/*
 * Backward order. The first user of a batched value writes the value's gradient itself; every further one, and every
 * user of a weight in an unbatched operator, writes to a spare place that is added. Spare places are reused from node
 * to node.
 */
static void place_edges_of(struct planner *b, size_t node, bool *written, size_t *spare_floats)
{
	const struct graph_node *n = &b->g->nodes[node];
	size_t start = b->p->floats;

	for (size_t k = 0; k < n->input_count; k++) {
		struct plan_edge *e = &b->p->edges[b->p->first_edge[node] + k];
		size_t root = n->inputs[k] == GRAPH_NONE ? GRAPH_NONE : b->g->values[n->inputs[k]].root;
		const struct graph_value *v = root == GRAPH_NONE ? NULL : &b->g->values[root];

		*e = (struct plan_edge){ .grad = GRAPH_NONE, .wanted = v && v->trainable };
		if (!e->wanted || (n->phase == PHASE_ROWS && !v->v.batched))
			continue;
		e->added = !v->v.batched || written[root];
		written[root] = true;
		e->grad = e->added ? place(b, shape_count(&v->v.shape), times(b, v)) : b->p->grads[root];
	}
	if (b->p->floats - start > *spare_floats)
		*spare_floats = b->p->floats - start;
	b->p->floats = start;
}

static void place_edges(struct planner *b, bool *written)
{
	struct plan *p = b->p;
	size_t spare_floats = 0;

	for (size_t i = p->order_count; i-- > 0;)
		if (p->order[i] != b->g->loss_node)
			place_edges_of(b, p->order[i], written, &spare_floats);
	for (size_t i = p->early_count; i-- > 0;)
		place_edges_of(b, p->early[i], written, &spare_floats);
	p->floats += spare_floats;
}

static void place_scratch(struct planner *b)
{
	struct plan *p = b->p;
	size_t scratch = 0;

	for (size_t i = 0; i < b->g->node_count; i++) {
		const struct graph_node *n = &b->g->nodes[i];
		size_t need;

		if (!runs(n))
			continue;
		if (!mem_size(n->scratch_per_row, p->batch, &need) || need > MAX_FLOATS) {
			b->full = true;
			continue;
		}
		scratch = need + n->scratch > scratch ? need + n->scratch : scratch;
	}
	p->scratch = place(b, scratch, 1);
	for (size_t i = 0; i < b->g->parameter_count; i++) {
		const struct graph_parameter *q = &b->g->parameters[i];
		size_t out = q->rank ? q->dims[0] : 1, need = reduce_scratch(out, q->count / out);

		p->tile_floats = need > p->tile_floats ? need : p->tile_floats;
	}
	p->tile = place(b, p->tile_floats, 1);
}

static bool try_lists(struct plan *p, const struct graph *g, size_t edges)
{
	p->data = mem_try_alloc(g->value_count, sizeof(*p->data));
	p->grads = mem_try_alloc(g->value_count, sizeof(*p->grads));
	p->edges = mem_try_alloc(edges, sizeof(*p->edges));
	p->first_edge = mem_try_alloc(g->node_count, sizeof(*p->first_edge));
	p->order = mem_try_alloc(g->node_count, sizeof(*p->order));
	p->early = mem_try_alloc(g->node_count, sizeof(*p->early));
	p->shared = mem_try_alloc(g->parameter_count, sizeof(*p->shared));
	return p->data && p->grads && p->edges && p->first_edge && p->order && p->early && p->shared;
}

int plan_init(struct plan *p, const struct graph *g, size_t batch, struct exp_error *err)
{
	struct planner b = { .g = g, .p = p };
	bool *written = mem_try_alloc(g->value_count, sizeof(*written));
	size_t edges = 0;

	*p = (struct plan){ .batch = batch };
	for (size_t i = 0; i < g->node_count; i++)
		edges += g->nodes[i].input_count;
	if (!written || !try_lists(p, g, edges)) {
		mem_free(written);
		plan_fini(p);
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	}
	list_nodes(&b);
	mark_shared(&b);
	place_values(&b);
	place_sums(&b);
	place_edges(&b, written);
	place_scratch(&b);
	mem_free(written);
	if (b.full || p->floats > MAX_FLOATS) {
		plan_fini(p);
		return error_set(err, EXP_ELIMIT, "a batch of %zu rows needs more than %zu MiB: use a smaller batch",
				 batch, MAX_FLOATS * sizeof(float) >> 20);
	}
	return 0;
}

void plan_fini(struct plan *p)
{
	mem_free(p->data);
	mem_free(p->grads);
	mem_free(p->edges);
	mem_free(p->first_edge);
	mem_free(p->order);
	mem_free(p->early);
	mem_free(p->shared);
	*p = (struct plan){ 0 };
}

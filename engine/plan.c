#include "engine/plan.h"

#include <inttypes.h>

#include "base/mem.h"
#include "engine/layout.h"

enum { ALIGN = 16 };
#define MAX_FLOATS  ((size_t)1 << 31)
#define ROWS_BUDGET ((size_t)1 << 23) /* floats that windows of summed gradients may take, one sample at least */

struct planner {
	const struct graph *g;
	const struct plan_options *options;
	struct plan *p;
	size_t *uses;   /* [value_count] of roots: inputs of nodes that run */
	size_t *wanted; /* of those: inputs that get a gradient */
	size_t *alias;  /* [value_count] of roots: whose memory it takes over: itself, as a rule */
	size_t *mirror; /* the same of gradients */
	bool full;      /* the block would exceed MAX_FLOATS */
};

size_t plan_floats(const struct op_value *v)
{
	return (v->count * tensor_size(v->type) + sizeof(float) - 1) / sizeof(float);
}

static size_t aligned(size_t floats)
{
	return (floats + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t place(struct planner *b, size_t count, size_t times)
{
	size_t at = b->p->floats, floats;

	if (!mem_size(count, times, &floats) || floats > MAX_FLOATS || at > MAX_FLOATS) {
		b->full = true;
		return at;
	}
	b->p->floats += aligned(floats);
	return at;
}

static const struct op_value *value_of(const struct planner *b, size_t v)
{
	return &b->p->inf.values[v];
}

static size_t root_of(const struct planner *b, size_t v)
{
	return v == GRAPH_NONE ? GRAPH_NONE : b->p->inf.roots[v];
}

static bool is_kept(const struct planner *b, size_t root)
{
	for (size_t i = 0; i < b->options->tap_count; i++)
		if (root_of(b, b->options->taps[i]) == root)
			return true;
	for (size_t i = 0; i < b->g->output_count; i++)
		if (root_of(b, b->g->outputs[i]) == root)
			return true;
	return !b->g->whole && root_of(b, b->g->loss_value) == root;
}

/* ---- nodes and edges ---- */

static bool any_trainable(const struct planner *b, const struct graph_node *n)
{
	for (size_t i = 0; i < n->output_count; i++)
		if (n->outputs[i] != GRAPH_NONE && value_of(b, n->outputs[i])->trainable)
			return true;
	return false;
}

static void list_edges(struct planner *b, size_t node, size_t *edges)
{
	const struct graph_node *n = &b->g->nodes[node];
	bool backward = b->options->kind == PLAN_BACKWARD && n->op->backward && any_trainable(b, n);

	for (size_t k = 0; k < n->input_count; k++) {
		size_t root = root_of(b, n->inputs[k]);
		struct plan_edge *e = &b->p->edges[*edges + k];

		*e = (struct plan_edge){ .spare = GRAPH_NONE };
		if (root == GRAPH_NONE)
			continue;
		e->wanted = backward && value_of(b, n->inputs[k])->trainable && !infer_is_index(n->op, k);
		b->uses[root]++;
		b->wanted[root] += e->wanted;
	}
	*edges += n->input_count;
}

static void list_nodes(struct planner *b)
{
	struct plan *p = b->p;
	size_t edges = 0;

	for (size_t i = 0; i < b->g->node_count; i++) {
		const struct graph_node *n = &b->g->nodes[i];
		size_t widest = n->input_count > n->output_count ? n->input_count : n->output_count;

		p->first_edge[i] = edges;
		if (!p->inf.nodes[i].runs)
			continue;
		list_edges(b, i, &edges);
		p->max_edges = widest > p->max_edges ? widest : p->max_edges;
		if (p->inf.nodes[i].phase == PHASE_ROWS)
			p->order[p->order_count++] = i;
		else
			p->early[p->early_count++] = i;
	}
}

/* ---- unbatched gradients ---- */

/* The value reaches its one user as it was, each element at most once. */
static bool is_clean(const struct planner *b, size_t root)
{
	while (b->wanted[root] == 1) {
		const struct graph_value *v = &b->g->values[root];

		if (v->parameter != GRAPH_NONE)
			return true;
		if (v->node == GRAPH_NONE || !b->p->inf.nodes[v->node].selects)
			return false;
		root = root_of(b, b->g->nodes[v->node].inputs[0]);
	}
	return false;
}

static bool is_unbatched(const struct planner *b, size_t root)
{
	return root != GRAPH_NONE && value_of(b, root)->trainable && !value_of(b, root)->batched;
}

static void mark_summed(struct planner *b, size_t root)
{
	b->p->shares[root] = SHARE_SUMMED;
	b->p->any_summed = true;
}

/* Values that operators with samples use first; then what leads to them. */
static void share_values(struct planner *b)
{
	struct plan *p = b->p;

	for (size_t i = 0; i < p->order_count; i++) {
		const struct graph_node *n = &b->g->nodes[p->order[i]];

		for (size_t k = 0; k < n->input_count; k++) {
			size_t root = root_of(b, n->inputs[k]);

			if (!is_unbatched(b, root) || !p->edges[p->first_edge[p->order[i]] + k].wanted)
				continue;
			if (!is_clean(b, root))
				mark_summed(b, root);
			else if (b->g->values[root].parameter != GRAPH_NONE)
				p->shares[root] = SHARE_DIRECT;
			else
				p->shares[root] = SHARE_CARRIED;
		}
	}
	for (size_t i = p->early_count; i-- > 0;) {
		const struct graph_node *n = &b->g->nodes[p->early[i]];
		enum plan_share share = SHARE_NONE;

		for (size_t k = 0; k < n->output_count; k++)
			if (n->outputs[k] != GRAPH_NONE && p->shares[n->outputs[k]] > share)
				share = p->shares[n->outputs[k]];
		for (size_t k = 0; k < n->input_count && share != SHARE_NONE; k++) {
			size_t root = root_of(b, n->inputs[k]);

			if (!is_unbatched(b, root) || !p->edges[p->first_edge[p->early[i]] + k].wanted)
				continue;
			if (share == SHARE_SUMMED)
				mark_summed(b, root);
			else if (p->shares[root] == SHARE_NONE)
				p->shares[root] = SHARE_CARRIED;
		}
	}
}

/* What is cut from a summed weight is summed too, and so is what is made of it. */
static void sum_siblings(struct planner *b)
{
	struct plan *p = b->p;

	for (size_t i = 0; i < p->early_count; i++) {
		const struct graph_node *n = &b->g->nodes[p->early[i]];
		bool summed = false;

		for (size_t k = 0; k < n->input_count; k++) {
			size_t root = root_of(b, n->inputs[k]);

			summed = summed || (is_unbatched(b, root) && p->shares[root] == SHARE_SUMMED &&
					    p->edges[p->first_edge[p->early[i]] + k].wanted);
		}
		for (size_t k = 0; summed && k < n->output_count; k++)
			if (n->outputs[k] != GRAPH_NONE && p->shares[n->outputs[k]] == SHARE_CARRIED)
				mark_summed(b, n->outputs[k]);
	}
}

static void place_rows(struct planner *b)
{
	struct plan *p = b->p;
	size_t floats = 0;

	for (size_t v = 0; v < b->g->value_count; v++) {
		p->any_carried = p->any_carried || p->shares[v] == SHARE_CARRIED;
		if (p->shares[v] > SHARE_DIRECT)
			floats += aligned(value_of(b, v)->count);
	}
	p->window = floats ? ROWS_BUDGET / floats : 1;
	if (p->window < 1)
		p->window = 1;
	if (p->window > b->options->samples)
		p->window = b->options->samples;
	p->rows_first = p->floats;
	for (size_t v = 0; v < b->g->value_count; v++)
		if (p->shares[v] > SHARE_DIRECT)
			p->rows[v] = place(b, value_of(b, v)->count, p->window);
	p->rows_floats = p->floats - p->rows_first;
}

/* ---- memory for a while ---- */

struct span {
	size_t first, last;
};

/* When the data and the gradient of each root are needed. Steps: forward 0 … R-1, backward R … 2R-1, 2R the end. */
struct times {
	struct span *data, *grads;
	size_t end;
};

static void widen(struct span *s, size_t first, size_t last)
{
	s->first = first < s->first ? first : s->first;
	s->last = last > s->last ? last : s->last;
}

static void time_inputs(const struct planner *b, struct times *t, size_t i, const struct graph_node *n)
{
	size_t back = t->end - 1 - i;
	bool backward = b->options->kind == PLAN_BACKWARD;

	for (size_t k = 0; k < n->input_count; k++) {
		size_t root = root_of(b, n->inputs[k]);

		if (root == GRAPH_NONE)
			continue;
		widen(&t->data[root], i, backward ? back : i);
		if (b->p->edges[b->p->first_edge[b->p->order[i]] + k].wanted)
			widen(&t->grads[root], back, back);
	}
}

static void time_outputs(const struct planner *b, struct times *t, size_t i, const struct graph_node *n)
{
	size_t back = t->end - 1 - i;
	bool reads = b->options->kind == PLAN_BACKWARD && n->op->flags & OP_READS_OUTPUT;

	for (size_t k = 0; k < n->output_count; k++) {
		size_t v = n->outputs[k];

		if (v == GRAPH_NONE)
			continue;
		widen(&t->data[v], i, reads ? back : i);
		widen(&t->grads[v], back, back);
	}
}

static void time_values(const struct planner *b, struct times *t)
{
	size_t count = b->g->value_count;

	for (size_t v = 0; v < count; v++)
		t->data[v] = t->grads[v] = (struct span){ t->end, 0 };
	for (size_t i = 0; i < b->p->order_count; i++) {
		time_inputs(b, t, i, &b->g->nodes[b->p->order[i]]);
		time_outputs(b, t, i, &b->g->nodes[b->p->order[i]]);
	}
	for (size_t v = 0; v < count; v++) {
		if (is_kept(b, v)) {
			widen(&t->data[v], t->end, t->end);
			widen(&t->grads[v], t->end / 2, t->end);
		}
		if (b->p->any_summed || b->p->any_carried) {
			widen(&t->data[v], t->end, t->end);
			widen(&t->grads[v], t->end, t->end);
		}
	}
}

/* An operator that may write over its input takes its memory when nobody else needs that. */
static void find_aliases(struct planner *b, struct times *t)
{
	for (size_t v = 0; v < b->g->value_count; v++)
		b->alias[v] = v;
	for (size_t i = 0; i < b->p->order_count; i++) {
		const struct graph_node *n = &b->g->nodes[b->p->order[i]];
		size_t out = n->outputs[0], in = root_of(b, n->inputs[0]), maker;

		if (!(n->op->flags & OP_IN_PLACE) || out == GRAPH_NONE || in == GRAPH_NONE)
			continue;
		maker = b->g->values[in].node;
		if (b->uses[in] != 1 || is_kept(b, in) || maker == GRAPH_NONE || !value_of(b, in)->batched ||
		    b->g->nodes[maker].op->flags & OP_READS_OUTPUT || b->p->inf.nodes[maker].phase != PHASE_ROWS ||
		    plan_floats(value_of(b, in)) != plan_floats(value_of(b, out)))
			continue;
		b->alias[out] = b->alias[in];
		widen(&t->data[b->alias[in]], t->data[out].first, t->data[out].last);
	}
}

static bool may_pass(const struct planner *b, size_t node, size_t k)
{
	const struct graph_node *n = &b->g->nodes[node];
	size_t out = n->outputs[0], in = root_of(b, n->inputs[k]), maker;

	if (k >= 32 || !(b->p->inf.nodes[node].passes & 1u << k) || out == GRAPH_NONE || in == GRAPH_NONE)
		return false;
	maker = b->g->values[in].node;
	return b->p->edges[b->p->first_edge[node] + k].wanted && b->wanted[in] == 1 && !is_kept(b, in) &&
	       !is_kept(b, out) && maker != GRAPH_NONE && b->p->inf.nodes[maker].phase == PHASE_ROWS &&
	       value_of(b, in)->batched && value_of(b, in)->count == value_of(b, out)->count;
}

/* An operator that hands a gradient on as it is need not copy it; nobody writes to it any more. */
static void find_mirrors(struct planner *b, struct times *t)
{
	for (size_t v = 0; v < b->g->value_count; v++)
		b->mirror[v] = v;
	for (size_t i = b->p->order_count; i-- > 0;) {
		const struct graph_node *n = &b->g->nodes[b->p->order[i]];

		for (size_t k = 0; k < n->input_count; k++) {
			size_t in = root_of(b, n->inputs[k]);

			if (!may_pass(b, b->p->order[i], k))
				continue;
			b->p->edges[b->p->first_edge[b->p->order[i]] + k].passed = true;
			b->mirror[in] = b->mirror[n->outputs[0]];
			widen(&t->grads[b->mirror[in]], t->grads[in].first, t->grads[in].last);
		}
	}
}

static bool is_computed(const struct planner *b, size_t v)
{
	size_t node = b->g->values[v].node;

	return node != GRAPH_NONE && !b->g->nodes[node].is_constant && b->g->nodes[node].live &&
	       b->p->inf.nodes[node].runs;
}

enum { BLOCK_DATA, BLOCK_GRAD, BLOCK_TANGENT, BLOCK_KINDS };

static void add_block(struct layout_block *blocks, size_t *count, size_t v, size_t kind, size_t floats,
		      const struct span *s)
{
	blocks[(*count)++] = (struct layout_block){
		.size = aligned(floats), .first = s->first, .last = s->last, .key = v * BLOCK_KINDS + kind
	};
}

static size_t list_blocks(struct planner *b, const struct times *t, struct layout_block *blocks)
{
	struct plan *p = b->p;
	size_t count = 0;

	for (size_t v = 0; v < b->g->value_count; v++) {
		const struct op_value *value = value_of(b, v);
		bool rows = is_computed(b, v) && value->batched;
		bool input = b->g->values[v].kind == VALUE_INPUT && value->trainable;

		if (rows && b->alias[v] == v)
			add_block(blocks, &count, v, BLOCK_DATA, plan_floats(value), &t->data[v]);
		if ((rows || input) && p->kind == PLAN_BACKWARD && value->trainable && b->mirror[v] == v)
			add_block(blocks, &count, v, BLOCK_GRAD, value->count, &t->grads[v]);
		if (rows && p->kind == PLAN_TANGENT && value->trainable)
			add_block(blocks, &count, v, BLOCK_TANGENT, value->count, &t->data[v]);
	}
	return count;
}

static int place_blocks(struct planner *b, const struct times *t, struct layout_block *blocks)
{
	struct plan *p = b->p;
	size_t *const targets[] = { p->data, p->grads, p->tangents };
	size_t count = list_blocks(b, t, blocks), total;
	int rc = layout_assign(blocks, count, MAX_FLOATS, &total);

	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++)
		targets[blocks[i].key % BLOCK_KINDS][blocks[i].key / BLOCK_KINDS] = p->floats + blocks[i].offset;
	for (size_t v = 0; v < b->g->value_count; v++)
		if (b->alias[v] != v)
			p->data[v] = p->data[b->alias[v]];
	for (size_t v = 0; v < b->g->value_count; v++)
		if (b->mirror[v] != v)
			p->grads[v] = p->grads[b->mirror[v]];
	p->work_floats = total;
	place(b, total, 1);
	return 0;
}

static int place_rows_values(struct planner *b)
{
	size_t count = b->g->value_count + 1;
	struct times t = { .end = 2 * b->p->order_count };
	struct layout_block *blocks = mem_try_alloc(count, BLOCK_KINDS * sizeof(*blocks));
	int rc = EXP_EMEMORY;

	t.data = mem_try_alloc(count, sizeof(*t.data));
	t.grads = mem_try_alloc(count, sizeof(*t.grads));
	if (blocks && t.data && t.grads) {
		time_values(b, &t);
		find_aliases(b, &t);
		find_mirrors(b, &t);
		rc = place_blocks(b, &t, blocks);
	}
	mem_free(t.data);
	mem_free(t.grads);
	mem_free(blocks);
	return rc;
}

/* ---- memory for the whole call ---- */

static void place_early(struct planner *b)
{
	struct plan *p = b->p;

	for (size_t i = 0; i < p->early_count; i++) {
		const struct graph_node *n = &b->g->nodes[p->early[i]];

		for (size_t k = 0; k < n->output_count; k++) {
			const struct op_value *v = n->outputs[k] == GRAPH_NONE ? NULL : value_of(b, n->outputs[k]);

			if (!v)
				continue;
			p->data[n->outputs[k]] = place(b, plan_floats(v), 1);
			if (p->kind == PLAN_TANGENT && v->trainable)
				p->tangents[n->outputs[k]] = place(b, v->count, 1);
		}
	}
}

/* A single fp32 input is read where the caller has it. */
static void place_inputs(struct planner *b)
{
	const struct graph *g = b->g;

	for (size_t i = 0; i < g->input_count; i++) {
		const struct op_value *v = value_of(b, g->inputs[i]);
		bool serves = g->input_count == 1 && !g->whole && v->type == TENSOR_F32 && !is_kept(b, g->inputs[i]);

		b->p->inputs[i] = serves ? GRAPH_NONE : place(b, plan_floats(v), 1);
	}
}

static void place_spares_of(struct planner *b, size_t node, size_t *most)
{
	const struct graph_node *n = &b->g->nodes[node];
	size_t used = 0;

	for (size_t k = 0; k < n->input_count; k++) {
		struct plan_edge *e = &b->p->edges[b->p->first_edge[node] + k];
		size_t root = root_of(b, n->inputs[k]);
		bool rows = b->p->inf.nodes[node].phase == PHASE_ROWS;

		if (!e->wanted || (rows && (!value_of(b, root)->batched || b->wanted[root] < 2) && !is_kept(b, root)))
			continue;
		e->spare = used;
		used += aligned(value_of(b, root)->count);
	}
	*most = used > *most ? used : *most;
}

static size_t widest_output(const struct planner *b, size_t node)
{
	const struct graph_node *n = &b->g->nodes[node];
	size_t most = 0;

	for (size_t k = 0; k < n->output_count; k++)
		if (n->outputs[k] != GRAPH_NONE && value_of(b, n->outputs[k])->count > most)
			most = value_of(b, n->outputs[k])->count;
	return most;
}

static void place_work(struct planner *b)
{
	struct plan *p = b->p;
	size_t scratch = 0, reduce_scratch = 0, spare = 0, zeros = 0;

	for (size_t i = 0; i < b->g->node_count; i++) {
		const struct infer_node *n = &p->inf.nodes[i];

		if (!n->runs)
			continue;
		scratch = n->scratch > scratch ? n->scratch : scratch;
		reduce_scratch = n->reduce_scratch > reduce_scratch ? n->reduce_scratch : reduce_scratch;
		place_spares_of(b, i, &spare);
		if (p->kind != PLAN_TANGENT)
			continue;
		spare = widest_output(b, i) > spare ? widest_output(b, i) : spare;
		for (size_t k = 0; k < b->g->nodes[i].input_count; k++)
			if (n->inputs[k] && n->inputs[k]->type == TENSOR_F32 && n->inputs[k]->count > zeros)
				zeros = n->inputs[k]->count;
	}
	p->scratch = place(b, scratch, 1);
	p->reduce_scratch = place(b, p->kind == PLAN_BACKWARD ? reduce_scratch : 0, 1);
	p->spare = place(b, spare, 1);
	for (size_t i = 0; i < p->first_edge[b->g->node_count]; i++)
		if (p->edges[i].spare != GRAPH_NONE)
			p->edges[i].spare += p->spare;
	p->zeros = place(b, zeros, 1);
}

/* ---- the outer functions ---- */

static bool try_lists(struct planner *b)
{
	struct plan *p = b->p;
	size_t values = b->g->value_count + 1, nodes = b->g->node_count + 1, edges = 1;
	size_t **const by_value[] = { &p->data, &p->grads,  &p->tangents, &p->rows,
				      &b->uses, &b->wanted, &b->alias,    &b->mirror };

	for (size_t i = 0; i < b->g->node_count; i++)
		edges += b->g->nodes[i].input_count;
	for (size_t i = 0; i < sizeof(by_value) / sizeof(by_value[0]); i++) {
		*by_value[i] = mem_try_alloc(values, sizeof(size_t));
		if (!*by_value[i])
			return false;
		for (size_t v = 0; i < 4 && v < values; v++)
			(*by_value[i])[v] = GRAPH_NONE;
	}
	p->shares = mem_try_alloc(values, sizeof(*p->shares));
	p->inputs = mem_try_alloc(b->g->input_count + 1, sizeof(*p->inputs));
	p->edges = mem_try_alloc(edges, sizeof(*p->edges));
	p->first_edge = mem_try_alloc(nodes, sizeof(*p->first_edge));
	p->order = mem_try_alloc(nodes, sizeof(*p->order));
	p->early = mem_try_alloc(nodes, sizeof(*p->early));
	return p->shares && p->inputs && p->edges && p->first_edge && p->order && p->early;
}

static int lay_out(struct planner *b)
{
	int rc;

	list_nodes(b);
	b->p->first_edge[b->g->node_count] = 0;
	for (size_t i = 0; i < b->g->node_count; i++)
		if (b->p->inf.nodes[i].runs)
			b->p->first_edge[b->g->node_count] = b->p->first_edge[i] + b->g->nodes[i].input_count;
	if (b->p->kind == PLAN_BACKWARD)
		share_values(b);
	sum_siblings(b);
	place_rows(b);
	rc = place_rows_values(b);
	if (rc)
		return rc;
	place_early(b);
	place_inputs(b);
	place_work(b);
	return b->full || b->p->floats > MAX_FLOATS ? EXP_ELIMIT : 0;
}

int plan_init(struct plan *p, const struct graph *g, const struct plan_options *options, struct exp_error *err)
{
	struct planner b = { .g = g, .options = options, .p = p };
	struct infer_options wish = { .samples = options->samples,
				      .training = options->training,
				      .taps = options->taps,
				      .tap_count = options->tap_count };
	int rc;

	*p = (struct plan){ .kind = options->kind };
	rc = infer_run(g, &wish, &p->inf, err);
	if (rc)
		return rc;
	rc = try_lists(&b) ? lay_out(&b) : EXP_EMEMORY;
	mem_free(b.uses);
	mem_free(b.wanted);
	mem_free(b.alias);
	mem_free(b.mirror);
	if (rc == 0)
		return 0;
	plan_fini(p);
	if (rc == EXP_EMEMORY)
		return error_set(err, rc, "not enough memory to plan the model");
	return error_set(err, rc, "%zu samples at once need more than %zu MiB: use a smaller batch", options->samples,
			 MAX_FLOATS * sizeof(float) >> 20);
}

void plan_fini(struct plan *p)
{
	size_t *const lists[] = {
		p->data, p->grads, p->tangents, p->inputs, p->rows, p->first_edge, p->order, p->early
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		mem_free(lists[i]);
	mem_free(p->shares);
	mem_free(p->edges);
	infer_fini(&p->inf);
	*p = (struct plan){ 0 };
}

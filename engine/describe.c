#include "engine/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/plan.h"
#include "engine/session.h"

enum { FLOAT = 1 }; /* TensorProto.DataType */

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory to describe the model");
}

/* ---- weights ---- */

static int compare_constants(const void *a, const void *b)
{
	return strcmp((*(const struct onnx_constant *const *)a)->name, (*(const struct onnx_constant *const *)b)->name);
}

static int list_initializers(struct description *d, const struct torch_weight *torch)
{
	const struct onnx_inventory *v = &d->file;

	for (size_t i = 0; i < v->initializer_count; i++) {
		const struct onnx_constant *c = &v->initializers[i];

		if (c->type == FLOAT && !c->odd)
			d->weights[d->weight_count++] = (struct describe_weight){ c->name, c->shape, NULL, &torch[i] };
	}
	return 0;
}

static int list_parameters(struct description *d, const struct torch_weight *torch, struct exp_error *err)
{
	struct onnx_inventory *v = &d->file;
	const struct onnx_constant **sorted = arena_try_alloc(&v->arena, v->initializer_count, sizeof(*sorted));

	if (!sorted)
		return no_memory(err);
	for (size_t i = 0; i < v->initializer_count; i++)
		sorted[i] = &v->initializers[i];
	if (v->initializer_count)
		qsort(sorted, v->initializer_count, sizeof(*sorted), compare_constants);
	for (size_t i = 0; i < graph_parameter_count(d->graph); i++) {
		const struct graph_parameter *p = graph_parameter(d->graph, i);
		const struct onnx_constant key = { .name = p->name }, *at = &key, *const *hit = NULL;
		struct describe_weight *w = &d->weights[d->weight_count++];

		*w = (struct describe_weight){ .name = p->name, .shape = { .rank = p->rank }, .parameter = p };
		memcpy(w->shape.dims, p->dims, p->rank * sizeof(p->dims[0]));
		if (v->initializer_count)
			hit = bsearch(&at, sorted, v->initializer_count, sizeof(*sorted), compare_constants);
		w->torch = hit ? &torch[*hit - v->initializers] : NULL;
	}
	return 0;
}

static int list_weights(struct description *d, const void *bytes, struct exp_error *err)
{
	size_t room = d->file.initializer_count + (d->graph ? graph_parameter_count(d->graph) : 0);
	struct torch_weight *torch = NULL;
	int rc = torch_names_find(&d->file, bytes, &torch, err);

	if (rc)
		return rc;
	d->weights = arena_try_alloc(&d->file.arena, room, sizeof(*d->weights));
	if (!d->weights)
		return no_memory(err);
	return d->graph ? list_parameters(d, torch, err) : list_initializers(d, torch);
}

static bool same_kind(const struct torch_name *a, const struct torch_name *b)
{
	return a->form == b->form && a->guess == b->guess;
}

/* Names of one kind stand together: "probably a.bias, b.bias (reshaped)". */
void describe_torch_names(const struct describe_weight *w, struct buf *out)
{
	const struct torch_name *last = NULL;

	for (size_t i = 0; w->torch && i < w->torch->count; i++) {
		const struct torch_name *n = &w->torch->names[i];

		if (!n->name || strcmp(n->name, w->name) == 0)
			continue;
		if (last && !same_kind(last, n))
			buf_add_text(out, torch_form_text(last->form));
		if (last)
			buf_add_text(out, same_kind(last, n) ? ", " : "; ");
		buf_format(out, "%s%s", n->guess && !(last && same_kind(last, n)) ? "probably " : "", n->name);
		last = n;
	}
	if (last)
		buf_add_text(out, torch_form_text(last->form));
	if (w->torch && w->torch->copy_of)
		buf_format(out, "%sequal to %s, transposed", last ? "; " : "", w->torch->copy_of);
}

/* ---- cost ---- */

/* A product costs as much again for the gradient of each of its factors; so does, roughly, anything else. */
static uint64_t backward_flops(const struct plan *p, size_t node)
{
	const struct graph_node *n = &p->inf.graph->nodes[node];
	const struct plan_edge *edges = &p->edges[p->first_edge[node]];
	uint64_t factors = 0;

	for (size_t i = 0; i < n->input_count && i < 2; i++)
		factors += edges[i].wanted;
	return factors * p->inf.nodes[node].flops;
}

static int take_plan(const struct graph *g, size_t samples, enum plan_kind kind, struct describe_cost *cost,
		     struct exp_error *err)
{
	const struct plan_options options = { .samples = samples, .kind = kind };
	uint64_t forward = 0, backward = 0;
	struct plan p;
	int rc = plan_init(&p, g, &options, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < p.order_count; i++) {
		forward += p.inf.nodes[p.order[i]].flops;
		backward += backward_flops(&p, p.order[i]);
	}
	if (kind == PLAN_FORWARD) {
		cost->forward_memory = p.floats * sizeof(float);
	} else {
		cost->backward_memory = p.floats * sizeof(float);
		cost->forward_flops = forward / samples;
		cost->backward_flops = backward / samples;
	}
	plan_fini(&p);
	return 0;
}

static int find_cost(const struct graph *g, size_t batch, struct describe_cost *cost, struct exp_error *err)
{
	int rc = session_shard(g, batch, &cost->shard, err);

	if (rc)
		return rc;
	cost->batch = batch;
	rc = take_plan(g, cost->shard, PLAN_FORWARD, cost, err);
	return rc ? rc : take_plan(g, cost->shard, PLAN_BACKWARD, cost, err);
}

/* ---- all ---- */

/* What the engine says of the file; only a lack of memory is an error. */
static int try_engine(struct description *d, const void *bytes, size_t size, size_t batch,
		      const struct graph_options *options, struct exp_error *err)
{
	int rc = graph_load_with(bytes, size, options, &d->graph, &d->refusal);

	if (rc)
		d->graph = NULL;
	else
		rc = find_cost(d->graph, batch, &d->cost, &d->refusal);
	if (rc) {
		graph_unref(d->graph);
		d->graph = NULL;
		d->cost = (struct describe_cost){ 0 };
	}
	return rc == EXP_EMEMORY ? no_memory(err) : 0;
}

int describe(const void *bytes, size_t size, size_t batch, const struct graph_options *options, struct description *out,
	     struct exp_error *err)
{
	struct description d = { 0 };
	int rc = onnx_inventory_init(&d.file, bytes, size, err);

	if (rc)
		return rc;
	rc = onnx_inventory_tally(&d.file, &d.operators, &d.operator_count, err);
	if (!rc)
		rc = onnx_inventory_gaps(&d.file, &d.gaps, &d.gap_count, err);
	if (!rc)
		rc = try_engine(&d, bytes, size, batch, options, err);
	if (!rc)
		rc = list_weights(&d, bytes, err);
	if (rc) {
		description_fini(&d);
		return rc;
	}
	*out = d;
	return 0;
}

void description_fini(struct description *d)
{
	graph_unref(d->graph);
	onnx_inventory_fini(&d->file);
	memset(d, 0, sizeof(*d));
}

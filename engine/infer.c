/*
 * One pass in file order. A node whose inputs are all known is run on the spot, for the batch size of the plan and,
 * where an input differs between two batch sizes, for the other one: numbers that count samples stay recognisable
 * through any arithmetic on shapes.
 */
#include "engine/infer.h"

#include <string.h>

#include "base/mem.h"
#include "engine/opset.h"

/* Known values are shapes, masks and tables: more is a mistake or malice. */
#define MAX_KNOWN_BYTES ((size_t)1 << 28)

struct inferrer {
	const struct graph *g;
	struct inference *out;
	size_t known_bytes;
	size_t limit;
	const struct infer_options *options;
	struct exp_error *err;
};

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
}

static bool is_tapped(const struct inferrer *w, const struct op_value *v)
{
	for (size_t i = 0; v->type == TENSOR_F32 && v->batched && i < w->options->tap_count; i++)
		if (&w->out->values[w->options->taps[i]] == v)
			return true;
	return false;
}

/* ---- values of the file ---- */

static void set_input(const struct inferrer *w, const struct graph_value *from, struct op_value *v)
{
	if (w->g->whole)
		return;
	v->shape.dims[0] = w->out->samples;
	v->count = from->shape.dims[0] ? v->count / from->shape.dims[0] * w->out->samples : 0;
	v->batched = true;
	v->outer = 1;
	v->trainable = is_tapped(w, v);
}

static void set_values(struct inferrer *w)
{
	const struct graph *g = w->g;

	for (size_t i = 0; i < g->value_count; i++) {
		const struct graph_value *from = &g->values[i];
		struct op_value *v = &w->out->values[i];

		w->out->roots[i] = i;
		*v = (struct op_value){ .name = from->name, .outer = 1, .hint = g->samples ? g->samples[i] : NULL };
		if (from->kind == VALUE_COMPUTED)
			continue;
		v->type = from->type;
		v->onnx_type = from->onnx_type;
		v->shape = from->shape;
		v->count = shape_count(&from->shape);
		v->known = from->constant;
		v->is_parameter = from->parameter != GRAPH_NONE && !from->is_statistic;
		v->trainable = v->is_parameter;
		if (from->kind == VALUE_INPUT)
			set_input(w, from, v);
	}
}

/* ---- one node ---- */

static int list_edges(struct inferrer *w, const struct graph_node *n, struct infer_node *to)
{
	struct arena *a = &w->out->arena;

	to->inputs = arena_try_alloc(a, n->input_count + 1, sizeof(to->inputs[0]));
	to->outputs = arena_try_alloc(a, n->output_count + 1, sizeof(to->outputs[0]));
	to->config = arena_try_alloc(a, 1, n->op->config_size + 1);
	if (!to->inputs || !to->outputs || !to->config)
		return no_memory(w->err);
	for (size_t i = 0; i < n->input_count; i++)
		to->inputs[i] = n->inputs[i] == GRAPH_NONE ? NULL : &w->out->values[n->inputs[i]];
	for (size_t i = 0; i < n->output_count; i++)
		to->outputs[i] = n->outputs[i] == GRAPH_NONE ? NULL : &w->out->values[n->outputs[i]];
	return 0;
}

static int count_outputs(struct inferrer *w, const struct graph_node *n, struct infer_node *to)
{
	for (size_t i = 0; i < n->output_count; i++) {
		struct op_value *v = to->outputs[i];

		if (!v)
			continue;
		if (!shape_try_count(&v->shape, &v->count) || v->count > w->limit)
			return error_set(w->err, EXP_ELIMIT, "its output would have more than %zu elements", w->limit);
		if (!v->onnx_type)
			v->onnx_type = tensor_onnx_type(v->type);
		if (!w->out->samples)
			v->batched = false;
	}
	return 0;
}

static bool differentiable(const struct op *op)
{
	return op->backward || op->flags & OP_VIEW;
}

bool infer_is_index(const struct op *op, size_t i)
{
	return i < 32 && (op->indices | op->statistics) & 1u << i;
}

static void pass_on(const struct inferrer *w, const struct graph_node *n, struct infer_node *to)
{
	bool batched = false, trainable = false;

	for (size_t i = 0; i < n->output_count; i++)
		batched = batched || (to->outputs[i] && to->outputs[i]->batched);
	for (size_t i = 0; i < n->input_count; i++)
		trainable = trainable || (to->inputs[i] && to->inputs[i]->trainable && !infer_is_index(n->op, i));
	for (size_t i = 0; i < n->output_count; i++)
		if (to->outputs[i] && to->outputs[i]->type == TENSOR_F32)
			to->outputs[i]->trainable =
			    (trainable && differentiable(n->op)) || is_tapped(w, to->outputs[i]);
	to->phase = batched ? PHASE_ROWS : PHASE_EARLY;
}

/* ---- known values ---- */

static bool inputs_known(const struct graph_node *n, const struct infer_node *to, bool *differ)
{
	*differ = false;
	for (size_t i = 0; i < n->input_count; i++) {
		if (to->inputs[i] && !to->inputs[i]->known)
			return false;
		*differ = *differ || (to->inputs[i] && to->inputs[i]->probe);
	}
	return true;
}

static bool outputs_known(const struct graph_node *n, const struct infer_node *to)
{
	for (size_t i = 0; i < n->output_count; i++)
		if (to->outputs[i] && !to->outputs[i]->known)
			return false;
	return true;
}

static int too_much_known(const struct inferrer *w)
{
	return error_set(w->err, EXP_ELIMIT, "constants of more than %zu MiB would be computed", MAX_KNOWN_BYTES >> 20);
}

static int fold_once(struct inferrer *w, const struct graph_node *n, struct infer_node *to, bool probe, void **results)
{
	struct op_input *in = mem_try_alloc(n->input_count + 1, sizeof(*in));
	struct op_output *out = mem_try_alloc(n->output_count + 1, sizeof(*out));
	float *scratch = mem_try_aligned(to->scratch + 1, sizeof(*scratch));
	int rc = in && out && scratch ? 0 : no_memory(w->err);

	for (size_t i = 0; rc == 0 && i < n->input_count; i++)
		if (to->inputs[i])
			in[i] = (struct op_input){ .value = to->inputs[i],
						   .data = probe && to->inputs[i]->probe ? to->inputs[i]->probe
											 : to->inputs[i]->known };
	for (size_t i = 0; rc == 0 && i < n->output_count; i++) {
		size_t bytes;

		if (!to->outputs[i])
			continue;
		bytes = to->outputs[i]->count * tensor_size(to->outputs[i]->type);
		w->known_bytes += bytes;
		if (w->known_bytes > MAX_KNOWN_BYTES)
			rc = too_much_known(w);
		else if (!(results[i] = arena_try_alloc(&w->out->arena, bytes + 1, 1)))
			rc = no_memory(w->err);
		else
			out[i] = (struct op_output){ .value = to->outputs[i], .data = results[i] };
	}
	if (rc == 0 && n->op->flags & OP_VIEW)
		memcpy(results[0], in[0].data, to->outputs[0]->count * tensor_size(to->outputs[0]->type));
	else if (rc == 0)
		n->op->forward(&(struct op_run){ .op = n->op,
						 .config = to->config,
						 .samples = w->out->samples,
						 .in = in,
						 .in_count = n->input_count,
						 .out = out,
						 .out_count = n->output_count,
						 .scratch = scratch });
	mem_free(in);
	mem_free(out);
	mem_free(scratch);
	return rc;
}

static int fold(struct inferrer *w, const struct graph_node *n, struct infer_node *to, bool differ)
{
	void **results = mem_try_alloc(n->output_count + 1, sizeof(*results));
	int rc = results ? fold_once(w, n, to, false, results) : no_memory(w->err);

	for (size_t i = 0; rc == 0 && i < n->output_count; i++) {
		if (to->outputs[i])
			to->outputs[i]->trainable = false;
		if (to->outputs[i] && !to->outputs[i]->known)
			to->outputs[i]->known = results[i];
	}
	if (rc == 0 && differ)
		rc = fold_once(w, n, to, true, results);
	for (size_t i = 0; rc == 0 && differ && i < n->output_count; i++)
		if (to->outputs[i])
			to->outputs[i]->probe = results[i];
	mem_free(results);
	return rc;
}

/* What infer itself made known. Nothing has a gradient there. */
static int count_known(struct inferrer *w, const struct graph_node *n, struct infer_node *to)
{
	for (size_t i = 0; i < n->output_count; i++) {
		struct op_value *v = to->outputs[i];

		if (!v)
			continue;
		v->trainable = false;
		w->known_bytes += v->count * tensor_size(v->type) * (v->probe ? 2 : 1);
	}
	return w->known_bytes > MAX_KNOWN_BYTES ? too_much_known(w) : 0;
}

static int settle(struct inferrer *w, size_t node, const struct op_build *b)
{
	const struct graph_node *n = &w->g->nodes[node];
	struct infer_node *to = &w->out->nodes[node];
	bool differ;
	int rc = count_outputs(w, n, to);

	if (rc)
		return rc;
	pass_on(w, n, to);
	if (b->scratch > w->limit || b->reduce_scratch > w->limit || b->prepared > w->limit)
		return error_set(w->err, EXP_ELIMIT, "it would need more than %zu floats of scratch", w->limit);
	to->scratch = b->scratch;
	to->reduce_scratch = b->reduce_scratch;
	to->prepared = n->op->prepare ? b->prepared : 0;
	to->flops = b->flops;
	to->passes = b->passes;
	to->selects = b->selects || n->op->flags & OP_VIEW;
	if (outputs_known(n, to)) {
		to->phase = PHASE_FOLDED;
		return count_known(w, n, to);
	}
	if (inputs_known(n, to, &differ)) {
		to->phase = PHASE_FOLDED;
		return fold(w, n, to, differ);
	}
	if (to->phase != PHASE_FOLDED && n->op->flags & OP_VIEW)
		w->out->roots[n->outputs[0]] = w->out->roots[n->inputs[0]];
	to->runs = to->phase != PHASE_FOLDED && !(n->op->flags & OP_VIEW);
	return 0;
}

static int infer_one(struct inferrer *w, size_t node)
{
	const struct graph_node *n = &w->g->nodes[node];
	struct infer_node *to = &w->out->nodes[node];
	struct op_build b = { .op = n->op,
			      .op_type = n->op_type,
			      .opset = w->g->opset,
			      .samples = w->out->samples,
			      .file_batch = w->g->whole ? 0 : w->g->file_batch,
			      .training = w->out->training,
			      .input_count = n->input_count,
			      .attributes = n->attributes,
			      .attribute_count = n->attribute_count,
			      .arena = &w->out->arena,
			      .output_count = n->output_count };
	int rc = list_edges(w, n, to);

	if (rc)
		return rc;
	b.inputs = to->inputs;
	b.outputs = to->outputs;
	b.config = to->config;
	rc = opset_check_use(&b, w->err);
	if (rc == 0)
		rc = n->op->infer(&b, w->err);
	return rc ? rc : settle(w, node, &b);
}

int infer_run(const struct graph *g, const struct infer_options *options, struct inference *out, struct exp_error *err)
{
	struct inferrer w = { .g = g, .out = out, .err = err, .limit = options->limit, .options = options };
	int rc = 0;

	if (!w.limit || w.limit > SHAPE_MAX_COUNT)
		w.limit = SHAPE_MAX_COUNT;
	*out = (struct inference){ .graph = g, .samples = options->samples, .training = options->training };
	out->values = arena_try_alloc(&out->arena, g->value_count + 1, sizeof(out->values[0]));
	out->roots = arena_try_alloc(&out->arena, g->value_count + 1, sizeof(out->roots[0]));
	out->nodes = arena_try_alloc(&out->arena, g->node_count + 1, sizeof(out->nodes[0]));
	if (!out->values || !out->roots || !out->nodes)
		rc = no_memory(err);
	else
		set_values(&w);
	for (size_t i = 0; rc == 0 && i < g->node_count; i++)
		if (g->nodes[i].live && !g->nodes[i].is_constant)
			rc = graph_at_node(g, i, infer_one(&w, i), err);
	if (rc)
		infer_fini(out);
	return rc;
}

void infer_fini(struct inference *inf)
{
	for (size_t i = 0; inf->nodes && i < inf->graph->node_count; i++)
		if (inf->nodes[i].config && inf->graph->nodes[i].op->release)
			inf->graph->nodes[i].op->release(inf->nodes[i].config);
	arena_fini(&inf->arena);
	*inf = (struct inference){ 0 };
}

/*
 * From what the file says to what will be run: which nodes lead to the output, which initializers are parameters, what
 * shapes follow, where the loss is taken. One pass in file order, which ONNX requires to be topological.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/graph_internal.h"

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
}

/* Puts the node in front of a callee's message. */
static int at_node(const struct graph *g, const struct graph_node *n, int rc, struct exp_error *err)
{
	size_t index = (size_t)(n - g->nodes);

	if (rc == EXP_EMEMORY)
		return rc;
	return n->name ? error_wrap(err, rc, "node %zu \"%.96s\" (%.48s)", index, n->name, n->op_type)
		       : error_wrap(err, rc, "node %zu (%.48s)", index, n->op_type);
}

static void mark_live(struct graph *g)
{
	g->values[g->output].used = true;
	for (size_t i = g->node_count; i-- > 0;) {
		struct graph_node *n = &g->nodes[i];

		for (size_t k = 0; k < n->output_count; k++)
			n->live = n->live || g->values[n->first_output + k].used;
		for (size_t k = 0; n->live && k < n->input_count; k++)
			if (n->inputs[k] != GRAPH_NONE)
				g->values[n->inputs[k]].used = true;
	}
}

/* ---- what a node may be ---- */

/* list: words separated by single blanks, or NULL. */
static bool is_listed(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (list && *list) {
		size_t size = strcspn(list, " ");

		if (size == length && memcmp(list, word, size) == 0)
			return true;
		list += size + (list[size] == ' ');
	}
	return false;
}

static int check_attributes(const struct graph_node *n, struct exp_error *err)
{
	for (size_t i = 0; i < n->attribute_count; i++)
		if (!is_listed(n->op->attributes, n->attributes[i].name))
			return error_set(err, EXP_EUNSUPPORTED, "the attribute \"%.64s\" is not supported",
					 n->attributes[i].name);
	return 0;
}

static int check_node(const struct graph *g, struct graph_node *n, struct exp_error *err)
{
	n->op = n->known_domain ? op_find(n->op_type) : NULL;
	if (!n->op)
		return error_set(err, EXP_EUNSUPPORTED, "the operator is not supported");
	if (n->input_count < n->op->min_inputs || n->input_count > n->op->max_inputs)
		return error_set(err, EXP_ESHAPE, "it has %zu inputs; %zu to %zu are expected", n->input_count,
				 n->op->min_inputs, n->op->max_inputs);
	for (size_t i = 0; i < n->input_count; i++) {
		if (n->inputs[i] == GRAPH_NONE && i < n->op->min_inputs)
			return error_set(err, EXP_ESHAPE, "input %zu is missing", i);
		if (n->inputs[i] != GRAPH_NONE && g->values[n->inputs[i]].other_type)
			return error_set(err, EXP_EUNSUPPORTED, "input %zu \"%.64s\" is neither fp32 nor integer", i,
					 g->values[n->inputs[i]].v.name);
	}
	for (size_t i = 0; i < n->output_count; i++)
		if (n->first_output + i != n->output && g->values[n->first_output + i].used)
			return error_set(err, EXP_EUNSUPPORTED,
					 "only its first output is supported, but \"%.64s\" is used",
					 g->values[n->first_output + i].v.name);
	return check_attributes(n, err);
}

static int check_nodes(struct graph *g, struct exp_error *err)
{
	for (size_t i = 0; i < g->node_count; i++) {
		struct graph_node *n = &g->nodes[i];
		int rc = n->live && !n->is_constant ? check_node(g, n, err) : 0;

		if (rc)
			return at_node(g, n, rc, err);
	}
	return 0;
}

/* ---- parameters ---- */

static void mark_parameters(struct graph *g)
{
	for (size_t i = 0; i < g->node_count; i++) {
		const struct graph_node *n = &g->nodes[i];

		for (size_t k = 0; n->live && n->op && k < n->input_count; k++) {
			struct graph_value *v = n->inputs[k] == GRAPH_NONE ? NULL : &g->values[n->inputs[k]];
			unsigned bit = k < 32 ? 1u << k : 0;

			if (!v || v->kind != VALUE_INITIALIZER || v->v.integers)
				continue;
			if (v->from_constant ? n->op->weights & bit : !(n->op->fixed & bit))
				v->v.is_parameter = v->trainable = true;
		}
	}
}

static int add_parameter(struct graph *g, size_t value, struct exp_error *err)
{
	struct graph_value *v = &g->values[value];
	struct graph_parameter *p = &g->parameters[g->parameter_count];

	p->name = v->v.name;
	p->rank = v->v.shape.rank;
	memcpy(p->dims, v->v.shape.dims, sizeof(p->dims));
	p->count = shape_count(&v->v.shape);
	p->offset = g->parameter_floats;
	if (p->count == 0)
		return error_set(err, EXP_ESHAPE, "the initializer \"%s\" is empty", p->name);
	g->parameter_floats += p->count;
	g->parameter_values[g->parameter_count] = value;
	v->parameter = g->parameter_count++;
	return 0;
}

static int load_constant(struct graph *g, struct graph_value *v, struct exp_error *err)
{
	size_t count = shape_count(&v->v.shape);
	float *values = arena_try_alloc(&g->arena, count, sizeof(*values));

	if (!values)
		return no_memory(err);
	graph_read_floats(g, v, values);
	v->v.constant = values;
	return 0;
}

static int check_finite(const struct graph *g, const struct graph_value *v, struct exp_error *err)
{
	for (size_t i = 0; i < v->spans; i++) {
		const struct wire_span *span = &g->wire.spans[v->first_span + i];

		for (size_t k = 0; k < span->floats; k++) {
			float x;

			memcpy(&x, g->bytes + span->offset + k * sizeof(x), sizeof(x));
			if (!isfinite(x))
				return error_set(err, EXP_ENONFINITE,
						 "the initializer \"%s\" holds a NaN or an infinity", v->v.name);
		}
	}
	return 0;
}

/* In the file's order: initializers first, then Constant nodes. */
static int collect_parameters(struct graph *g, struct exp_error *err)
{
	g->parameters = arena_try_alloc(&g->arena, g->value_count, sizeof(g->parameters[0]));
	g->parameter_values = arena_try_alloc(&g->arena, g->value_count, sizeof(g->parameter_values[0]));
	if (!g->parameters || !g->parameter_values)
		return no_memory(err);
	for (size_t i = 0; i < g->value_count; i++) {
		struct graph_value *v = &g->values[i];
		int rc = 0;

		if (!v->used || v->kind != VALUE_INITIALIZER || v->v.integers || v->other_type)
			continue;
		rc = check_finite(g, v, err);
		if (rc == 0)
			rc = v->v.is_parameter ? add_parameter(g, i, err) : load_constant(g, v, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* What infer said of roles, once all shapes are known. */
static void copy_roles(struct graph *g)
{
	for (size_t i = 0; i < g->parameter_count; i++) {
		const struct op_value *v = &g->values[g->parameter_values[i]].v;

		g->parameters[i].role = v->role;
		g->parameters[i].fan_in = v->fan_in;
	}
}

/* ---- shapes and phases ---- */

static bool is_folded(const struct graph *g, const struct graph_node *n)
{
	bool floats = false;

	for (size_t i = 0; i < n->input_count; i++)
		if (n->inputs[i] != GRAPH_NONE)
			floats = floats || !g->values[n->inputs[i]].v.integers;
	return n->op->fold && (!n->op->infer || !floats);
}

static enum graph_phase phase_of(const struct graph *g, const struct graph_node *n)
{
	enum graph_phase phase = PHASE_CONSTANT;

	for (size_t i = 0; i < n->input_count; i++) {
		const struct graph_value *v = n->inputs[i] == GRAPH_NONE ? NULL : &g->values[n->inputs[i]];

		if (v && v->v.batched)
			return PHASE_ROWS;
		if (v && v->trainable)
			phase = PHASE_PARAMETERS;
	}
	return phase;
}

static int start_build(struct graph *g, struct graph_node *n, struct op_build *b, struct exp_error *err)
{
	*b = (struct op_build){
		.op_type = n->op_type,
		.opset = g->opset,
		.file_batch = g->file_batch,
		.input_count = n->input_count,
		.attributes = n->attributes,
		.attribute_count = n->attribute_count,
		.arena = &g->arena,
	};
	b->inputs = arena_try_alloc(&g->arena, n->input_count, sizeof(b->inputs[0]));
	b->config = n->config = arena_try_alloc(&g->arena, 1, n->op->config_size);
	if (!b->inputs || !b->config)
		return no_memory(err);
	for (size_t i = 0; i < n->input_count; i++)
		b->inputs[i] = n->inputs[i] == GRAPH_NONE ? NULL : &g->values[n->inputs[i]].v;
	b->output = &g->values[n->output].v;
	return 0;
}

static int finish_build(struct graph *g, struct graph_node *n, const struct op_build *b, struct exp_error *err)
{
	struct graph_value *out = &g->values[n->output];
	size_t count;

	if (!shape_try_count(&out->v.shape, &count))
		return error_set(err, EXP_ELIMIT, "its output would have more than %zu floats a row", SHAPE_MAX_FLOATS);
	if (count == 0)
		return error_set(err, EXP_ESHAPE, "its output would be empty");
	if (b->scratch > SHAPE_MAX_FLOATS || b->scratch_per_row > SHAPE_MAX_FLOATS)
		return error_set(err, EXP_ELIMIT, "it would need more than %zu floats of scratch", SHAPE_MAX_FLOATS);
	n->scratch = b->scratch;
	n->scratch_per_row = b->scratch_per_row;
	n->flops_per_row = b->flops_per_row;
	n->normalised = b->normalised;
	out->v.batched = n->phase == PHASE_ROWS;
	if (n->op->flags & OP_VIEW)
		out->root = g->values[n->inputs[0]].root;
	for (size_t i = 0; i < n->input_count; i++) {
		struct graph_value *v = n->inputs[i] == GRAPH_NONE ? NULL : &g->values[n->inputs[i]];

		if (!v)
			continue;
		out->trainable = out->trainable || v->trainable;
		g->values[v->root].uses += !(n->op->flags & OP_VIEW);
	}
	return 0;
}

static int build_node(struct graph *g, struct graph_node *n, struct exp_error *err)
{
	struct op_build b;
	int rc;

	if (n->output == GRAPH_NONE)
		return error_set(err, EXP_EUNSUPPORTED, "its first output has no name");
	rc = start_build(g, n, &b, err);
	if (rc)
		return rc;
	if (is_folded(g, n)) {
		n->phase = PHASE_FOLDED;
		return n->op->fold(n->op, &b, err);
	}
	if (!n->op->infer)
		return error_set(err, EXP_EUNSUPPORTED, "it is supported for integer tensors only");
	n->phase = phase_of(g, n);
	b.output->batched = n->phase == PHASE_ROWS;
	rc = n->op->infer(n->op, &b, err);
	return rc ? rc : finish_build(g, n, &b, err);
}

static int build_nodes(struct graph *g, struct exp_error *err)
{
	for (size_t i = 0; i < g->node_count; i++) {
		struct graph_node *n = &g->nodes[i];
		int rc = n->live && !n->is_constant ? build_node(g, n, err) : 0;

		if (rc)
			return at_node(g, n, rc, err);
	}
	return 0;
}

/* ---- the end of the graph ---- */

static int find_loss(struct graph *g, struct exp_error *err)
{
	const struct graph_value *out = &g->values[g->output];
	size_t node = g->values[out->root].node;
	unsigned flags = node == GRAPH_NONE ? 0 : g->nodes[node].op->flags;

	g->loss_node = GRAPH_NONE;
	g->loss_value = out->root;
	g->output_kind = GRAPH_LOGITS;
	if (!(flags & (OP_SOFTMAX | OP_LOG_SOFTMAX)))
		return 0;
	if (g->nodes[node].normalised != g->classes)
		return error_set(err, EXP_EUNSUPPORTED, "the terminal %s must span all %zu outputs of a row, not %zu",
				 g->nodes[node].op_type, g->classes, g->nodes[node].normalised);
	g->loss_node = node;
	g->loss_value = g->values[g->nodes[node].inputs[0]].root;
	g->output_kind = flags & OP_SOFTMAX ? GRAPH_PROBABILITIES : GRAPH_LOG_PROBABILITIES;
	return 0;
}

static int check_output(struct graph *g, struct exp_error *err)
{
	const struct op_value *out = &g->values[g->output].v;
	char text[SHAPE_TEXT];

	if (!out->batched || out->integers)
		return error_set(err, EXP_ESHAPE, "the output \"%s\" does not depend on the input", out->name);
	if (out->shape.dims[0] != 1)
		return error_set(err, EXP_ESHAPE,
				 "the output \"%s\" has the shape %s; one row of class scores a sample is expected",
				 out->name, shape_format(&out->shape, true, text));
	g->classes = shape_count(&out->shape);
	return find_loss(g, err);
}

int graph_build(struct graph *g, struct exp_error *err)
{
	int rc;

	mark_live(g);
	rc = check_nodes(g, err);
	if (rc)
		return rc;
	mark_parameters(g);
	rc = collect_parameters(g, err);
	if (rc == 0)
		rc = build_nodes(g, err);
	if (rc)
		return rc;
	copy_roles(g);
	return check_output(g, err);
}

/*
 * From what the file says to what will be run: which nodes lead to the output, which initializers are parameters, where
 * the loss is taken. Shapes are tried with some samples, so that a model that cannot run is refused when it is loaded.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/fuse.h"
#include "engine/infer.h"
#include "engine/opset.h"

/* As few dimensions of models as possible are multiples of it. */
enum { TRIAL_SAMPLES = 13 };

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
}

int graph_at_node(const struct graph *g, size_t node, int rc, struct exp_error *err)
{
	const struct graph_node *n = &g->nodes[node];

	if (rc == 0 || rc == EXP_EMEMORY)
		return rc;
	return n->name ? error_wrap(err, rc, "node %zu \"%.96s\" (%.48s)", node, n->name, n->op_type)
		       : error_wrap(err, rc, "node %zu (%.48s)", node, n->op_type);
}

static void mark_live(struct graph *g)
{
	for (size_t i = 0; i < g->output_count; i++)
		g->values[g->outputs[i]].used = true;
	for (size_t i = g->node_count; i-- > 0;) {
		struct graph_node *n = &g->nodes[i];

		for (size_t k = 0; k < n->output_count; k++)
			n->live = n->live || (n->outputs[k] != GRAPH_NONE && g->values[n->outputs[k]].used);
		for (size_t k = 0; n->live && k < n->input_count; k++)
			if (n->inputs[k] != GRAPH_NONE)
				g->values[n->inputs[k]].used = true;
	}
}

/* ---- what a node may be ---- */

static int check_attributes(const struct graph *g, const struct graph_node *n, struct exp_error *err)
{
	for (size_t i = 0; i < n->attribute_count; i++)
		if (!opset_has_attribute(n->op, g->opset, n->attributes[i].name))
			return error_set(err, EXP_EUNSUPPORTED, "the attribute \"%.64s\" is not supported",
					 n->attributes[i].name);
	return 0;
}

static int check_edges(const struct graph *g, const struct graph_node *n, struct exp_error *err)
{
	size_t outputs = n->op->max_outputs ? n->op->max_outputs : 1;

	if (n->input_count < n->op->min_inputs || n->input_count > n->op->max_inputs)
		return error_set(err, EXP_ESHAPE, "it has %zu inputs; %zu to %zu are expected", n->input_count,
				 n->op->min_inputs, n->op->max_inputs);
	for (size_t i = 0; i < n->input_count; i++) {
		if (n->inputs[i] == GRAPH_NONE && i < n->op->min_inputs)
			return error_set(err, EXP_ESHAPE, "input %zu is missing", i);
		if (n->inputs[i] != GRAPH_NONE && g->values[n->inputs[i]].unreadable)
			return error_set(err, EXP_EUNSUPPORTED,
					 "input %zu \"%.64s\" is of a type that is not supported", i,
					 g->values[n->inputs[i]].name);
	}
	for (size_t i = outputs; i < n->output_count; i++)
		if (n->outputs[i] != GRAPH_NONE && g->values[n->outputs[i]].used)
			return error_set(err, EXP_EUNSUPPORTED, "its output %zu \"%.64s\" is not supported", i,
					 g->values[n->outputs[i]].name);
	if (n->output_count == 0 || ((n->op->flags & OP_VIEW) && n->outputs[0] == GRAPH_NONE))
		return error_set(err, EXP_EUNSUPPORTED, "its first output has no name");
	return 0;
}

static int check_node(const struct graph *g, struct graph_node *n, struct exp_error *err)
{
	int rc;

	n->op = n->known_domain ? op_find(n->op_type) : NULL;
	if (!n->op)
		return error_set(err, EXP_EUNSUPPORTED, "the operator is not supported");
	rc = opset_check_operator(n->op, g->opset, err);
	if (rc == 0)
		rc = check_edges(g, n, err);
	if (rc)
		return rc;
	if (n->output_count > (n->op->max_outputs ? n->op->max_outputs : 1))
		n->output_count = n->op->max_outputs ? n->op->max_outputs : 1;
	return check_attributes(g, n, err);
}

static int check_nodes(struct graph *g, struct exp_error *err)
{
	for (size_t i = 0; i < g->node_count; i++) {
		struct graph_node *n = &g->nodes[i];
		int rc = n->live && !n->is_constant ? check_node(g, n, err) : 0;

		if (rc)
			return graph_at_node(g, i, rc, err);
	}
	return 0;
}

/* ---- parameters ---- */

enum purpose { PURPOSE_WEIGHT = 1, PURPOSE_STATISTIC = 2 };

static unsigned purpose_at(const struct graph *g, const struct graph_node *n, size_t k)
{
	unsigned bit = k < 32 ? 1u << k : 0;

	if (n->op->statistics & bit)
		return PURPOSE_STATISTIC;
	if (g->values[n->inputs[k]].from_constant)
		return n->op->weights & bit ? PURPOSE_WEIGHT : 0;
	return n->op->fixed & bit ? 0 : PURPOSE_WEIGHT;
}

/* What each value is used for; an exporter merges equal initializers and hands them on through Identity. */
static void find_purposes(const struct graph *g, unsigned *purposes)
{
	for (size_t i = g->node_count; i-- > 0;) {
		const struct graph_node *n = &g->nodes[i];

		if (!n->live || n->is_constant)
			continue;
		for (size_t k = 0; k < n->input_count; k++) {
			if (n->inputs[k] == GRAPH_NONE)
				continue;
			purposes[n->inputs[k]] |=
			    strcmp(n->op_type, "Identity") == 0 ? purposes[n->outputs[0]] : purpose_at(g, n, k);
		}
	}
}

/* An attention mask: zeros and minus infinities. EXP_ENONFINITE for any other number that is not finite. */
static int check_numbers(const struct graph *g, const struct graph_value *v, bool *mask, struct exp_error *err)
{
	bool only = true, any = false, odd = false;

	for (size_t i = 0; i < v->spans; i++) {
		const struct wire_span *span = &g->wire.spans[v->first_span + i];

		for (size_t k = 0; k < span->floats; k++) {
			float x;

			memcpy(&x, g->bytes + span->offset + k * sizeof(x), sizeof(x));
			any = any || x == -INFINITY;
			odd = odd || isnan(x) || x == INFINITY;
			only = only && (x == 0.0f || x == -INFINITY);
		}
	}
	*mask = any && only;
	if ((odd || (any && !only)) && !g->whole)
		return error_set(err, EXP_ENONFINITE, "the initializer \"%s\" holds a NaN or an infinity", v->name);
	return 0;
}

static int load_constant(struct graph *g, struct graph_value *v, struct exp_error *err)
{
	float *values = arena_try_alloc(&g->arena, shape_count(&v->shape) + 1, sizeof(*values));

	if (!values)
		return no_memory(err);
	graph_read_floats(g, v, values);
	v->constant = values;
	return 0;
}

/* A number that constant folding left, not something that was learned. */
static bool is_left_over(const struct graph_value *v)
{
	return strncmp(v->name, "onnx::", 6) == 0 && shape_count(&v->shape) == 1;
}

static int add_parameter(struct graph *g, size_t value, struct exp_error *err)
{
	struct graph_value *v = &g->values[value];
	struct graph_parameter *p = &g->parameters[g->parameter_count];

	p->name = v->name;
	p->rank = v->shape.rank;
	memcpy(p->dims, v->shape.dims, sizeof(p->dims));
	p->count = shape_count(&v->shape);
	p->offset = g->parameter_floats;
	if (p->count == 0)
		return error_set(err, EXP_ESHAPE, "the initializer \"%s\" is empty", p->name);
	g->parameter_floats += p->count;
	g->parameter_values[g->parameter_count] = value;
	v->parameter = g->parameter_count++;
	return 0;
}

static int sort_out(struct graph *g, size_t i, unsigned *purpose, struct exp_error *err)
{
	struct graph_value *v = &g->values[i];
	bool mask = false;
	int rc;

	if (!v->used || v->kind != VALUE_INITIALIZER || v->type != TENSOR_F32 || v->constant || v->unreadable) {
		*purpose = 0;
		return 0;
	}
	if (v->is_frozen && *purpose & PURPOSE_STATISTIC)
		return error_set(err, EXP_EINVAL, "\"%s\" holds statistics of training rows and cannot be frozen",
				 v->name);
	rc = check_numbers(g, v, &mask, err);
	if (mask || is_left_over(v) || v->is_frozen || g->whole)
		*purpose = 0;
	return rc || *purpose ? rc : load_constant(g, v, err);
}

/* In the file's order; what has no gradient comes last. */
static int collect_parameters(struct graph *g, unsigned *purposes, struct exp_error *err)
{
	for (size_t i = 0; i < g->value_count; i++) {
		int rc = sort_out(g, i, &purposes[i], err);

		if (rc == 0 && purposes[i] & PURPOSE_WEIGHT)
			rc = add_parameter(g, i, err);
		if (rc)
			return rc;
	}
	g->trainable_floats = g->parameter_floats;
	for (size_t i = 0; i < g->value_count; i++) {
		int rc = purposes[i] == PURPOSE_STATISTIC ? add_parameter(g, i, err) : 0;

		g->values[i].is_statistic = purposes[i] == PURPOSE_STATISTIC;
		if (rc)
			return rc;
	}
	return 0;
}

static int find_parameters(struct graph *g, struct exp_error *err)
{
	unsigned *purposes = arena_try_alloc(&g->arena, g->value_count + 1, sizeof(*purposes));

	g->parameters = arena_try_alloc(&g->arena, g->value_count + 1, sizeof(g->parameters[0]));
	g->parameter_values = arena_try_alloc(&g->arena, g->value_count + 1, sizeof(g->parameter_values[0]));
	if (!purposes || !g->parameters || !g->parameter_values)
		return no_memory(err);
	find_purposes(g, purposes);
	return collect_parameters(g, purposes, err);
}

/* A weight that is transposed, cut or put together on its way is what the result is used for. */
static void carry_roles(const struct graph *g, struct inference *inf)
{
	for (size_t k = g->node_count; k-- > 0;) {
		const struct graph_node *n = &g->nodes[k];
		const struct op_value *out =
		    n->output_count && n->outputs[0] != GRAPH_NONE ? &inf->values[n->outputs[0]] : NULL;

		if (!n->live || !n->op || !(n->op->flags & (OP_VIEW | OP_LINEAR)) || !out || out->batched)
			continue;
		for (size_t i = 0; i < n->input_count; i++) {
			struct op_value *in = n->inputs[i] != GRAPH_NONE ? &inf->values[n->inputs[i]] : NULL;

			if (!in || !in->trainable || in->role != GRAPH_ROLE_OTHER)
				continue;
			in->role = out->role;
			in->fan_in = out->fan_in;
		}
	}
}

/* What infer said of roles. A statistic is named by its place: operators list means before variances. */
static void copy_roles(struct graph *g, const struct inference *inf)
{
	for (size_t i = 0; i < g->parameter_count; i++) {
		const struct op_value *v = &inf->values[g->parameter_values[i]];

		g->parameters[i].role = v->role;
		g->parameters[i].fan_in = v->fan_in;
	}
}

/* ---- inputs, samples and the end of the graph ---- */

static int measure_row(struct graph *g, struct exp_error *err)
{
	const struct graph_value *first = &g->values[g->inputs[0]];

	for (size_t i = 0; i < g->input_count; i++) {
		const struct graph_value *v = &g->values[g->inputs[i]];

		g->row_floats += shape_span(&v->shape, 1, v->shape.rank);
	}
	if (g->row_floats == 0 || g->row_floats > SHAPE_MAX_COUNT)
		return error_set(err, EXP_ELIMIT, "a row of the inputs has %zu numbers", g->row_floats);
	g->row_rank = g->input_count > 1 ? 1 : first->shape.rank - 1;
	if (g->input_count > 1)
		g->row_dims[0] = g->row_floats;
	else
		memcpy(g->row_dims, first->shape.dims + 1, g->row_rank * sizeof(g->row_dims[0]));
	return 0;
}

static int keep_samples(struct graph *g, const struct inference *inf, struct exp_error *err)
{
	struct op_build b = { .samples = inf->samples };

	struct op_samples *all = arena_try_alloc(&g->arena, g->value_count + 1, sizeof(*all));
	const struct op_samples **samples = arena_try_alloc(&g->arena, g->value_count + 1, sizeof(samples[0]));

	if (!all || !samples)
		return no_memory(err);
	for (size_t i = 0; i < g->value_count; i++)
		if (inf->values[i].batched && op_find_samples(&b, &inf->values[i], &all[i], NULL) == 0)
			samples[i] = &all[i];
	g->samples = samples;
	return 0;
}

static int find_loss(struct graph *g, const struct inference *inf, struct exp_error *err)
{
	size_t root = inf->roots[g->output], node = g->values[root].node;
	unsigned flags = node == GRAPH_NONE || !g->nodes[node].op ? 0 : g->nodes[node].op->flags;
	const struct op_softmax *rows;

	g->loss_node = GRAPH_NONE;
	g->loss_value = root;
	g->output_kind = GRAPH_LOGITS;
	if (!(flags & (OP_SOFTMAX | OP_LOG_SOFTMAX)))
		return 0;
	rows = inf->nodes[node].config;
	if (rows->size != g->classes || rows->after != 1)
		return error_set(err, EXP_EUNSUPPORTED, "the terminal %s must span the %zu classes, not %zu numbers",
				 g->nodes[node].op_type, g->classes, rows->size);
	g->loss_node = node;
	g->loss_value = inf->roots[g->nodes[node].inputs[0]];
	g->output_kind = flags & OP_SOFTMAX ? GRAPH_PROBABILITIES : GRAPH_LOG_PROBABILITIES;
	return 0;
}

/* [N, positions …, classes], dimensions of one at the end left out; the samples may be on another dimension. */
static int check_output(struct graph *g, const struct inference *inf, struct exp_error *err)
{
	const struct op_value *out = &inf->values[g->output];
	size_t rank = out->shape.rank, floats;
	char text[SHAPE_TEXT];

	if (!out->batched || out->type != TENSOR_F32)
		return error_set(err, EXP_ESHAPE, "the output \"%s\" %s", out->name,
				 out->batched ? "is no fp32 tensor" : "does not depend on the input");
	floats = out->count / inf->samples;
	while (rank > 2 && out->shape.dims[rank - 1] == 1)
		rank--;
	if (g->samples[g->output] == NULL || floats == 0)
		return error_set(err, EXP_ESHAPE, "the output \"%s\" has the shape %s; class scores are expected",
				 out->name, shape_format(&out->shape, text));
	g->classes = rank > 1 && g->samples[g->output]->axis != rank - 1 ? out->shape.dims[rank - 1] : 1;
	g->positions = floats / g->classes;
	return find_loss(g, inf, err);
}

int graph_build(struct graph *g, struct exp_error *err)
{
	struct infer_options options = { .samples = g->whole ? 0 : TRIAL_SAMPLES };
	struct inference inf;
	int rc;

	mark_live(g);
	rc = check_nodes(g, err);
	if (rc == 0)
		rc = find_parameters(g, err);
	if (rc == 0 && !g->whole)
		rc = measure_row(g, err);
	if (rc || g->whole)
		return rc;
	rc = fuse_chains(g, TRIAL_SAMPLES, err);
	if (rc == 0)
		rc = infer_run(g, &options, &inf, err);
	if (rc)
		return rc;
	carry_roles(g, &inf);
	copy_roles(g, &inf);
	rc = keep_samples(g, &inf, err);
	if (rc == 0)
		rc = check_output(g, &inf, err);
	infer_fini(&inf);
	return rc;
}

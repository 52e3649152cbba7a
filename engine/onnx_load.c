/*
 * The only file that knows protobuf-c. It copies what the graph needs into the graph's own structures and checks types,
 * names, references and sizes on the way; what operators mean is graph_build.c's business.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/onnx_input.h"
#include "engine/onnx_tensor.h"
#include "engine/onnx_text.h"
#include "engine/opset.h"

/* Value names in sorted order. */
struct name_entry {
	const char *name;
	size_t value;
};

struct loader {
	struct graph *g;
	const Onnx__GraphProto *proto;
	const struct graph_binding *bound;
	size_t bound_count;
	struct onnx_open_sizes open;
	struct name_entry *names; /* [g->value_count] */
	struct exp_error *err;
};

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
}

static int copy_name(struct loader *l, const char *from, const char **to)
{
	if (!from)
		from = "";
	if (!onnx_is_clean_text(from))
		return error_set(l->err, EXP_EPARSE,
				 "the ONNX file holds a name that is not printable UTF-8 of at most %d bytes",
				 ONNX_MAX_TEXT);
	*to = arena_try_strdup(&l->g->arena, from);
	return *to ? 0 : no_memory(l->err);
}

static int check_opset(struct loader *l, const Onnx__ModelProto *model)
{
	struct graph *g = l->g;

	for (size_t i = 0; i < model->n_opset_import; i++) {
		const Onnx__OperatorSetIdProto *o = model->opset_import[i];

		if (!o->domain || !*o->domain || strcmp(o->domain, "ai.onnx") == 0)
			g->opset = o->version;
	}
	if (g->opset < OPSET_OLDEST || g->opset > OPSET_NEWEST)
		return error_set(l->err, EXP_EUNSUPPORTED,
				 "opset %" PRId64
				 " is not supported: export the model again with an opset from %d to %d",
				 g->opset, OPSET_PLAIN, OPSET_NEWEST);
	if (model->n_functions || model->n_training_info)
		return error_set(
		    l->err, EXP_EUNSUPPORTED,
		    "the file holds model-local functions or training graphs: export the plain inference graph");
	return 0;
}

/* ---- tensors ---- */

static int misfit(struct loader *l, const char *name, size_t count, size_t have)
{
	return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" has a shape of %zu elements and data for %zu", name, count,
			 have);
}

static int read_floats(struct loader *l, const char *name, const struct wire_tensor *w, struct graph_value *value,
		       size_t count)
{
	size_t floats = 0;

	if (w->has_raw && w->raw_bytes % sizeof(float))
		return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" holds %zu bytes, not whole fp32 numbers", name,
				 w->raw_bytes);
	for (size_t i = 0; i < w->spans; i++)
		floats += l->g->wire.spans[w->first_span + i].floats;
	if (floats != count)
		return misfit(l, name, count, floats);
	value->first_span = w->first_span;
	value->spans = w->spans;
	return 0;
}

/* fp32 with data in the file's own bytes stays there: shape and type only. */
static int read_shape(struct loader *l, const Onnx__TensorProto *t, struct graph_value *value)
{
	size_t count;

	if (t->n_dims > GRAPH_MAX_DIMS)
		return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" has %zu dimensions; at most %d are supported",
				 value->name, t->n_dims, GRAPH_MAX_DIMS);
	value->shape.rank = t->n_dims;
	for (size_t i = 0; i < t->n_dims; i++) {
		if (t->dims[i] < 0)
			return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" has the dimension %" PRId64, value->name,
					 t->dims[i]);
		value->shape.dims[i] = (size_t)t->dims[i];
	}
	if (!shape_try_count(&value->shape, &count))
		return error_set(l->err, EXP_ELIMIT, "tensor \"%s\" has more than %zu elements", value->name,
				 SHAPE_MAX_COUNT);
	return 0;
}

static bool is_elsewhere(const Onnx__TensorProto *t)
{
	return t->n_external_data ||
	       (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL);
}

/* Takes an initializer's or a Constant node's tensor. Types that are not supported stay unread until something uses
 * them. */
static int take_tensor(struct loader *l, const Onnx__TensorProto *t, const struct wire_tensor *w,
		       struct graph_value *value)
{
	struct tensor read = { 0 };
	int rc;

	value->kind = VALUE_INITIALIZER;
	value->onnx_type = t->data_type;
	if (is_elsewhere(t))
		return error_set(
		    l->err, EXP_EUNSUPPORTED,
		    "tensor \"%s\" keeps its data in another file: save the model as one file (without external data)",
		    value->name);
	if (t->segment)
		return error_set(l->err, EXP_EUNSUPPORTED, "tensor \"%s\" is stored in segments", value->name);
	value->unreadable = !tensor_type_of(t->data_type, &value->type);
	if (value->unreadable)
		return 0;
	if (t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT) {
		rc = read_shape(l, t, value);
		if (rc == 0 && !w)
			rc = error_set(l->err, EXP_EPARSE, "tensor \"%s\" stands where no tensor can stand",
				       value->name);
		return rc ? rc : read_floats(l, value->name, w, value, shape_count(&value->shape));
	}
	rc = onnx_tensor_convert(t, &l->g->arena, &read, l->err);
	if (rc)
		return error_wrap(l->err, rc, "tensor \"%s\"", value->name);
	value->shape = read.shape;
	value->constant = read.data ? read.data : "";
	return 0;
}

/* ---- attributes ---- */

static const enum op_attribute_type attribute_types[] = {
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT] = OP_FLOAT,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT] = OP_INT,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING] = OP_STRING,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR] = OP_TENSOR,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS] = OP_FLOATS,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS] = OP_INTS,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS] = OP_STRINGS,
};

static int copy_lists(struct loader *l, const Onnx__AttributeProto *from, struct op_attribute *to)
{
	size_t count = to->type == OP_INTS ? from->n_ints : from->n_floats;
	void *copy = arena_try_alloc(&l->g->arena, count, to->type == OP_INTS ? sizeof(int64_t) : sizeof(float));

	if (!copy)
		return no_memory(l->err);
	to->count = count;
	if (to->type == OP_INTS)
		to->ints = count ? memcpy(copy, from->ints, count * sizeof(int64_t)) : copy;
	else
		to->floats = count ? memcpy(copy, from->floats, count * sizeof(float)) : copy;
	return 0;
}

static int copy_bytes(struct loader *l, ProtobufCBinaryData from, const char **to)
{
	char *text = arena_try_alloc(&l->g->arena, from.len + 1, 1);

	if (!text)
		return no_memory(l->err);
	if (from.len)
		memcpy(text, from.data, from.len);
	*to = text;
	return 0;
}

static int copy_strings(struct loader *l, const Onnx__AttributeProto *from, struct op_attribute *to)
{
	const char **list = arena_try_alloc(&l->g->arena, from->n_strings + 1, sizeof(*list));
	int rc = list ? 0 : no_memory(l->err);

	for (size_t i = 0; rc == 0 && i < from->n_strings; i++)
		rc = copy_bytes(l, from->strings[i], &list[i]);
	to->strings = list;
	to->count = from->n_strings;
	return rc;
}

/* A tensor of another type is as good as none; whoever asks for it says so. */
static int copy_tensor(struct loader *l, const Onnx__AttributeProto *from, struct op_attribute *to)
{
	struct tensor *t = arena_try_alloc(&l->g->arena, 1, sizeof(*t));
	enum tensor_type type;
	int rc;

	if (!t)
		return no_memory(l->err);
	if (!from->t || !tensor_type_of(from->t->data_type, &type))
		return 0;
	rc = onnx_tensor_convert(from->t, &l->g->arena, t, l->err);
	if (rc)
		return error_wrap(l->err, rc, "the attribute \"%s\"", to->name);
	to->t = t;
	return 0;
}

static int copy_attribute(struct loader *l, const Onnx__AttributeProto *from, struct op_attribute *to)
{
	size_t type = from->has_type ? (size_t)from->type : 0;
	int rc = copy_name(l, from->name, &to->name);

	if (rc)
		return rc;
	to->type = type < sizeof(attribute_types) / sizeof(attribute_types[0]) ? attribute_types[type] : OP_OTHER;
	to->f = from->f;
	to->i = from->i;
	if (to->type == OP_STRING)
		return copy_bytes(l, from->s, &to->s);
	if (to->type == OP_STRINGS)
		return copy_strings(l, from, to);
	if (to->type == OP_TENSOR)
		return copy_tensor(l, from, to);
	if (to->type == OP_INTS || to->type == OP_FLOATS)
		return copy_lists(l, from, to);
	return 0;
}

static int copy_attributes(struct loader *l, const Onnx__NodeProto *from, struct graph_node *to)
{
	struct op_attribute *attributes = arena_try_alloc(&l->g->arena, from->n_attribute, sizeof(*attributes));

	if (!attributes)
		return no_memory(l->err);
	for (size_t i = 0; i < from->n_attribute; i++) {
		int rc = copy_attribute(l, from->attribute[i], &attributes[i]);

		if (rc)
			return rc;
	}
	to->attributes = attributes;
	to->attribute_count = from->n_attribute;
	return 0;
}

/* ---- names ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name_entry *)a)->name, ((const struct name_entry *)b)->name);
}

static size_t find_among(const struct loader *l, const char *name, size_t count)
{
	struct name_entry key = { .name = name };
	const struct name_entry *hit = bsearch(&key, l->names, count, sizeof(key), compare_names);

	return hit ? hit->value : GRAPH_NONE;
}

static size_t find_value(const struct loader *l, const char *name)
{
	return find_among(l, name, l->g->value_count);
}

/* Every name is given once: by the input, an initializer or one node. */
static int sort_names(struct loader *l)
{
	struct graph *g = l->g;

	for (size_t i = 0; i < g->value_count; i++)
		l->names[i] = (struct name_entry){ g->values[i].name, i };
	qsort(l->names, g->value_count, sizeof(l->names[0]), compare_names);
	for (size_t i = 1; i < g->value_count; i++)
		if (strcmp(l->names[i].name, l->names[i - 1].name) == 0)
			return error_set(l->err, EXP_EPARSE, "the ONNX file defines the value \"%s\" twice",
					 l->names[i].name);
	return 0;
}

/* ---- the graph ---- */

static size_t named_outputs(const Onnx__NodeProto *n)
{
	size_t count = 0;

	for (size_t i = 0; i < n->n_output; i++)
		count += n->output[i][0] != '\0';
	return count;
}

static const struct graph_binding *find_binding(const struct loader *l, const char *name)
{
	for (size_t i = 0; i < l->bound_count; i++)
		if (strcmp(l->bound[i].name, name) == 0)
			return &l->bound[i];
	return NULL;
}

static int read_input(struct loader *l, const Onnx__ValueInfoProto *info, struct graph_value *value)
{
	const Onnx__TypeProto *type = info->type;
	const struct graph_binding *bound = find_binding(l, value->name);

	if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
	    !tensor_type_of(type->tensor_type->elem_type, &value->type))
		return error_set(l->err, EXP_EUNSUPPORTED,
				 "the input \"%s\" is no tensor of fp32, integers or booleans", value->name);
	value->onnx_type = type->tensor_type->elem_type;
	if (!bound)
		return onnx_input_shape(&l->open, l->g, type->tensor_type->shape, value, l->err);
	value->shape = bound->tensor.shape;
	value->type = bound->tensor.type;
	if (bound->tensor.data) {
		size_t bytes = shape_count(&value->shape) * tensor_size(value->type);
		void *copy = arena_try_alloc(&l->g->arena, bytes + 1, 1);

		if (!copy)
			return no_memory(l->err);
		memcpy(copy, bound->tensor.data, bytes);
		value->kind = VALUE_INITIALIZER;
		value->constant = copy;
	}
	return 0;
}

static struct graph_value *new_value(struct graph *g, size_t node)
{
	struct graph_value *v = &g->values[g->value_count++];

	v->node = node;
	v->parameter = GRAPH_NONE;
	return v;
}

static int add_initializers(struct loader *l)
{
	for (size_t i = 0; i < l->proto->n_initializer; i++) {
		const Onnx__TensorProto *t = l->proto->initializer[i];
		struct graph_value *v = new_value(l->g, GRAPH_NONE);
		int rc = copy_name(l, t->name, &v->name);

		if (rc == 0)
			rc = take_tensor(l, t, wire_find(&l->g->wire, WIRE_INITIALIZER, i), v);
		if (rc)
			return rc;
	}
	return 0;
}

/* Inputs that are no initializers (before IR version 4 initializers were listed among the inputs); their names are
 * sorted. */
static int add_inputs(struct loader *l)
{
	const Onnx__GraphProto *p = l->proto;
	struct graph *g = l->g;
	size_t initializers = g->value_count;

	for (size_t i = 0; i < p->n_input; i++) {
		const char *name = p->input[i]->name ? p->input[i]->name : "";
		struct graph_value *v;
		int rc;

		if (find_among(l, name, initializers) != GRAPH_NONE)
			continue;
		v = new_value(g, GRAPH_NONE);
		v->kind = VALUE_INPUT;
		rc = copy_name(l, name, &v->name);
		if (rc == 0)
			rc = read_input(l, p->input[i], v);
		if (rc)
			return rc;
		if (v->kind == VALUE_INPUT)
			g->inputs[g->input_count++] = g->value_count - 1;
	}
	if (g->input_count == 0 && !g->whole)
		return error_set(l->err, EXP_EUNSUPPORTED, "the model has no input");
	return 0;
}

/* A Constant node's value stands in one of several attributes; sparse and string ones are not read. */
static int take_numbers(struct loader *l, const Onnx__AttributeProto *a, struct graph_value *value)
{
	bool list = a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS ||
		    a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
	bool integers = a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT ||
			a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
	size_t count = !list ? 1 : integers ? a->n_ints : a->n_floats;
	const void *from = integers ? (list ? (const void *)a->ints : &a->i) : (list ? (const void *)a->floats : &a->f);
	void *copy;

	value->kind = VALUE_INITIALIZER;
	value->type = integers ? TENSOR_I64 : TENSOR_F32;
	value->onnx_type = tensor_onnx_type(value->type);
	value->shape.rank = list;
	value->shape.dims[0] = count;
	copy = arena_try_alloc(&l->g->arena, count + 1, tensor_size(value->type));
	if (!copy)
		return no_memory(l->err);
	if (count)
		memcpy(copy, from, count * tensor_size(value->type));
	value->constant = copy;
	return 0;
}

static int take_constant(struct loader *l, size_t index, struct graph_value *value)
{
	static const char *const numbers[] = { "value_int", "value_ints", "value_float", "value_floats" };
	const Onnx__NodeProto *n = l->proto->node[index];

	for (size_t i = 0; i < n->n_attribute; i++) {
		const Onnx__AttributeProto *a = n->attribute[i];
		const char *name = a->name ? a->name : "";

		if (strcmp(name, "value") == 0 && a->t)
			return take_tensor(l, a->t, wire_find(&l->g->wire, (int64_t)index, i), value);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			if (strcmp(name, numbers[k]) == 0)
				return take_numbers(l, a, value);
	}
	return error_set(l->err, EXP_EUNSUPPORTED,
			 "node \"%s\" (Constant): only tensors, integers and floats are supported as values",
			 value->name);
}

static int add_node(struct loader *l, size_t index)
{
	const Onnx__NodeProto *from = l->proto->node[index];
	struct graph *g = l->g;
	struct graph_node *to = &g->nodes[index];
	int rc = copy_name(l, from->name, &to->name);

	if (rc == 0)
		rc = copy_name(l, from->op_type, &to->op_type);
	if (rc == 0)
		rc = copy_attributes(l, from, to);
	if (rc)
		return rc;
	if (!*to->name)
		to->name = NULL;
	to->known_domain = !from->domain || !*from->domain || strcmp(from->domain, "ai.onnx") == 0;
	to->is_constant = to->known_domain && strcmp(to->op_type, "Constant") == 0;
	to->outputs = arena_try_alloc(&g->arena, from->n_output + 1, sizeof(to->outputs[0]));
	if (!to->outputs)
		return no_memory(l->err);
	to->output_count = from->n_output;
	for (size_t i = 0; rc == 0 && i < from->n_output; i++) {
		to->outputs[i] = GRAPH_NONE;
		if (!from->output[i][0])
			continue;
		to->outputs[i] = g->value_count;
		rc = copy_name(l, from->output[i], &new_value(g, index)->name);
	}
	if (rc == 0 && to->is_constant && (to->output_count != 1 || to->outputs[0] == GRAPH_NONE))
		return error_set(l->err, EXP_EPARSE, "node %zu (Constant) must have one output with a name", index);
	if (rc == 0 && to->is_constant) {
		g->values[to->outputs[0]].from_constant = true;
		rc = take_constant(l, index, &g->values[to->outputs[0]]);
	}
	return rc;
}

static int link_node(struct loader *l, size_t index)
{
	const Onnx__NodeProto *from = l->proto->node[index];
	struct graph *g = l->g;
	struct graph_node *to = &g->nodes[index];

	to->inputs = arena_try_alloc(&g->arena, from->n_input, sizeof(to->inputs[0]));
	if (!to->inputs)
		return no_memory(l->err);
	to->input_count = from->n_input;
	for (size_t i = 0; i < from->n_input; i++) {
		size_t v = GRAPH_NONE;

		if (from->input[i][0]) {
			v = find_value(l, from->input[i]);
			if (v == GRAPH_NONE || (g->values[v].node != GRAPH_NONE && g->values[v].node >= index))
				return error_set(l->err, EXP_EPARSE,
						 "node %zu \"%s\" (%s) uses \"%.64s\", which no input, initializer or "
						 "earlier node gives",
						 index, to->name ? to->name : "", to->op_type,
						 onnx_is_clean_text(from->input[i]) ? from->input[i] : "?");
		}
		to->inputs[i] = v;
	}
	return 0;
}

static int count_values(struct loader *l)
{
	const Onnx__GraphProto *p = l->proto;
	struct graph *g = l->g;
	size_t count = p->n_initializer + p->n_input + 1;

	for (size_t i = 0; i < p->n_node; i++)
		count += named_outputs(p->node[i]);
	g->node_count = p->n_node;
	g->nodes = arena_try_alloc(&g->arena, p->n_node, sizeof(g->nodes[0]));
	g->values = arena_try_alloc(&g->arena, count, sizeof(g->values[0]));
	g->inputs = arena_try_alloc(&g->arena, p->n_input + 1, sizeof(g->inputs[0]));
	g->outputs = arena_try_alloc(&g->arena, p->n_output + 1, sizeof(g->outputs[0]));
	l->names = mem_try_alloc(count, sizeof(l->names[0]));
	return g->nodes && g->values && g->inputs && g->outputs && l->names ? 0 : no_memory(l->err);
}

/* The first is the model's; the others are of interest only when the graph is run whole. */
static int find_outputs(struct loader *l)
{
	const Onnx__GraphProto *p = l->proto;
	struct graph *g = l->g;

	for (size_t i = 0; i < (g->whole ? p->n_output : 1); i++) {
		const char *name = i < p->n_output && p->output[i]->name ? p->output[i]->name : "";

		g->outputs[i] = find_value(l, name);
		if (g->outputs[i] == GRAPH_NONE)
			return error_set(l->err, EXP_EPARSE, "the model names an output that nothing makes");
		g->output_count++;
	}
	g->output = g->outputs[0];
	return g->output_count ? 0 : error_set(l->err, EXP_EPARSE, "the model names no output");
}

static int mark_frozen(struct loader *l)
{
	struct graph *g = l->g;

	for (size_t i = 0; i < g->options.frozen_count; i++) {
		size_t v = find_value(l, g->options.frozen[i]);

		if (v == GRAPH_NONE || g->values[v].kind != VALUE_INITIALIZER)
			return error_set(l->err, EXP_EINVAL, "the model has no initializer \"%.96s\" to freeze",
					 g->options.frozen[i]);
		g->values[v].is_frozen = true;
	}
	return 0;
}

static int load_graph(struct loader *l)
{
	int rc = count_values(l);

	if (rc == 0)
		rc = add_initializers(l);
	if (rc == 0)
		rc = sort_names(l);
	if (rc == 0)
		rc = onnx_open_sizes_init(&l->open, l->g, l->proto, l->err);
	if (rc == 0)
		rc = add_inputs(l);
	for (size_t i = 0; rc == 0 && i < l->proto->n_node; i++)
		rc = add_node(l, i);
	if (rc == 0)
		rc = sort_names(l);
	for (size_t i = 0; rc == 0 && i < l->proto->n_node; i++)
		rc = link_node(l, i);
	if (rc == 0)
		rc = mark_frozen(l);
	return rc ? rc : find_outputs(l);
}

static int load_model(struct loader *l, const Onnx__ModelProto *model)
{
	int rc;

	if (!model->graph)
		return error_set(l->err, EXP_EPARSE, "the ONNX file holds no graph");
	if (model->graph->n_sparse_initializer)
		return error_set(l->err, EXP_EUNSUPPORTED, "sparse initializers are not supported");
	l->proto = model->graph;
	rc = check_opset(l, model);
	return rc ? rc : load_graph(l);
}

int onnx_load(struct graph *g, const struct graph_binding *bound, size_t bound_count, struct exp_error *err)
{
	struct loader l = { .g = g, .bound = bound, .bound_count = bound_count, .err = err };
	Onnx__ModelProto *model;
	int rc = wire_scan(g->bytes, g->size, &g->wire, err);

	if (rc)
		return rc;
	model = onnx__model_proto__unpack(NULL, g->size, g->bytes);
	if (!model)
		return error_set(err, EXP_EPARSE, "not a readable ONNX file: its messages are not well formed");
	rc = load_model(&l, model);
	onnx__model_proto__free_unpacked(model, NULL);
	mem_free(l.names);
	return rc;
}

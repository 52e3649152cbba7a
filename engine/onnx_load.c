/*
 * The only file that knows protobuf-c. It copies what the graph needs into the graph's own structures and checks types,
 * names, references and sizes on the way; what operators mean is graph_build.c's business.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/graph_internal.h"
#include "engine/onnx.pb-c.h"

enum { MIN_OPSET = 9, MAX_OPSET = 17, MAX_NAME = 512 };

/* Value names in sorted order. */
struct name_entry {
	const char *name;
	size_t value;
};

struct loader {
	struct graph *g;
	const Onnx__GraphProto *proto;
	struct name_entry *names; /* [g->value_count] */
	struct exp_error *err;
};

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
}

/* Names reach messages, JSON and file headers: printable UTF-8 of a sane length only. */
static bool is_clean_name(const char *name)
{
	const unsigned char *c = (const unsigned char *)name;
	size_t length = strnlen(name, MAX_NAME + 1);

	if (length > MAX_NAME)
		return false;
	while (*c) {
		unsigned follow = *c < 0x80                 ? 0
				  : *c >= 0xc2 && *c < 0xe0 ? 1
				  : *c >= 0xe0 && *c < 0xf0 ? 2
				  : *c >= 0xf0 && *c < 0xf5 ? 3
							    : 9;

		if (*c < 0x20 || *c == 0x7f || follow == 9)
			return false;
		for (c++; follow > 0; follow--, c++)
			if ((*c & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static int copy_name(struct loader *l, const char *from, const char **to)
{
	if (!from)
		from = "";
	if (!is_clean_name(from))
		return error_set(l->err, EXP_EPARSE,
				 "the ONNX file holds a name that is not printable UTF-8 of at most %d bytes",
				 MAX_NAME);
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
	if (g->opset < MIN_OPSET || g->opset > MAX_OPSET)
		return error_set(l->err, EXP_EUNSUPPORTED,
				 "opset %" PRId64
				 " is not supported: export the model again with an opset from %d to %d",
				 g->opset, MIN_OPSET, MAX_OPSET);
	if (model->n_functions || model->n_training_info)
		return error_set(
		    l->err, EXP_EUNSUPPORTED,
		    "the file holds model-local functions or training graphs: export the plain inference graph");
	return 0;
}

/* ---- tensors ---- */

static int read_dims(struct loader *l, const char *name, const Onnx__TensorProto *t, struct shape *shape, size_t *count)
{
	if (t->n_dims > GRAPH_MAX_DIMS)
		return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" has %zu dimensions; at most %d are supported", name,
				 t->n_dims, GRAPH_MAX_DIMS);
	shape->rank = t->n_dims;
	for (size_t i = 0; i < t->n_dims; i++) {
		if (t->dims[i] < 0)
			return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" has the dimension %" PRId64, name,
					 t->dims[i]);
		shape->dims[i] = (size_t)t->dims[i];
	}
	if (!shape_try_count(shape, count))
		return error_set(l->err, EXP_ELIMIT, "tensor \"%s\" has more than %zu elements", name,
				 SHAPE_MAX_FLOATS);
	return 0;
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
		return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" has a shape of %zu elements and data for %zu", name,
				 count, floats);
	value->first_span = w->first_span;
	value->spans = w->spans;
	return 0;
}

/* Bytes of one element in raw_data; int64 elements that are not raw stand in int64_data, all others in int32_data. */
static size_t integer_size(const Onnx__TensorProto *t)
{
	if (t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64)
		return sizeof(int64_t);
	return t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32 ? sizeof(int32_t) : sizeof(uint8_t);
}

static int64_t raw_integer(const uint8_t *bytes, size_t size)
{
	int64_t wide;
	int32_t narrow;

	if (size == sizeof(uint8_t))
		return *bytes;
	if (size == sizeof(narrow)) {
		memcpy(&narrow, bytes, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, bytes, sizeof(wide));
	return wide;
}

static int64_t integer_at(const Onnx__TensorProto *t, size_t i)
{
	size_t size = integer_size(t);

	if (t->has_raw_data)
		return raw_integer(t->raw_data.data + i * size, size);
	return size == sizeof(int64_t) ? t->int64_data[i] : t->int32_data[i];
}

static int read_integers(struct loader *l, const char *name, const Onnx__TensorProto *t, struct graph_value *value,
			 size_t count)
{
	size_t size = integer_size(t), have = size == sizeof(int64_t) ? t->n_int64_data : t->n_int32_data;
	struct op_integer *integers;

	if (t->has_raw_data && t->raw_data.len % size)
		return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" holds %zu bytes, not whole numbers", name,
				 t->raw_data.len);
	if (t->has_raw_data)
		have = t->raw_data.len / size;
	if (have != count)
		return error_set(l->err, EXP_ESHAPE, "tensor \"%s\" has a shape of %zu elements and data for %zu", name,
				 count, have);
	integers = arena_try_alloc(&l->g->arena, count, sizeof(*integers));
	if (!integers)
		return no_memory(l->err);
	for (size_t i = 0; i < count; i++)
		integers[i].value = integer_at(t, i);
	value->v.integers = integers;
	return 0;
}

/* Takes an initializer's or a Constant node's tensor. Other types than fp32 and integers stay unread until something
 * uses them. */
static int read_tensor(struct loader *l, const Onnx__TensorProto *t, const struct wire_tensor *w,
		       struct graph_value *value)
{
	const char *name = value->v.name;
	size_t count;
	int rc;

	if ((t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) ||
	    t->n_external_data)
		return error_set(
		    l->err, EXP_EUNSUPPORTED,
		    "tensor \"%s\" keeps its data in another file: save the model as one file (without external data)",
		    name);
	if (t->segment)
		return error_set(l->err, EXP_EUNSUPPORTED, "tensor \"%s\" is stored in segments", name);
	rc = read_dims(l, name, t, &value->v.shape, &count);
	if (rc)
		return rc;
	value->kind = VALUE_INITIALIZER;
	switch (t->data_type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
		return w ? read_floats(l, name, w, value, count)
			 : error_set(l->err, EXP_EPARSE, "tensor \"%s\" stands where no tensor can stand", name);
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
	case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
		return read_integers(l, name, t, value, count);
	default:
		value->other_type = true;
		return 0;
	}
}

/* ---- attributes ---- */

static const enum op_attribute_type attribute_types[] = {
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT] = OP_FLOAT,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT] = OP_INT,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING] = OP_STRING,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR] = OP_TENSOR,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS] = OP_FLOATS,
	[ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS] = OP_INTS,
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

static int copy_string(struct loader *l, const Onnx__AttributeProto *from, struct op_attribute *to)
{
	char *text = arena_try_alloc(&l->g->arena, from->s.len + 1, 1);

	if (!text)
		return no_memory(l->err);
	if (from->s.len)
		memcpy(text, from->s.data, from->s.len);
	to->s = text;
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
		return copy_string(l, from, to);
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

static size_t find_value(const struct loader *l, const char *name)
{
	struct name_entry key = { .name = name };
	const struct name_entry *hit = bsearch(&key, l->names, l->g->value_count, sizeof(key), compare_names);

	return hit ? hit->value : GRAPH_NONE;
}

/* Every name is given once: by the input, an initializer or one node. */
static int sort_names(struct loader *l)
{
	struct graph *g = l->g;

	for (size_t i = 0; i < g->value_count; i++)
		l->names[i] = (struct name_entry){ g->values[i].v.name, i };
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

/* The one input that is no initializer (before IR version 4 initializers were listed among the inputs); their names are
 * sorted. */
static int find_input(struct loader *l, const Onnx__ValueInfoProto **out)
{
	const Onnx__GraphProto *p = l->proto;
	const Onnx__ValueInfoProto *found = NULL;

	for (size_t i = 0; i < p->n_input; i++) {
		const char *name = p->input[i]->name ? p->input[i]->name : "";

		if (find_value(l, name) != GRAPH_NONE)
			continue;
		if (found)
			return error_set(l->err, EXP_EUNSUPPORTED,
					 "the model has more than one input; exactly one is supported");
		found = p->input[i];
	}
	if (!found)
		return error_set(l->err, EXP_EUNSUPPORTED, "the model has no input");
	*out = found;
	return 0;
}

static int read_input_shape(struct loader *l, const Onnx__ValueInfoProto *info, struct graph_value *value)
{
	const Onnx__TypeProto *type = info->type;
	const Onnx__TensorShapeProto *shape;
	size_t count;

	if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
	    type->tensor_type->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
		return error_set(l->err, EXP_EUNSUPPORTED, "the input \"%s\" is not an fp32 tensor", value->v.name);
	shape = type->tensor_type->shape;
	if (!shape || shape->n_dim < 1 || shape->n_dim > GRAPH_MAX_DIMS)
		return error_set(l->err, EXP_ESHAPE,
				 "the input \"%s\" needs a shape of 1 to %d dimensions, the batch first", value->v.name,
				 GRAPH_MAX_DIMS);
	value->v.shape.rank = shape->n_dim;
	value->v.shape.dims[0] = 1;
	for (size_t i = 0; i < shape->n_dim; i++) {
		const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
		bool fixed = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0;

		if (i == 0)
			l->g->file_batch = fixed ? d->dim_value : 0;
		else if (!fixed)
			return error_set(l->err, EXP_ESHAPE,
					 "dimension %zu of the input \"%s\" is not fixed: only the batch may vary; "
					 "export with a fixed size",
					 i, value->v.name);
		else
			value->v.shape.dims[i] = (size_t)d->dim_value;
	}
	if (!shape_try_count(&value->v.shape, &count))
		return error_set(l->err, EXP_ELIMIT, "a row of the input \"%s\" has more than %zu floats",
				 value->v.name, SHAPE_MAX_FLOATS);
	return 0;
}

static struct graph_value *new_value(struct graph *g, size_t node)
{
	struct graph_value *v = &g->values[g->value_count];

	v->node = node;
	v->root = g->value_count++;
	v->parameter = GRAPH_NONE;
	return v;
}

static int add_initializers(struct loader *l)
{
	for (size_t i = 0; i < l->proto->n_initializer; i++) {
		const Onnx__TensorProto *t = l->proto->initializer[i];
		struct graph_value *v = new_value(l->g, GRAPH_NONE);
		int rc = copy_name(l, t->name, &v->v.name);

		if (rc == 0)
			rc = read_tensor(l, t, wire_find(&l->g->wire, WIRE_INITIALIZER, i), v);
		if (rc)
			return rc;
	}
	return 0;
}

static int add_input(struct loader *l)
{
	const Onnx__ValueInfoProto *info = NULL;
	struct graph_value *v;
	int rc = find_input(l, &info);

	if (rc)
		return rc;
	l->g->input = l->g->value_count;
	v = new_value(l->g, GRAPH_NONE);
	v->kind = VALUE_INPUT;
	v->v.batched = true;
	rc = copy_name(l, info->name, &v->v.name);
	return rc ? rc : read_input_shape(l, info, v);
}

/* A Constant node's value stands in one of several attributes; sparse and string ones are not read. */
static int read_constant(struct loader *l, size_t index, struct graph_value *value)
{
	const Onnx__NodeProto *n = l->proto->node[index];
	struct op_integer *integer;

	for (size_t i = 0; i < n->n_attribute; i++) {
		const Onnx__AttributeProto *a = n->attribute[i];
		const char *name = a->name ? a->name : "";

		if (strcmp(name, "value") == 0 && a->t)
			return read_tensor(l, a->t, wire_find(&l->g->wire, (int64_t)index, i), value);
		if (strcmp(name, "value_int") != 0 && strcmp(name, "value_ints") != 0)
			continue;
		value->kind = VALUE_INITIALIZER;
		value->v.shape.rank = strcmp(name, "value_ints") == 0;
		value->v.shape.dims[0] = a->n_ints;
		integer = arena_try_alloc(&l->g->arena, a->n_ints + 1, sizeof(*integer));
		if (!integer)
			return no_memory(l->err);
		integer[0].value = a->i;
		for (size_t k = 0; k < a->n_ints; k++)
			integer[k].value = a->ints[k];
		value->v.integers = integer;
		return 0;
	}
	return error_set(l->err, EXP_EUNSUPPORTED,
			 "node \"%s\" (Constant): only tensors and integers are supported as values", value->v.name);
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
	to->output = GRAPH_NONE;
	to->first_output = g->value_count;
	for (size_t i = 0; rc == 0 && i < from->n_output; i++) {
		struct graph_value *v;

		if (!from->output[i][0])
			continue;
		if (i == 0)
			to->output = g->value_count;
		v = new_value(g, index);
		rc = copy_name(l, from->output[i], &v->v.name);
	}
	to->output_count = g->value_count - to->first_output;
	if (rc == 0 && to->is_constant && to->output != GRAPH_NONE) {
		g->values[to->output].from_constant = true;
		rc = read_constant(l, index, &g->values[to->output]);
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
						 is_clean_name(from->input[i]) ? from->input[i] : "?");
		}
		to->inputs[i] = v;
	}
	return 0;
}

static int count_values(struct loader *l)
{
	const Onnx__GraphProto *p = l->proto;
	struct graph *g = l->g;
	size_t count = p->n_initializer + 1;

	for (size_t i = 0; i < p->n_node; i++)
		count += named_outputs(p->node[i]);
	g->node_count = p->n_node;
	g->nodes = arena_try_alloc(&g->arena, p->n_node, sizeof(g->nodes[0]));
	g->values = arena_try_alloc(&g->arena, count, sizeof(g->values[0]));
	l->names = mem_try_alloc(count, sizeof(l->names[0]));
	return g->nodes && g->values && l->names ? 0 : no_memory(l->err);
}

static int find_output(struct loader *l)
{
	const Onnx__GraphProto *p = l->proto;
	const char *name = p->n_output && p->output[0]->name ? p->output[0]->name : "";

	l->g->output = find_value(l, name);
	if (l->g->output == GRAPH_NONE)
		return error_set(l->err, EXP_EPARSE, "the model names an output that nothing makes");
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
		rc = add_input(l);
	for (size_t i = 0; rc == 0 && i < l->proto->n_node; i++)
		rc = add_node(l, i);
	if (rc == 0)
		rc = sort_names(l);
	for (size_t i = 0; rc == 0 && i < l->proto->n_node; i++)
		rc = link_node(l, i);
	return rc ? rc : find_output(l);
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

int onnx_load(struct graph *g, struct exp_error *err)
{
	struct loader l = { .g = g, .err = err };
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

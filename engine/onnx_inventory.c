#include "engine/onnx_inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/onnx.pb-c.h"
#include "engine/onnx_text.h"
#include "engine/opset.h"
#include "engine/wire.h"

static int no_memory(struct exp_error *err)
{
	return error_set(err, EXP_EMEMORY, "not enough memory to read the model");
}

/* Copies a text for people to read. */
static int copy_text(struct onnx_inventory *v, const char *from, const char **to, struct exp_error *err)
{
	*to = arena_try_strdup(&v->arena, !from ? "" : onnx_is_clean_text(from) ? from : "?");
	return *to ? 0 : no_memory(err);
}

static int copy_texts(struct onnx_inventory *v, char *const *from, size_t count, const char ***to,
		      struct exp_error *err)
{
	const char **texts = arena_try_alloc(&v->arena, count, sizeof(*texts));
	int rc = 0;

	if (!texts)
		return no_memory(err);
	for (size_t i = 0; !rc && i < count; i++)
		rc = copy_text(v, from[i], &texts[i], err);
	*to = texts;
	return rc;
}

static const char *type_text(const Onnx__TypeProto *type)
{
	switch (type ? type->value_case : ONNX__TYPE_PROTO__VALUE__NOT_SET) {
	case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
		return onnx_type_name(type->tensor_type->elem_type);
	case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
		return "sequence";
	case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
		return "optional";
	case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
		return "map";
	case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
		return "sparse tensor";
	default:
		return "unknown";
	}
}

static int read_port(struct onnx_inventory *v, const Onnx__ValueInfoProto *from, struct onnx_port *to,
		     struct exp_error *err)
{
	const Onnx__TypeProto *type = from->type;
	const Onnx__TensorShapeProto *shape = NULL;
	int rc = copy_text(v, from->name, &to->name, err);

	to->type = type_text(type);
	if (type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
		to->onnx_type = type->tensor_type->elem_type;
		shape = type->tensor_type->shape;
	}
	if (rc || !shape)
		return rc;
	to->shaped = true;
	to->rank = shape->n_dim;
	to->dims = arena_try_alloc(&v->arena, shape->n_dim, sizeof(*to->dims));
	if (!to->dims)
		return no_memory(err);
	for (size_t i = 0; !rc && i < shape->n_dim; i++) {
		const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];

		to->dims[i].number = -1;
		if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
			to->dims[i].number = d->dim_value;
		else if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && *d->dim_param)
			rc = copy_text(v, d->dim_param, &to->dims[i].symbol, err);
	}
	return rc;
}

static size_t offset_of(const struct wire *wire, size_t i, const struct onnx_constant *c)
{
	const struct wire_tensor *t = wire_find(wire, WIRE_INITIALIZER, i);
	size_t count;

	if (c->odd || c->type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || !shape_try_count(&c->shape, &count) || !t ||
	    t->spans != 1 || wire->spans[t->first_span].floats != count)
		return ONNX_NOWHERE;
	return wire->spans[t->first_span].offset;
}

static int read_initializers(struct onnx_inventory *v, const Onnx__GraphProto *g, const struct wire *wire,
			     struct exp_error *err)
{
	int rc = 0;

	v->initializers = arena_try_alloc(&v->arena, g->n_initializer, sizeof(*v->initializers));
	if (!v->initializers)
		return no_memory(err);
	v->initializer_count = g->n_initializer;
	for (size_t i = 0; !rc && i < g->n_initializer; i++) {
		const Onnx__TensorProto *t = g->initializer[i];
		struct onnx_constant *c = &v->initializers[i];

		rc = copy_text(v, t->name, &c->name, err);
		c->type = t->data_type;
		c->odd = t->n_dims > GRAPH_MAX_DIMS;
		for (size_t k = 0; !c->odd && k < t->n_dims; k++) {
			c->odd = t->dims[k] < 0;
			c->shape.dims[k] = (size_t)t->dims[k];
		}
		c->shape.rank = c->odd ? 0 : t->n_dims;
		c->offset = offset_of(wire, i, c);
	}
	return rc;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Before IR version 4 initializers were listed among the inputs. */
static int read_inputs(struct onnx_inventory *v, const Onnx__GraphProto *g, struct exp_error *err)
{
	const char **names = arena_try_alloc(&v->arena, v->initializer_count, sizeof(*names));
	int rc = 0;

	v->inputs = arena_try_alloc(&v->arena, g->n_input, sizeof(*v->inputs));
	if (!names || !v->inputs)
		return no_memory(err);
	for (size_t i = 0; i < v->initializer_count; i++)
		names[i] = v->initializers[i].name;
	if (v->initializer_count)
		qsort(names, v->initializer_count, sizeof(*names), compare_texts);
	for (size_t i = 0; !rc && i < g->n_input; i++) {
		struct onnx_port *port = &v->inputs[v->input_count];

		rc = read_port(v, g->input[i], port, err);
		if (!rc && (!v->initializer_count ||
			    !bsearch(&port->name, names, v->initializer_count, sizeof(*names), compare_texts)))
			v->input_count++;
		else if (!rc)
			*port = (struct onnx_port){ 0 };
	}
	return rc;
}

static int read_outputs(struct onnx_inventory *v, const Onnx__GraphProto *g, struct exp_error *err)
{
	int rc = 0;

	v->outputs = arena_try_alloc(&v->arena, g->n_output, sizeof(*v->outputs));
	if (!v->outputs)
		return no_memory(err);
	v->output_count = g->n_output;
	for (size_t i = 0; !rc && i < g->n_output; i++)
		rc = read_port(v, g->output[i], &v->outputs[i], err);
	return rc;
}

/* A Constant is no operator to the engine: its tensor is an initializer. */
static bool is_constant(const struct onnx_node *n)
{
	return strcmp(n->op_type, "Constant") == 0;
}

static int read_node(struct onnx_inventory *v, const Onnx__NodeProto *from, struct onnx_node *to, struct exp_error *err)
{
	bool is_default = !from->domain || !*from->domain || strcmp(from->domain, "ai.onnx") == 0;
	int rc = copy_text(v, from->name, &to->name, err);

	if (!rc)
		rc = copy_text(v, from->op_type, &to->op_type, err);
	if (!rc)
		rc = copy_text(v, is_default ? "" : from->domain, &to->domain, err);
	if (!rc)
		rc = copy_texts(v, from->input, from->n_input, &to->inputs, err);
	if (!rc)
		rc = copy_texts(v, from->output, from->n_output, &to->outputs, err);
	to->attributes = arena_try_alloc(&v->arena, from->n_attribute, sizeof(*to->attributes));
	if (!rc && !to->attributes)
		rc = no_memory(err);
	for (size_t i = 0; !rc && i < from->n_attribute; i++)
		rc = copy_text(v, from->attribute[i]->name, &to->attributes[i], err);
	if (rc)
		return rc;
	to->input_count = from->n_input;
	to->output_count = from->n_output;
	to->attribute_count = from->n_attribute;
	to->known = is_default && (is_constant(to) || op_find(to->op_type));
	return 0;
}

static int read_nodes(struct onnx_inventory *v, const Onnx__GraphProto *g, struct exp_error *err)
{
	int rc = 0;

	v->nodes = arena_try_alloc(&v->arena, g->n_node, sizeof(*v->nodes));
	if (!v->nodes)
		return no_memory(err);
	v->node_count = g->n_node;
	for (size_t i = 0; !rc && i < g->n_node; i++)
		rc = read_node(v, g->node[i], &v->nodes[i], err);
	return rc;
}

static int read_header(struct onnx_inventory *v, const Onnx__ModelProto *m, struct exp_error *err)
{
	char text[128];

	for (size_t i = 0; i < m->n_opset_import; i++) {
		const Onnx__OperatorSetIdProto *o = m->opset_import[i];

		if (!o->domain || !*o->domain || strcmp(o->domain, "ai.onnx") == 0)
			v->opset = o->version;
	}
	v->ir_version = m->ir_version;
	snprintf(text, sizeof(text), "%s%s%s", m->producer_name ? m->producer_name : "",
		 m->producer_version && *m->producer_version ? " " : "",
		 m->producer_version ? m->producer_version : "");
	return copy_text(v, text, &v->producer, err);
}

static int read_model(struct onnx_inventory *v, const Onnx__ModelProto *m, const struct wire *wire,
		      struct exp_error *err)
{
	int rc;

	if (!m->graph)
		return error_set(err, EXP_EPARSE, "the ONNX file holds no graph");
	rc = read_header(v, m, err);
	if (!rc)
		rc = read_initializers(v, m->graph, wire, err);
	if (!rc)
		rc = read_inputs(v, m->graph, err);
	if (!rc)
		rc = read_outputs(v, m->graph, err);
	return rc ? rc : read_nodes(v, m->graph, err);
}

int onnx_inventory_init(struct onnx_inventory *v, const void *bytes, size_t size, struct exp_error *err)
{
	struct wire wire = { 0 };
	Onnx__ModelProto *model;
	int rc = wire_scan(bytes, size, &wire, err);

	memset(v, 0, sizeof(*v));
	if (rc)
		return rc;
	model = onnx__model_proto__unpack(NULL, size, bytes);
	rc = model ? read_model(v, model, &wire, err)
		   : error_set(err, EXP_EPARSE, "not a readable ONNX file: its messages are not well formed");
	if (model)
		onnx__model_proto__free_unpacked(model, NULL);
	wire_fini(&wire);
	if (rc)
		onnx_inventory_fini(v);
	return rc;
}

void onnx_inventory_fini(struct onnx_inventory *v)
{
	arena_fini(&v->arena);
	memset(v, 0, sizeof(*v));
}

/* ---- the operators ---- */

static int compare_tallies(const void *a, const void *b)
{
	const struct onnx_tally *x = a, *y = b;
	int order = strcmp(x->op_type, y->op_type);

	if (!order)
		order = strcmp(x->domain, y->domain);
	if (order)
		return order;
	return x->first < y->first ? -1 : x->first > y->first;
}

int onnx_inventory_tally(struct onnx_inventory *v, struct onnx_tally **out, size_t *count, struct exp_error *err)
{
	struct onnx_tally *t = arena_try_alloc(&v->arena, v->node_count, sizeof(*t));
	size_t kinds = 0;

	if (!t)
		return no_memory(err);
	for (size_t i = 0; i < v->node_count; i++) {
		const struct onnx_node *n = &v->nodes[i];

		t[i] = (struct onnx_tally){ n->op_type, n->domain, 1, n->known, n };
	}
	if (v->node_count)
		qsort(t, v->node_count, sizeof(*t), compare_tallies);
	for (size_t i = 0; i < v->node_count; i++) {
		if (kinds && !strcmp(t[kinds - 1].op_type, t[i].op_type) && !strcmp(t[kinds - 1].domain, t[i].domain))
			t[kinds - 1].count++;
		else
			t[kinds++] = t[i];
	}
	*out = t;
	*count = kinds;
	return 0;
}

/* ---- what is missing ---- */

static size_t find_gaps(const struct onnx_inventory *v, struct onnx_gap *out)
{
	size_t count = 0;

	for (size_t i = 0; i < v->node_count; i++) {
		const struct onnx_node *n = &v->nodes[i];
		const struct op *op = n->known ? op_find(n->op_type) : NULL;

		if (!n->known) {
			if (out)
				out[count] = (struct onnx_gap){ n, NULL };
			count++;
		}
		for (size_t k = 0; op && !is_constant(n) && k < n->attribute_count; k++) {
			if (opset_has_attribute(op, v->opset, n->attributes[k]))
				continue;
			if (out)
				out[count] = (struct onnx_gap){ n, n->attributes[k] };
			count++;
		}
	}
	return count;
}

int onnx_inventory_gaps(struct onnx_inventory *v, struct onnx_gap **out, size_t *count, struct exp_error *err)
{
	*count = find_gaps(v, NULL);
	*out = arena_try_alloc(&v->arena, *count, sizeof(**out));
	if (!*out)
		return no_memory(err);
	find_gaps(v, *out);
	return 0;
}

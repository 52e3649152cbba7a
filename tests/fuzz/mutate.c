/*
 * Changes a model as a model: numbers of shapes and attributes, contents of small integer tensors, operators, edges.
 * Byte-wise changes alone hardly get past protobuf's lengths. What does not parse is changed byte-wise.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/onnx.pb-c.h"
#include "engine/op.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

enum { INT64 = 7, NAME = 16 };

static uint32_t state;

static uint32_t below(uint32_t n)
{
	state = state * 1664525u + 1013904223u;
	return n ? (uint32_t)(((uint64_t)(state >> 8) * n) >> 24) : 0;
}

/* Numbers at which sizes, axes and products go wrong. */
static int64_t number(int64_t old)
{
	static const int64_t odd[] = { 0,
				       1,
				       -1,
				       2,
				       3,
				       7,
				       -2,
				       8,
				       255,
				       1 << 16,
				       INT32_MAX,
				       INT32_MIN,
				       (int64_t)1 << 31,
				       (int64_t)1 << 32,
				       (int64_t)1 << 40,
				       (int64_t)1 << 62,
				       INT64_MAX,
				       INT64_MIN };

	switch (below(4)) {
	case 0:
		return (int64_t)((uint64_t)old + below(5) - 2);
	case 1:
		return (int64_t)(below(6)) - 1;
	default:
		return odd[below(sizeof(odd) / sizeof(odd[0]))];
	}
}

static float real(float old)
{
	static const float odd[] = { 0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 3.0f, 1e-38f, 1e38f, -1e9f, 1e9f, 2.5e-41f };

	return below(3) ? odd[below(sizeof(odd) / sizeof(odd[0]))] : old * 2.0f;
}

static void change_text(char **text, const char *to)
{
	free(*text);
	*text = strdup(to ? to : "");
}

static void change_tensor(Onnx__TensorProto *t)
{
	if (t->n_dims && below(2)) {
		size_t i = below((uint32_t)t->n_dims);

		t->dims[i] = number(t->dims[i]);
	} else if (t->data_type == INT64 && t->raw_data.len >= sizeof(int64_t)) {
		uint8_t *at = t->raw_data.data + below((uint32_t)(t->raw_data.len / 8)) * sizeof(int64_t);
		int64_t value;

		memcpy(&value, at, sizeof(value));
		value = number(value);
		memcpy(at, &value, sizeof(value));
	} else if (t->n_int64_data) {
		t->int64_data[below((uint32_t)t->n_int64_data)] = number(0);
	} else if (t->raw_data.len >= sizeof(float)) {
		uint8_t *at = t->raw_data.data + below((uint32_t)(t->raw_data.len / 4)) * sizeof(float);
		float value = real(1.0f);

		memcpy(at, &value, sizeof(value));
	} else if (t->n_float_data) {
		t->float_data[below((uint32_t)t->n_float_data)] = real(1.0f);
	} else {
		t->data_type = (int32_t)below(17);
	}
}

static void change_attribute(Onnx__AttributeProto *a)
{
	if (a->n_ints)
		a->ints[below((uint32_t)a->n_ints)] = number(a->ints[0]);
	else if (a->n_floats)
		a->floats[below((uint32_t)a->n_floats)] = real(a->floats[0]);
	else if (a->t)
		change_tensor(a->t);
	else if (a->has_i)
		a->i = number(a->i);
	else if (a->has_f)
		a->f = real(a->f);
	if (a->n_ints && !below(6))
		a->n_ints--;
}

static void change_operator(Onnx__NodeProto *n)
{
	size_t count;
	const struct op *const *all = op_all(&count);

	change_text(&n->op_type, all[below((uint32_t)count)]->name);
}

/* Some value's name, from whatever is there. */
static const char *any_name(const Onnx__GraphProto *g)
{
	const Onnx__NodeProto *n = g->n_node ? g->node[below((uint32_t)g->n_node)] : NULL;

	if (n && n->n_output && below(3))
		return n->output[below((uint32_t)n->n_output)];
	if (g->n_initializer && below(2))
		return g->initializer[below((uint32_t)g->n_initializer)]->name;
	return g->n_input ? g->input[below((uint32_t)g->n_input)]->name : "";
}

static void change_node(Onnx__GraphProto *g, Onnx__NodeProto *n)
{
	uint32_t what = below(6);

	if (what == 0)
		change_operator(n);
	else if (what == 1 && n->n_input)
		change_text(&n->input[below((uint32_t)n->n_input)], any_name(g));
	else if (what == 2 && n->n_input > 1)
		change_text(&n->input[n->n_input - 1], "");
	else if (n->n_attribute)
		change_attribute(n->attribute[below((uint32_t)n->n_attribute)]);
}

static void change_input(Onnx__ValueInfoProto *v)
{
	Onnx__TypeProto *type = v->type;
	Onnx__TensorShapeProto *shape;
	Onnx__TensorShapeProto__Dimension *d;

	if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
		return;
	shape = type->tensor_type->shape;
	if (!shape || !shape->n_dim || !below(8)) {
		type->tensor_type->elem_type = (int32_t)below(17);
		return;
	}
	d = shape->dim[below((uint32_t)shape->n_dim)];
	if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
		d->dim_value = number(d->dim_value);
}

static void change_model(Onnx__ModelProto *m)
{
	Onnx__GraphProto *g = m->graph;

	switch (below(8)) {
	case 0:
		if (g->n_input)
			change_input(g->input[below((uint32_t)g->n_input)]);
		break;
	case 1:
	case 2:
		if (g->n_initializer)
			change_tensor(g->initializer[below((uint32_t)g->n_initializer)]);
		break;
	case 3:
		if (m->n_opset_import)
			m->opset_import[0]->version = 1 + (int64_t)below(18);
		break;
	default:
		if (g->n_node)
			change_node(g, g->node[below((uint32_t)g->n_node)]);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	Onnx__ModelProto *m;
	size_t packed;

	state = seed;
	m = below(5) ? onnx__model_proto__unpack(NULL, size, data) : NULL;
	if (!m || !m->graph) {
		if (m)
			onnx__model_proto__free_unpacked(m, NULL);
		return LLVMFuzzerMutate(data, size, max);
	}
	for (uint32_t i = 1 + below(3); i > 0; i--)
		change_model(m);
	packed = onnx__model_proto__get_packed_size(m);
	if (packed <= max)
		size = onnx__model_proto__pack(m, data);
	onnx__model_proto__free_unpacked(m, NULL);
	return size;
}

#include "engine/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Messages of onnx.proto. MESSAGE_NONE: a scalar, string or packed field. */
enum message {
	MESSAGE_NONE,
	MODEL,
	GRAPH,
	NODE,
	ATTRIBUTE,
	TENSOR,
	SPARSE,
	VALUE_INFO,
	TYPE,
	TYPE_TENSOR,
	TYPE_ELEMENT,
	TYPE_MAP,
	SHAPE,
	DIMENSION,
	PAIR,
	OPSET,
	TRAINING,
	FUNCTION,
	ANNOTATION,
	SEGMENT
};

struct nesting {
	enum message parent;
	uint32_t field;
	enum message child;
	bool once; /* protobuf merges repeats of a singular message; we refuse them */
};

static const struct nesting nestings[] = {
	{ MODEL, 7, GRAPH, true },        { MODEL, 8, OPSET, false },       { MODEL, 14, PAIR, false },
	{ MODEL, 20, TRAINING, false },   { MODEL, 25, FUNCTION, false },   { GRAPH, 1, NODE, false },
	{ GRAPH, 5, TENSOR, false },      { GRAPH, 15, SPARSE, false },     { GRAPH, 11, VALUE_INFO, false },
	{ GRAPH, 12, VALUE_INFO, false }, { GRAPH, 13, VALUE_INFO, false }, { GRAPH, 14, ANNOTATION, false },
	{ NODE, 5, ATTRIBUTE, false },    { ATTRIBUTE, 5, TENSOR, true },   { ATTRIBUTE, 6, GRAPH, true },
	{ ATTRIBUTE, 22, SPARSE, true },  { ATTRIBUTE, 14, TYPE, true },    { ATTRIBUTE, 10, TENSOR, false },
	{ ATTRIBUTE, 11, GRAPH, false },  { ATTRIBUTE, 23, SPARSE, false }, { ATTRIBUTE, 15, TYPE, false },
	{ VALUE_INFO, 2, TYPE, true },    { TRAINING, 1, GRAPH, true },     { TRAINING, 2, GRAPH, true },
	{ TRAINING, 3, PAIR, false },     { TRAINING, 4, PAIR, false },     { ANNOTATION, 2, PAIR, false },
	{ TENSOR, 3, SEGMENT, true },     { TENSOR, 13, PAIR, false },      { SPARSE, 1, TENSOR, true },
	{ SPARSE, 2, TENSOR, true },      { TYPE, 1, TYPE_TENSOR, true },   { TYPE, 4, TYPE_ELEMENT, true },
	{ TYPE, 5, TYPE_MAP, true },      { TYPE, 9, TYPE_ELEMENT, true },  { TYPE, 8, TYPE_TENSOR, true },
	{ TYPE_TENSOR, 2, SHAPE, true },  { TYPE_ELEMENT, 1, TYPE, true },  { TYPE_MAP, 2, TYPE, true },
	{ SHAPE, 1, DIMENSION, false },   { FUNCTION, 7, NODE, false },     { FUNCTION, 9, OPSET, false },
};

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { TENSOR_FLOAT_DATA = 4, TENSOR_RAW_DATA = 9 };

/* What protobuf-c takes, roughly and from above: a message's struct, a string's block, a scalar in an array. */
enum { COST_MESSAGE = 320, COST_BYTES = 48, COST_SCALAR = 16, COST_PACKED = 8 };
#define COST_BASE ((size_t)64 << 20)

struct scan {
	const uint8_t *bytes;
	struct wire *wire;
	size_t cost, budget;
	bool in_graph; /* the model's own, not a function's */
	int64_t node;  /* where the scan stands in it */
	size_t attribute;
	struct exp_error *err;
};

struct field {
	uint32_t number;
	int type;
	size_t start, size; /* of the payload */
};

static int malformed(const struct scan *s, size_t at, const char *what)
{
	return error_set(s->err, EXP_EPARSE, "not a readable ONNX file: %s at byte %zu", what, at);
}

static bool read_varint(const uint8_t *bytes, size_t *at, size_t end, uint64_t *value)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
		uint8_t b = bytes[(*at)++];

		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*value = v;
			return true;
		}
	}
	return false;
}

/* Reads one key and finds its payload; *at moves behind it. */
static int read_field(const struct scan *s, size_t *at, size_t end, struct field *f)
{
	size_t key_at = *at;
	uint64_t key, size = 0;

	if (!read_varint(s->bytes, at, end, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
		return malformed(s, key_at, "a broken field key");
	f->number = (uint32_t)(key >> 3);
	f->type = (int)(key & 7);
	f->start = *at;
	if (f->type == WIRE_VARINT) {
		if (!read_varint(s->bytes, at, end, &size))
			return malformed(s, key_at, "a broken number");
		f->size = *at - f->start;
		return 0;
	}
	if (f->type == WIRE_BYTES) {
		if (!read_varint(s->bytes, at, end, &size))
			return malformed(s, key_at, "a broken length");
		f->start = *at;
	} else if (f->type == WIRE_FIXED64 || f->type == WIRE_FIXED32) {
		size = f->type == WIRE_FIXED64 ? 8 : 4;
	} else {
		return malformed(s, key_at, "an unknown wire type");
	}
	if (size > end - *at)
		return malformed(s, key_at, "a field that is longer than what holds it");
	f->size = (size_t)size;
	*at += f->size;
	return 0;
}

static const struct nesting *find_nesting(enum message parent, uint32_t field)
{
	for (size_t i = 0; i < sizeof(nestings) / sizeof(nestings[0]); i++)
		if (nestings[i].parent == parent && nestings[i].field == field)
			return &nestings[i];
	return NULL;
}

/* The array with room for one more element; NULL when memory is short. */
static void *grow(void *array, size_t *room, size_t count, size_t size)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *bigger;

	if (count < *room)
		return array;
	bigger = mem_try_realloc(array, wanted, size);
	if (bigger)
		*room = wanted;
	return bigger;
}

static int add_span(struct scan *s, size_t offset, size_t floats)
{
	struct wire *w = s->wire;
	struct wire_span *spans = grow(w->spans, &w->span_room, w->span_count, sizeof(*spans));

	if (!spans)
		return error_set(s->err, EXP_EMEMORY, "not enough memory to read the model");
	w->spans = spans;
	spans[w->span_count++] = (struct wire_span){ offset, floats };
	return 0;
}

static int add_tensor(struct scan *s, size_t index, struct wire_tensor **out)
{
	struct wire *w = s->wire;
	struct wire_tensor *tensors = grow(w->tensors, &w->tensor_room, w->tensor_count, sizeof(*tensors));

	if (!tensors)
		return error_set(s->err, EXP_EMEMORY, "not enough memory to read the model");
	w->tensors = tensors;
	*out = &tensors[w->tensor_count++];
	**out = (struct wire_tensor){ .node = s->node, .index = index, .first_span = w->span_count };
	return 0;
}

static int note_data(struct scan *s, struct wire_tensor *t, const struct field *f)
{
	int rc = 0;

	if (f->number == TENSOR_RAW_DATA && f->type == WIRE_BYTES) {
		if (t->has_raw || t->has_floats)
			return malformed(s, f->start, "a tensor with its data given twice");
		t->has_raw = true;
		t->raw_bytes = f->size;
		rc = f->size % sizeof(float) ? 0 : add_span(s, f->start, f->size / sizeof(float));
	} else if (f->number == TENSOR_FLOAT_DATA && (f->type == WIRE_BYTES || f->type == WIRE_FIXED32)) {
		if (t->has_raw)
			return malformed(s, f->start, "a tensor with its data given twice");
		if (f->size % sizeof(float))
			return malformed(s, f->start, "float data of a broken length");
		t->has_floats = true;
		rc = add_span(s, f->start, f->size / sizeof(float));
	}
	t->spans = s->wire->span_count - t->first_span;
	return rc;
}

/* The data of a tensor that may hold weights: its fields are scalars, strings and packed numbers. */
static int scan_weights(struct scan *s, size_t index, size_t at, size_t end)
{
	struct wire_tensor *t = NULL;
	int rc = add_tensor(s, index, &t);

	while (rc == 0 && at < end) {
		struct field f = { 0 };

		rc = read_field(s, &at, end, &f);
		if (rc == 0)
			rc = note_data(s, t, &f);
	}
	return rc;
}

static int charge(struct scan *s, const struct field *f, const struct nesting *nested)
{
	size_t cost = COST_SCALAR;

	if (nested)
		cost = COST_MESSAGE;
	else if (f->type == WIRE_BYTES)
		cost = COST_BYTES + f->size * COST_PACKED;
	s->cost += cost;
	if (s->cost > s->budget)
		return error_set(s->err, EXP_ELIMIT, "the ONNX file is made of too many tiny parts (at byte %zu)",
				 f->start);
	return 0;
}

static int scan_message(struct scan *s, enum message kind, size_t at, size_t end, unsigned depth);

/* Where a message stands among its siblings, as protobuf-c will number them. */
struct ordinals {
	size_t nodes, initializers, attributes;
};

static void count_sibling(struct ordinals *o, const struct nesting *n)
{
	o->nodes += n->parent == GRAPH && n->child == NODE;
	o->initializers += n->parent == GRAPH && n->child == TENSOR;
	o->attributes += n->parent == NODE && n->child == ATTRIBUTE;
}

/* Steps into a message. Depths: the model is 1, its graph 2, a node 3, an attribute 4. */
static int scan_nested(struct scan *s, const struct nesting *n, const struct field *f, const struct ordinals *o,
		       unsigned depth)
{
	size_t end = f->start + f->size;
	int rc = 0;

	if (depth == 1)
		s->in_graph = n->child == GRAPH;
	if (depth == 2 && n->child == NODE)
		s->node = (int64_t)o->nodes;
	if (depth == 3 && n->child == ATTRIBUTE)
		s->attribute = o->attributes;
	if (s->in_graph && depth == 2 && n->child == TENSOR) {
		s->node = WIRE_INITIALIZER;
		rc = scan_weights(s, o->initializers, f->start, end);
	} else if (s->in_graph && depth == 4 && n->child == TENSOR && n->once) {
		rc = scan_weights(s, s->attribute, f->start, end);
	}
	return rc ? rc : scan_message(s, n->child, f->start, end, depth + 1);
}

static int scan_message(struct scan *s, enum message kind, size_t at, size_t end, unsigned depth)
{
	struct ordinals ordinals = { 0 };
	uint32_t seen = 0;

	if (depth > WIRE_MAX_DEPTH)
		return error_set(s->err, EXP_EPARSE, "the ONNX file nests deeper than %d messages at byte %zu",
				 WIRE_MAX_DEPTH, at);
	while (at < end) {
		const struct nesting *n;
		struct field f = { 0 };
		int rc = read_field(s, &at, end, &f);

		if (rc)
			return rc;
		n = f.type == WIRE_BYTES ? find_nesting(kind, f.number) : NULL;
		rc = charge(s, &f, n);
		if (rc)
			return rc;
		if (!n)
			continue;
		if (n->once && seen & 1u << f.number)
			return malformed(s, f.start, "a part given twice that may stand once");
		seen |= 1u << (f.number & 31);
		rc = scan_nested(s, n, &f, &ordinals, depth);
		if (rc)
			return rc;
		count_sibling(&ordinals, n);
	}
	return 0;
}

static int compare_place(const void *a, const void *b)
{
	const struct wire_tensor *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

int wire_scan(const uint8_t *bytes, size_t size, struct wire *out, struct exp_error *err)
{
	struct wire w = { 0 };
	struct scan s = { .bytes = bytes, .wire = &w, .budget = COST_BASE + 12 * size, .err = err };
	int rc = scan_message(&s, MODEL, 0, size, 1);

	if (rc) {
		wire_fini(&w);
		return rc;
	}
	if (w.tensor_count)
		qsort(w.tensors, w.tensor_count, sizeof(w.tensors[0]), compare_place);
	*out = w;
	return 0;
}

int wire_scan_tensor(const uint8_t *bytes, size_t size, struct exp_error *err)
{
	struct scan s = { .bytes = bytes, .budget = COST_BASE + 12 * size, .err = err };

	return scan_message(&s, TENSOR, 0, size, 1);
}

const struct wire_tensor *wire_find(const struct wire *w, int64_t node, size_t index)
{
	struct wire_tensor key = { .node = node, .index = index };

	if (w->tensor_count == 0)
		return NULL;
	return bsearch(&key, w->tensors, w->tensor_count, sizeof(key), compare_place);
}

void wire_fini(struct wire *w)
{
	mem_free(w->tensors);
	mem_free(w->spans);
	*w = (struct wire){ 0 };
}

#include "model_text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { MAX_DIMS = 64, LINE = 512, FLOAT = 1, INT64 = 7, BOOL = 9 };
enum storage { RAW, PACKED, LOOSE };

struct writer {
	struct buf nodes, initializers, inputs;
	char last[64];
	int64_t opset;
	struct rng rng;
};

/* ---- protobuf ---- */

void wire_varint(struct buf *b, uint64_t value)
{
	uint8_t byte;

	do {
		byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		buf_add(b, &byte, 1);
		value >>= 7;
	} while (value);
}

void wire_key(struct buf *b, unsigned field, unsigned type)
{
	wire_varint(b, (uint64_t)field << 3 | type);
}

void wire_bytes(struct buf *b, unsigned field, const void *bytes, size_t size)
{
	wire_key(b, field, 2);
	wire_varint(b, size);
	buf_add(b, size ? bytes : "", size);
}

static void add_text(struct buf *b, unsigned field, const char *text)
{
	wire_bytes(b, field, text, strlen(text));
}

static void add_int(struct buf *b, unsigned field, int64_t value)
{
	wire_key(b, field, 0);
	wire_varint(b, (uint64_t)value);
}

static void add_message(struct buf *b, unsigned field, struct buf *message)
{
	wire_bytes(b, field, message->data, message->size);
	buf_fini(message);
}

/* ---- tensors ---- */

static void add_floats(struct buf *tensor, const float *values, size_t count, enum storage storage)
{
	if (storage == RAW)
		wire_bytes(tensor, 9, values, count * sizeof(*values));
	if (storage == PACKED)
		wire_bytes(tensor, 4, values, count * sizeof(*values));
	for (size_t i = 0; storage == LOOSE && i < count; i++) {
		wire_key(tensor, 4, 5);
		buf_add(tensor, &values[i], sizeof(values[i]));
	}
}

static struct buf float_tensor(struct writer *w, const char *name, const int64_t *dims, size_t rank, bool positive,
			       enum storage storage)
{
	struct buf tensor = { 0 };
	size_t count = 1;
	float *values;

	for (size_t i = 0; i < rank; i++) {
		add_int(&tensor, 1, dims[i]);
		count *= (size_t)dims[i];
	}
	add_int(&tensor, 2, FLOAT);
	values = calloc(count + 1, sizeof(*values));
	for (size_t i = 0; i < count; i++)
		values[i] = (float)(positive ? 0.5 + rng_uniform(&w->rng) : 2.0 * rng_uniform(&w->rng) - 1.0);
	add_floats(&tensor, values, count, storage);
	free(values);
	add_text(&tensor, 8, name);
	return tensor;
}

static struct buf int_tensor(const char *name, const int64_t *values, size_t count, bool scalar)
{
	struct buf tensor = { 0 };

	if (!scalar)
		add_int(&tensor, 1, (int64_t)count);
	add_int(&tensor, 2, INT64);
	wire_bytes(&tensor, 9, values, count * sizeof(*values));
	add_text(&tensor, 8, name);
	return tensor;
}

static struct buf bool_tensor(const char *name, const int64_t *values, size_t count)
{
	struct buf tensor = { 0 };

	add_int(&tensor, 1, (int64_t)count);
	add_int(&tensor, 2, BOOL);
	for (size_t i = 0; i < count; i++)
		add_int(&tensor, 5, values[i]);
	add_text(&tensor, 8, name);
	return tensor;
}

static void add_constant(struct writer *w, const char *name, const int64_t *dims, size_t rank)
{
	struct buf node = { 0 }, attribute = { 0 }, tensor = float_tensor(w, "", dims, rank, false, RAW);

	add_text(&attribute, 1, "value");
	add_message(&attribute, 5, &tensor);
	add_int(&attribute, 20, 4);
	add_text(&node, 2, name);
	add_text(&node, 4, "Constant");
	add_message(&node, 5, &attribute);
	add_message(&w->nodes, 1, &node);
}

/* ---- the graph ---- */

/* A number, a symbol, or '?' for neither. */
static void add_dim(struct buf *shape, const char *word)
{
	struct buf dim = { 0 };

	if (strchr("-0123456789", *word))
		add_int(&dim, 1, strtoll(word, NULL, 10));
	else if (strcmp(word, "?") != 0)
		add_text(&dim, 2, word);
	add_message(shape, 1, &dim);
}

/* words: the dimensions after the batch, "=N" for that; "*" alone: the file says no shape. */
static void add_value_info(struct buf *to, unsigned field, const char *name, const char *words, int type_number)
{
	struct buf info = { 0 }, type = { 0 }, tensor = { 0 }, shape = { 0 };
	const char *batch = strchr(words, '=');
	char *copy = strdup(words), *save = NULL;

	add_dim(&shape, batch ? batch + 1 : "n");
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		if (*word != '=')
			add_dim(&shape, word);
	free(copy);
	add_int(&tensor, 1, type_number);
	if (strcmp(words, "*") == 0)
		buf_fini(&shape);
	else
		add_message(&tensor, 2, &shape);
	add_message(&type, 1, &tensor);
	add_text(&info, 1, name);
	add_message(&info, 2, &type);
	add_message(to, field, &info);
}

static void add_float(struct buf *to, unsigned field, float f)
{
	wire_key(to, field, 5);
	buf_add(to, &f, sizeof(f));
}

static void add_list(struct buf *attribute, char *list)
{
	bool points = strchr(list, '.'), words = !strpbrk(list, "0123456789");
	char *save = NULL;

	for (char *item = strtok_r(list, ",]", &save); item; item = strtok_r(NULL, ",]", &save)) {
		if (words)
			add_text(attribute, 9, item);
		else if (points)
			add_float(attribute, 7, strtof(item, NULL));
		else
			add_int(attribute, 8, strtoll(item, NULL, 10));
	}
	add_int(attribute, 20, words ? 8 : points ? 6 : 7);
}

static void add_tensor(struct buf *attribute, const char *text)
{
	struct buf tensor = { 0 };
	bool point = strchr(text, '.');

	add_int(&tensor, 1, 1);
	add_int(&tensor, 2, point ? FLOAT : INT64);
	if (point)
		add_float(&tensor, 4, strtof(text, NULL));
	else
		add_int(&tensor, 7, strtoll(text, NULL, 10));
	add_message(attribute, 5, &tensor);
	add_int(attribute, 20, 4);
}

static void add_attribute(struct buf *node, char *text)
{
	struct buf attribute = { 0 };
	char *value = strchr(text, '=');

	cr_assert_not_null(value, "attribute %s", text);
	*value++ = '\0';
	add_text(&attribute, 1, text);
	if (*value == '[') {
		add_list(&attribute, value + 1);
	} else if (*value == '{') {
		add_tensor(&attribute, value + 1);
	} else if (strpbrk(value, "0123456789") && strchr(value, '.')) {
		add_float(&attribute, 2, strtof(value, NULL));
		add_int(&attribute, 20, 1);
	} else if (strchr("-0123456789", *value)) {
		add_int(&attribute, 3, strtoll(value, NULL, 10));
		add_int(&attribute, 20, 2);
	} else {
		add_text(&attribute, 4, value);
		add_int(&attribute, 20, 3);
	}
	add_message(node, 5, &attribute);
}

static void add_node(struct writer *w, const char *op, char *rest)
{
	struct buf node = { 0 };
	char *save = NULL, *inputs = strtok_r(rest, " ", &save), *arrow = strtok_r(NULL, " ", &save);
	char *outputs = strtok_r(NULL, " ", &save), *attribute, *comma = NULL, *output = NULL;

	cr_assert(arrow && outputs && strcmp(arrow, "->") == 0, "node %s", op);
	for (char *name = strtok_r(inputs, ",", &comma); name; name = strtok_r(NULL, ",", &comma))
		add_text(&node, 1, strcmp(name, "_") == 0 ? "" : name);
	for (char *name = strtok_r(outputs, ",", &comma); name; name = strtok_r(NULL, ",", &comma)) {
		output = output ? output : name;
		add_text(&node, 2, strcmp(name, "_") == 0 ? "" : name);
	}
	add_text(&node, 3, output);
	add_text(&node, 4, op);
	while ((attribute = strtok_r(NULL, " ", &save)))
		add_attribute(&node, attribute);
	add_message(&w->nodes, 1, &node);
	snprintf(w->last, sizeof(w->last), "%s", output);
}

/* "NAME numbers": returns the name; a number with '=' in front goes to *batch. */
static char *read_numbers(char *rest, int64_t values[MAX_DIMS], size_t *count, int64_t *batch)
{
	char *save = NULL, *name = strtok_r(rest, " ", &save);

	*count = 0;
	for (char *word = strtok_r(NULL, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (*word == '=')
			*batch = strtoll(word + 1, NULL, 10);
		else
			values[(*count)++] = strtoll(word, NULL, 10);
	}
	return name;
}

static void add_number(struct writer *w, char *rest, bool scalar)
{
	struct buf tensor = { 0 };
	char *save = NULL, *name = strtok_r(rest, " ", &save);
	int64_t count = 0;

	add_int(&tensor, 2, FLOAT);
	for (char *word = strtok_r(NULL, " ", &save); word; word = strtok_r(NULL, " ", &save), count++)
		add_float(&tensor, 4, strtof(word, NULL));
	if (!scalar)
		add_int(&tensor, 1, count);
	add_text(&tensor, 8, name);
	add_message(&w->initializers, 5, &tensor);
}

static void add_initializer(struct writer *w, const char *kind, char *rest)
{
	int64_t values[MAX_DIMS], batch = 0;
	size_t count;
	char *name = read_numbers(rest, values, &count, &batch);
	struct buf tensor;

	if (strcmp(kind, "bools") == 0)
		tensor = bool_tensor(name, values, count);
	else if (strncmp(kind, "int", 3) == 0)
		tensor = int_tensor(name, values, count, strcmp(kind, "int") == 0);
	else
		tensor = float_tensor(w, name, values, count, strcmp(kind, "positive") == 0,
				      strcmp(kind, "packed") == 0  ? PACKED
				      : strcmp(kind, "loose") == 0 ? LOOSE
								   : RAW);
	add_message(&w->initializers, 5, &tensor);
}

static bool is_initializer_kind(const char *kind)
{
	static const char *const kinds[] = { "param", "positive", "packed", "loose", "ints", "int", "bools" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

/* "x 2 8 8", "x =1 2 height", "x 7 5" of numbers below 7. */
static const char *add_input(struct writer *w, char *rest, bool ids)
{
	char *words = strchr(rest, ' ');

	if (words)
		*words++ = '\0';
	else
		words = rest + strlen(rest);
	if (ids)
		words += strcspn(words, " ") + (strchr(words, ' ') != NULL);
	add_value_info(&w->inputs, 11, rest, words, ids ? INT64 : FLOAT);
	return rest;
}

static void read_line(struct writer *w, char *line)
{
	int64_t dims[MAX_DIMS], batch = 0;
	size_t rank;
	char *rest = strchr(line, ' '), *name;

	cr_assert_not_null(rest, "line %s", line);
	*rest++ = '\0';
	if (strcmp(line, "opset") == 0) {
		w->opset = strtoll(rest, NULL, 10);
	} else if (strcmp(line, "input") == 0) {
		snprintf(w->last, sizeof(w->last), "%s", add_input(w, rest, false));
	} else if (strcmp(line, "ids") == 0) {
		add_input(w, rest, true);
	} else if (strcmp(line, "output") == 0) {
		snprintf(w->last, sizeof(w->last), "%s", rest);
	} else if (strcmp(line, "number") == 0 || strcmp(line, "numbers") == 0) {
		add_number(w, rest, strcmp(line, "number") == 0);
	} else if (strcmp(line, "constant") == 0) {
		name = read_numbers(rest, dims, &rank, &batch);
		add_constant(w, name, dims, rank);
	} else if (is_initializer_kind(line)) {
		add_initializer(w, line, rest);
	} else {
		add_node(w, line, rest);
	}
}

static void add_graph(struct writer *w, struct buf *out)
{
	struct buf graph = { 0 };

	buf_add(&graph, w->nodes.data ? w->nodes.data : "", w->nodes.size);
	add_text(&graph, 2, "test");
	buf_add(&graph, w->initializers.data ? w->initializers.data : "", w->initializers.size);
	buf_add(&graph, w->inputs.data ? w->inputs.data : "", w->inputs.size);
	add_value_info(&graph, 12, w->last, "", FLOAT);
	add_message(out, 7, &graph);
}

void model_text_write(const char *text, struct buf *out)
{
	struct writer w = { .opset = 13 };
	struct buf opset = { 0 };
	char *copy = strdup(text), *save = NULL;

	rng_init(&w.rng, 7, "model_text");
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		read_line(&w, line);
	add_int(out, 1, 7);
	add_text(out, 2, "expunge tests");
	add_graph(&w, out);
	add_text(&opset, 1, "");
	add_int(&opset, 2, w.opset);
	add_message(out, 8, &opset);
	buf_fini(&w.nodes);
	buf_fini(&w.initializers);
	buf_fini(&w.inputs);
	free(copy);
}

/* One input's part of a row: "input x 2 3" or "ids x 7 5". */
static size_t fill_part(struct rng *rng, char *line, float *out)
{
	bool ids = strncmp(line, "ids ", 4) == 0;
	int64_t dims[MAX_DIMS], batch = 0;
	size_t rank, count = 1;

	read_numbers(strchr(line, ' ') + 1, dims, &rank, &batch);
	for (size_t i = ids; i < rank; i++)
		count *= (size_t)dims[i];
	for (size_t i = 0; i < count; i++)
		out[i] = ids ? (float)rng_below(rng, (uint32_t)dims[0]) : (float)rng_normal(rng);
	return count;
}

void model_text_rows(const char *text, size_t rows, float *out)
{
	struct rng rng;

	rng_init(&rng, 3, "operators");
	for (size_t n = 0; n < rows; n++) {
		char *copy = strdup(text), *save = NULL;

		for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			if (strncmp(line, "input ", 6) == 0 || strncmp(line, "ids ", 4) == 0)
				out += fill_part(&rng, line, out);
		free(copy);
	}
}

struct graph *model_text_load(const char *text)
{
	struct exp_error err = { 0 };
	struct graph *g = NULL;
	struct buf file = { 0 };

	model_text_write(text, &file);
	cr_assert_eq(graph_load(file.data, file.size, &g, &err), 0, "%s\n%s", err.message, text);
	buf_fini(&file);
	return g;
}

void model_text_refused(const char *text, int code, const char *const *words)
{
	struct exp_error err = { 0 };
	struct graph *g = NULL;
	struct buf file = { 0 };

	model_text_write(text, &file);
	cr_assert_eq(graph_load(file.data, file.size, &g, &err), code, "%s: \"%s\" (%d)", text, err.message, err.code);
	cr_assert_null(g);
	for (; *words; words++)
		cr_assert_not_null(strstr(err.message, *words), "\"%s\" lacks \"%s\"", err.message, *words);
	buf_fini(&file);
}

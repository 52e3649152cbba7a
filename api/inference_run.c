/*
 * One input of FP32, one output. Small calls are computed on the HTTP thread, since a hand-over costs more than they
 * do; large ones on the pool for blocking work.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/inference_reply.h"
#include "base/mem.h"
#include "model/predict.h"

enum { INLINE_BYTES = 64 * 1024, ROWS_MAX = 1 << 20 };

struct inference {
	char *id;
	json_t *parameters, *inputs, *outputs; /* borrowed */
	json_t *body;
	size_t body_size;
	struct buf text; /* the answer */
};

struct tensor {
	char *name;
	char datatype[16];
	json_t *shape, *data, *parameters;
};

#define AT(member) .offset = offsetof(struct inference, member)
static const struct json_field fields[] = {
	{ .name = "id", .kind = JSON_FIELD_STRING, AT(id) },
	{ .name = "parameters", .kind = JSON_FIELD_OBJECT, AT(parameters) },
	{ .name = "inputs", .kind = JSON_FIELD_ARRAY, .required = true, AT(inputs) },
	{ .name = "outputs", .kind = JSON_FIELD_ARRAY, AT(outputs) },
};
#undef AT

#define AT(member) .offset = offsetof(struct tensor, member)
static const struct json_field tensor_fields[] = {
	{ .name = "name", .kind = JSON_FIELD_STRING, .required = true, AT(name) },
	{ .name = "datatype", .kind = JSON_FIELD_TEXT, .required = true, AT(datatype), .size = 16 },
	{ .name = "shape", .kind = JSON_FIELD_ARRAY, .required = true, AT(shape) },
	{ .name = "data", .kind = JSON_FIELD_ARRAY, .required = true, AT(data) },
	{ .name = "parameters", .kind = JSON_FIELD_OBJECT, AT(parameters) },
};
static const struct json_field output_fields[] = {
	{ .name = "name", .kind = JSON_FIELD_STRING, .required = true, AT(name) },
	{ .name = "parameters", .kind = JSON_FIELD_OBJECT, AT(parameters) },
};
#undef AT

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

static void state_free(void *state)
{
	struct inference *f = state;

	mem_free(f->id);
	json_decref(f->body);
	buf_fini(&f->text);
}

/* The protocol allows text, numbers and truth values. We know no parameter, and ignoring one would promise too much. */
static int check_parameters(const json_t *parameters, const char *where, struct exp_error *err)
{
	if (parameters && json_object_size(parameters))
		return error_set(err, EXP_EUNSUPPORTED, "%s: no parameter is supported", where);
	return 0;
}

static int check_outputs(const struct inference *f, const struct graph *g, struct exp_error *err)
{
	struct tensor t = { 0 };
	int rc;

	if (!f->outputs)
		return 0;
	if (json_array_size(f->outputs) != 1)
		return error_set(err, EXP_EFIELD, "/outputs: the model has one output, %s", graph_output_name(g));
	rc = json_fill(json_array_get(f->outputs, 0), "/outputs/0", output_fields, COUNT(output_fields), &t, err);
	if (!rc && strcmp(t.name, graph_output_name(g)))
		rc = error_set(err, EXP_EFIELD, "/outputs/0/name: the model's output is %s", graph_output_name(g));
	if (!rc)
		rc = check_parameters(t.parameters, "/outputs/0/parameters", err);
	mem_free(t.name);
	return rc;
}

static int wrong_shape(const struct graph *g, struct exp_error *err)
{
	struct buf wanted = { 0 };
	size_t rank;
	const size_t *dims = graph_input_dims(g, &rank);
	int rc;

	for (size_t i = 0; i < rank; i++)
		buf_format(&wanted, ", %zu", dims[i]);
	rc = error_set(err, EXP_ESHAPE, "/inputs/0/shape must be [rows%s] with 1 to %d rows",
		       wanted.size ? wanted.data : "", ROWS_MAX);
	buf_fini(&wanted);
	return rc;
}

static int read_shape(const json_t *shape, const struct graph *g, size_t *rows, struct exp_error *err)
{
	size_t rank;
	const size_t *dims = graph_input_dims(g, &rank);
	json_int_t n = json_integer_value(json_array_get(shape, 0));

	if (json_array_size(shape) != rank + 1 || n < 1 || n > ROWS_MAX)
		return wrong_shape(g, err);
	for (size_t i = 0; i < rank; i++) {
		const json_t *dim = json_array_get(shape, i + 1);

		if (!json_is_integer(dim) || json_integer_value(dim) != (json_int_t)dims[i])
			return wrong_shape(g, err);
	}
	*rows = (size_t)n;
	return 0;
}

struct flat {
	float *values;
	size_t count, room;
};

/* Nested or flat, row-major: the order of the leaves is the same. Depth is bounded by json_parse. */
static int flatten(const json_t *data, struct flat *out, struct exp_error *err)
{
	const json_t *item;
	size_t i;
	int rc = 0;

	json_array_foreach(data, i, item) {
		double value = json_number_value(item);

		if (json_is_array(item)) {
			rc = flatten(item, out, err);
		} else if (!json_is_number(item)) {
			rc = error_set(err, EXP_EFIELD, "/inputs/0/data must hold numbers");
		} else if (!isfinite((float)value)) {
			rc = error_set(err, EXP_ENONFINITE, "/inputs/0/data holds a number that is no finite FP32");
		} else if (out->count == out->room) {
			rc = error_set(err, EXP_ESHAPE, "/inputs/0/data has more than the %zu numbers of its shape",
				       out->room);
		} else {
			out->values[out->count++] = (float)value;
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int check_input(const struct tensor *t, const struct graph *g, size_t *rows, struct exp_error *err)
{
	int rc = check_parameters(t->parameters, "/inputs/0/parameters", err);

	if (rc)
		return rc;
	if (strcmp(t->name, graph_input_name(g)))
		return error_set(err, EXP_EFIELD, "/inputs/0/name: the model's input is %s", graph_input_name(g));
	if (strcmp(t->datatype, "FP32"))
		return error_set(err, EXP_EUNSUPPORTED, "/inputs/0/datatype must be FP32");
	return read_shape(t->shape, g, rows, err);
}

static int read_data(const json_t *data, const struct graph *g, size_t rows, struct flat *out, struct exp_error *err)
{
	struct flat f = { 0 };
	int rc;

	if (mem_size(rows, graph_input_floats(g), &f.room))
		f.values = mem_try_alloc(f.room, sizeof(float));
	if (!f.values)
		return error_set(err, EXP_EMEMORY, "there is not enough memory for %zu rows", rows);
	rc = flatten(data, &f, err);
	if (!rc && f.count != f.room)
		rc = error_set(err, EXP_ESHAPE, "/inputs/0/data has %zu numbers, its shape says %zu", f.count, f.room);
	if (rc)
		mem_free(f.values);
	else
		*out = f;
	return rc;
}

static int read_input(const struct inference *f, const struct graph *g, struct flat *out, size_t *rows,
		      struct exp_error *err)
{
	struct tensor t = { 0 };
	size_t numbers;
	int rc;

	if (json_array_size(f->inputs) != 1)
		return error_set(err, EXP_EFIELD, "/inputs: the model has one input, %s", graph_input_name(g));
	rc = json_fill(json_array_get(f->inputs, 0), "/inputs/0", tensor_fields, COUNT(tensor_fields), &t, err);
	if (!rc)
		rc = check_input(&t, g, rows, err);
	/* A number takes a byte at least: no room is made for a shape that the body cannot fill. */
	if (!rc && (!mem_size(*rows, graph_input_floats(g), &numbers) || numbers > f->body_size))
		rc = error_set(err, EXP_ESHAPE, "/inputs/0/data has fewer numbers than its shape says");
	if (!rc)
		rc = read_data(t.data, g, *rows, out, err);
	mem_free(t.name);
	return rc;
}

static void write_string(struct buf *out, const char *text)
{
	json_t *value = json_string(text);

	json_write(value, false, out);
	json_decref(value);
}

/* Nine digits carry an FP32 exactly. */
static void write_answer(struct inference *f, const struct snapshot *s, const float *values, size_t rows)
{
	size_t classes = graph_classes(s->graph), positions = graph_positions(s->graph);
	struct buf *out = &f->text;

	buf_add_text(out, "{\"model_name\":");
	write_string(out, s->model);
	buf_format(out, ",\"model_version\":\"%lld\"", (long long)s->version);
	if (f->id) {
		buf_add_text(out, ",\"id\":");
		write_string(out, f->id);
	}
	buf_format(out, ",\"parameters\":{\"weights_sha256\":\"%s\",\"erasure_epoch\":%lld},\"outputs\":[{\"name\":",
		   s->sha256, (long long)s->version - 1);
	write_string(out, graph_output_name(s->graph));
	buf_format(out, ",\"datatype\":\"FP32\",\"shape\":[%zu", rows);
	if (positions > 1)
		buf_format(out, ",%zu", positions);
	buf_format(out, ",%zu],\"data\":[", classes);
	for (size_t i = 0; i < rows * positions * classes; i++)
		buf_format(out, i ? ",%.9g" : "%.9g", (double)values[i]);
	buf_add_text(out, "]}]}\n");
}

static int compute(struct inference *f, struct snapshot *s, struct exp_error *err)
{
	struct flat input = { 0 };
	float *outputs = NULL;
	size_t rows = 0;
	int rc = check_outputs(f, s->graph, err);

	if (!rc)
		rc = read_input(f, s->graph, &input, &rows, err);
	if (rc)
		return rc;
	outputs = mem_try_alloc(rows * graph_output_floats(s->graph), sizeof(float));
	rc = outputs ? predict(s, input.values, rows, outputs, err)
		     : error_set(err, EXP_EMEMORY, "no room for the outputs");
	if (!rc)
		write_answer(f, s, outputs, rows);
	mem_free(outputs);
	mem_free(input.values);
	return rc;
}

static int work(struct call *c, struct exp_error *err)
{
	struct inference *f = c->state;
	struct snapshot *s;
	int rc = json_parse(c->body.data ? c->body.data : "", c->body.size, &f->body, err);

	if (!rc)
		rc = json_fill(f->body, "", fields, COUNT(fields), f, err);
	if (!rc)
		rc = check_parameters(f->parameters, "/parameters", err);
	if (!rc)
		rc = inference_take(c, &s, err);
	if (rc)
		return rc;
	rc = compute(f, s, err);
	models_give(c->api->options.models, s);
	return rc;
}

static int answer(struct call *c, struct exp_error *err)
{
	const struct inference *f = c->state;

	(void)err;
	reply_bytes(c, 200, "application/json", f->text.data, f->text.size);
	return 0;
}

int inference_run(struct call *c, struct exp_error *err)
{
	struct inference *f = call_state_new(c, sizeof(*f), state_free);
	int rc;

	f->body_size = c->body.size;
	if (c->body.size > INLINE_BYTES)
		return call_offload(c, work, answer);
	rc = work(c, err);
	return rc ? rc : answer(c, err);
}

int api_inference_run(struct call *c, struct exp_error *err)
{
	return inference_run(c, err);
}

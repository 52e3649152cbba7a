/*
 * The Open Inference Protocol over the example's model. What comes out is held against the engine's own forward pass.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"
#include "model/predict.h"
#include "tests/unit/api/world.h"

static struct world w;
static struct snapshot *live;
static const char *input, *output;
static size_t floats, classes;

static void start(void)
{
	world_start(&w, NULL);
	world_add_dataset(&w);
	world_add_model(&w, NULL);
	world_serve(&w);
	cr_assert_eq(models_take(w.models, "wages", 0, &live, NULL), 0);
	input = graph_input_name(live->graph);
	output = graph_output_name(live->graph);
	floats = graph_input_floats(live->graph);
	classes = graph_classes(live->graph);
}

static void stop(void)
{
	models_give(w.models, live);
	world_stop(&w);
}

TestSuite(inference, .init = start, .fini = stop);

static float value(size_t i)
{
	return (float)(i % 7) / 4.0f - 0.5f;
}

static char *question_of(size_t rows, bool nested, const char *more)
{
	struct buf text = { 0 };

	buf_format(&text,
		   "{\"id\":\"q-1\",\"inputs\":[{\"name\":\"%s\",\"datatype\":\"FP32\",\"shape\":[%zu,%zu],\"data\":[",
		   input, rows, floats);
	for (size_t i = 0; i < rows * floats; i++)
		buf_format(&text, "%s%s%g%s", i ? "," : "", nested && i % floats == 0 ? "[" : "", (double)value(i),
			   nested && i % floats == floats - 1 ? "]" : "");
	buf_format(&text, "]%s}]}", more);
	return buf_take(&text);
}

static void check_against_engine(const struct answer *a, size_t rows)
{
	const json_t *out = json_array_get(json_object_get(a->json, "outputs"), 0),
		     *data = json_object_get(out, "data");
	float *inputs = mem_alloc(rows * floats * sizeof(float)), *outputs = mem_alloc(rows * classes * sizeof(float));
	struct session *s;

	for (size_t i = 0; i < rows * floats; i++)
		inputs[i] = value(i);
	cr_assert_eq(session_new(live->graph, rows, &s, NULL), 0);
	cr_assert_eq(session_forward(s, live->params, inputs, rows, outputs), 0);
	cr_assert_eq(json_array_size(data), rows * classes);
	for (size_t i = 0; i < rows * classes; i++)
		cr_assert_float_eq(json_number_value(json_array_get(data, i)), outputs[i],
				   1e-5f * (1 + fabsf(outputs[i])));
	session_free(s);
	mem_free(inputs);
	mem_free(outputs);
}

static void run(size_t rows, bool nested, const char *path)
{
	char *body = question_of(rows, nested, "");
	struct answer a = post(&w, ROLE_AUDITOR, path, body);
	const json_t *out = json_array_get(json_object_get(a.json, "outputs"), 0);
	const json_t *parameters = json_object_get(a.json, "parameters");

	cr_assert_eq(a.status, 200, "%s", a.body.data);
	cr_assert_str_eq(answer_text(&a, "model_name"), "wages");
	cr_assert_str_eq(answer_text(&a, "model_version"), "1");
	cr_assert_str_eq(answer_text(&a, "id"), "q-1");
	cr_assert_str_eq(json_string_value(json_object_get(parameters, "weights_sha256")), live->sha256);
	cr_assert_eq(json_integer_value(json_object_get(parameters, "erasure_epoch")), 0);
	cr_assert_str_eq(json_string_value(json_object_get(out, "name")), output);
	cr_assert_eq(json_integer_value(json_array_get(json_object_get(out, "shape"), 0)), (json_int_t)rows);
	check_against_engine(&a, rows);
	answer_fini(&a);
	mem_free(body);
}

Test(inference, flat_nested_small_large)
{
	run(1, false, "/v2/models/wages/infer");
	run(3, true, "/v2/models/wages/versions/1/infer");
	run(4000, false, "/v2/models/wages/infer"); /* beyond what an HTTP thread computes itself */
}

static void refuse(const char *path, const char *body, long status)
{
	struct answer a = post(&w, ROLE_ADMIN, path, body);

	cr_assert_eq(a.status, status, "%.200s: %ld %s", body, a.status, a.body.data);
	cr_assert(*answer_text(&a, "error"), "%s", a.body.data);
	cr_assert_eq(json_object_size(a.json), 1);
	answer_fini(&a);
}

/* A question about one tensor, its parts as JSON. */
static void refuse_tensor(const char *name, const char *type, const char *shape, const char *data)
{
	char *body = mem_format("{\"inputs\":[{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":%s,\"data\":%s}]}", name,
				type, shape, data);

	refuse("/v2/models/wages/infer", body, 400);
	mem_free(body);
}

Test(inference, wrong_questions)
{
	static const char *const bodies[] = { " ",
					      "{}",
					      "[]",
					      "{\"inputs\":[]}",
					      "{\"inputs\":[{}]}",
					      "{\"inputs\":[],\"colour\":1}",
					      "{\"inputs\":{}}" };
	char *unknown = question_of(1, false, ",\"parameters\":{\"binary_data_size\":4}");

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		refuse("/v2/models/wages/infer", bodies[i], 400);
	refuse("/v2/models/wages/infer", unknown, 400);
	mem_free(unknown);
}

Test(inference, wrong_tensors)
{
	static const char *const rows[] = { "0", "-1", "1.5", "1048577", "1000000", "2", "\"1\"" };
	char shape[64];

	snprintf(shape, sizeof(shape), "[1,%zu]", floats);
	refuse_tensor("other", "FP32", shape, "[1]");
	refuse_tensor(input, "INT8", shape, "[1]");
	refuse_tensor(input, "FP32", "[]", "[1]");
	refuse_tensor(input, "FP32", "[1]", "[1]");
	refuse_tensor(input, "FP32", "[1,9999]", "[1]");
	refuse_tensor(input, "FP32", shape, "\"x\"");
	refuse_tensor(input, "FP32", shape, "[\"x\"]");
	refuse_tensor(input, "FP32", shape, "[1e39]");
	refuse_tensor(input, "FP32", shape, "[]");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(shape, sizeof(shape), "[%s,%zu]", rows[i], floats);
		refuse_tensor(input, "FP32", shape, "[1]");
	}
}

Test(inference, models_that_are_not_served)
{
	char *body = question_of(1, false, "");
	struct answer a;

	refuse("/v2/models/none/infer", body, 404);
	refuse("/v2/models/wages/versions/2/infer", body, 404);
	refuse("/v2/models/wages/versions/x/infer", body, 404);
	a = get(&w, ROLE_ADMIN, "/v2/models/none/ready");
	cr_assert_eq(a.status, 404);
	answer_fini(&a);
	a = post(&w, NOBODY, "/v2/models/wages/infer", body);
	cr_assert_eq(a.status, 401);
	cr_assert(*answer_text(&a, "error"));
	answer_fini(&a);
	mem_free(body);
}

Test(inference, metadata)
{
	struct answer a = get(&w, ROLE_AUDITOR, "/v2/models/wages");
	const json_t *tensor = json_array_get(json_object_get(a.json, "inputs"), 0);

	cr_assert_eq(a.status, 200);
	cr_assert_str_eq(answer_text(&a, "platform"), "onnx_onnxv1");
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(a.json, "versions"), 0)), "1");
	cr_assert_str_eq(json_string_value(json_object_get(tensor, "name")), input);
	cr_assert_eq(json_integer_value(json_array_get(json_object_get(tensor, "shape"), 0)), -1);
	cr_assert_eq(json_integer_value(json_array_get(json_object_get(tensor, "shape"), 1)), (json_int_t)floats);
	answer_fini(&a);
	a = get(&w, ROLE_AUDITOR, "/v2/models/wages/ready");
	cr_assert_eq(a.status, 200);
	answer_fini(&a);
	a = get(&w, ROLE_AUDITOR, "/v2");
	cr_assert_str_eq(answer_text(&a, "name"), "expunge");
	answer_fini(&a);
}

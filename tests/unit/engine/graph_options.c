/* What an owner says of a file beside it: sizes of open dimensions, and initializers that are no parameters. */
#include "engine/graph_options.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/params.h"
#include "engine/session.h"
#include "model_text.h"

enum { ROWS = 3, ENOUGH = 256 };

static int load_with(const char *model, const char *json, struct graph **out, struct exp_error *err)
{
	struct graph_options options;
	struct arena arena = { 0 };
	struct buf file = { 0 };
	json_t *said;
	int rc;

	model_text_write(model, &file);
	cr_assert_eq(json_parse(json, strlen(json), &said, NULL), 0, "%s", json);
	rc = graph_options_from_json(said, "", &arena, &options, err);
	json_decref(said);
	if (rc == 0)
		rc = graph_load_with(file.data, file.size, &options, out, err);
	arena_fini(&arena);
	buf_fini(&file);
	return rc;
}

static struct graph *load(const char *model, const char *json)
{
	struct exp_error err = { 0 };
	struct graph *g = NULL;

	cr_assert_eq(load_with(model, json, &g, &err), 0, "%s\n%s: %s", model, json, err.message);
	return g;
}

static void refused(const char *model, const char *json, int code, const char *const *words)
{
	struct exp_error err = { 0 };
	struct graph *g = NULL;

	cr_assert_eq(load_with(model, json, &g, &err), code, "%s: \"%s\" (%d)", json, err.message, err.code);
	cr_assert_null(g);
	for (; *words; words++)
		cr_assert_not_null(strstr(err.message, *words), "\"%s\" lacks \"%s\"", err.message, *words);
}

#define SAYS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The graph's outputs for the rows of a model without open dimensions, and the sum of its gradients. */
static void compute(struct graph *g, const char *closed, float *outputs, float *gradient)
{
	struct session_result result = { .out = gradient };
	int32_t labels[ROWS * ENOUGH] = { 0 };
	struct exp_error err = { 0 };
	struct session *s;
	struct params *p;
	float *rows = calloc(ROWS * graph_input_floats(g), sizeof(*rows));

	cr_assert_leq(graph_output_floats(g), ENOUGH);
	model_text_rows(closed, ROWS, rows);
	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(session_new(g, ROWS, &s, &err), 0, "%s", err.message);
	cr_assert_eq(session_forward(s, p, rows, ROWS, outputs), 0);
	if (gradient)
		cr_assert_eq(session_backward(s, p, rows, labels, ROWS, SESSION_SUM, &result), 0);
	session_free(s);
	params_free(p);
	free(rows);
}

static void check_same(const char *open, const char *json, const char *closed)
{
	float ours[ROWS * ENOUGH], theirs[ROWS * ENOUGH];
	struct graph *g = load(open, json), *h = model_text_load(closed);
	const size_t *a, *b;
	size_t rank_a, rank_b;

	a = graph_input_dims(g, &rank_a);
	b = graph_input_dims(h, &rank_b);
	cr_assert(rank_a == rank_b && memcmp(a, b, rank_a * sizeof(*a)) == 0, "%s", json);
	cr_assert_eq(graph_output_floats(g), graph_output_floats(h), "%s", json);
	compute(g, closed, ours, NULL);
	compute(h, closed, theirs, NULL);
	cr_assert_arr_eq(ours, theirs, ROWS * graph_output_floats(g) * sizeof(float), "%s", json);
	graph_unref(g);
	graph_unref(h);
}

#define IMAGE(input)                                                                                                   \
	input "\nparam w 4 2 3 3\nparam f 4 3\nConv x,w -> h pads=[1,1,1,1]\nRelu h -> r\nGlobalAveragePool r -> p\n"  \
	      "Flatten p -> k\nMatMul k,f -> y"

Test(graph_options, an_open_graph_is_the_closed_one)
{
	const char *closed = IMAGE("input x 2 6 10");

	check_same(IMAGE("input x 2 height width"), "{\"sizes\": {\"height\": 6, \"width\": 10}}", closed);
	check_same(IMAGE("input x 2 height width"), "{\"shapes\": {\"x\": [2, 6, 10]}}", closed);
	check_same(IMAGE("input x 2 ? ?"), "{\"shapes\": {\"x\": [2, 6, 10]}}", closed);
	check_same(IMAGE("input x ? ? width"), "{\"sizes\": {\"width\": 10}, \"shapes\": {\"x\": [2, 6, 10]}}", closed);
	check_same(IMAGE("input x *"), "{\"shapes\": {\"x\": [2, 6, 10]}}", closed);
	check_same(IMAGE("input x 2 side side"), "{\"sizes\": {\"side\": 8}}", IMAGE("input x 2 8 8"));
	check_same(IMAGE("input x =4 2 side side"), "{\"sizes\": {\"side\": 8}}", IMAGE("input x =4 2 8 8"));
}

#define MASKED(ids, mask)                                                                                              \
	ids "\n" mask "\nparam e 7 4\nparam f 4 3\nGather e,x -> h\nints two 2\nUnsqueeze m,two -> u\nMul h,u -> k\n"  \
	    "ReduceMean k -> p axes=[1] keepdims=0\nMatMul p,f -> y"

Test(graph_options, a_shape_gives_its_symbols_to_the_other_inputs)
{
	const char *closed = MASKED("ids x 7 5", "input m 5");

	check_same(MASKED("ids x 7 sequence", "input m sequence"), "{\"shapes\": {\"x\": [5]}}", closed);
	check_same(MASKED("ids x 7 sequence", "input m sequence"), "{\"shapes\": {\"m\": [5]}}", closed);
	check_same(MASKED("ids x 7 sequence", "input m ?"), "{\"sizes\": {\"sequence\": 5}, \"shapes\": {\"m\": [5]}}",
		   closed);
}

/* n is the symbol that model_text gives the batch. */
Test(graph_options, what_does_not_fit_is_refused)
{
	const char *image = IMAGE("input x 2 height ?"), *masked = MASKED("ids x 7 sequence", "input m sequence");

	model_text_refused(image, EXP_ESHAPE,
			   SAYS("dimension 2", "\"x\"", "\"height\"", "--size height=NUMBER", "sizes"));
	refused(image, "{\"sizes\": {\"height\": 6}}", EXP_ESHAPE,
		SAYS("dimension 3", "\"x\"", "--shape x=2,?,?", "shapes"));
	refused(IMAGE("input x *"), "{}", EXP_ESHAPE, SAYS("no shape", "\"x\"", "--shape x=NUMBERS"));
	refused(image, "{\"sizes\": {\"depth\": 6}}", EXP_EINVAL, SAYS("\"depth\""));
	refused(image, "{\"sizes\": {\"n\": 6}}", EXP_EINVAL, SAYS("\"n\"", "batch"));
	refused(image, "{\"shapes\": {\"w\": [2, 6, 6]}}", EXP_EINVAL, SAYS("\"w\"", "no such input"));
	refused(image, "{\"shapes\": {\"x\": [6, 6]}}", EXP_ESHAPE, SAYS("\"x\"", "3 dimensions", "2 that"));
	refused(image, "{\"shapes\": {\"x\": [3, 6, 6]}}", EXP_ESHAPE, SAYS("dimension 1", "is 2", "not 3"));
	refused(image, "{\"sizes\": {\"height\": 5}, \"shapes\": {\"x\": [2, 6, 6]}}", EXP_ESHAPE,
		SAYS("\"height\"", "both 5 and 6"));
	refused(masked, "{\"shapes\": {\"x\": [5], \"m\": [6]}}", EXP_ESHAPE, SAYS("\"sequence\"", "both"));
	refused(image, "{\"shapes\": {\"x\": [2, 2147483648, 2]}}", EXP_ELIMIT, SAYS("\"x\"", "elements"));
}

Test(graph_options, the_written_file_keeps_its_symbols)
{
	const char *model = IMAGE("input x 2 height width");
	struct graph *g = load(model, "{\"sizes\": {\"height\": 6, \"width\": 10}}"), *again = NULL;
	struct buf file = { 0 }, out = { 0 };
	struct params *p;

	model_text_write(model, &file);
	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(graph_save(g, p, &out, NULL), 0);
	cr_assert(out.size == file.size && memcmp(out.data, file.data, out.size) == 0);
	cr_assert_eq(graph_load(out.data, out.size, &again, NULL), EXP_ESHAPE);
	cr_assert_eq(graph_load_with(out.data, out.size, graph_options(g), &again, NULL), 0);
	cr_assert_eq(graph_input_floats(again), 2 * 6 * 10);
	params_free(p);
	graph_unref(g);
	graph_unref(again);
	buf_fini(&file);
	buf_fini(&out);
}

/* A graph convolution over four nodes: y = A relu(A x W) V, A fixed. */
#define CONVOLUTION                                                                                                    \
	"input x 4 3\nparam w 3 5\nparam a 4 4\nparam v 5 2\nMatMul a,x -> g\nMatMul g,w -> h\nRelu h -> r\n"          \
	"MatMul a,r -> s\nMatMul s,v -> y"

static const float *values_of(const struct graph *g, const float *block, const char *name)
{
	for (size_t i = 0; i < graph_parameter_count(g); i++)
		if (strcmp(graph_parameter(g, i)->name, name) == 0)
			return block + graph_parameter(g, i)->offset;
	return NULL;
}

Test(graph_options, what_is_frozen_is_no_parameter)
{
	float some[ROWS * ENOUGH], all[ROWS * ENOUGH], some_gradient[ENOUGH], all_gradient[ENOUGH];
	struct graph *g = load(CONVOLUTION, "{\"frozen\": [\"a\"]}"), *h = model_text_load(CONVOLUTION);

	cr_assert_eq(graph_parameter_count(h), 3);
	cr_assert_eq(graph_parameter_count(g), 2);
	cr_assert_eq(graph_trainable_floats(g), 15 + 10);
	cr_assert_null(values_of(g, some_gradient, "a"));
	compute(g, CONVOLUTION, some, some_gradient);
	compute(h, CONVOLUTION, all, all_gradient);
	cr_assert_arr_eq(some, all, ROWS * graph_output_floats(g) * sizeof(float));
	cr_assert_arr_eq(values_of(g, some_gradient, "w"), values_of(h, all_gradient, "w"), 15 * sizeof(float));
	cr_assert_arr_eq(values_of(g, some_gradient, "v"), values_of(h, all_gradient, "v"), 10 * sizeof(float));
	graph_unref(g);
	graph_unref(h);
}

Test(graph_options, a_constant_node_may_be_frozen_too)
{
	const char *model = "input x 3\nconstant w 3 4\nparam v 4 2\nMatMul x,w -> h\nMatMul h,v -> y";
	struct graph *g = load(model, "{\"frozen\": [\"w\"]}"), *h = model_text_load(model);

	cr_assert_eq(graph_parameter_count(h), 2);
	cr_assert_eq(graph_parameter_count(g), 1);
	cr_assert_str_eq(graph_parameter(g, 0)->name, "v");
	graph_unref(g);
	graph_unref(h);
}

Test(graph_options, what_cannot_be_frozen)
{
	const char *norm = "input x 2 4 4\npositive s 2\nparam t 2\nparam m 2\npositive v 2\n"
			   "BatchNormalization x,s,t,m,v -> h\nFlatten h -> y";

	refused(CONVOLUTION, "{\"frozen\": [\"a\", \"b\"]}", EXP_EINVAL, SAYS("\"b\"", "initializer"));
	refused(CONVOLUTION, "{\"frozen\": [\"x\"]}", EXP_EINVAL, SAYS("\"x\"", "initializer"));
	refused(CONVOLUTION, "{\"frozen\": [\"g\"]}", EXP_EINVAL, SAYS("\"g\"", "initializer"));
	refused(norm, "{\"frozen\": [\"v\"]}", EXP_EINVAL, SAYS("\"v\"", "statistics"));
	graph_unref(load(norm, "{\"frozen\": [\"s\"]}"));
}

static void check_json(const char *text, const char *wanted)
{
	struct graph_options o;
	struct arena arena = { 0 };
	struct buf written = { 0 };
	json_t *json, *again;

	cr_assert_eq(json_parse(text, strlen(text), &json, NULL), 0);
	cr_assert_eq(graph_options_from_json(json, "", &arena, &o, NULL), 0, "%s", text);
	json_decref(json);
	again = graph_options_to_json(&o);
	if (again)
		cr_assert_eq(json_canonical(again, &written, NULL), 0);
	cr_assert_str_eq(written.data ? written.data : "", wanted);
	json_decref(again);
	buf_fini(&written);
	arena_fini(&arena);
}

static void check_wrong(const char *text, const char *pointer)
{
	struct exp_error err = { 0 };
	struct graph_options o;
	struct arena arena = { 0 };
	json_t *json;

	cr_assert_eq(json_parse(text, strlen(text), &json, NULL), 0);
	cr_assert_eq(graph_options_from_json(json, "/model", &arena, &o, &err), EXP_EFIELD, "%s", text);
	cr_assert_str_eq(err.pointer, pointer, "%s: %s", text, err.pointer);
	json_decref(json);
	arena_fini(&arena);
}

Test(graph_options, json)
{
	check_json(
	    "{\"frozen\": [\"b\", \"a\"], \"sizes\": {\"t\": 3, \"s\": 2}, \"shapes\": {\"y\": [], \"x\": [1, 2]}}",
	    "{\"frozen\":[\"b\",\"a\"],\"shapes\":{\"x\":[1,2],\"y\":[]},\"sizes\":{\"s\":2,\"t\":3}}");
	check_json("{\"sizes\": {\"s\": 2147483648}}", "{\"sizes\":{\"s\":2147483648}}");
	check_json("{}", "");
	check_json("{\"sizes\": {}, \"shapes\": {}, \"frozen\": []}", "");
	check_wrong("{\"size\": {}}", "/model/size");
	check_wrong("{\"sizes\": []}", "/model/sizes");
	check_wrong("{\"sizes\": {\"s\": 0}}", "/model/sizes");
	check_wrong("{\"sizes\": {\"s\": 2147483649}}", "/model/sizes");
	check_wrong("{\"sizes\": {\"s\": 1.5}}", "/model/sizes");
	check_wrong("{\"shapes\": {\"x\": 3}}", "/model/shapes");
	check_wrong("{\"shapes\": {\"x\": [3, -1]}}", "/model/shapes");
	check_wrong("{\"shapes\": {\"x\": [1, 1, 1, 1, 1, 1, 1, 1]}}", "/model/shapes");
	check_wrong("{\"frozen\": [\"a\", 1]}", "/model/frozen");
}

Test(graph_options, lists_have_an_end)
{
	struct buf text = { 0 };

	buf_add_text(&text, "{\"frozen\": [\"a\"");
	for (size_t i = 0; i < GRAPH_OPTIONS_MAX; i++)
		buf_add_text(&text, ",\"a\"");
	buf_add_text(&text, "]}");
	check_wrong(text.data, "/model/frozen");
	buf_fini(&text);
}

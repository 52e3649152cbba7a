#include "onnx_load.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/describe.h"
#include "engine/runner.h"
#include "engine/session.h"

/* Models beyond these load and are planned, but do not run: time is better spent on other bytes. */
enum { MAX_FLOATS = 1 << 16, MAX_FLOPS = 1 << 20, SAMPLES = 2 };

static void check_error(int rc, const struct exp_error *err)
{
	exp_require(rc == 0 || (rc < 0 && err->code == rc && err->message[0]));
}

/* ---- run whole, as test cases are ---- */

static bool is_small(const struct plan *p)
{
	uint64_t flops = 0;

	for (size_t i = 0; i < p->inf.graph->node_count; i++)
		if (p->inf.nodes[i].runs)
			flops += p->inf.nodes[i].flops;
	return p->floats <= MAX_FLOATS && flops <= MAX_FLOPS;
}

static void run_whole(struct graph *g, const struct plan *p)
{
	struct runner_memory memory = { 0 };
	struct params *params = NULL;
	struct runner r = { .plan = p, .graph = g, .memory = &memory, .with_end = true };
	const void **feeds = mem_alloc((g->input_count + 1) * sizeof(*feeds));
	void *zeros = mem_alloc(MAX_FLOATS * sizeof(float));

	for (size_t i = 0; i < g->input_count; i++)
		feeds[i] = zeros;
	r.feeds = feeds;
	if (graph_initial_params(g, &params) == 0 && runner_memory_fit(&memory, p) == 0) {
		r.params = params->values;
		runner_forward(&r);
	}
	params_free(params);
	runner_memory_fini(&memory);
	mem_free(zeros);
	mem_free(feeds);
}

static void try_whole(const uint8_t *bytes, size_t size)
{
	const struct plan_options options = { .kind = PLAN_FORWARD };
	struct exp_error err = { 0 };
	struct graph *g = NULL;
	struct plan p;
	int rc = graph_load_whole(bytes, size, NULL, 0, &g, &err);

	check_error(rc, &err);
	if (rc)
		return;
	rc = plan_init(&p, g, &options, &err);
	check_error(rc, &err);
	if (rc == 0) {
		if (is_small(&p))
			run_whole(g, &p);
		plan_fini(&p);
	}
	graph_unref(g);
}

/* ---- run on samples, as models are ---- */

static bool fits(const struct graph *g, enum plan_kind kind)
{
	const struct plan_options options = { .samples = SAMPLES, .kind = kind };
	struct exp_error err = { 0 };
	struct plan p;
	int rc = plan_init(&p, g, &options, &err);
	bool small;

	check_error(rc, &err);
	if (rc)
		return false;
	small = is_small(&p) && graph_input_floats(g) <= MAX_FLOATS && graph_parameter_floats(g) <= MAX_FLOATS;
	plan_fini(&p);
	return small;
}

static void run_backward(struct session *s, const struct params *p, const float *inputs, const int32_t *labels)
{
	static const enum session_reduce reduces[] = { SESSION_SUM, SESSION_SQUARE_SUM, SESSION_NORM };

	for (size_t i = 0; i < sizeof(reduces) / sizeof(reduces[0]); i++) {
		float *out = mem_alloc((p->count + 1) * sizeof(*out));
		double dots[SAMPLES];
		struct session_result result = { .out = out, .dots = dots };
		int rc = session_backward(s, p, inputs, labels, SAMPLES, reduces[i], &result);

		exp_require(rc <= 0);
		mem_free(out);
	}
}

static void run_tangent(struct session *s, const struct params *p, const float *inputs, float *tangents)
{
	const struct session_tangent call = { .params = p,
					      .inputs = inputs,
					      .n = SAMPLES,
					      .direction = p->values,
					      .logits = true,
					      .tangents = tangents };
	struct exp_error err = { 0 };

	check_error(session_tangent(s, &call, &err), &err);
}

static void run_samples(struct graph *g)
{
	float *inputs = mem_alloc((SAMPLES * graph_input_floats(g) + 1) * sizeof(*inputs));
	float *outputs = mem_alloc((SAMPLES * graph_output_floats(g) + 1) * sizeof(*outputs));
	int32_t *labels = mem_alloc((SAMPLES * graph_positions(g) + 1) * sizeof(*labels));
	struct exp_error err = { 0 };
	struct session *s = NULL;
	struct params *p = NULL;
	int rc = session_new(g, SAMPLES, &s, &err);

	check_error(rc, &err);
	for (size_t i = 0; i < SAMPLES * graph_input_floats(g); i++)
		inputs[i] = (float)(i % 7) * 0.25f;
	if (rc == 0 && graph_initial_params(g, &p) == 0) {
		exp_require(session_forward(s, p, inputs, SAMPLES, outputs) <= 0);
		if (fits(g, PLAN_BACKWARD))
			run_backward(s, p, inputs, labels);
		if (fits(g, PLAN_TANGENT))
			run_tangent(s, p, inputs, outputs);
	}
	session_free(s);
	params_free(p);
	mem_free(labels);
	mem_free(outputs);
	mem_free(inputs);
}

static void try_samples(const uint8_t *bytes, size_t size)
{
	struct exp_error err = { 0 };
	struct graph *g = NULL;
	int rc = graph_load(bytes, size, &g, &err);

	check_error(rc, &err);
	if (rc)
		return;
	if (fits(g, PLAN_FORWARD))
		run_samples(g);
	graph_unref(g);
}

static void try_description(const uint8_t *bytes, size_t size)
{
	struct exp_error err = { 0 };
	struct description d;
	int rc = describe(bytes, size, SAMPLES, NULL, &d, &err);

	check_error(rc, &err);
	if (rc == 0)
		description_fini(&d);
}

void try_model(const uint8_t *bytes, size_t size)
{
	try_description(bytes, size);
	try_samples(bytes, size);
	try_whole(bytes, size);
}

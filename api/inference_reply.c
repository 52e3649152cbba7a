#include "api/inference_reply.h"

#include "api/api_internal.h"
#include "api/version_number.h"

int inference_take(struct call *c, struct snapshot **out, struct exp_error *err)
{
	const char *text = call_arg(c, 1);
	int64_t version = 0;
	int rc = text ? version_number_parse(text, &version, err) : 0;

	return rc ? rc : models_take(c->api->options.models, call_arg(c, 0), version, out, err);
}

static json_t *render_shape(const size_t *dims, size_t rank)
{
	json_t *shape = json_array();

	json_array_append_new(shape, json_integer(-1));
	for (size_t i = 0; i < rank; i++)
		json_array_append_new(shape, json_integer((json_int_t)dims[i]));
	return shape;
}

static json_t *render_tensor(const char *name, const size_t *dims, size_t rank)
{
	return json_pack("[{s:s, s:s, s:o}]", "name", name, "datatype", "FP32", "shape", render_shape(dims, rank));
}

int inference_describe(struct call *c, struct exp_error *err)
{
	struct snapshot *s;
	const size_t *dims;
	size_t rank, outputs[2];
	bool sequence;
	int rc = inference_take(c, &s, err);

	if (rc)
		return rc;
	dims = graph_input_dims(s->graph, &rank);
	outputs[0] = graph_positions(s->graph);
	outputs[1] = graph_classes(s->graph);
	sequence = outputs[0] > 1;
	reply_json(c, 200,
		   json_pack("{s:s, s:[o], s:s, s:o, s:o}", "name", s->model, "versions",
			     json_sprintf("%lld", (long long)s->version), "platform", "onnx_onnxv1", "inputs",
			     render_tensor(graph_input_name(s->graph), dims, rank), "outputs",
			     render_tensor(graph_output_name(s->graph), outputs + !sequence, 1 + sequence)));
	models_give(c->api->options.models, s);
	return 0;
}

int inference_tell_ready(struct call *c, struct exp_error *err)
{
	struct snapshot *s;
	int rc = inference_take(c, &s, err);

	if (rc)
		return rc;
	models_give(c->api->options.models, s);
	reply_json(c, 200, json_pack("{s:s, s:b, s:b}", "name", call_arg(c, 0), "live", true, "ready", true));
	return 0;
}

#include <stdio.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/workbench.h"
#include "engine/batch.h"

struct options {
	struct workbench_options bench;
	const char *out;
};

static int forward_all(struct workbench *w, struct batch *b, float *outputs, struct exp_error *err)
{
	size_t rows = w->source.source.rows, classes = graph_output_floats(w->graph);
	int rc;

	for (size_t first = 0; first < rows; first += b->n) {
		rc = batch_read(b, NULL, first, err);
		if (rc)
			return rc;
		rc = session_forward(w->session, w->params, b->inputs, b->n, outputs + first * classes);
		if (rc)
			return error_set(err, rc, "outputs of rows %zu to %zu: %s", first, first + b->n - 1,
					 error_sentence(rc));
	}
	return 0;
}

static int run_model(struct workbench *w, const char *path, struct exp_error *err)
{
	size_t dims[2] = { w->source.source.rows, graph_output_floats(w->graph) }, count;
	float *outputs = mem_size(dims[0], dims[1], &count) ? mem_try_alloc(count, sizeof(*outputs)) : NULL;
	struct batch b = { 0 };
	int rc;

	if (!outputs)
		return error_set(err, EXP_EMEMORY, "no memory for the outputs of %zu rows", dims[0]);
	rc = batch_init(&b, w->graph, &w->source.source, session_batch(w->session), err);
	if (!rc)
		rc = forward_all(w, &b, outputs, err);
	if (!rc)
		rc = npy_write_f4(path, outputs, dims, 2, err);
	batch_fini(&b);
	mem_free(outputs);
	return rc;
}

static void print_result(const struct command_context *c, const struct workbench *w, const struct options *o)
{
	size_t rows = w->source.source.rows, classes = graph_output_floats(w->graph);
	double scale = (double)w->source.scale;

	if (c->json)
		command_print_json(json_pack("{s:I, s:I, s:f, s:s, s:s}", "rows", (json_int_t)rows, "classes",
					     (json_int_t)classes, "scale", scale, "output", graph_output_name(w->graph),
					     "out", o->out));
	else
		printf("%zu rows of %s (scale %.6g), output \"%s\" [%zu, %zu] written to %s\n", rows,
		       npy_type_name(w->inputs.type), scale, graph_output_name(w->graph), rows, classes, o->out);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct workbench w = { 0 };
	int rc = workbench_check_out(&o->bench, o->out, err);

	if (!rc)
		rc = workbench_open(&w, &o->bench, err);

	if (!rc)
		rc = run_model(&w, o->out, err);
	if (!rc)
		print_result(c, &w, o);
	workbench_close(&w);
	return rc;
}

static const struct option_row rows[] = {
	WORKBENCH_MODEL(struct options),
	WORKBENCH_INPUTS(struct options),
	{ .name = "out",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, out),
	  .value = "Y.npy",
	  .help = "receives the outputs, float32 [rows, classes]" },
	WORKBENCH_SCALE(struct options),
	WORKBENCH_ROWS_AT_ONCE(struct options),
	WORKBENCH_OPEN(struct options),
};

const struct command cmd_onnx_run = {
	.group = "onnx",
	.name = "run",
	.summary = "compute a model's outputs for rows of an npy file",
	.text =
	    "Runs the model forward over all rows and writes its first output as it stands in the graph: logits stay\n"
	    "logits, probabilities stay probabilities. NAME= may say which input is meant; a model has one.",
	.example =
	    "  expunge onnx run examples/digits/model.onnx --inputs examples/digits/inputs.npy --out /tmp/logits.npy",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

#include <stdio.h>

#include "cli/command.h"
#include "cli/progress_line.h"
#include "cli/workbench.h"
#include "engine/accumulate.h"
#include "engine/safetensors.h"

struct options {
	struct workbench_options bench;
	int reduce; /* index into reduces */
	const char *out;
};

static const char *const reduce_names[] = { "sum", "square_sum", NULL };
static const enum session_reduce reduces[] = { SESSION_SUM, SESSION_SQUARE_SUM };

/* The metadata make a square_sum file an importance file: engine/importance.h. */
static int save(const struct params *gradient, const struct workbench *w, const struct options *o,
		struct exp_error *err)
{
	char rows[24];
	json_t *metadata;
	int rc;

	snprintf(rows, sizeof(rows), "%zu", w->source.source.rows);
	metadata = json_pack("{s:s, s:s}", "rows", rows, "reduce", reduce_names[o->reduce]);
	rc = safetensors_save(o->out, gradient, metadata, err);
	json_decref(metadata);
	return rc;
}

static int compute(struct workbench *w, const struct options *o, struct exp_error *err)
{
	struct progress_line line;
	struct accumulation a = { .session = w->session,
				  .at = w->params,
				  .source = &w->source.source,
				  .reduce = reduces[o->reduce],
				  .progress = &line.progress };
	struct params *gradient = NULL;
	int rc;

	progress_line_start(&line, "gradients");
	rc = accumulate(&a, &gradient, err);
	progress_line_end(&line);
	if (!rc)
		rc = save(gradient, w, o, err);
	params_free(gradient);
	return rc;
}

static void print_result(const struct command_context *c, const struct workbench *w, const struct options *o)
{
	size_t rows = w->source.source.rows, tensors = graph_parameter_count(w->graph);
	double scale = (double)w->source.scale;

	if (c->json)
		command_print_json(json_pack("{s:I, s:f, s:s, s:I, s:s}", "rows", (json_int_t)rows, "scale", scale,
					     "reduce", reduce_names[o->reduce], "tensors", (json_int_t)tensors, "out",
					     o->out));
	else
		printf("%s of the gradients of %zu rows of %s (scale %.6g), %zu tensors, written to %s\n",
		       reduce_names[o->reduce], rows, npy_type_name(w->inputs.type), scale, tensors, o->out);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct workbench w = { 0 };
	int rc = workbench_check_out(&o->bench, o->out, err);

	if (!rc)
		rc = workbench_open(&w, &o->bench, err);

	if (!rc)
		rc = compute(&w, o, err);
	if (!rc)
		print_result(c, &w, o);
	workbench_close(&w);
	return rc;
}

static const struct option_row rows[] = {
	WORKBENCH_MODEL(struct options),
	WORKBENCH_INPUTS(struct options),
	WORKBENCH_LABELS(struct options),
	{ .name = "reduce",
	  .kind = OPTION_ENUM,
	  .required = true,
	  .offset = offsetof(struct options, reduce),
	  .names = reduce_names,
	  .help = "what becomes of the gradients of the rows" },
	{ .name = "out",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, out),
	  .value = "G.safetensors",
	  .help = "receives one tensor a parameter" },
	WORKBENCH_SCALE(struct options),
	WORKBENCH_ROWS_AT_ONCE(struct options),
	WORKBENCH_OPEN(struct options),
};

const struct command cmd_onnx_grad = {
	.group = "onnx",
	.name = "grad",
	.summary = "add up the gradients of rows, or their squares (an importance)",
	.text =
	    "The loss of a row is its cross-entropy with the label. `sum` writes the gradient of the summed loss;\n"
	    "`square_sum` squares each row's own gradient before it adds it: the importance that dampening works "
	    "with,\n"
	    "exact per row. Tensors bear the names of the ONNX initializers; the metadata hold the count as `rows`.",
	.example = "  expunge onnx grad examples/digits/model.onnx --inputs examples/digits/inputs.npy \\\n"
		   "      --labels examples/digits/labels.npy --reduce square_sum --out /tmp/importance.safetensors",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

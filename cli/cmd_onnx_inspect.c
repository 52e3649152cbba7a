#include <stdio.h>

#include "cli/command.h"
#include "cli/workbench.h"

struct options {
	struct workbench_options bench;
};

static json_t *dims_to_json(const size_t *dims, size_t rank)
{
	json_t *array = json_array();

	for (size_t i = 0; i < rank; i++)
		json_array_append_new(array, json_integer((json_int_t)dims[i]));
	return array;
}

static json_t *parameters_to_json(const struct graph *g)
{
	json_t *array = json_array();

	for (size_t i = 0; i < graph_parameter_count(g); i++) {
		const struct graph_parameter *p = graph_parameter(g, i);

		json_array_append_new(array, json_pack("{s:s, s:o}", "name", p->name, "shape",
						       dims_to_json(p->dims, p->rank)));
	}
	return array;
}

static json_t *to_json(const struct graph *g)
{
	static const char *const kinds[] = {
		[GRAPH_LOGITS] = "logits",
		[GRAPH_PROBABILITIES] = "probabilities",
		[GRAPH_LOG_PROBABILITIES] = "log_probabilities",
	};
	size_t rank;
	const size_t *dims = graph_input_dims(g, &rank);

	return json_pack("{s:{s:s, s:o}, s:{s:s, s:I, s:s}, s:I, s:o}", "input", "name", graph_input_name(g),
			 "row_shape", dims_to_json(dims, rank), "output", "name", graph_output_name(g), "classes",
			 (json_int_t)graph_classes(g), "kind", kinds[graph_output_kind(g)], "parameter_count",
			 (json_int_t)graph_parameter_floats(g), "parameters", parameters_to_json(g));
}

static void print_text(const struct graph *g, size_t batch)
{
	struct buf text = { 0 };

	graph_describe(g, batch, &text);
	fputs(text.data ? text.data : "", stdout);
	buf_fini(&text);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct workbench w;
	int rc = workbench_open(&w, &o->bench, err);

	if (!rc && c->json)
		command_print_json(to_json(w.graph));
	else if (!rc)
		print_text(w.graph, session_batch(w.session));
	workbench_close(&w);
	return rc;
}

static const struct option_row rows[] = {
	WORKBENCH_MODEL(struct options),
	WORKBENCH_ROWS_AT_ONCE(struct options),
};

const struct command cmd_onnx_inspect = {
	.group = "onnx",
	.name = "inspect",
	.summary = "show what is in an ONNX file, and whether expunge can train it",
	.text =
	    "Reads an ONNX file as the engine does and prints its operators, its input, its output and its "
	    "parameters:\n"
	    "the fp32 initializers that training and unlearning may change. A file that holds something the engine "
	    "does\n"
	    "not know is refused with the name of the node and of the operator. --batch sets the rows at a time that\n"
	    "the estimate of memory is made for.",
	.example = "  expunge onnx inspect examples/cps-wages-1985/model.onnx",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

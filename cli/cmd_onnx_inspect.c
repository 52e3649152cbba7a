#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/table.h"
#include "cli/workbench.h"
#include "engine/describe.h"
#include "engine/onnx_text.h"

/* What protobuf can hold at all. */
#define MODEL_LIMIT ((size_t)1 << 31)

struct options {
	const char *model;
	int64_t batch;
	struct model_options open;
};

static const char *const kinds[] = {
	[GRAPH_LOGITS] = "logits",
	[GRAPH_PROBABILITIES] = "probabilities",
	[GRAPH_LOG_PROBABILITIES] = "log_probabilities",
};

/* ---- JSON ---- */

static json_t *dims_to_json(const size_t *dims, size_t rank)
{
	json_t *array = json_array();

	for (size_t i = 0; i < rank; i++)
		json_array_append_new(array, json_integer((json_int_t)dims[i]));
	return array;
}

/* A dimension that may vary is its symbol, or null. */
static json_t *port_to_json(const struct onnx_port *p)
{
	json_t *dims = p->shaped ? json_array() : json_null();

	for (size_t i = 0; i < p->rank; i++) {
		const struct onnx_dim *d = &p->dims[i];

		json_array_append_new(dims, d->number >= 0 ? json_integer(d->number)
					    : d->symbol    ? json_string(d->symbol)
							   : json_null());
	}
	return json_pack("{s:s, s:s, s:o}", "name", p->name, "type", p->type, "shape", dims);
}

static json_t *ports_to_json(const struct onnx_port *ports, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, port_to_json(&ports[i]));
	return array;
}

static json_t *operators_to_json(const struct description *d)
{
	json_t *array = json_array();

	for (size_t i = 0; i < d->operator_count; i++) {
		const struct onnx_tally *t = &d->operators[i];

		json_array_append_new(array, json_pack("{s:s, s:s, s:I, s:b}", "name", t->op_type, "domain", t->domain,
						       "count", (json_int_t)t->count, "supported", t->known));
	}
	return array;
}

static json_t *gaps_to_json(const struct description *d)
{
	json_t *array = json_array();

	for (size_t i = 0; i < d->gap_count; i++) {
		const struct onnx_gap *g = &d->gaps[i];
		json_t *gap = json_pack("{s:s, s:s}", "operator", g->node->op_type, "node", g->node->name);

		if (g->attribute)
			json_object_set_new(gap, "attribute", json_string(g->attribute));
		json_array_append_new(array, gap);
	}
	return array;
}

static const char *const forms[] = {
	[TORCH_KEPT] = "kept",
	[TORCH_TRANSPOSED] = "transposed",
	[TORCH_RESHAPED] = "reshaped",
	[TORCH_FOLDED] = "batch_norm_folded",
	[TORCH_GATES] = "gates_reordered",
};

static json_t *torch_to_json(const struct describe_weight *w)
{
	json_t *array = json_array();

	for (size_t i = 0; w->torch && i < w->torch->count; i++) {
		const struct torch_name *n = &w->torch->names[i];

		if (n->name)
			json_array_append_new(array, json_pack("{s:s, s:s, s:b}", "name", n->name, "form",
							       forms[n->form], "guess", n->guess));
	}
	return array;
}

static json_t *weights_to_json(const struct description *d)
{
	json_t *array = json_array();

	for (size_t i = 0; i < d->weight_count; i++) {
		const struct describe_weight *w = &d->weights[i];
		json_t *object = json_pack("{s:s, s:o, s:o}", "name", w->name, "shape",
					   dims_to_json(w->shape.dims, w->shape.rank), "pytorch", torch_to_json(w));

		if (w->torch && w->torch->copy_of)
			json_object_set_new(object, "transposed_copy_of", json_string(w->torch->copy_of));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *cost_to_json(const struct describe_cost *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "forward_flops_per_row", (json_int_t)c->forward_flops,
			 "backward_flops_per_row", (json_int_t)c->backward_flops, "batch", (json_int_t)c->batch,
			 "rows_at_once", (json_int_t)c->shard, "forward_bytes", (json_int_t)c->forward_memory,
			 "backward_bytes", (json_int_t)c->backward_memory);
}

static void add_graph(const struct graph *g, json_t *object)
{
	size_t rank;
	const size_t *dims = graph_input_dims(g, &rank);

	json_object_set_new(object, "input",
			    json_pack("{s:s, s:o}", "name", graph_input_name(g), "row_shape",
				      dims_to_json(dims, rank)));
	json_object_set_new(object, "output",
			    json_pack("{s:s, s:I, s:I, s:s}", "name", graph_output_name(g), "classes",
				      (json_int_t)graph_classes(g), "positions", (json_int_t)graph_positions(g), "kind",
				      kinds[graph_output_kind(g)]));
	json_object_set_new(object, "options", graph_options_to_json(graph_options(g)));
	json_object_set_new(object, "parameter_count", json_integer((json_int_t)graph_parameter_floats(g)));
	json_object_set_new(object, "trainable_count", json_integer((json_int_t)graph_trainable_floats(g)));
}

static json_t *to_json(const struct description *d)
{
	json_t *object =
	    json_pack("{s:b, s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "accepted", d->graph != NULL, "opset",
		      (json_int_t)d->file.opset, "producer", d->file.producer, "inputs",
		      ports_to_json(d->file.inputs, d->file.input_count), "outputs",
		      ports_to_json(d->file.outputs, d->file.output_count), "operators", operators_to_json(d),
		      "unsupported", gaps_to_json(d), "parameters", weights_to_json(d));

	if (!d->graph)
		return object;
	add_graph(d->graph, object);
	json_object_set_new(object, "cost", cost_to_json(&d->cost));
	return object;
}

/* ---- text ---- */

static void print_ports(const char *what, const struct onnx_port *ports, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct onnx_port *p = &ports[i];

		printf("%-12s%s, %s", i ? "" : what, p->name, p->type);
		for (size_t k = 0; k < p->rank; k++) {
			printf(k ? ", " : " [");
			if (p->dims[k].number >= 0)
				printf("%" PRId64, p->dims[k].number);
			else
				fputs(p->dims[k].symbol ? p->dims[k].symbol : "?", stdout);
		}
		puts(!p->shaped ? "" : p->rank ? "]" : " []");
	}
}

static void print_operators(const struct description *d)
{
	static const char *const heads[] = { "nodes", "operator", "" };
	struct table t;

	table_init(&t, "rll", heads);
	for (size_t i = 0; i < d->operator_count; i++) {
		const struct onnx_tally *o = &d->operators[i];

		table_format(&t, "%zu", o->count);
		table_format(&t, "%s%s%s", o->domain, *o->domain ? "." : "", o->op_type);
		table_add(&t, o->known ? "" : "not supported");
	}
	puts("");
	table_print(&t);
	table_fini(&t);
}

static void print_gaps(const struct description *d)
{
	static const char *const heads[] = { "not supported", "node" };
	struct table t;

	if (!d->gap_count)
		return;
	table_init(&t, "ll", heads);
	for (size_t i = 0; i < d->gap_count; i++) {
		const struct onnx_gap *g = &d->gaps[i];

		table_format(&t, "%s%s%s", g->node->op_type, g->attribute ? ", attribute " : "",
			     g->attribute ? g->attribute : "");
		if (*g->node->name)
			table_add(&t, g->node->name);
		else
			table_format(&t, "number %td, without a name", g->node - d->file.nodes);
	}
	puts("");
	table_print(&t);
	table_fini(&t);
}

static void print_weights(const struct description *d)
{
	static const char *const heads[] = { "parameter", "shape", "in PyTorch, where it is another" };
	struct table t;

	table_init(&t, "lll", heads);
	for (size_t i = 0; i < d->weight_count; i++) {
		const struct describe_weight *w = &d->weights[i];
		char shape[SHAPE_TEXT];
		struct buf names = { 0 };

		describe_torch_names(w, &names);
		table_add(&t, w->name);
		table_add(&t, shape_format(&w->shape, shape));
		table_add(&t, names.data ? names.data : "");
		buf_fini(&names);
	}
	puts("");
	table_print(&t);
	table_fini(&t);
}

static void print_quantity(double number, const char *unit)
{
	static const char *const prefixes[] = { "", "k", "M", "G", "T", "P" };
	size_t i = 0;

	for (; number >= 1000 && i + 1 < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		number /= 1000;
	printf("%.3g %s%s", number, prefixes[i], unit);
}

static void print_cost(const struct describe_cost *c)
{
	printf("%-12s", "work");
	print_quantity((double)c->forward_flops, "FLOP");
	printf(" a row forward, ");
	print_quantity((double)c->backward_flops, "FLOP");
	printf(" for all gradients\n%-12s", "memory");
	print_quantity((double)c->forward_memory, "B");
	printf(" forward, ");
	print_quantity((double)c->backward_memory, "B");
	printf(" with gradients, a thread; of %zu rows it takes %zu at once\n", c->batch, c->shard);
}

static void print_row(const struct graph *g)
{
	const size_t *dims;
	struct shape row = { 0 };
	char text[SHAPE_TEXT];

	dims = graph_input_dims(g, &row.rank);
	memcpy(row.dims, dims, row.rank * sizeof(*dims));
	printf("%-12s%s\n", "a row", shape_format(&row, text));
}

static void print_frozen(const struct graph_options *o)
{
	for (size_t i = 0; i < o->frozen_count; i++)
		printf("%-12s%s\n", i ? "" : "frozen", o->frozen[i]);
}

static void print_graph(const struct graph *g, const struct describe_cost *cost)
{
	size_t statistics = graph_parameter_floats(g) - graph_trainable_floats(g);

	print_row(g);
	printf("%-12s%s of %zu classes", "read as", kinds[graph_output_kind(g)], graph_classes(g));
	if (graph_positions(g) > 1)
		printf(" at each of %zu positions", graph_positions(g));
	printf("\n%-12s%zu in %zu tensors", "parameters", graph_parameter_floats(g), graph_parameter_count(g));
	if (statistics)
		printf(", %zu of them statistics", statistics);
	puts("");
	print_frozen(graph_options(g));
	print_cost(cost);
}

static void print_text(const struct description *d)
{
	printf("%-12s%s%sopset %" PRId64 "\n", "file", d->file.producer, *d->file.producer ? ", " : "", d->file.opset);
	print_ports("input", d->file.inputs, d->file.input_count);
	print_ports("output", d->file.outputs, d->file.output_count);
	if (d->graph)
		print_graph(d->graph, &d->cost);
	print_operators(d);
	print_gaps(d);
	print_weights(d);
}

static int describe_file(const struct options *o, struct description *d, struct exp_error *err)
{
	struct graph_options open;
	struct arena arena = { 0 };
	struct buf file = { 0 };
	int rc = model_options_read(&o->open, &arena, &open, err);

	if (!rc)
		rc = file_read(o->model, MODEL_LIMIT, &file, err);
	if (!rc) {
		rc = describe(file.data, file.size, o->batch ? (size_t)o->batch : WORKBENCH_BATCH, &open, d, err);
		if (rc)
			error_wrap(err, rc, "%s", o->model);
	}
	buf_fini(&file);
	arena_fini(&arena);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct description d;
	int rc = describe_file(o, &d, err);

	if (rc)
		return rc;
	if (c->json)
		command_print_json(to_json(&d));
	else
		print_text(&d);
	if (!d.graph)
		rc = error_set(err, d.refusal.code, "%s: %s", o->model, d.refusal.message);
	description_fini(&d);
	return rc;
}

static const struct option_row rows[] = {
	{ .name = "FILE",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, model),
	  .help = "the model, an ONNX file" },
	{ .name = "batch",
	  .kind = OPTION_INT,
	  .offset = offsetof(struct options, batch),
	  .value = "N",
	  .min = 1,
	  .max = 65536,
	  .help = "rows of a call that the memory is worked out for; default 256" },
	MODEL_OPTIONS_ROWS(struct options, open),
};

const struct command cmd_onnx_inspect = {
	.group = "onnx",
	.name = "inspect",
	.summary = "show what is in an ONNX file, and whether expunge can train it",
	.text =
	    "Prints the file's inputs and outputs, its operators, its parameters (the fp32 initializers that training\n"
	    "and unlearning may change), and what a pass costs. PyTorch's exporter renames, transposes, folds and\n"
	    "merges weights: beside each stands the name that it has in PyTorch; \"probably\" marks a name that was\n"
	    "worked out from the place of an operator alone. A file that holds something that the engine does not\n"
	    "know is shown too, with every unsupported operator and attribute; the exit status is then 3.\n"
	    "Dimensions that the file leaves open are shown by their symbols; all but the first, the batch, need\n"
	    "--size or --shape, here and wherever the model is loaded.",
	.example = "  expunge onnx inspect examples/cps-wages-1985/model.onnx",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

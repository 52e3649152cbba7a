#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/show.h"
#include "engine/npy.h"

/* Numbers of one call: well below the daemon's limit of a body, at up to 25 characters each. */
enum { CALL_NUMBERS = 1 << 18 };

struct options {
	struct remote_options remote;
	const char *name, *inputs, *out;
	double scale;
};

/* Rows on their way through /v2, and the answers as they come. */
struct prediction {
	const struct options *options;
	char *base;  /* "/v2/models/NAME" */
	char *input; /* the input's name */
	struct npy rows;
	struct npy_source source;
	float *outputs; /* [rows, classes] */
	size_t classes;
	char *version, *sha256; /* of the last answer */
};

static int describe(struct remote *r, struct prediction *p, struct exp_error *err)
{
	json_t *model;
	const json_t *input, *output;
	json_int_t classes;
	int rc = remote_get(r, p->base, &model, err);

	if (rc)
		return rc;
	input = json_array_get(json_object_get(model, "inputs"), 0);
	output = json_array_get(json_object_get(model, "outputs"), 0);
	classes = json_integer_value(json_array_get(json_object_get(output, "shape"), 1));
	if (classes < 1)
		rc = error_set(err, EXP_ENETWORK, "the server does not say what the model puts out");
	p->input = mem_strdup(remote_text(input, "name"));
	p->classes = (size_t)classes;
	json_decref(model);
	return rc;
}

static json_t *tensor_of(const struct prediction *p, const float *values, size_t n)
{
	json_t *shape = json_array(), *data = json_array();

	json_array_append_new(shape, json_integer((json_int_t)n));
	for (size_t i = 1; i < p->rows.rank; i++)
		json_array_append_new(shape, json_integer((json_int_t)p->rows.dims[i]));
	for (size_t i = 0; i < n * p->source.source.row_floats; i++)
		json_array_append_new(data, json_real((double)values[i]));
	return json_pack("{s:[{s:s, s:s, s:o, s:o}]}", "inputs", "name", p->input, "datatype", "FP32", "shape", shape,
			 "data", data);
}

static int take_outputs(struct prediction *p, const json_t *answer, size_t first, size_t n, struct exp_error *err)
{
	const json_t *output = json_array_get(json_object_get(answer, "outputs"), 0);
	const json_t *data = json_object_get(output, "data");

	if (json_array_size(data) != n * p->classes)
		return error_set(err, EXP_ENETWORK, "the server answered with %zu numbers where %zu were due",
				 json_array_size(data), n * p->classes);
	for (size_t i = 0; i < n * p->classes; i++)
		p->outputs[first * p->classes + i] = (float)json_number_value(json_array_get(data, i));
	mem_free(p->version);
	mem_free(p->sha256);
	p->version = mem_strdup(remote_text(answer, "model_version"));
	p->sha256 = mem_strdup(remote_text(json_object_get(answer, "parameters"), "weights_sha256"));
	return 0;
}

static int infer(struct remote *r, struct prediction *p, size_t first, size_t n, float *values, struct exp_error *err)
{
	char *path = mem_format("%s/infer", p->base);
	json_t *body = tensor_of(p, values, n), *answer;
	int rc = remote_post(r, path, body, &answer, err);

	json_decref(body);
	mem_free(path);
	if (rc)
		return rc;
	rc = take_outputs(p, answer, first, n, err);
	json_decref(answer);
	return rc;
}

static int infer_chunk(struct remote *r, struct prediction *p, size_t first, size_t n, struct exp_error *err)
{
	size_t *index = mem_try_alloc(n, sizeof(*index));
	float *values = mem_try_alloc(n, p->source.source.row_floats * sizeof(*values));
	int32_t *labels = mem_try_alloc(n, sizeof(*labels));
	int rc = EXP_EMEMORY;

	if (index && values && labels) {
		for (size_t i = 0; i < n; i++)
			index[i] = first + i;
		rc = p->source.source.read(&p->source.source, index, n, values, labels);
	}
	if (rc)
		rc = error_set(err, rc, "rows %zu to %zu: %s", first, first + n - 1, error_sentence(rc));
	else
		rc = infer(r, p, first, n, values, err);
	mem_free(index);
	mem_free(values);
	mem_free(labels);
	return rc;
}

static int infer_all(struct remote *r, struct prediction *p, struct exp_error *err)
{
	size_t rows = p->source.source.rows, chunk = CALL_NUMBERS / (p->source.source.row_floats + p->classes) + 1;
	int rc = 0;

	p->outputs = mem_try_alloc(rows, p->classes * sizeof(*p->outputs));
	if (!p->outputs)
		return error_set(err, EXP_EMEMORY, "no memory for the outputs of %zu rows", rows);
	for (size_t first = 0; !rc && first < rows; first += chunk)
		rc = infer_chunk(r, p, first, rows - first < chunk ? rows - first : chunk, err);
	return rc;
}

static int predict(struct remote *r, void *arg, struct exp_error *err)
{
	struct prediction *p = arg;
	int rc = describe(r, p, err);

	return rc ? rc : infer_all(r, p, err);
}

static int open_rows(struct prediction *p, struct exp_error *err)
{
	const struct options *o = p->options;
	int rc = npy_open(o->inputs, &p->rows, err);

	if (rc)
		return rc;
	return npy_source_init(&p->source, &p->rows, NULL, o->scale > 0 ? (float)o->scale : 1.0f, 0, err);
}

static void print_result(const struct command_context *c, const struct prediction *p)
{
	size_t rows = p->source.source.rows;

	if (c->json)
		command_print_json(json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "model", p->options->name, "version",
					     p->version, "weights_sha256", p->sha256, "rows", (json_int_t)rows,
					     "classes", (json_int_t)p->classes, "out", p->options->out));
	else
		printf("%zu rows through version %s of model %s (weights %.16s...), outputs [%zu, %zu] written to %s\n",
		       rows, p->version, p->options->name, p->sha256, rows, p->classes, p->options->out);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	struct prediction p = { .options = options };
	int rc = open_rows(&p, err);

	p.base = remote_path("/v2/models", p.options->name);
	if (!rc)
		rc = remote_run(&p.options->remote, predict, &p, err);
	if (!rc)
		rc = npy_write_f4(p.options->out, p.outputs, (size_t[]){ p.source.source.rows, p.classes }, 2, err);
	if (!rc)
		print_result(c, &p);
	npy_close(&p.rows);
	mem_free(p.base);
	mem_free(p.input);
	mem_free(p.outputs);
	mem_free(p.version);
	mem_free(p.sha256);
	return rc;
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	{ .name = "NAME", .kind = OPTION_TEXT, .required = true, AT(name), .help = "the model's name" },
	{ .name = "inputs",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(inputs),
	  .value = "X.npy",
	  .help = "rows of float32, float64 or uint8, [rows, ...]" },
	{ .name = "out",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(out),
	  .value = "Y.npy",
	  .help = "receives the outputs, float32 [rows, classes]" },
	{ .name = "scale",
	  .kind = OPTION_NUMBER,
	  AT(scale),
	  .value = "S",
	  .min = 1e-12,
	  .max = 1e12,
	  .help = "multiplies every input; default 1" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_model_predict = {
	.group = "model",
	.name = "predict",
	.summary = "run rows through the served model",
	.text =
	    "Sends the rows through the Open Inference Protocol (/v2/models/NAME/infer) and writes the model's output "
	    "as\n"
	    "it stands in the graph: logits stay logits. Says which version answered. Rows are sent in several calls\n"
	    "when there are many; a deletion that is published in between changes the version.",
	.example =
	    "  expunge model predict occupation --inputs examples/cps-wages-1985/inputs.npy --out /tmp/logits.npy",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

#include <stdio.h>

#include "base/mem.h"
#include "cli/dataset_view.h"
#include "cli/show.h"

enum { FILES = 3, IMPORT_TIMEOUT_S = 30 * 60 };

struct options {
	struct remote_options remote;
	const char *name;
	const char *files[FILES];
	double scale;
	int64_t classes;
	bool is_import;
};

struct work {
	const struct options *options;
	json_t *answer;
};

static const char *const file_names[FILES] = { "inputs", "labels", "rows" };

static int upload_one(struct remote *r, const struct options *o, size_t i, struct exp_error *err)
{
	char *dataset = remote_path("/v1/datasets", o->name);
	char *path = mem_format("%s/files/%s", dataset, file_names[i]);
	struct remote_answer answer;
	int rc =
	    remote_send(r, &(struct remote_call){ .method = "PUT", .path = path, .file = o->files[i] }, &answer, err);

	if (!rc)
		json_decref(answer.json);
	mem_free(dataset);
	mem_free(path);
	return rc;
}

static json_t *body_of(const struct options *o)
{
	json_t *body = json_pack("{s:s}", "name", o->name);

	for (size_t i = 0; o->is_import && i < FILES; i++)
		json_object_set_new(body, file_names[i], json_string(o->files[i]));
	if (!o->is_import)
		json_object_set_new(body, "uploaded", json_true());
	if (o->scale > 0)
		json_object_set_new(body, "scale", json_real(o->scale));
	if (o->classes)
		json_object_set_new(body, "classes", json_integer(o->classes));
	return body;
}

static int do_it(struct remote *r, void *arg, struct exp_error *err)
{
	struct work *w = arg;
	struct remote_answer answer;
	json_t *body = body_of(w->options);
	int rc = 0;

	for (size_t i = 0; !rc && !w->options->is_import && i < FILES; i++)
		rc = upload_one(r, w->options, i, err);
	if (!rc)
		rc = remote_send(r,
				 &(struct remote_call){ .method = "POST",
							.path = "/v1/datasets",
							.body = body,
							.timeout_s = IMPORT_TIMEOUT_S },
				 &answer, err);
	if (!rc)
		w->answer = answer.json;
	json_decref(body);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	struct work w = { .options = options };
	int rc = remote_run(&w.options->remote, do_it, &w, err);

	if (rc)
		return rc;
	show_answer(c, w.answer, dataset_view_print);
	json_decref(w.answer);
	return 0;
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	{ .name = "NAME", .kind = OPTION_TEXT, .required = true, AT(name), .help = "what the dataset is called" },
	{ .name = "inputs",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(files[0]),
	  .value = "X.npy",
	  .help = "float32 or uint8, [rows, ...]" },
	{ .name = "labels",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(files[1]),
	  .value = "Y.npy",
	  .help = "one whole number a row, the class, counting from 0" },
	{ .name = "rows",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(files[2]),
	  .value = "rows.csv",
	  .help = "sample_id,subject,split in the order of the rows" },
	{ .name = "scale",
	  .kind = OPTION_NUMBER,
	  AT(scale),
	  .value = "S",
	  .min = 1e-12,
	  .max = 1e12,
	  .help = "multiplies uint8 inputs; default 1" },
	{ .name = "classes",
	  .kind = OPTION_INT,
	  AT(classes),
	  .value = "N",
	  .min = 1,
	  .max = 1000000,
	  .help = "labels must lie below it; default the largest label + 1" },
	{ .name = "import",
	  .kind = OPTION_FLAG,
	  AT(is_import),
	  .help = "the files are paths on the daemon's machine, below its import root" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_dataset_register = {
	.group = "dataset",
	.name = "register",
	.summary = "give the daemon the rows that a model is trained on, and rows that it never saw",
	.text = "rows.csv says of each row whose it is: `subject` is type:value (worker:w0042, email:a@b.example) or "
		"empty,\n"
		"`split` is train or heldout, and nobody may be in both. The rows are copied into the data folder. "
		"Subjects\n"
		"are kept as keyed hashes only and the CSV is not kept. The files are uploaded, or with --import read "
		"by the\n"
		"daemon itself; your own originals stay where they are and are out of its reach.",
	.example = "  cd examples/cps-wages-1985\n"
		   "  expunge dataset register wages --inputs inputs.npy --labels labels.npy --rows rows.csv",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/follow.h"
#include "cli/model_options.h"
#include "cli/model_view.h"
#include "cli/show.h"

enum { JSON_FILE_MAX = 1 << 20, CHECK_TIMEOUT_S = 30 * 60 };

struct options {
	struct remote_options remote;
	const char *name, *dataset, *onnx, *recipe, *policy;
	struct model_options open;
	bool is_import, wait;
};

struct work {
	const struct command_context *context;
	const struct options *options;
	json_t *body;
};

static int read_json(const char *path, json_t **out, struct exp_error *err)
{
	struct buf text = { 0 };
	int rc = file_read(path, JSON_FILE_MAX, &text, err);

	if (!rc)
		rc = json_parse(text.data ? text.data : "", text.size, out, err);
	if (rc)
		error_wrap(err, rc, "%s", path);
	buf_fini(&text);
	return rc;
}

static int add_file(json_t *body, const char *field, const char *path, struct exp_error *err)
{
	json_t *value;
	int rc = path ? read_json(path, &value, err) : 0;

	if (!rc && path)
		json_object_set_new(body, field, value);
	return rc;
}

static int make_body(const struct options *o, json_t **out, struct exp_error *err)
{
	json_t *body = json_pack("{s:s, s:s}", "name", o->name, "dataset", o->dataset);
	int rc;

	if (o->is_import)
		json_object_set_new(body, "onnx", json_string(o->onnx));
	else
		json_object_set_new(body, "uploaded", json_true());
	rc = add_file(body, "recipe", o->recipe, err);
	if (!rc)
		rc = add_file(body, "policy", o->policy, err);
	if (!rc)
		rc = model_options_to_json(&o->open, body, err);
	if (rc)
		json_decref(body);
	else
		*out = body;
	return rc;
}

static int upload(struct remote *r, const struct options *o, struct exp_error *err)
{
	char *model = remote_path("/v1/models", o->name), *path = mem_format("%s/files/onnx", model);
	struct remote_answer answer;
	int rc = remote_send(r, &(struct remote_call){ .method = "PUT", .path = path, .file = o->onnx }, &answer, err);

	if (!rc)
		json_decref(answer.json);
	mem_free(model);
	mem_free(path);
	return rc;
}

static int show_model(const struct work *w, struct remote *r, struct exp_error *err)
{
	char *path = remote_path("/v1/models", w->options->name);
	json_t *model;
	int rc = remote_get(r, path, &model, err);

	if (!rc) {
		show_answer(w->context, model, model_view_print);
		json_decref(model);
	}
	mem_free(path);
	return rc;
}

static int wait_for_end(const struct work *w, struct remote *r, const json_t *accepted, struct exp_error *err)
{
	json_t *last = NULL;
	int rc = follow_job(r, remote_text(accepted, "job"), w->context->json, &last, err);

	json_decref(last);
	return rc ? rc : show_model(w, r, err);
}

static void print_accepted(const json_t *answer)
{
	model_view_print(answer);
	printf("registration goes on as job %s\n", remote_text(answer, "job"));
}

static int do_it(struct remote *r, void *arg, struct exp_error *err)
{
	const struct work *w = arg;
	struct remote_call call = {
		.method = "POST", .path = "/v1/models", .body = w->body, .timeout_s = CHECK_TIMEOUT_S
	};
	struct remote_answer answer;
	int rc = w->options->is_import ? 0 : upload(r, w->options, err);

	if (!rc)
		rc = remote_send(r, &call, &answer, err);
	if (rc)
		return rc;
	if (w->options->wait)
		rc = wait_for_end(w, r, answer.json, err);
	else
		show_answer(w->context, answer.json, print_accepted);
	json_decref(answer.json);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	struct work w = { .context = c, .options = options };
	int rc = make_body(w.options, &w.body, err);

	if (!rc)
		rc = remote_run(&w.options->remote, do_it, &w, err);
	json_decref(w.body);
	return rc;
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	{ .name = "NAME", .kind = OPTION_TEXT, .required = true, AT(name), .help = "what the model is called" },
	{ .name = "dataset",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(dataset),
	  .value = "D",
	  .help = "the registered dataset that it was trained on" },
	{ .name = "onnx",
	  .kind = OPTION_TEXT,
	  .required = true,
	  AT(onnx),
	  .value = "M.onnx",
	  .help = "the trained model" },
	{ .name = "recipe",
	  .kind = OPTION_TEXT,
	  AT(recipe),
	  .value = "R.json",
	  .help = "how it was trained; without one there is no evidence and no exact retraining" },
	{ .name = "policy",
	  .kind = OPTION_TEXT,
	  AT(policy),
	  .value = "P.json",
	  .help = "rules of verification and escalation that differ from the default ones" },
	MODEL_OPTIONS_ROWS(struct options, open),
	{ .name = "import",
	  .kind = OPTION_FLAG,
	  AT(is_import),
	  .help = "--onnx is a path on the daemon's machine, below its import root" },
	{ .name = "wait", .kind = OPTION_FLAG, AT(wait), .help = "follow the registration to its end" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_model_register = {
	.group = "model",
	.name = "register",
	.summary = "have the daemon serve a model, and prepare it for deletions",
	.text = "The file, its shapes, the recipe and the policy are checked before anything is stored; then the model "
		"serves\n"
		"at once. A job computes importances, trains a few full models to see that the recipe gives models "
		"like this\n"
		"one, and trains reference models in folds that leave out a tenth of the subjects each. Deletions that "
		"come\n"
		"meanwhile wait for it. Registration is resumed after a restart.",
	.example = "  cd examples/cps-wages-1985\n"
		   "  expunge model register occupation --dataset wages --onnx model.onnx --recipe recipe.json --wait",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

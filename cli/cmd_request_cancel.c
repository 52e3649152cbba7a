#include "base/mem.h"
#include "cli/request_view.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *id, *reason;
};

struct work {
	const struct options *options;
	json_t *answer;
};

static int cancel(struct remote *r, void *arg, struct exp_error *err)
{
	struct work *w = arg;
	char *request = remote_path("/v1/deletion-requests", w->options->id), *path = mem_format("%s/cancel", request);
	json_t *body = json_pack("{s:s*}", "reason", w->options->reason);
	int rc = remote_post(r, path, body, &w->answer, err);

	json_decref(body);
	mem_free(request);
	mem_free(path);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	struct work w = { .options = options };
	int rc = remote_run(&w.options->remote, cancel, &w, err);

	if (rc)
		return rc;
	show_answer(c, w.answer, request_view_print_head);
	json_decref(w.answer);
	return 0;
}

static const struct option_row rows[] = {
	{ .name = "ID",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, id),
	  .help = "the request's id" },
	{ .name = "reason",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct options, reason),
	  .value = "WORD",
	  .help = "one word of a-z, 0-9 and _; no free text, which could name a person" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_request_cancel = {
	.group = "request",
	.name = "cancel",
	.summary = "take a request back before a worker has its job",
	.text = "The person's rows become live again, unless another request wants them gone. Once a worker has the "
		"job the\n"
		"request stays: the person may be out of the published model at any moment.",
	.example = "  expunge request cancel 01900000-0000-7000-8000-000000000000 --reason withdrawn",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

#include "base/mem.h"
#include "cli/request_view.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *id, *reason;
	bool wait;
};

struct work {
	const struct command_context *context;
	const struct options *options;
};

static int post(struct remote *r, const struct options *o, json_t **answer, struct exp_error *err)
{
	char *request = remote_path("/v1/deletion-requests", o->id), *path = mem_format("%s/retry", request);
	json_t *body = json_pack("{s:s*}", "reason", o->reason);
	int rc = remote_post(r, path, body, answer, err);

	json_decref(body);
	mem_free(request);
	mem_free(path);
	return rc;
}

static int retry(struct remote *r, void *arg, struct exp_error *err)
{
	const struct work *w = arg;
	json_t *answer;
	int rc = post(r, w->options, &answer, err);

	if (rc)
		return rc;
	if (!w->options->wait || !w->context->json)
		show_answer(w->context, answer, request_view_print_head);
	if (w->options->wait)
		rc = request_view_follow(w->context, r, w->options->id, err);
	json_decref(answer);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct work w = { c, o };

	return remote_run(&o->remote, retry, &w, err);
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
	  .help = "one word of a-z, 0-9 and _ for the timeline; no free text, which could name a person" },
	{ .name = "wait",
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct options, wait),
	  .help = "follow it to its end, then show it" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_request_retry = {
	.group = "request",
	.name = "retry",
	.summary = "take up again a request that failed",
	.text = "Nothing is tried again by itself: a request fails when no method of the policy was accepted or a job "
		"broke, and\n"
		"waits for a person to change what was wrong. Its rows stay tombstoned and its due date stays. Each "
		"model on\n"
		"which it is not completed gets a job again. For tokens of the roles ml_engineer and admin.\n"
		"\n"
		"With --wait the exit status is 0 only when the request ends as completed. That reads the request, "
		"which a\n"
		"token of an ml_engineer may not: then see `expunge job list`.",
	.example = "  expunge request retry 01900000-0000-7000-8000-000000000000 --reason memory_added --wait",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

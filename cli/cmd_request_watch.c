#include "cli/follow.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *id;
};

struct work {
	const struct command_context *context;
	const char *id;
};

static int watch(struct remote *r, void *arg, struct exp_error *err)
{
	const struct work *w = arg;
	json_t *last = NULL;
	int rc = follow_request(r, w->id, w->context->json, &last, err);

	if (last && w->context->json)
		command_print_json(json_incref(last));
	json_decref(last);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct work w = { c, o->id };

	return remote_run(&o->remote, watch, &w, err);
}

static const struct option_row rows[] = {
	{ .name = "ID",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, id),
	  .help = "the request's id" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_request_watch = {
	.group = "request",
	.name = "watch",
	.summary = "follow a request to its end: phases, progress, verdicts as they come",
	.text =
	    "Prints a line when something becomes of the request, with the seconds since the start of watching; on a\n"
	    "terminal also how far the present phase is. Exit status 0 when the request ends as completed, 1 "
	    "otherwise.",
	.example = "  expunge request watch 01900000-0000-7000-8000-000000000000",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

#include "cli/request_view.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *id;
};

struct work {
	const struct command_context *context;
	const char *id;
};

static int show(struct remote *r, void *arg, struct exp_error *err)
{
	const struct work *w = arg;
	struct request_view view;
	int rc = request_view_load(r, w->id, &view, err);

	if (rc)
		return rc;
	if (w->context->json)
		command_print_json(json_incref(view.request));
	else
		request_view_print(&view);
	request_view_fini(&view);
	return 0;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct work w = { c, o->id };

	return remote_run(&o->remote, show, &w, err);
}

static const struct option_row rows[] = {
	{ .name = "ID",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, id),
	  .help = "the request's id" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_request_show = {
	.group = "request",
	.name = "show",
	.summary = "show a request with the evidence for every model and attempt",
	.text = "The table of a model compares how it treats the person's rows: what models that never saw the person "
		"do on\n"
		"average, what the unchanged model did, and what each attempt made of it. Statistics are signed so "
		"that more\n"
		"means more like a row that was trained on. z is the distance from the models that never saw the "
		"person, in\n"
		"their standard deviations; p is the share of sets of held-out rows that look as conspicuous. A pass "
		"needs a\n"
		"test that would have flagged the unchanged model; power says how often it flags models that saw the "
		"person.\n"
		"Attempts are shown to tokens that may see jobs; a submitter sees the published one.",
	.example = "  expunge request show 01900000-0000-7000-8000-000000000000",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

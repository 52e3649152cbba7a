#include "cli/model_view.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *name;
};

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;

	return show_part(c, &o->remote, "/v1/models", o->name, model_view_print, err);
}

static const struct option_row rows[] = {
	{ .name = "NAME",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, name),
	  .help = "the model's name" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_model_show = {
	.group = "model",
	.name = "show",
	.summary = "show a model: its versions, and what limits its verdicts",
	.text = "Every deletion makes a new version. One is live; those before it are drained and destroyed. With "
		"--json the\n"
		"recipe and the policy are shown too.",
	.example = "  expunge model show occupation",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

#include "cli/dataset_view.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *name;
};

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;

	return show_part(c, &o->remote, "/v1/datasets", o->name, dataset_view_print, err);
}

static const struct option_row rows[] = {
	{ .name = "NAME",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, name),
	  .help = "the dataset's name" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_dataset_show = {
	.group = "dataset",
	.name = "show",
	.summary = "show a dataset: its shape, and how many rows are live, tombstoned or erased",
	.text = "A tombstoned row belongs to a request that is under way and is read by nothing new; an erased row has "
		"been\n"
		"overwritten and nobody's any more.",
	.example = "  expunge dataset show wages",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

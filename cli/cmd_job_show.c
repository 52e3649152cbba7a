#include "cli/job_view.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *id;
};

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;

	return show_part(c, &o->remote, "/v1/jobs", o->id, job_view_print, err);
}

static const struct option_row rows[] = {
	{ .name = "ID",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, id),
	  .help = "the job's id" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_job_show = {
	.group = "job",
	.name = "show",
	.summary = "show a job: where it stands, and each attempt with its verdict",
	.text =
	    "An attempt that was discarded stays visible, with the reason. --json holds the evidence of every verdict.",
	.example = "  expunge job show 01900000-0000-7000-8000-000000000000",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

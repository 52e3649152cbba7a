#include "base/mem.h"
#include "cli/job_view.h"
#include "cli/show.h"

struct options {
	struct remote_options remote;
	const char *id;
};

struct work {
	const struct options *options;
	json_t *answer;
};

static int cancel(struct remote *r, void *arg, struct exp_error *err)
{
	struct work *w = arg;
	char *job = remote_path("/v1/jobs", w->options->id), *path = mem_format("%s/cancel", job);
	int rc = remote_post(r, path, NULL, &w->answer, err);

	mem_free(job);
	mem_free(path);
	return rc;
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	struct work w = { .options = options };
	int rc = remote_run(&w.options->remote, cancel, &w, err);

	if (rc)
		return rc;
	show_answer(c, w.answer, job_view_print);
	json_decref(w.answer);
	return 0;
}

static const struct option_row rows[] = {
	{ .name = "ID",
	  .kind = OPTION_TEXT,
	  .required = true,
	  .offset = offsetof(struct options, id),
	  .help = "the job's id" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_job_cancel = {
	.group = "job",
	.name = "cancel",
	.summary = "ask a registration to stop",
	.text =
	    "A registration that waits is cancelled at once; one that runs stops at its next safe point. A job that "
	    "serves deletion\n"
	    "requests is owed to somebody and cannot be cancelled: cancel the requests while it waits.",
	.example = "  expunge job cancel 01900000-0000-7000-8000-000000000000",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

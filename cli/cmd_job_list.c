#include "cli/job_view.h"
#include "cli/show.h"
#include "cli/table.h"

struct options {
	struct remote_options remote;
	const char *model, *state;
	int64_t limit;
};

static void print_jobs(const json_t *answer)
{
	static const char *const heads[] = { "ID", "KIND", "MODEL", "STATE", "PROGRESS", "DUE", "UPDATED" };
	struct table t;
	json_t *j;
	size_t i;

	table_init(&t, "lllllll", heads);
	json_array_foreach(json_object_get(answer, "items"), i, j) {
		struct buf progress = { 0 };

		job_view_progress(j, &progress);
		table_add(&t, remote_text(j, "id"));
		table_add(&t, remote_text(j, "kind"));
		table_add(&t, remote_text(j, "model"));
		table_add(&t, remote_text(j, "state"));
		table_add(&t, progress.size ? progress.data : "-");
		table_add(&t, remote_text(j, "due_at"));
		table_add(&t, remote_text(j, "updated_at"));
		buf_fini(&progress);
	}
	table_print(&t);
	table_fini(&t);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct remote_query q = { 0 };
	int rc;

	remote_query_start(&q, "/v1/jobs");
	remote_query_add(&q, "model", o->model);
	remote_query_add(&q, "state", o->state);
	remote_query_add_int(&q, "page_size", o->limit);
	rc = show_path(c, &o->remote, q.path.data, print_jobs, err);
	remote_query_fini(&q);
	return rc;
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	{ .name = "model", .kind = OPTION_TEXT, AT(model), .value = "NAME", .help = "of this model only" },
	{ .name = "state",
	  .kind = OPTION_TEXT,
	  AT(state),
	  .value = "STATE",
	  .help = "in this state only: queued, done, ..." },
	{ .name = "limit",
	  .kind = OPTION_INT,
	  AT(limit),
	  .value = "N",
	  .min = 1,
	  .max = 500,
	  .help = "at most so many; default 50" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_job_list = {
	.group = "job",
	.name = "list",
	.summary = "list jobs: registrations, deletions, retrainings",
	.text = "A job is one run over one model; a job of kind unlearn or retrain may serve several requests at once.",
	.example = "  expunge job list --model occupation",
	COMMAND_OPTIONS(rows, struct options),
	.defaults = &(const struct options){ .limit = 50 },
	.run = run,
};

#include <stdio.h>

#include "cli/show.h"
#include "cli/table.h"

struct options {
	struct remote_options remote;
	const char *status, *outcome, *verdict, *model, *due_before, *page_token;
	int64_t limit;
};

static void print_requests(const json_t *answer)
{
	static const char *const heads[] = { "ID", "STATUS", "OUTCOME", "VERDICT", "RECEIVED", "DUE" };
	const char *next = json_string_value(json_object_get(answer, "next_page_token"));
	struct table t;
	json_t *r;
	size_t i;

	table_init(&t, "llllll", heads);
	json_array_foreach(json_object_get(answer, "items"), i, r) {
		table_add(&t, remote_text(r, "id"));
		table_add(&t, remote_text(r, "status"));
		table_add(&t, remote_text(r, "outcome"));
		table_add(&t, remote_text(r, "verdict"));
		table_add(&t, remote_text(r, "received_at"));
		table_add(&t, remote_text(r, "due_at"));
	}
	table_print(&t);
	table_fini(&t);
	if (next)
		printf("there are more: --page-token %s\n", next);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct remote_query q = { 0 };
	int rc;

	remote_query_start(&q, "/v1/deletion-requests");
	remote_query_add(&q, "status", o->status);
	remote_query_add(&q, "outcome", o->outcome);
	remote_query_add(&q, "verdict", o->verdict);
	remote_query_add(&q, "model", o->model);
	remote_query_add(&q, "due_before", o->due_before);
	remote_query_add(&q, "page_token", o->page_token);
	remote_query_add_int(&q, "page_size", o->limit);
	rc = show_path(c, &o->remote, q.path.data, print_requests, err);
	remote_query_fini(&q);
	return rc;
}

#define AT(member) .offset = offsetof(struct options, member)
static const struct option_row rows[] = {
	{ .name = "status",
	  .kind = OPTION_TEXT,
	  AT(status),
	  .value = "S",
	  .help = "only those: queued, running, completed, ..." },
	{ .name = "outcome",
	  .kind = OPTION_TEXT,
	  AT(outcome),
	  .value = "O",
	  .help = "only those: mitigated, erased, ..." },
	{ .name = "verdict", .kind = OPTION_TEXT, AT(verdict), .value = "V", .help = "only those: fail/residual, ..." },
	{ .name = "model",
	  .kind = OPTION_TEXT,
	  AT(model),
	  .value = "NAME",
	  .help = "only those that touch this model" },
	{ .name = "due-before",
	  .kind = OPTION_TEXT,
	  AT(due_before),
	  .value = "TIME",
	  .help = "only those due before, RFC 3339" },
	{ .name = "limit",
	  .kind = OPTION_INT,
	  AT(limit),
	  .value = "N",
	  .min = 1,
	  .max = 500,
	  .help = "at most so many; default 50" },
	{ .name = "page-token",
	  .kind = OPTION_TEXT,
	  AT(page_token),
	  .value = "T",
	  .help = "go on where an earlier list ended" },
	REMOTE_ROWS(struct options),
};

const struct command cmd_request_list = {
	.group = "request",
	.name = "list",
	.summary = "list deletion requests",
	.text = "Status says where a request is, outcome what happened to the data, verdict what verification says. "
		"Whom a\n"
		"request is about cannot be listed: identities are kept as keyed hashes only.",
	.example = "  expunge request list --status running",
	COMMAND_OPTIONS(rows, struct options),
	.defaults = &(const struct options){ .limit = 50 },
	.run = run,
};

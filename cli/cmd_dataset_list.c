#include "cli/dataset_view.h"
#include "cli/show.h"
#include "cli/table.h"

struct options {
	struct remote_options remote;
};

static void print_datasets(const json_t *answer)
{
	static const char *const heads[] = { "NAME", "STATE", "ROWS", "ROW SHAPE", "INPUT", "CLASSES", "CREATED" };
	struct table t;
	json_t *d;
	size_t i;

	table_init(&t, "llrllrl", heads);
	json_array_foreach(json_object_get(answer, "items"), i, d) {
		struct buf shape = { 0 };

		dataset_view_shape(json_object_get(d, "row_shape"), &shape);
		table_add(&t, remote_text(d, "name"));
		table_add(&t, remote_text(d, "state"));
		table_format(&t, "%lld", (long long)json_integer_value(json_object_get(d, "rows")));
		table_add(&t, shape.data ? shape.data : "-");
		table_add(&t, remote_text(d, "input"));
		table_format(&t, "%lld", (long long)json_integer_value(json_object_get(d, "classes")));
		table_add(&t, remote_text(d, "created_at"));
		buf_fini(&shape);
	}
	table_print(&t);
	table_fini(&t);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	return show_path(c, &((const struct options *)options)->remote, "/v1/datasets", print_datasets, err);
}

static const struct option_row rows[] = { REMOTE_ROWS(struct options) };

const struct command cmd_dataset_list = {
	.group = "dataset",
	.name = "list",
	.summary = "list the datasets",
	.text = "Numbers of rows only; whose they are is nowhere in clear.",
	.example = "  expunge dataset list",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

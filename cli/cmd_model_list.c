#include "cli/show.h"
#include "cli/table.h"

struct options {
	struct remote_options remote;
};

static void print_models(const json_t *answer)
{
	static const char *const heads[] = { "NAME", "DATASET", "STATE", "VERSION", "CLASSES", "RETRAINING", "DEBT" };
	struct table t;
	json_t *m;
	size_t i;

	table_init(&t, "lllrrrr", heads);
	json_array_foreach(json_object_get(answer, "items"), i, m) {
		const json_t *seconds = json_object_get(m, "retrain_seconds");

		table_add(&t, remote_text(m, "name"));
		table_add(&t, remote_text(m, "dataset"));
		table_add(&t, remote_text(m, "state"));
		table_format(&t, "%lld", (long long)json_integer_value(json_object_get(m, "live_version")));
		table_format(&t, "%lld", (long long)json_integer_value(json_object_get(m, "classes")));
		if (json_is_number(seconds))
			table_format(&t, "%.2f s", json_number_value(seconds));
		else
			table_add(&t, "-");
		table_format(&t, "%lld", (long long)json_integer_value(json_object_get(m, "debt")));
	}
	table_print(&t);
	table_fini(&t);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	return show_path(c, &((const struct options *)options)->remote, "/v1/models", print_models, err);
}

static const struct option_row rows[] = { REMOTE_ROWS(struct options) };

const struct command cmd_model_list = {
	.group = "model",
	.name = "list",
	.summary = "list the models, their live versions and what exact work they owe",
	.text = "RETRAINING is what one retraining was measured to take at registration. DEBT counts requests whose "
		"rows an\n"
		"approximate method took out of the model and that an exact retraining has still to close.",
	.example = "  expunge model list",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

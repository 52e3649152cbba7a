#include <stdio.h>

#include "cli/claim.h"
#include "cli/show.h"
#include "cli/table.h"

struct options {
	struct remote_options remote;
	struct claim_options claim;
};

struct work {
	json_t *body, *answer;
};

static long long count_of(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

static void print_models(const json_t *models)
{
	static const char *const heads[] = { "MODEL", "DATASET", "TRAINING ROWS", "HELD-OUT ROWS", "RETRAINING" };
	struct table t;
	json_t *m;
	size_t i;

	table_init(&t, "llrrr", heads);
	json_array_foreach(models, i, m) {
		const json_t *seconds = json_object_get(m, "estimated_seconds");

		table_add(&t, remote_text(m, "model"));
		table_add(&t, remote_text(m, "dataset"));
		table_format(&t, "%lld", count_of(m, "train"));
		table_format(&t, "%lld", count_of(m, "heldout"));
		if (json_is_number(seconds))
			table_format(&t, "%.2f s", json_number_value(seconds));
		else
			table_add(&t, "not measured");
	}
	table_print(&t);
	table_fini(&t);
}

static void print_preview(const json_t *answer)
{
	const json_t *matched = json_object_get(answer, "matched"), *models = json_object_get(answer, "models");

	printf("%lld training rows and %lld held-out rows in %zu dataset%s\n", count_of(matched, "train"),
	       count_of(matched, "heldout"), json_array_size(json_object_get(matched, "datasets")),
	       json_array_size(json_object_get(matched, "datasets")) == 1 ? "" : "s");
	if (json_array_size(models))
		print_models(models);
}

static int preview(struct remote *r, void *arg, struct exp_error *err)
{
	struct work *w = arg;

	return remote_post(r, "/v1/deletion-requests/preview", w->body, &w->answer, err);
}

static int run(const struct command_context *c, const void *options, struct exp_error *err)
{
	const struct options *o = options;
	struct work w = { 0 };
	int rc = claim_read(&o->claim, &w.body, err);

	if (!rc)
		rc = remote_run(&o->remote, preview, &w, err);
	if (!rc)
		show_answer(c, w.answer, print_preview);
	json_decref(w.body);
	json_decref(w.answer);
	return rc;
}

static const struct option_row rows[] = {
	CLAIM_ROWS(struct options),
	REMOTE_ROWS(struct options),
};

const struct command cmd_request_preview = {
	.group = "request",
	.name = "preview",
	.summary = "see what a deletion would touch, without asking for it",
	.text =
	    "Counts the person's rows and names the models that were trained on them. Nothing is stored or changed.\n"
	    "Arguments are seen by everybody who may list processes: prefer --identity-file.",
	.example = "  printf '%s\\n' worker:w0042 | expunge request preview --identity-file -",
	COMMAND_OPTIONS(rows, struct options),
	.run = run,
};

#include "cli/model_view.h"

#include <stdio.h>
#include <string.h>

#include "cli/dataset_view.h"
#include "cli/remote.h"
#include "cli/table.h"

enum { DIGEST_SHOWN = 16 };

static void print_versions(const json_t *versions)
{
	static const char *const heads[] = { "VERSION", "STATE", "WEIGHTS SHA-256", "PUBLISHED", "DESTROYED" };
	struct table t;
	json_t *v;
	size_t i;

	table_init(&t, "rllll", heads);
	json_array_foreach(versions, i, v) {
		table_format(&t, "%lld", (long long)json_integer_value(json_object_get(v, "version")));
		table_add(&t, remote_text(v, "state"));
		table_format(&t, "%.*s", DIGEST_SHOWN, remote_text(v, "weights_sha256"));
		table_add(&t, remote_text(v, "published_at"));
		table_add(&t, remote_text(v, "destroyed_at"));
	}
	table_print(&t);
	table_fini(&t);
}

static void print_limits(const json_t *m)
{
	const char *capped = json_string_value(json_object_get(m, "capped"));
	const json_t *seconds = json_object_get(m, "retrain_seconds");
	long long debt = (long long)json_integer_value(json_object_get(m, "debt"));

	if (json_is_number(seconds))
		printf("one retraining takes %.2f s\n", json_number_value(seconds));
	if (capped)
		printf("verdicts are capped at inconclusive/not_exchangeable: %s\n",
		       strcmp(capped, "no_recipe") ? capped : "there is no recipe to train reference models by");
	if (debt)
		printf("%lld request%s mitigated, exact retraining still owed\n", debt, debt == 1 ? "" : "s");
}

static void print_frozen(const json_t *frozen)
{
	const json_t *name;
	size_t i;

	json_array_foreach(frozen, i, name)
		printf("%s%s", i ? ", " : "frozen: ", json_string_value(name));
	if (json_array_size(frozen))
		printf("\n");
}

void model_view_print(const json_t *m)
{
	const json_t *live = json_object_get(m, "live_version"), *error = json_object_get(m, "error");
	struct buf shape = { 0 };

	dataset_view_shape(json_object_get(m, "input_shape"), &shape);
	printf("model %s: %s, trained on dataset %s, input \"%s\" [%s], %lld classes", remote_text(m, "name"),
	       remote_text(m, "state"), remote_text(m, "dataset"), remote_text(m, "input"),
	       shape.data ? shape.data : "", (long long)json_integer_value(json_object_get(m, "classes")));
	if (json_is_integer(live))
		printf(", live version %lld", (long long)json_integer_value(live));
	printf("\n");
	if (json_is_string(error))
		printf("error: %s\n", json_string_value(error));
	print_limits(m);
	print_frozen(json_object_get(m, "frozen"));
	if (json_array_size(json_object_get(m, "versions")))
		print_versions(json_object_get(m, "versions"));
	buf_fini(&shape);
}

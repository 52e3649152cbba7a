#include "cli/dataset_view.h"

#include <stdio.h>

#include "cli/remote.h"
#include "cli/table.h"

void dataset_view_shape(const json_t *dims, struct buf *out)
{
	json_t *dim;
	size_t i;

	json_array_foreach(dims, i, dim)
		buf_format(out, "%s%lld", i ? " x " : "", (long long)json_integer_value(dim));
}

static void add_split(struct table *t, const char *name, const json_t *states)
{
	static const char *const state_names[] = { "live", "tombstoned", "erased" };

	table_add(t, name);
	for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++)
		table_format(t, "%lld", (long long)json_integer_value(json_object_get(states, state_names[i])));
}

static void print_splits(const json_t *splits)
{
	static const char *const heads[] = { "SPLIT", "LIVE", "TOMBSTONED", "ERASED" };
	struct table t;

	table_init(&t, "lrrr", heads);
	add_split(&t, "train", json_object_get(splits, "train"));
	add_split(&t, "heldout", json_object_get(splits, "heldout"));
	table_print(&t);
	table_fini(&t);
}

void dataset_view_print(const json_t *d)
{
	const json_t *subjects = json_object_get(d, "subjects"), *error = json_object_get(d, "error");
	struct buf shape = { 0 };

	dataset_view_shape(json_object_get(d, "row_shape"), &shape);
	printf("dataset %s: %s, %lld rows of [%s] %s (scale %.6g), %lld classes", remote_text(d, "name"),
	       remote_text(d, "state"), (long long)json_integer_value(json_object_get(d, "rows")),
	       shape.data ? shape.data : "", remote_text(d, "input"), json_number_value(json_object_get(d, "scale")),
	       (long long)json_integer_value(json_object_get(d, "classes")));
	if (subjects)
		printf(", %lld subjects", (long long)json_integer_value(subjects));
	printf("\n");
	if (json_is_string(error))
		printf("error: %s\n", json_string_value(error));
	if (json_object_get(d, "splits"))
		print_splits(json_object_get(d, "splits"));
	buf_fini(&shape);
}

#include "api/dataset_json.h"

#include "api/render.h"
#include "storage/dataset_rows.h"

json_t *dataset_json_summary(const struct stored_dataset *d)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:s, s:f, s:I, s:o, s:o, s:o, s:o}", "name", d->name, "state",
			 dataset_state_name(d->state), "source", dataset_source_name(d->source), "rows",
			 (json_int_t)d->rows, "row_shape", render_stored(d->row_dims), "input",
			 dataset_input_name(d->input), "scale", d->scale, "classes", (json_int_t)d->classes,
			 "inputs_sha256", render_digest(d->inputs_sha256), "labels_sha256",
			 render_digest(d->labels_sha256), "error", render_text(d->error), "created_at",
			 render_time(d->created_at));
}

static json_t *count_rows(const struct row_map *map)
{
	json_int_t counts[ROW_SPLIT_COUNT][ROW_STATE_COUNT] = { 0 };
	json_t *splits = json_object();

	for (size_t i = 0; i < map->count; i++)
		counts[map->split[i]][map->state[i]]++;
	for (int s = 0; s < ROW_SPLIT_COUNT; s++) {
		json_t *states = json_object();

		for (int t = 0; t < ROW_STATE_COUNT; t++)
			json_object_set_new(states, row_state_name((enum row_state)t), json_integer(counts[s][t]));
		json_object_set_new(splits, row_split_name((enum row_split)s), states);
	}
	return splits;
}

int dataset_json_render(struct db *db, const char *name, json_t **out, struct exp_error *err)
{
	struct stored_dataset d;
	struct row_map map;
	json_t *json;
	int rc = datasets_get(db, name, &d, err);

	if (rc)
		return rc;
	json = dataset_json_summary(&d);
	stored_dataset_fini(&d);
	rc = dataset_rows_map(db, name, &map, err);
	if (rc) {
		json_decref(json);
		return rc;
	}
	json_object_set_new(json, "splits", count_rows(&map));
	row_map_fini(&map);
	*out = json;
	return 0;
}

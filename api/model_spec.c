#include "api/model_spec.h"

#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/import_path.h"
#include "api/upload.h"
#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "dataset/dataset.h"
#include "engine/train.h"
#include "storage/models.h"

enum { ONNX_MAX = 1 << 30 };

#define AT(member) .offset = offsetof(struct model_spec, member)
static const struct json_field fields[] = {
	{ .name = "name", .kind = JSON_FIELD_TEXT, .required = true, AT(name), .size = 64 },
	{ .name = "dataset", .kind = JSON_FIELD_TEXT, .required = true, AT(dataset), .size = 64 },
	{ .name = "onnx", .kind = JSON_FIELD_STRING, AT(onnx) },
	{ .name = "uploaded", .kind = JSON_FIELD_BOOL, AT(is_uploaded) },
	{ .name = "recipe", .kind = JSON_FIELD_OBJECT, AT(recipe_json) },
	{ .name = "policy", .kind = JSON_FIELD_OBJECT, AT(policy_json) },
	{ .name = "sizes", .kind = JSON_FIELD_OBJECT, AT(sizes_json) },
	{ .name = "shapes", .kind = JSON_FIELD_OBJECT, AT(shapes_json) },
	{ .name = "frozen", .kind = JSON_FIELD_ARRAY, AT(frozen_json) },
};

static int parse_policy(struct model_spec *s, struct exp_error *err)
{
	int rc;

	policy_default(&s->policy);
	if (!s->policy_json)
		return 0;
	rc = policy_from_json(s->policy_json, "/policy", &s->policy, err);
	/* Rules without a name of their own are this model's, so that they do not claim to be the default ones. */
	if (!rc && !json_object_get(s->policy_json, "name"))
		snprintf(s->policy.name, sizeof(s->policy.name), "%s", s->name);
	return rc;
}

static int parse_options(struct model_spec *s, struct exp_error *err)
{
	json_t *json = json_object();
	int rc;

	if (s->sizes_json)
		json_object_set(json, "sizes", s->sizes_json);
	if (s->shapes_json)
		json_object_set(json, "shapes", s->shapes_json);
	if (s->frozen_json)
		json_object_set(json, "frozen", s->frozen_json);
	rc = graph_options_from_json(json, "", &s->arena, &s->options, err);
	json_decref(json);
	return rc;
}

int model_spec_parse(const json_t *body, struct model_spec *s, struct exp_error *err)
{
	int rc = json_fill(body, "", fields, sizeof(fields) / sizeof(fields[0]), s, err);

	if (rc)
		return rc;
	if (!id_is_name(s->name))
		return error_set_field(err, EXP_EFIELD, "/name",
				       "/name must have 1 to 63 letters, digits, '.', '_' or '-'");
	if (!s->onnx == !s->is_uploaded)
		return error_set_field(err, EXP_EFIELD, "/onnx",
				       "give the path of /onnx, or upload the file and say \"uploaded\": true");
	s->has_recipe = s->recipe_json != NULL;
	if (s->has_recipe)
		rc = recipe_from_json(s->recipe_json, "/recipe", &s->recipe, err);
	if (!rc)
		rc = parse_policy(s, err);
	return rc ? rc : parse_options(s, err);
}

static int find_file(const struct api *a, const struct model_spec *s, char **path, struct exp_error *err)
{
	if (!s->is_uploaded)
		return import_path_resolve(a->options.import_root, s->onnx, "/onnx", path, err);
	*path = upload_path(a, "model", s->name, "onnx");
	if (file_exists(*path))
		return 0;
	mem_free(*path);
	return error_set_field(err, EXP_EFIELD, "/uploaded",
			       "the file was not uploaded: PUT /v1/models/%s/files/onnx first", s->name);
}

static int load_file(const struct api *a, struct model_spec *s, struct exp_error *err)
{
	char *path;
	int rc = find_file(a, s, &path, err);

	if (rc)
		return rc;
	rc = file_read(path, a->options.upload_limit < ONNX_MAX ? a->options.upload_limit : ONNX_MAX, &s->file, err);
	mem_free(path);
	if (!rc)
		rc = graph_load_with(s->file.data, s->file.size, &s->options, &s->graph, err);
	return rc;
}

static int check_shapes(const struct model_spec *s, const struct dataset *d, struct exp_error *err)
{
	if (dataset_row_floats(d) != graph_input_floats(s->graph))
		return error_set(err, EXP_ESHAPE, "input %s of the model takes %zu numbers a row, dataset %s has %zu",
				 graph_input_name(s->graph), graph_input_floats(s->graph), s->dataset,
				 dataset_row_floats(d));
	if (dataset_classes(d) > graph_classes(s->graph))
		return error_set(err, EXP_ESHAPE, "output %s of the model has %zu classes, dataset %s has %zu",
				 graph_output_name(s->graph), graph_classes(s->graph), s->dataset, dataset_classes(d));
	return 0;
}

/* Exact work must be exact: nothing that the file's weights have learned may survive a retraining from nothing. */
static int check_start(const struct model_spec *s, struct exp_error *err)
{
	int rc = s->has_recipe ? train_check_start(&s->recipe, s->graph, err) : 0;

	if (rc && err)
		snprintf(err->pointer, sizeof(err->pointer), "/recipe/start");
	return rc;
}

/* Without a recipe there are no references and verdicts are capped anyway. */
static int check_heldout(const struct model_spec *s, const struct dataset *d, struct exp_error *err)
{
	struct dataset_view heldout;
	int rc;

	if (!s->has_recipe)
		return 0;
	rc = dataset_view_init(&heldout, d, DATASET_HELDOUT, NULL, 0);
	if (rc)
		return error_set(err, rc, "the rows of dataset %s do not fit into memory", s->dataset);
	rc = policy_check_heldout(&s->policy, heldout.unit_count, err);
	if (rc && err)
		snprintf(err->pointer, sizeof(err->pointer), "/policy");
	dataset_view_fini(&heldout);
	return rc;
}

static int check_dataset(const struct api *a, const struct model_spec *s, struct exp_error *err)
{
	struct dataset *d;
	int rc = dataset_open(a->options.store, a->options.data_folder, s->dataset, &d, err);

	if (rc == EXP_ENOTFOUND)
		return error_set_field(err, EXP_ENOTFOUND, "/dataset", "there is no dataset %s", s->dataset);
	if (rc)
		return rc;
	rc = check_shapes(s, d, err);
	if (!rc)
		rc = check_start(s, err);
	if (!rc)
		rc = check_heldout(s, d, err);
	dataset_close(d);
	return rc;
}

static int check_name(const struct api *a, const struct model_spec *s, struct exp_error *err)
{
	struct stored_model model;
	struct db *db;
	int rc = reader_take(a->options.store, &db, err);

	if (rc)
		return rc;
	rc = models_get(db, s->name, &model, NULL);
	reader_give(a->options.store, db);
	if (rc == EXP_ENOTFOUND)
		return 0;
	if (rc)
		return error_set(err, rc, "%s", error_sentence(rc));
	stored_model_fini(&model);
	return error_set_field(err, EXP_EEXISTS, "/name", "there is a model %s already", s->name);
}

int model_spec_check(const struct api *a, struct model_spec *s, struct exp_error *err)
{
	int rc = check_name(a, s, err);

	if (!rc)
		rc = load_file(a, s, err);
	return rc ? rc : check_dataset(a, s, err);
}

void model_spec_fini(struct model_spec *s)
{
	graph_unref(s->graph);
	arena_fini(&s->arena);
	buf_fini(&s->file);
	mem_free(s->onnx);
}

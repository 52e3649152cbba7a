#include "api/model_json.h"

#include "api/render.h"
#include "storage/policies.h"

json_t *model_json_summary(const struct stored_model *m)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:s, s:o}", "name", m->name, "dataset",
				 m->dataset, "state", model_state_name(m->state), "error", render_text(m->error),
				 "live_version", m->live_version ? json_integer(m->live_version) : json_null(),
				 "capped", render_text(m->capped), "classes", (json_int_t)m->classes, "input",
				 m->input_name, "input_shape", render_stored(m->input_dims));
	json_t *more = json_pack("{s:o, s:o, s:I, s:I, s:o, s:b}", "policy_sha256",
				 m->has_policy ? render_digest(m->policy) : json_null(), "retrain_seconds",
				 m->retrain_seconds > 0 ? json_real(m->retrain_seconds) : json_null(), "generation",
				 (json_int_t)m->generation, "debt", (json_int_t)m->debt, "registered_at",
				 render_time(m->registered_at), "has_recipe", m->recipe != NULL);

	json_object_update_new(json, more);
	return json;
}

json_t *model_json_version(const struct stored_version *v)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "version", (json_int_t)v->version,
			 "weights_sha256", render_digest(v->sha256), "parent",
			 v->parent ? json_integer(v->parent) : json_null(), "job", render_text(v->job), "state",
			 version_state_name(v->state), "created_at", render_time(v->created_at), "published_at",
			 render_time(v->published_at), "last_served_at", render_time(v->last_served_at), "destroyed_at",
			 render_time(v->destroyed_at));
}

static int add_versions(struct db *db, const char *name, json_t *json, struct exp_error *err)
{
	struct stored_version_list list;
	json_t *versions = json_array();
	int rc = versions_list(db, name, &list, err);

	json_object_set_new(json, "versions", versions);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(versions, model_json_version(&list.items[i]));
	stored_version_list_fini(&list);
	return 0;
}

static int add_policy(struct db *db, const struct stored_model *m, json_t *json, struct exp_error *err)
{
	struct stored_policy policy;
	int rc;

	if (!m->has_policy)
		return 0;
	rc = policies_get(db, m->policy, &policy, err);
	if (rc)
		return rc;
	json_object_set_new(json, "policy", render_stored(policy.body));
	stored_policy_fini(&policy);
	return 0;
}

/* What the file leaves open; empty where nothing is said. */
static void add_options(const struct stored_model *m, json_t *json)
{
	json_t *options = render_stored(m->options), *sizes = json_object_get(options, "sizes"),
	       *shapes = json_object_get(options, "shapes"), *frozen = json_object_get(options, "frozen");

	json_object_set_new(json, "sizes", sizes ? json_incref(sizes) : json_object());
	json_object_set_new(json, "shapes", shapes ? json_incref(shapes) : json_object());
	json_object_set_new(json, "frozen", frozen ? json_incref(frozen) : json_array());
	json_decref(options);
}

int model_json_render(struct db *db, const char *name, json_t **out, struct exp_error *err)
{
	struct stored_model m;
	json_t *json;
	int rc = models_get(db, name, &m, err);

	if (rc)
		return rc;
	json = model_json_summary(&m);
	json_object_set_new(json, "recipe", render_stored(m.recipe));
	add_options(&m, json);
	rc = add_policy(db, &m, json, err);
	stored_model_fini(&m);
	if (!rc)
		rc = add_versions(db, name, json, err);
	if (rc) {
		json_decref(json);
		return rc;
	}
	*out = json;
	return 0;
}

/*
 * Everything is checked and the weights are on the disk before one operation makes the model known: model, first
 * version, policy and the register job. Weights whose operation fails are swept at the next start. Requests that are
 * open about people of the dataset are put on the new model's queue at once, since its file has probably seen them.
 */
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/model_json.h"
#include "api/model_spec.h"
#include "api/record.h"
#include "api/render.h"
#include "api/submission.h"
#include "api/upload.h"
#include "base/mem.h"
#include "model/files.h"
#include "storage/dataset_rows.h"
#include "storage/jobs.h"
#include "storage/policies.h"
#include "storage/writer.h"

struct registration {
	struct model_spec spec;
	struct weights_id weights;
	char *recipe, *policy, *input_dims, *options; /* JSON */
	uint8_t policy_digest[DIGEST_SIZE];
	char job[ID_TEXT];
};

static void state_free(void *state)
{
	struct registration *r = state;

	model_spec_fini(&r->spec);
	mem_free(r->recipe);
	mem_free(r->policy);
	mem_free(r->input_dims);
	mem_free(r->options);
}

/* NULL for NULL. */
static char *write_json(json_t *value)
{
	struct buf text = { 0 };

	if (!value)
		return NULL;
	json_write(value, false, &text);
	json_decref(value);
	return buf_take(&text);
}

static json_t *render_dims(const struct graph *g)
{
	size_t rank;
	const size_t *dims = graph_input_dims(g, &rank);
	json_t *list = json_array();

	for (size_t i = 0; i < rank; i++)
		json_array_append_new(list, json_integer((json_int_t)dims[i]));
	return list;
}

static int put_policy(struct txn *txn, const struct registration *r, struct exp_error *err)
{
	struct stored_policy policy = { .version = r->spec.policy.version, .body = r->policy };
	struct stored_policy known;
	int rc;

	if (!policies_get(txn_db(txn), r->policy_digest, &known, NULL)) {
		stored_policy_fini(&known);
		return 0;
	}
	memcpy(policy.digest, r->policy_digest, sizeof(policy.digest));
	snprintf(policy.name, sizeof(policy.name), "%s", r->spec.policy.name);
	rc = policies_put(txn, &policy, err);
	if (rc)
		return rc;
	return record_leaf(txn, LEAF_POLICY_RECORDED,
			   json_pack("{s:s, s:o}", "policy", policy.name, "policy_sha256",
				     render_digest(policy.digest)),
			   NULL, NULL, err);
}

static int put_model(struct txn *txn, const struct registration *r, struct exp_error *err)
{
	const struct graph *g = r->spec.graph;
	struct stored_model m = { .state = MODEL_REGISTERING,
				  .recipe = r->recipe,
				  .has_policy = true,
				  .classes = (int64_t)graph_classes(g),
				  .input_dims = r->input_dims,
				  .options = r->options };

	snprintf(m.name, sizeof(m.name), "%s", r->spec.name);
	snprintf(m.dataset, sizeof(m.dataset), "%s", r->spec.dataset);
	snprintf(m.input_name, sizeof(m.input_name), "%s", graph_input_name(g));
	snprintf(m.capped, sizeof(m.capped), "%s", r->spec.has_recipe ? "" : "no_recipe");
	memcpy(m.policy, r->policy_digest, sizeof(m.policy));
	return models_insert(txn, &m, err);
}

static int put_version(struct txn *txn, struct registration *r, struct exp_error *err)
{
	struct job_new job = { .kind = JOB_REGISTER, .model = r->spec.name };
	uint8_t digest[DIGEST_SIZE];
	int64_t version;
	int rc = jobs_enqueue(txn, &job, r->job, err);

	if (!rc)
		rc = hex_decode(r->weights.sha256, digest, sizeof(digest));
	return rc ? rc : versions_stage(txn, r->spec.name, digest, 0, r->job, &version, err);
}

static int queue_request(struct txn *txn, const struct registration *r, const char *id, struct exp_error *err)
{
	struct stored_request request;
	int rc = requests_get(txn_db(txn), id, &request, err);

	if (rc || request_status_is_closed(request.status))
		return rc;
	return submission_queue_model(txn, id, r->spec.name, request.due_at, err);
}

static int queue_subject(struct txn *txn, const struct registration *r, int64_t subject, struct exp_error *err)
{
	struct id_list requests;
	int rc = requests_of_subject(txn_db(txn), subject, &requests, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < requests.count; i++)
		rc = queue_request(txn, r, requests.items[i], err);
	id_list_fini(&requests);
	return rc;
}

/* A subject's rows need not lie together: the last one seen is remembered, the rest is idempotent. */
static int queue_open_requests(struct txn *txn, const struct registration *r, struct exp_error *err)
{
	struct row_map map;
	int64_t last = 0;
	int rc = dataset_rows_map(txn_db(txn), r->spec.dataset, &map, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < map.count; i++) {
		if (map.state[i] != ROW_TOMBSTONED || map.subject[i] == last)
			continue;
		last = map.subject[i];
		rc = queue_subject(txn, r, last, err);
	}
	row_map_fini(&map);
	return rc;
}

static int register_model(struct txn *txn, void *state, struct exp_error *err)
{
	struct registration *r = state;
	int rc = put_policy(txn, r, err);

	if (!rc)
		rc = put_model(txn, r, err);
	if (!rc)
		rc = put_version(txn, r, err);
	if (!rc)
		rc = queue_open_requests(txn, r, err);
	return rc ? rc : record_event(txn, "model_submitted", NULL, r->job, NULL, err);
}

static int work(struct call *c, struct exp_error *err)
{
	struct registration *r = c->state;
	const struct api *a = c->api;
	struct model_spec *s = &r->spec;
	int rc = model_spec_check(a, s, err);

	if (rc)
		return rc;
	r->recipe = s->has_recipe ? write_json(recipe_to_json(&s->recipe)) : NULL;
	r->policy = write_json(policy_to_json(&s->policy));
	r->input_dims = write_json(render_dims(s->graph));
	r->options = write_json(graph_options_to_json(&s->options));
	policy_digest(&s->policy, r->policy_digest);
	rc = model_weights_write(a->options.data_folder, s->file.data, s->file.size, &r->weights, err);
	if (!rc)
		rc = writer_call(a->options.store, register_model, r, err);
	if (!rc && s->is_uploaded)
		rc = upload_discard(a, "model", s->name, "onnx", err);
	return rc;
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	return model_json_render(db, ((struct registration *)c->state)->spec.name, out, err);
}

static int answer(struct call *c, struct exp_error *err)
{
	const struct registration *r = c->state;
	json_t *json;
	int rc;

	api_wake(c->api);
	api_notify(c->api);
	rc = render_read(c, build, &json, err);
	if (rc)
		return rc;
	json_object_set_new(json, "job", json_string(r->job));
	reply_header(c, "Location", "/v1/jobs/%s", r->job);
	reply_header(c, "Retry-After", "%d", 2);
	reply_json(c, 202, json);
	return 0;
}

int api_model_create(struct call *c, struct exp_error *err)
{
	struct registration *r = call_state_new(c, sizeof(*r), state_free);
	int rc = model_spec_parse(c->json, &r->spec, err);

	return rc ? rc : call_offload(c, work, answer);
}

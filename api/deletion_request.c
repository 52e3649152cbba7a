#include "api/deletion_request.h"

#include "api/render.h"
#include "storage/jobs.h"

enum { JOBS_SHOWN = 100 };

int deletion_request_check_id(const char *id, struct exp_error *err)
{
	if (!id_is_valid(id))
		return error_set(err, EXP_ENOTFOUND, "there is no deletion request of this id");
	return 0;
}

static json_t *links_of(const char *id)
{
	static const char base[] = "/v1/deletion-requests/";

	return json_pack("{s:s+, s:s++, s:s++}", "self", base, id, "events", base, id, "/events", "receipt", base, id,
			 "/receipt");
}

json_t *deletion_request_summary(const struct stored_request *r)
{
	json_t *json =
	    json_pack("{s:s, s:s, s:o, s:s, s:o, s:s}", "id", r->id, "status", request_status_name(r->status),
		      "outcome", render_text(request_outcome_name(r->outcome)), "verdict",
		      request_verdict_name(r->verdict), "reason", render_text(r->reason), "regime",
		      regime_name(r->regime));
	json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "received_at", render_time(r->received_at),
				 "due_at", render_time(r->due_at), "updated_at", render_time(r->updated_at),
				 "completed_at", render_time(r->completed_at), "identities", (json_int_t)r->identities,
				 "duplicate_of", render_text(r->duplicate_of), "links", links_of(r->id));

	json_object_update_new(json, more);
	if (r->leaf >= 0)
		json_object_set_new(json, "audit", json_pack("{s:I}", "index", (json_int_t)r->leaf));
	return json;
}

static int add_models(struct db *db, const char *id, json_t *json, struct exp_error *err)
{
	struct request_model_list list;
	json_t *models = json_array();
	int rc = requests_models(db, id, &list, err);

	json_object_set_new(json, "models", models);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++) {
		const struct request_model *m = &list.items[i];

		json_array_append_new(models,
				      json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "model", m->model, "status",
						request_status_name(m->status), "outcome",
						render_text(request_outcome_name(m->outcome)), "verdict",
						request_verdict_name(m->verdict), "evidence",
						render_stored(m->evidence), "updated_at", render_time(m->updated_at)));
	}
	request_model_list_fini(&list);
	return 0;
}

static json_t *job_link(const struct stored_job *j)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:{s:I, s:I}}", "id", j->id, "kind", job_kind_name(j->kind),
			 "model", j->model, "state", job_state_name(j->state), "phase", render_text(j->phase),
			 "progress", "done", (json_int_t)j->progress_done, "total", (json_int_t)j->progress_total);
}

static int add_jobs(struct db *db, const char *id, json_t *json, struct exp_error *err)
{
	struct job_filter filter = { .request = id, .page_size = JOBS_SHOWN };
	struct stored_job_page page;
	json_t *jobs = json_array();
	int rc = jobs_list(db, &filter, &page, err);

	json_object_set_new(json, "jobs", jobs);
	if (rc)
		return rc;
	for (size_t i = 0; i < page.count; i++)
		json_array_append_new(jobs, job_link(&page.items[i]));
	stored_job_page_fini(&page);
	return 0;
}

int deletion_request_render(struct db *db, const char *id, json_t **out, bool *closed, struct exp_error *err)
{
	struct stored_request r;
	json_t *json;
	int rc = requests_get(db, id, &r, err);

	if (rc)
		return rc;
	json = deletion_request_summary(&r);
	rc = add_models(db, id, json, err);
	if (!rc)
		rc = add_jobs(db, id, json, err);
	if (rc) {
		json_decref(json);
		return rc;
	}
	*out = json;
	if (closed)
		*closed = request_status_is_closed(r.status);
	return 0;
}

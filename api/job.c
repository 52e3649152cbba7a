#include "api/job.h"

#include "api/render.h"
#include "storage/attempts.h"

int job_check_id(const char *id, struct exp_error *err)
{
	return id_is_valid(id) ? 0 : error_set(err, EXP_ENOTFOUND, "there is no job of this id");
}

static json_t *render_error(const struct stored_job *j)
{
	if (!j->error_code)
		return json_null();
	return json_pack("{s:s, s:o}", "code", error_slug(j->error_code), "message", render_message(j->error_message));
}

json_t *job_summary(const struct stored_job *j)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:o, s:{s:I, s:I}, s:o}", "id", j->id, "kind",
				 job_kind_name(j->kind), "model", j->model, "state", job_state_name(j->state), "phase",
				 render_text(j->phase), "progress", "done", (json_int_t)j->progress_done, "total",
				 (json_int_t)j->progress_total, "due_at", render_time(j->due_at));
	json_t *more =
	    json_pack("{s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "attempt", (json_int_t)j->attempt,
		      "max_attempts", (json_int_t)j->max_attempts, "cancel_requested", j->cancel_requested,
		      "published_version", j->published_version ? json_integer(j->published_version) : json_null(),
		      "error", render_error(j), "created_at", render_time(j->created_at), "not_before",
		      render_time(j->not_before), "updated_at", render_time(j->updated_at), "finished_at",
		      render_time(j->finished_at));

	json_object_update_new(json, more);
	return json;
}

static int add_requests(struct db *db, const char *id, json_t *json, struct exp_error *err)
{
	struct id_list list;
	json_t *ids = json_array();
	int rc = jobs_requests(db, id, &list, err);

	json_object_set_new(json, "requests", ids);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(ids, json_string(list.items[i]));
	id_list_fini(&list);
	return 0;
}

static int add_verdicts(struct db *db, const struct stored_attempt *a, json_t *json, struct exp_error *err)
{
	struct attempt_verdict_list list;
	json_t *verdicts = json_array();
	int rc = attempts_verdicts(db, a->job, a->ordinal, &list, err);

	json_object_set_new(json, "verdicts", verdicts);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(verdicts, json_pack("{s:s, s:s, s:o}", "request", list.items[i].request,
							  "verdict", request_verdict_name(list.items[i].verdict),
							  "evidence", render_stored(list.items[i].evidence)));
	attempt_verdict_list_fini(&list);
	return 0;
}

static json_t *render_attempt(const struct stored_attempt *a)
{
	return json_pack("{s:I, s:s, s:o, s:o, s:f, s:o, s:o}", "ordinal", (json_int_t)a->ordinal, "method", a->method,
			 "parameters", render_stored(a->parameters), "summary", render_stored(a->summary), "seconds",
			 a->seconds, "started_at", render_time(a->started_at), "finished_at",
			 render_time(a->finished_at));
}

static int add_attempts(struct db *db, const char *id, json_t *json, struct exp_error *err)
{
	struct stored_attempt_list list;
	json_t *attempts = json_array();
	int rc = attempts_list(db, id, &list, err);

	json_object_set_new(json, "attempts", attempts);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < list.count; i++) {
		json_t *attempt = render_attempt(&list.items[i]);

		json_array_append_new(attempts, attempt);
		rc = add_verdicts(db, &list.items[i], attempt, err);
	}
	stored_attempt_list_fini(&list);
	return rc;
}

int job_render(struct db *db, const char *id, json_t **out, bool *over, struct exp_error *err)
{
	struct stored_job job;
	json_t *json;
	bool terminal;
	int rc = jobs_get(db, id, &job, err);

	if (rc)
		return rc;
	json = job_summary(&job);
	terminal = job_state_is_terminal(job.state);
	stored_job_fini(&job);
	rc = add_requests(db, id, json, err);
	if (!rc)
		rc = add_attempts(db, id, json, err);
	if (rc) {
		json_decref(json);
		return rc;
	}
	*out = json;
	if (over)
		*over = terminal;
	return 0;
}

#include "api/api_internal.h"
#include "api/job.h"
#include "api/record.h"
#include "api/render.h"
#include "storage/models.h"

/* Somebody is owed the work of a job that carries requests: those are cancelled, not the job. */
static int check_unowed(struct txn *txn, const char *id, struct exp_error *err)
{
	struct id_list requests = { 0 };
	int rc = jobs_requests(txn_db(txn), id, &requests, err);

	if (!rc && requests.count)
		rc = error_set(err, EXP_ECONFLICT, "the job serves %zu deletion requests; cancel those instead",
			       requests.count);
	id_list_fini(&requests);
	return rc;
}

/* Of a registration that no worker had begun: the model was never served. */
static int end_model(struct txn *txn, const char *id, struct exp_error *err)
{
	struct stored_job job;
	int rc = jobs_get(txn_db(txn), id, &job, err);

	if (rc)
		return rc;
	if (job.kind == JOB_REGISTER)
		rc = models_set_state(txn, job.model, MODEL_FAILED, "registration was cancelled", err);
	stored_job_fini(&job);
	return rc;
}

static int run(struct txn *txn, void *call, struct exp_error *err)
{
	const char *id = call_arg(call, 0);
	bool done = false;
	int rc = check_unowed(txn, id, err);

	if (!rc)
		rc = jobs_cancel(txn, id, &done, err);
	if (!rc && done)
		rc = end_model(txn, id, err);
	return rc ? rc : record_event(txn, done ? "job_cancelled" : "job_cancel_requested", NULL, id, NULL, err);
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	return job_render(db, call_arg(c, 0), out, NULL, err);
}

static int answer(struct call *c, struct exp_error *err)
{
	json_t *json;
	int rc = render_read(c, build, &json, err);

	api_wake(c->api);
	api_notify(c->api);
	if (!rc)
		reply_json(c, 202, json);
	return rc;
}

static const char body_message[] = "cancelling a job takes no fields";

int api_job_cancel(struct call *c, struct exp_error *err)
{
	int rc = job_check_id(call_arg(c, 0), err);

	if (rc)
		return rc;
	if (c->json && (!json_is_object(c->json) || json_object_size(c->json)))
		return error_set_field(err, EXP_EFIELD, "", "%s", body_message);
	return call_write(c, run, answer);
}

#include "api/api_internal.h"
#include "api/job.h"
#include "api/record.h"
#include "api/render.h"

static int run(struct txn *txn, void *call, struct exp_error *err)
{
	const char *id = call_arg(call, 0);
	bool done;
	int rc = jobs_cancel(txn, id, &done, err);

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

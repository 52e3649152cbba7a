/*
 * A person takes up again a request that ended without its work done, once what was wrong has been put right; nothing
 * is tried again by itself. Its due date stays what the law made it, and its rows were tombstoned all the while. Each
 * of its models is looked at alone:
 *
 *   a job waits for it             stays with that job
 *   exact work is published        completed; or left to the job that has yet to close it
 *   mitigated                      a retrain job, or an unlearn job where there is no recipe
 *   anything else, or new since    an unlearn job
 *
 * A job that a worker has in hand chose its requests while this one was closed: until it is over it is a conflict.
 */
#include <string.h>

#include "api/api_internal.h"
#include "api/deletion_request.h"
#include "api/record.h"
#include "api/render.h"
#include "api/subject_claim.h"
#include "api/submission.h"
#include "base/clock.h"
#include "storage/dataset_rows.h"
#include "storage/jobs.h"
#include "storage/models.h"

enum { JOBS_MAX = 500, RETRY_AFTER_S = 2 };

struct retry {
	char reason[CLAIM_REASON];
};

static const struct json_field fields[] = {
	{ .name = "reason", .kind = JSON_FIELD_TEXT, .offset = offsetof(struct retry, reason), .size = CLAIM_REASON },
};

/* The jobs of a request on one model that are not over. */
struct pending {
	bool waits;     /* one will choose its requests yet */
	bool publishes; /* one is published and will close its requests yet */
};

static unsigned unfinished_states(void)
{
	unsigned states = 0;

	for (unsigned s = 0; s < JOB_STATE_COUNT; s++)
		if (!job_state_is_terminal((enum job_state)s))
			states |= 1u << s;
	return states;
}

static int add_pending(const struct stored_job *job, struct pending *pending, struct exp_error *err)
{
	if (job->state != JOB_QUEUED && job->lease[0])
		return error_set(err, EXP_ECONFLICT, "job %s is %s: the request is retried when it is over", job->id,
				 job_state_name(job->state));
	if (job->state == JOB_QUEUED || job_state_may_move(job->state, JOB_QUEUED))
		pending->waits = true;
	else
		pending->publishes = true;
	return 0;
}

static int find_pending(struct db *db, const char *request, const char *model, struct pending *out,
			struct exp_error *err)
{
	struct job_filter filter = {
		.states = unfinished_states(), .model = model, .request = request, .page_size = JOBS_MAX
	};
	struct stored_job_page page;
	int rc = jobs_list(db, &filter, &page, err);

	if (rc)
		return rc;
	*out = (struct pending){ 0 };
	for (size_t i = 0; !rc && i < page.count; i++)
		rc = add_pending(&page.items[i], out, err);
	stored_job_page_fini(&page);
	return rc;
}

static int has_recipe(struct db *db, const char *name, bool *has, struct exp_error *err)
{
	struct stored_model model;
	int rc = models_get(db, name, &model, err);

	if (rc)
		return rc;
	*has = model.recipe != NULL;
	stored_model_fini(&model);
	return 0;
}

/* A mitigated model keeps its outcome and the evidence for it; a job that already waits is not to be waited for. */
static int queue_mitigated(struct txn *txn, const struct stored_request *r, const char *model, bool exact,
			   struct exp_error *err)
{
	enum job_kind kind = exact ? JOB_RETRAIN : JOB_UNLEARN;
	struct job_new job = { .kind = kind, .model = model, .due_at = r->due_at };
	char id[ID_TEXT];
	int rc = jobs_attach(txn, model, kind, r->id, r->due_at, id, err);

	if (!rc)
		return jobs_hasten(txn, id, clock_now_ms(), err);
	if (rc == EXP_ENOTFOUND)
		rc = jobs_enqueue(txn, &job, id, err);
	return rc ? rc : jobs_bind(txn, id, r->id, err);
}

static int set_status(struct txn *txn, const struct stored_request *r, struct request_model *m,
		      enum request_status status, struct exp_error *err)
{
	m->status = status;
	return requests_set_model(txn, r->id, m, err);
}

static int take_up_mitigated(struct txn *txn, const struct stored_request *r, struct request_model *m,
			     const struct pending *pending, struct exp_error *err)
{
	bool exact;
	int rc = has_recipe(txn_db(txn), m->model, &exact, err);

	if (rc || (pending->publishes && !exact))
		return rc;
	rc = set_status(txn, r, m, REQUEST_QUEUED, err);
	return rc ? rc : queue_mitigated(txn, r, m->model, exact, err);
}

static int take_up_model(struct txn *txn, const struct stored_request *r, struct request_model *m,
			 struct exp_error *err)
{
	struct pending pending;
	int rc;

	if (m->status == REQUEST_COMPLETED)
		return 0;
	rc = find_pending(txn_db(txn), r->id, m->model, &pending, err);
	if (rc)
		return rc;
	if (pending.waits)
		return set_status(txn, r, m, REQUEST_QUEUED, err);
	switch (m->outcome) {
	case REQUEST_OUTCOME_ERASED:
	case REQUEST_OUTCOME_ALREADY_ERASED:
		return pending.publishes ? 0 : set_status(txn, r, m, REQUEST_COMPLETED, err);
	case REQUEST_OUTCOME_MITIGATED:
		return take_up_mitigated(txn, r, m, &pending, err);
	default:
		return submission_queue_model(txn, r->id, m->model, r->due_at, err);
	}
}

static bool touches(const struct request_model_list *models, const char *name)
{
	for (size_t i = 0; i < models->count; i++)
		if (!strcmp(models->items[i].model, name))
			return true;
	return false;
}

/* Models that were registered while the request was closed. */
static int take_up_dataset(struct txn *txn, const struct stored_request *r, const struct request_model_list *known,
			   const char *dataset, struct exp_error *err)
{
	struct stored_model_list list;
	int rc = models_list(txn_db(txn), dataset, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < list.count; i++)
		if (list.items[i].state != MODEL_FAILED && !touches(known, list.items[i].name))
			rc = submission_queue_model(txn, r->id, list.items[i].name, r->due_at, err);
	stored_model_list_fini(&list);
	return rc;
}

static int take_up_subject(struct txn *txn, const struct stored_request *r, const struct request_model_list *known,
			   int64_t subject, struct exp_error *err)
{
	struct row_counts_list rows;
	int rc = dataset_rows_count(txn_db(txn), subject, &rows, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < rows.count; i++)
		rc = take_up_dataset(txn, r, known, rows.items[i].dataset, err);
	row_counts_list_fini(&rows);
	return rc;
}

static int take_up_subjects(struct txn *txn, const struct stored_request *r, const struct request_model_list *known,
			    struct exp_error *err)
{
	struct subject_list list;
	int rc = requests_subjects(txn_db(txn), r->id, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < list.count; i++)
		rc = take_up_subject(txn, r, known, list.items[i], err);
	subject_list_fini(&list);
	return rc;
}

static int take_up_models(struct txn *txn, const struct stored_request *r, struct exp_error *err)
{
	struct request_model_list list;
	int rc = requests_models(txn_db(txn), r->id, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < list.count; i++)
		rc = take_up_model(txn, r, &list.items[i], err);
	if (!rc)
		rc = take_up_subjects(txn, r, &list, err);
	request_model_list_fini(&list);
	return rc;
}

/* What was wrong is no longer the reason for anything. */
static int reopen(struct txn *txn, const struct stored_request *r, struct exp_error *err)
{
	struct request_update update = { REQUEST_QUEUED, r->outcome, r->verdict, "" };

	if (r->status != REQUEST_FAILED && r->status != REQUEST_PARTIAL)
		return error_set(err, EXP_ECONFLICT, "the request is %s: only one that failed can be retried",
				 request_status_name(r->status));
	return requests_update(txn, r->id, &update, err);
}

static int record(struct txn *txn, const struct call *c, struct exp_error *err)
{
	const struct retry *retry = c->state;
	const char *id = call_arg(c, 0);
	json_t *data = retry->reason[0] ? json_pack("{s:s}", "reason", retry->reason) : NULL;
	int rc = record_event(txn, "request_retried", id, NULL, data, err);

	return rc ? rc : record_message(txn, "deletion_request.retried", id, err);
}

static int run(struct txn *txn, void *call, struct exp_error *err)
{
	struct call *c = call;
	struct stored_request r;
	int rc = requests_get(txn_db(txn), call_arg(c, 0), &r, err);

	if (!rc)
		rc = reopen(txn, &r, err);
	if (!rc)
		rc = take_up_models(txn, &r, err);
	return rc ? rc : record(txn, c, err);
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	return deletion_request_render(db, call_arg(c, 0), out, NULL, err);
}

static int answer(struct call *c, struct exp_error *err)
{
	json_t *json;
	int rc;

	api_wake(c->api);
	api_notify(c->api);
	rc = render_read(c, build, &json, err);
	if (rc)
		return rc;
	reply_header(c, "Location", "/v1/deletion-requests/%s", call_arg(c, 0));
	reply_header(c, "Retry-After", "%d", RETRY_AFTER_S);
	reply_json(c, 202, json);
	return 0;
}

int api_deletion_request_retry(struct call *c, struct exp_error *err)
{
	struct retry *retry = call_state_new(c, sizeof(*retry), NULL);
	int rc = deletion_request_check_id(call_arg(c, 0), err);

	if (!rc && c->json)
		rc = json_fill(c->json, "", fields, sizeof(fields) / sizeof(fields[0]), retry, err);
	if (rc)
		return rc;
	if (retry->reason[0] && !claim_reason_is_valid(retry->reason))
		return error_set_field(err, EXP_EFIELD, "/reason", "/reason must be one word of a-z, 0-9 and _");
	return call_write(c, run, answer);
}

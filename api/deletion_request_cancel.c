/*
 * A request is taken back while its jobs still wait. Once a worker has one of them, the person may be out of the
 * published model at any moment, and rows that became live again could be overwritten by that job: then it is a
 * conflict, and the job is what to cancel first.
 */
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/deletion_request.h"
#include "api/record.h"
#include "api/render.h"
#include "api/subject_claim.h"
#include "storage/dataset_rows.h"
#include "storage/jobs.h"

enum { JOBS_MAX = 500 };

struct cancel {
	char reason[CLAIM_REASON];
};

static const struct json_field fields[] = {
	{ .name = "reason", .kind = JSON_FIELD_TEXT, .offset = offsetof(struct cancel, reason), .size = CLAIM_REASON },
};

static int unbind(struct txn *txn, const struct stored_job *job, const char *request, struct exp_error *err)
{
	struct exp_error cause = { 0 };
	int rc;

	if (job->state == JOB_CANCELLED)
		return 0;
	rc = jobs_unbind(txn, job->id, request, &cause);
	if (rc == EXP_ECONFLICT)
		return error_set(err, EXP_ECONFLICT,
				 "job %s is %s: a request is cancelled before a worker takes its job", job->id,
				 job_state_name(job->state));
	return rc ? error_set(err, rc, "%s", cause.message) : 0;
}

static int unbind_jobs(struct txn *txn, const char *request, struct exp_error *err)
{
	struct job_filter filter = { .request = request, .page_size = JOBS_MAX };
	struct stored_job_page page;
	int rc = jobs_list(txn_db(txn), &filter, &page, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < page.count; i++)
		rc = unbind(txn, &page.items[i], request, err);
	stored_job_page_fini(&page);
	return rc;
}

/* Open, or ended without its work done: a person may take it up again. */
static bool is_unsettled(enum request_status status)
{
	return !request_status_is_closed(status) || status == REQUEST_FAILED || status == REQUEST_PARTIAL;
}

/* Whether another such request is about the same person. */
static int is_wanted_elsewhere(struct txn *txn, int64_t subject, bool *wanted, struct exp_error *err)
{
	struct id_list list;
	int rc = requests_of_subject(txn_db(txn), subject, &list, err);

	if (rc)
		return rc;
	*wanted = false;
	for (size_t i = 0; !rc && i < list.count; i++) {
		struct stored_request other;

		rc = requests_get(txn_db(txn), list.items[i], &other, err);
		if (!rc)
			*wanted |= is_unsettled(other.status);
	}
	id_list_fini(&list);
	return rc;
}

static int restore_rows(struct txn *txn, const char *request, struct exp_error *err)
{
	struct subject_list list;
	int rc = requests_subjects(txn_db(txn), request, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < list.count; i++) {
		int64_t changed;
		bool wanted;

		rc = is_wanted_elsewhere(txn, list.items[i], &wanted, err);
		if (!rc && !wanted)
			rc = dataset_rows_restore(txn, list.items[i], &changed, err);
	}
	subject_list_fini(&list);
	return rc;
}

static int cancel_models(struct txn *txn, const char *request, struct exp_error *err)
{
	struct request_model_list list;
	int rc = requests_models(txn_db(txn), request, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < list.count; i++) {
		list.items[i].status = REQUEST_CANCELLED;
		rc = requests_set_model(txn, request, &list.items[i], err);
	}
	request_model_list_fini(&list);
	return rc;
}

static int move(struct txn *txn, const char *id, const char *reason, struct exp_error *err)
{
	struct stored_request r;
	struct request_update update = { .status = REQUEST_CANCELLED, .reason = reason };
	int rc = requests_get(txn_db(txn), id, &r, err);

	if (rc)
		return rc;
	if (request_status_is_closed(r.status))
		return error_set(err, EXP_ECONFLICT, "the request is %s and can no longer be cancelled",
				 request_status_name(r.status));
	update.outcome = r.outcome;
	update.verdict = r.verdict;
	return requests_update(txn, id, &update, err);
}

static int record(struct txn *txn, const struct call *c, struct exp_error *err)
{
	const char *id = call_arg(c, 0), *by = c->who.role == ROLE_ADMIN ? "by_operator" : "by_requester";
	json_t *fields_ = json_pack("{s:s, s:s}", "request", id, "reason", by);
	int rc = record_leaf(txn, LEAF_REQUEST_CANCELLED, fields_, id, NULL, err);

	if (!rc)
		rc = record_event(txn, "request_cancelled", id, NULL, NULL, err);
	return rc ? rc : record_message(txn, "deletion_request.cancelled", id, err);
}

static int run(struct txn *txn, void *call, struct exp_error *err)
{
	struct call *c = call;
	const struct cancel *cancel = c->state;
	const char *id = call_arg(c, 0);
	int rc = move(txn, id, cancel->reason[0] ? cancel->reason : NULL, err);

	if (!rc)
		rc = unbind_jobs(txn, id, err);
	if (!rc)
		rc = cancel_models(txn, id, err);
	if (!rc)
		rc = restore_rows(txn, id, err);
	return rc ? rc : record(txn, c, err);
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	return deletion_request_render(db, call_arg(c, 0), out, NULL, err);
}

static int answer(struct call *c, struct exp_error *err)
{
	api_notify(c->api);
	return render_reply(c, build, err);
}

int api_deletion_request_cancel(struct call *c, struct exp_error *err)
{
	struct cancel *cancel = call_state_new(c, sizeof(*cancel), NULL);
	int rc = deletion_request_check_id(call_arg(c, 0), err);

	if (!rc && c->json)
		rc = json_fill(c->json, "", fields, sizeof(fields) / sizeof(fields[0]), cancel, err);
	if (rc)
		return rc;
	if (cancel->reason[0] && !claim_reason_is_valid(cancel->reason))
		return error_set_field(err, EXP_EFIELD, "/reason", "/reason must be one word of a-z, 0-9 and _");
	return call_write(c, run, answer);
}

/*
 * Requests that failed and are taken up again over HTTP; the failing is done through storage, as a worker does it.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/jobs.h"
#include "storage/outbox.h"
#include "storage/requests.h"
#include "storage/writer.h"
#include "tests/unit/api/world.h"

static struct world w;

struct failure {
	char request[ID_TEXT];
	struct request_model fare; /* as the failing job leaves it; status and model are filled in */
	struct job_lease lease;    /* of the job that was claimed */
};

static int end_registration(struct txn *txn, const struct stored_job *job, struct exp_error *err)
{
	struct job_lease lease;
	int rc;

	job_lease_of(job, &lease);
	rc = jobs_move(txn, &lease, JOB_QUEUED, JOB_SELECTING, err);
	return rc ? rc : jobs_move(txn, &lease, JOB_SELECTING, JOB_DONE, err);
}

/* The model's own job, registrations before it being ended. */
static int claim_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct failure *f = arg;
	struct stored_job job;
	int rc = jobs_claim(txn, "w1", 60000, &job, err);

	while (!rc && job.kind == JOB_REGISTER) {
		rc = end_registration(txn, &job, err);
		stored_job_fini(&job);
		if (!rc)
			rc = jobs_claim(txn, "w1", 60000, &job, err);
	}
	if (rc)
		return rc;
	job_lease_of(&job, &f->lease);
	memcpy(f->fare.model, job.model, sizeof(f->fare.model));
	stored_job_fini(&job);
	return jobs_move(txn, &f->lease, JOB_QUEUED, JOB_SELECTING, err);
}

static int fail_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct failure *f = arg;
	struct request_update update = { REQUEST_FAILED, f->fare.outcome, f->fare.verdict, "verification_failed" };
	int rc = requests_update(txn, f->request, &update, err);

	f->fare.status = REQUEST_FAILED;
	if (!rc)
		rc = requests_set_model(txn, f->request, &f->fare, err);
	return rc ? rc : jobs_fail(txn, &f->lease, EXP_EVERIFY, "no method was accepted", err);
}

static void write_as(int (*op)(struct txn *txn, void *arg, struct exp_error *err), void *arg)
{
	struct exp_error err = { 0 };

	cr_assert_eq(writer_call(w.store, op, arg, &err), 0, "%s", err.message);
}

static void start(void)
{
	world_start(&w, NULL);
	world_add_dataset(&w);
	world_add_model(&w, NULL);
}

static void stop(void)
{
	world_stop(&w);
}

TestSuite(retry, .init = start, .fini = stop);

static void submit(size_t n, char id[ID_TEXT])
{
	char *body = world_claim(false, n);
	struct answer a = post(&w, ROLE_SUBMITTER, "/v1/deletion-requests", body);

	cr_assert_eq(a.status, 202, "%s", a.body.data);
	snprintf(id, ID_TEXT, "%s", answer_text(&a, "id"));
	answer_fini(&a);
	mem_free(body);
}

static void submit_and_claim(struct failure *f)
{
	submit(0, f->request);
	write_as(claim_op, f);
}

static void submit_and_fail(struct failure *f)
{
	submit_and_claim(f);
	write_as(fail_op, f);
}

static struct answer retry_as(int role, const char *id, const char *body)
{
	char *path = mem_format("/v1/deletion-requests/%s/retry", id);
	struct answer a = ask(&w, &(struct question){ .role = role, .method = "POST", .path = path, .body = body });

	mem_free(path);
	return a;
}

static struct answer look(const char *id)
{
	char *path = mem_format("/v1/deletion-requests/%s", id);
	struct answer a = get(&w, ROLE_AUDITOR, path);

	cr_assert_eq(a.status, 200);
	mem_free(path);
	return a;
}

static const json_t *item(const struct answer *a, const char *list, const char *member, const char *value)
{
	json_t *found;
	size_t i;

	json_array_foreach(json_object_get(a->json, list), i, found)
		if (!strcmp(json_string_value(json_object_get(found, member)), value))
			return found;
	cr_assert_fail("no %s with %s %s in %s", list, member, value, a->body.data);
	return NULL;
}

static const char *text(const json_t *object, const char *member)
{
	const char *value = json_string_value(json_object_get(object, member));

	return value ? value : "";
}

static size_t count(const struct answer *a, const char *list)
{
	return json_array_size(json_object_get(a->json, list));
}

static long tombstoned(void)
{
	struct answer a = get(&w, ROLE_ML_ENGINEER, "/v1/datasets/wages");
	const json_t *train = json_object_get(json_object_get(a.json, "splits"), "train");
	long n = (long)json_integer_value(json_object_get(train, "tombstoned"));

	answer_fini(&a);
	return n;
}

Test(retry, what_failed_is_queued_again)
{
	struct failure f = { 0 };
	struct answer a, b;
	char *location;
	int wakes;

	submit_and_fail(&f);
	b = look(f.request);
	cr_assert_str_eq(answer_text(&b, "status"), "failed");
	cr_assert_eq(tombstoned(), 1);
	wakes = atomic_load(&w.wakes);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(a.status, 202, "%s", a.body.data);
	location = answer_header(&a, "Location");
	cr_assert(location && strstr(location, f.request));
	cr_assert_str_eq(answer_text(&a, "status"), "queued");
	cr_assert(json_is_null(json_object_get(a.json, "reason")));
	cr_assert(json_is_null(json_object_get(a.json, "completed_at")));
	cr_assert_str_eq(answer_text(&a, "due_at"), answer_text(&b, "due_at"));
	cr_assert_str_eq(text(item(&a, "models", "model", "wages"), "status"), "queued");
	cr_assert_eq(count(&a, "jobs"), 2);
	cr_assert_str_eq(text(item(&a, "jobs", "state", "queued"), "kind"), "unlearn");
	cr_assert_eq(tombstoned(), 1);
	cr_assert_gt(atomic_load(&w.wakes), wakes);
	mem_free(location);
	answer_fini(&a);
	answer_fini(&b);
}

/* The job is due when the law says, not when somebody retried. */
Test(retry, the_job_has_the_due_date_of_the_request)
{
	struct failure f = { 0 };
	struct answer a, job;
	char *path;

	submit_and_fail(&f);
	a = retry_as(ROLE_ADMIN, f.request, "{}");
	path = mem_format("/v1/jobs/%s", text(item(&a, "jobs", "state", "queued"), "id"));
	job = get(&w, ROLE_ML_ENGINEER, path);
	cr_assert_str_eq(answer_text(&job, "due_at"), answer_text(&a, "due_at"));
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(job.json, "requests"), 0)), f.request);
	mem_free(path);
	answer_fini(&a);
	answer_fini(&job);
}

static void expect_message(const char *topic, const char *request)
{
	struct stored_message_list list;
	bool found = false;
	struct db *db;

	cr_assert_eq(reader_take(w.store, &db, NULL), 0);
	cr_assert_eq(outbox_due(db, clock_now_ms() + 1000, 100, &list, NULL), 0);
	reader_give(w.store, db);
	for (size_t i = 0; i < list.count; i++)
		found |= !strcmp(list.items[i].topic, topic) && strstr(list.items[i].body, request);
	stored_message_list_fini(&list);
	cr_assert(found, "no message %s", topic);
}

Test(retry, it_is_told)
{
	struct failure f = { 0 };
	struct answer a;
	char *path;

	submit_and_fail(&f);
	a = retry_as(ROLE_ML_ENGINEER, f.request, "{\"reason\":\"memory_added\"}");
	cr_assert_eq(a.status, 202, "%s", a.body.data);
	answer_fini(&a);
	path = mem_format("/v1/deletion-requests/%s/events", f.request);
	a = get(&w, ROLE_AUDITOR, path);
	cr_assert_str_eq(text(json_object_get(item(&a, "items", "kind", "request_retried"), "data"), "reason"),
			 "memory_added");
	expect_message("deletion_request.retried", f.request);
	mem_free(path);
	answer_fini(&a);
}

Test(retry, a_mitigated_model_is_retrained)
{
	struct failure f = { .fare = { .outcome = REQUEST_OUTCOME_MITIGATED,
				       .verdict = REQUEST_VERDICT_CONSISTENT,
				       .evidence = (char *)"{\"kept\":1}" } };
	const json_t *model;
	struct answer a;

	submit_and_fail(&f);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(a.status, 202, "%s", a.body.data);
	cr_assert_str_eq(answer_text(&a, "outcome"), "mitigated");
	cr_assert_str_eq(text(item(&a, "jobs", "state", "queued"), "kind"), "retrain");
	model = item(&a, "models", "model", "wages");
	cr_assert_str_eq(text(model, "status"), "queued");
	cr_assert_str_eq(text(model, "outcome"), "mitigated");
	cr_assert_str_eq(text(model, "verdict"), "pass/consistent");
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(model, "evidence"), "kept")), 1);
	answer_fini(&a);
}

static void add_model(const char *name)
{
	char *body = mem_format("{\"name\":\"%s\",\"dataset\":\"wages\",\"onnx\":\"model.onnx\"}", name);
	struct answer a = post(&w, ROLE_ML_ENGINEER, "/v1/models", body);

	cr_assert_eq(a.status, 202, "%s", a.body.data);
	answer_fini(&a);
	mem_free(body);
}

Test(retry, a_model_that_came_meanwhile_is_not_missed)
{
	struct failure f = { 0 };
	struct answer a;

	submit_and_fail(&f);
	add_model("late");
	a = look(f.request);
	cr_assert_eq(count(&a, "models"), 1);
	answer_fini(&a);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(count(&a, "models"), 2);
	cr_assert_str_eq(text(item(&a, "models", "model", "late"), "status"), "queued");
	cr_assert_str_eq(text(item(&a, "jobs", "model", "late"), "state"), "queued");
	answer_fini(&a);
}

/* The other model's job was not touched by the failure: one job is enough. */
Test(retry, a_job_that_waits_is_kept)
{
	struct failure f = { 0 };
	struct answer a;

	add_model("other");
	submit_and_fail(&f);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(a.status, 202, "%s", a.body.data);
	cr_assert_eq(count(&a, "jobs"), 3, "%s", a.body.data);
	answer_fini(&a);
}

static int publish_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct failure *f = arg;
	struct request_update update = { REQUEST_RUNNING, REQUEST_OUTCOME_UNSET, REQUEST_VERDICT_NONE, NULL };
	int rc = requests_update(txn, f->request, &update, err);

	f->fare.status = REQUEST_RUNNING;
	f->fare.outcome = REQUEST_OUTCOME_ERASED;
	if (!rc)
		rc = requests_set_model(txn, f->request, &f->fare, err);
	if (!rc)
		rc = jobs_move(txn, &f->lease, JOB_SELECTING, JOB_ERASING, err);
	return rc;
}

static int end_op(struct txn *txn, void *arg, struct exp_error *err)
{
	return jobs_move(txn, &((struct failure *)arg)->lease, JOB_ERASING, JOB_DONE, err);
}

/* Nobody was there to close it when the job ended, because the request had failed on the other model. */
Test(retry, exact_work_is_not_done_twice)
{
	struct failure erased = { 0 }, f = { 0 };
	struct answer a;

	add_model("other");
	submit_and_claim(&erased);
	write_as(publish_op, &erased);
	write_as(claim_op, &f);
	memcpy(f.request, erased.request, sizeof(f.request));
	write_as(fail_op, &f);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(a.status, 409, "%s", a.body.data);
	cr_assert(strstr(answer_text(&a, "detail"), "erasing"), "%s", a.body.data);
	answer_fini(&a);
	write_as(end_op, &erased);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(a.status, 202, "%s", a.body.data);
	cr_assert_str_eq(text(item(&a, "models", "model", erased.fare.model), "status"), "completed");
	cr_assert_str_eq(text(item(&a, "models", "model", f.fare.model), "status"), "queued");
	cr_assert_eq(count(&a, "jobs"), 3);
	answer_fini(&a);
}

Test(retry, only_what_failed)
{
	struct failure f = { 0 };
	struct answer a;

	submit(0, f.request);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(a.status, 409);
	cr_assert(strstr(answer_text(&a, "detail"), "queued"), "%s", a.body.data);
	answer_fini(&a);
	write_as(claim_op, &f);
	write_as(fail_op, &f);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(a.status, 202);
	answer_fini(&a);
	a = retry_as(ROLE_ML_ENGINEER, f.request, NULL);
	cr_assert_eq(a.status, 409);
	answer_fini(&a);
	a = look(f.request);
	cr_assert_eq(count(&a, "jobs"), 2);
	answer_fini(&a);
}

Test(retry, refusals)
{
	struct failure f = { 0 };
	const struct {
		int role;
		const char *id, *body;
		long status;
	} cases[] = {
		{ ROLE_SUBMITTER, f.request, NULL, 403 },
		{ ROLE_AUDITOR, f.request, NULL, 403 },
		{ NOBODY, f.request, NULL, 401 },
		{ ROLE_ML_ENGINEER, "019b0000-0000-7000-8000-000000000000", NULL, 404 },
		{ ROLE_ML_ENGINEER, "mine", NULL, 404 },
		{ ROLE_ML_ENGINEER, f.request, "{\"reason\":\"Ada Lovelace\"}", 422 },
		{ ROLE_ML_ENGINEER, f.request, "{\"why\":\"x\"}", 422 },
	};
	struct answer a;

	submit_and_fail(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a = retry_as(cases[i].role, cases[i].id, cases[i].body);
		cr_assert_eq(a.status, cases[i].status, "%zu: %ld %s", i, a.status, a.body.data);
		answer_fini(&a);
	}
	a = look(f.request);
	cr_assert_str_eq(answer_text(&a, "status"), "failed");
	answer_fini(&a);
}

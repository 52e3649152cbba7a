/*
 * Deletion requests over HTTP, with real rows and a real model behind them and no worker: what is taken in, how it is
 * answered, what is durable by then.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/dataset_rows.h"
#include "storage/jobs.h"
#include "storage/keys.h"
#include "storage/leaves.h"
#include "storage/requests.h"
#include "storage/writer.h"
#include "tests/unit/api/world.h"

static struct world w;

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

TestSuite(requests, .init = start, .fini = stop);

static struct answer submit(const char *body, const char *header)
{
	return ask(&w,
		   &(struct question){
		       .role = ROLE_SUBMITTER, .path = "/v1/deletion-requests", .body = body, .headers = { header } });
}

static struct answer submit_person(bool heldout, size_t n, const char *header)
{
	char *body = world_claim(heldout, n);
	struct answer a = submit(body, header);

	mem_free(body);
	return a;
}

static char *path_of(const struct answer *a, const char *rest)
{
	return mem_format("/v1/deletion-requests/%s%s", answer_text(a, "id"), rest);
}

static size_t count(const struct answer *a, const char *member)
{
	return json_array_size(json_object_get(a->json, member));
}

static const char *first(const struct answer *a, const char *list, const char *member)
{
	const json_t *item = json_array_get(json_object_get(a->json, list), 0);
	const char *text = json_string_value(json_object_get(item, member));

	return text ? text : "";
}

Test(requests, a_person_in_the_training_rows)
{
	struct answer a = submit_person(false, 0, NULL), b;
	char *location = answer_header(&a, "Location"), *retry = answer_header(&a, "Retry-After"),
	     *path = path_of(&a, "");
	int64_t received, due;

	cr_assert_eq(a.status, 202, "%s", a.body.data);
	cr_assert_str_eq(location, path);
	cr_assert(atoi(retry) > 0);
	cr_assert_str_eq(answer_text(&a, "status"), "queued");
	cr_assert(json_is_null(json_object_get(a.json, "outcome")));
	cr_assert_str_eq(answer_text(&a, "verdict"), "none");
	cr_assert_str_eq(answer_text(&a, "regime"), "gdpr");
	cr_assert_str_eq(first(&a, "models", "model"), "wages");
	cr_assert_str_eq(first(&a, "models", "status"), "queued");
	cr_assert_str_eq(first(&a, "jobs", "kind"), "unlearn");
	cr_assert_eq(clock_parse(answer_text(&a, "received_at"), &received), 0);
	cr_assert_eq(clock_parse(answer_text(&a, "due_at"), &due), 0);
	cr_assert_eq(due, clock_add_months(received, 1));
	cr_assert_geq(atomic_load(&w.wakes), 2); /* the model's registration was one */
	b = get(&w, ROLE_AUDITOR, path);
	cr_assert_eq(b.status, 200);
	cr_assert(json_equal(a.json, b.json));
	answer_fini(&b);
	b = get(&w, ROLE_ML_ENGINEER, "/v1/datasets/wages");
	cr_assert_eq(json_integer_value(
			 json_object_get(json_object_get(json_object_get(b.json, "splits"), "train"), "tombstoned")),
		     1);
	answer_fini(&b);
	mem_free(location);
	mem_free(retry);
	mem_free(path);
	answer_fini(&a);
}

Test(requests, a_person_in_held_out_rows_only)
{
	struct answer a = submit_person(true, 0, NULL);

	cr_assert_eq(a.status, 202);
	cr_assert_str_eq(answer_text(&a, "status"), "queued");
	cr_assert_str_eq(first(&a, "jobs", "kind"), "unlearn");
	answer_fini(&a);
}

static const char stranger[] =
    "{\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"stranger@example.org\"}]}}";

static char *wait_for_receipt(const struct answer *request)
{
	char *path = path_of(request, "/receipt"), *proof;
	struct answer a = get(&w, ROLE_SUBMITTER, path);
	bool advanced;

	cr_assert_eq(a.status, 404);
	proof = answer_header(&a, "Retry-After");
	cr_assert(proof != NULL);
	mem_free(proof);
	answer_fini(&a);
	cr_assert_eq(audit_checkpoint(w.audit, &advanced, NULL), 0);
	a = get(&w, ROLE_SUBMITTER, path);
	cr_assert_eq(a.status, 200, "%s", a.body.data);
	proof = answer_header(&a, "Content-Type");
	cr_assert_str_eq(proof, "application/vnd.expunge.tlog-proof");
	mem_free(proof);
	proof = mem_strdup(a.body.data);
	answer_fini(&a);
	mem_free(path);
	return proof;
}

Test(requests, nobody_knows_this_person)
{
	struct answer a = submit(stranger, NULL);
	char *proof;

	cr_assert_eq(a.status, 202);
	cr_assert_str_eq(answer_text(&a, "status"), "completed");
	cr_assert_str_eq(answer_text(&a, "outcome"), "not_found");
	cr_assert_str_eq(answer_text(&a, "verdict"), "none");
	cr_assert_eq(count(&a, "jobs"), 0);
	cr_assert_eq(count(&a, "models"), 0);
	cr_assert(*answer_text(&a, "completed_at"));
	proof = wait_for_receipt(&a);
	cr_assert(!strncmp(proof, "c2sp.org/tlog-proof@v1\n", 23), "%s", proof);
	mem_free(proof);
	answer_fini(&a);
}

Test(requests, an_open_request_has_no_receipt_yet)
{
	struct answer a = submit_person(false, 1, NULL), b;
	char *path = path_of(&a, "/receipt");

	b = get(&w, ROLE_SUBMITTER, path);
	cr_assert_eq(b.status, 404);
	cr_assert_str_eq(answer_slug(&b), "not-found");
	mem_free(path);
	answer_fini(&a);
	answer_fini(&b);
}

/* Both have their own record and clock, and share the work. */
Test(requests, the_same_person_twice)
{
	struct answer a = submit_person(false, 2, NULL), b = submit_person(false, 2, NULL);

	cr_assert_eq(b.status, 202);
	cr_assert_str_neq(answer_text(&a, "id"), answer_text(&b, "id"));
	cr_assert_str_eq(answer_text(&b, "duplicate_of"), answer_text(&a, "id"));
	cr_assert_str_eq(first(&a, "jobs", "id"), first(&b, "jobs", "id"));
	answer_fini(&a);
	answer_fini(&b);
}

static int complete(struct txn *txn, void *arg, struct exp_error *err)
{
	struct request_update update = { REQUEST_RUNNING, REQUEST_OUTCOME_MITIGATED, REQUEST_VERDICT_CONSISTENT, NULL };
	struct subject_list subjects;
	int64_t changed;
	int rc = requests_update(txn, arg, &update, err);

	update =
	    (struct request_update){ REQUEST_COMPLETED, REQUEST_OUTCOME_ERASED, REQUEST_VERDICT_BY_CONSTRUCTION, NULL };
	if (!rc)
		rc = requests_update(txn, arg, &update, err);
	if (!rc)
		rc = requests_subjects(txn_db(txn), arg, &subjects, err);
	if (!rc)
		rc = dataset_rows_erase(txn, "wages", subjects.items[0], &changed, err);
	subject_list_fini(&subjects);
	return rc;
}

Test(requests, somebody_who_was_erased_before)
{
	struct answer a = submit_person(false, 3, NULL), b;

	cr_assert_eq(writer_call(w.store, complete, (void *)answer_text(&a, "id"), NULL), 0);
	b = submit_person(false, 3, NULL);
	cr_assert_eq(b.status, 202);
	cr_assert_str_eq(answer_text(&b, "status"), "completed");
	cr_assert_str_eq(answer_text(&b, "outcome"), "already_erased");
	cr_assert_str_eq(answer_text(&b, "duplicate_of"), answer_text(&a, "id"));
	answer_fini(&a);
	answer_fini(&b);
}

Test(requests, waiting_requests_share_a_job)
{
	struct answer a = submit_person(false, 4, NULL), b = submit_person(false, 5, NULL);

	cr_assert_str_eq(first(&a, "jobs", "id"), first(&b, "jobs", "id"));
	cr_assert(json_is_null(json_object_get(b.json, "duplicate_of")));
	answer_fini(&a);
	answer_fini(&b);
}

Test(requests, a_model_that_comes_later_gets_open_requests)
{
	struct answer a = submit_person(false, 6, NULL), b;
	char *path = path_of(&a, "");

	b = post(&w, ROLE_ML_ENGINEER, "/v1/models",
		 "{\"name\":\"second\",\"dataset\":\"wages\",\"onnx\":\"model.onnx\"}");
	cr_assert_eq(b.status, 202, "%s", b.body.data);
	answer_fini(&b);
	b = get(&w, ROLE_SUBMITTER, path);
	cr_assert_eq(count(&b, "models"), 2);
	cr_assert_eq(count(&b, "jobs"), 2);
	answer_fini(&b);
	mem_free(path);
	answer_fini(&a);
}

Test(requests, idempotency)
{
	static const char key[] = "Idempotency-Key: \"0b8e-1\"", bare[] = "Idempotency-Key: 0b8e-1";
	struct answer a = submit_person(false, 7, key), b = submit_person(false, 7, bare);

	cr_assert_eq(b.status, 202, "%s", b.body.data);
	cr_assert_str_eq(answer_text(&a, "id"), answer_text(&b, "id"));
	answer_fini(&b);
	b = submit_person(false, 8, key);
	cr_assert_eq(b.status, 422);
	cr_assert_str_eq(answer_slug(&b), "idempotency-key-reuse");
	answer_fini(&b);
	b = submit_person(false, 7, "Idempotency-Key: \"\"");
	cr_assert_eq(b.status, 400);
	answer_fini(&b);
	b = get(&w, ROLE_SUBMITTER, "/v1/deletion-requests");
	cr_assert_eq(count(&b, "items"), 1);
	answer_fini(&a);
	answer_fini(&b);
}

/* The key of one caller is nothing to another. */
Test(requests, idempotency_by_caller)
{
	char *body = world_claim(false, 7);
	struct answer a = submit_person(false, 7, "Idempotency-Key: k"), b;

	b = ask(&w, &(struct question){ .role = ROLE_ADMIN,
					.path = "/v1/deletion-requests",
					.body = body,
					.headers = { "Idempotency-Key: k" } });
	cr_assert_eq(b.status, 202);
	cr_assert_str_neq(answer_text(&a, "id"), answer_text(&b, "id"));
	mem_free(body);
	answer_fini(&a);
	answer_fini(&b);
}

Test(requests, a_reference_of_your_own_is_a_key)
{
	static const char body[] =
	    "{\"request_id\":\"R-7\",\"subject\":{\"identities\":[{\"type\":\"n\",\"value\":\"1\"}]}}";
	struct answer a = submit(body, NULL), b = submit(body, NULL);

	cr_assert_eq(b.status, 202);
	cr_assert_str_eq(answer_text(&a, "id"), answer_text(&b, "id"));
	answer_fini(&a);
	answer_fini(&b);
}

/* Before the dataset has a model: nobody may read the rows, and the request waits with a reason. */
Test(beginnings, rows_without_a_model)
{
	struct answer a, b;
	char *path;

	world_start(&w, NULL);
	world_add_dataset(&w);
	a = submit_person(false, 0, NULL);
	cr_assert_eq(a.status, 202);
	cr_assert_str_eq(answer_text(&a, "status"), "queued");
	cr_assert_str_eq(answer_text(&a, "reason"), "dataset_without_model");
	cr_assert_eq(count(&a, "jobs"), 0);
	world_add_model(&w, NULL);
	path = path_of(&a, "");
	b = get(&w, ROLE_SUBMITTER, path);
	cr_assert_eq(count(&b, "jobs"), 1);
	answer_fini(&a);
	answer_fini(&b);
	mem_free(path);
	world_stop(&w);
}

enum { CROWD = 64 };

struct one {
	struct thread thread;
	size_t n;
	const char *header;
	char id[ID_TEXT];
	long status;
};

static void submit_one(void *arg)
{
	struct one *o = arg;
	struct answer a = submit_person(false, o->n, o->header);

	o->status = a.status;
	snprintf(o->id, sizeof(o->id), "%s", answer_text(&a, "id"));
	answer_fini(&a);
}

static void run_crowd(struct one *crowd, size_t size)
{
	for (size_t i = 0; i < size; i++)
		cr_assert_eq(thread_start(&crowd[i].thread, "client", submit_one, &crowd[i]), 0);
	for (size_t i = 0; i < size; i++)
		thread_join(&crowd[i].thread);
}

Test(requests, a_crowd)
{
	static struct one crowd[CROWD];
	struct answer a;

	for (size_t i = 0; i < CROWD; i++)
		crowd[i].n = i;
	run_crowd(crowd, CROWD);
	for (size_t i = 0; i < CROWD; i++) {
		cr_assert_eq(crowd[i].status, 202);
		for (size_t j = 0; j < i; j++)
			cr_assert_str_neq(crowd[i].id, crowd[j].id);
	}
	a = get(&w, ROLE_SUBMITTER, "/v1/deletion-requests?page_size=500");
	cr_assert_eq(count(&a, "items"), CROWD);
	answer_fini(&a);
	a = get(&w, ROLE_ML_ENGINEER, "/v1/datasets/wages");
	cr_assert_eq(json_integer_value(
			 json_object_get(json_object_get(json_object_get(a.json, "splits"), "train"), "tombstoned")),
		     CROWD);
	answer_fini(&a);
}

Test(requests, a_crowd_with_one_key)
{
	static struct one crowd[16];

	for (size_t i = 0; i < 16; i++)
		crowd[i] = (struct one){ .n = 9, .header = "Idempotency-Key: \"same\"" };
	run_crowd(crowd, 16);
	for (size_t i = 0; i < 16; i++) {
		cr_assert_eq(crowd[i].status, 202);
		cr_assert_str_eq(crowd[i].id, crowd[0].id);
	}
}

static void read_key(const char *id, struct store *store);

static int key_op(struct txn *txn, void *arg, struct exp_error *err)
{
	uint8_t key[KEYS_SIZE];

	return keys_get(txn, arg, key, err);
}

static void read_key(const char *id, struct store *store)
{
	struct exp_error err = { 0 };

	cr_assert_eq(writer_call(store, key_op, (void *)id, &err), 0, "%s", err.message);
}

/* What a kill at the moment of the answer would leave: the files as they are, opened by another process's eyes. */
Test(requests, durable_before_the_answer)
{
	struct answer a = submit_person(false, 10, NULL);
	struct exp_error err = { 0 };
	struct stored_request r;
	struct store *copy;
	struct stored_leaf_list leaves;
	struct id_list bound = { 0 };
	char command[256], folder[128];
	struct db *db;

	snprintf(folder, sizeof(folder), "%s-copy", w.folder);
	snprintf(command, sizeof(command), "cp -r '%s' '%s'", w.folder, folder);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(store_open(folder, NULL, &copy, &err), 0, "%s", err.message);
	cr_assert_eq(reader_take(copy, &db, NULL), 0);
	cr_assert_eq(requests_get(db, answer_text(&a, "id"), &r, NULL), 0);
	cr_assert_eq(jobs_requests(db, first(&a, "jobs", "id"), &bound, NULL), 0);
	cr_assert_eq(bound.count, 1);
	cr_assert_eq(leaves_of_request(db, r.id, &leaves, NULL), 0);
	cr_assert_eq(leaves.count, 1);
	cr_assert_str_eq(leaves.items[0].type, "request.received");
	id_list_fini(&bound);
	stored_leaf_list_fini(&leaves);
	reader_give(copy, db);
	read_key(r.id, copy);
	store_close(copy);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	cr_assert_eq(system(command), 0);
	answer_fini(&a);
}

Test(requests, lists_page_and_filter)
{
	char path[256] = "/v1/deletion-requests?page_size=4", *link;
	size_t seen = 0;
	struct answer a;

	for (size_t i = 0; i < 10; i++) {
		a = submit_person(false, 20 + i, NULL);
		answer_fini(&a);
	}
	a = submit(stranger, NULL);
	answer_fini(&a);
	for (int page = 0; page < 3; page++) {
		a = get(&w, ROLE_SUBMITTER, path);
		cr_assert_eq(a.status, 200, "%s", a.body.data);
		seen += count(&a, "items");
		link = answer_header(&a, "Link");
		cr_assert_eq(link != NULL, page < 2);
		if (link) {
			snprintf(path, sizeof(path), "%.*s", (int)(strchr(link, '>') - link - 1), link + 1);
			cr_assert(strstr(link, "rel=\"next\"") && strstr(link, answer_text(&a, "next_page_token")));
		}
		mem_free(link);
		answer_fini(&a);
	}
	cr_assert_eq(seen, 11);
	a = get(&w, ROLE_SUBMITTER, "/v1/deletion-requests?status=completed&outcome=not_found");
	cr_assert_eq(count(&a, "items"), 1);
	answer_fini(&a);
	a = get(&w, ROLE_SUBMITTER, "/v1/deletion-requests?model=wages&status=queued");
	cr_assert_eq(count(&a, "items"), 10);
	answer_fini(&a);
	a = get(&w, ROLE_SUBMITTER, "/v1/deletion-requests?due_before=2001-01-01T00:00:00Z");
	cr_assert_eq(count(&a, "items"), 0);
	answer_fini(&a);
	a = get(&w, ROLE_SUBMITTER, "/v1/deletion-requests?page_token=mine");
	cr_assert(a.status == 400 || a.status == 422);
	answer_fini(&a);
}

Test(requests, preview_stores_nothing)
{
	char *body = world_claim(false, 11);
	struct answer a = post(&w, ROLE_SUBMITTER, "/v1/deletion-requests/preview", body);
	const json_t *matched = json_object_get(a.json, "matched");

	cr_assert_eq(a.status, 200, "%s", a.body.data);
	cr_assert_eq(json_integer_value(json_object_get(matched, "train")), 1);
	cr_assert_eq(json_integer_value(json_object_get(matched, "heldout")), 0);
	cr_assert_str_eq(first(&a, "models", "model"), "wages");
	answer_fini(&a);
	mem_free(body);
	a = post(&w, ROLE_SUBMITTER, "/v1/deletion-requests/preview", stranger);
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(a.json, "matched"), "train")), 0);
	cr_assert_eq(count(&a, "models"), 0);
	answer_fini(&a);
	a = get(&w, ROLE_SUBMITTER, "/v1/deletion-requests");
	cr_assert_eq(count(&a, "items"), 0);
	answer_fini(&a);
}

static long tombstoned(void)
{
	struct answer a = get(&w, ROLE_ML_ENGINEER, "/v1/datasets/wages");
	const json_t *train = json_object_get(json_object_get(a.json, "splits"), "train");
	long n = (long)json_integer_value(json_object_get(train, "tombstoned"));

	answer_fini(&a);
	return n;
}

Test(requests, cancelled_in_time)
{
	struct answer a = submit_person(false, 12, NULL), b;
	char *path = path_of(&a, "/cancel");

	cr_assert_eq(tombstoned(), 1);
	b = post(&w, ROLE_SUBMITTER, path, "{\"reason\":\"withdrawn\"}");
	cr_assert_eq(b.status, 200, "%s", b.body.data);
	cr_assert_str_eq(answer_text(&b, "status"), "cancelled");
	cr_assert_str_eq(answer_text(&b, "reason"), "withdrawn");
	cr_assert_str_eq(first(&b, "models", "status"), "cancelled");
	cr_assert_eq(tombstoned(), 0);
	answer_fini(&b);
	b = ask(&w, &(struct question){ .role = ROLE_SUBMITTER, .method = "POST", .path = path });
	cr_assert_eq(b.status, 409);
	answer_fini(&b);
	answer_fini(&a);
	mem_free(path);
}

Test(requests, cancelling_keeps_what_another_request_wants)
{
	struct answer a = submit_person(false, 13, NULL), b = submit_person(false, 13, NULL), c;
	char *path = path_of(&a, "/cancel");

	c = post(&w, ROLE_SUBMITTER, path, "{}");
	cr_assert_eq(c.status, 200, "%s", c.body.data);
	cr_assert_eq(tombstoned(), 1);
	answer_fini(&a);
	answer_fini(&b);
	answer_fini(&c);
	mem_free(path);
}

static int claim(struct txn *txn, void *arg, struct exp_error *err)
{
	struct stored_job *job = arg;
	struct job_lease lease;
	int rc = jobs_claim(txn, "w1", 60000, job, err);

	if (!rc && job->kind == JOB_REGISTER) {
		job_lease_of(job, &lease);
		rc = jobs_move(txn, &lease, JOB_QUEUED, JOB_SELECTING, err);
		if (!rc)
			rc = jobs_move(txn, &lease, JOB_SELECTING, JOB_DONE, err);
		stored_job_fini(job);
		if (!rc)
			rc = jobs_claim(txn, "w1", 60000, job, err);
	}
	return rc;
}

Test(requests, too_late_to_cancel)
{
	struct answer a = submit_person(false, 14, NULL), b;
	char *path = path_of(&a, "/cancel");
	struct exp_error err = { 0 };
	struct stored_job job;

	cr_assert_eq(writer_call(w.store, claim, &job, &err), 0, "%s", err.message);
	cr_assert_eq(job.kind, JOB_UNLEARN);
	stored_job_fini(&job);
	b = post(&w, ROLE_SUBMITTER, path, "{}");
	cr_assert_eq(b.status, 409, "%s", b.body.data);
	cr_assert_eq(tombstoned(), 1);
	answer_fini(&a);
	answer_fini(&b);
	mem_free(path);
}

static const char *job_of_kind(const struct answer *page, const char *kind)
{
	json_t *job;
	size_t i;

	json_array_foreach(json_object_get(page->json, "items"), i, job)
		if (!strcmp(json_string_value(json_object_get(job, "kind")), kind))
			return json_string_value(json_object_get(job, "id"));
	cr_assert_fail("there is no %s job", kind);
	return NULL;
}

Test(requests, jobs_are_shown_and_cancelled)
{
	struct answer a = submit_person(false, 15, NULL), b;
	char *path = mem_format("/v1/jobs/%s", first(&a, "jobs", "id")), *cancel = mem_format("%s/cancel", path);
	char *registration;

	b = get(&w, ROLE_ML_ENGINEER, "/v1/jobs?state=queued&model=wages");
	cr_assert_eq(count(&b, "items"), 2);
	registration = mem_format("/v1/jobs/%s/cancel", job_of_kind(&b, "register"));
	answer_fini(&b);
	b = get(&w, ROLE_ML_ENGINEER, path);
	cr_assert_eq(b.status, 200);
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(b.json, "requests"), 0)),
			 answer_text(&a, "id"));
	cr_assert_eq(count(&b, "attempts"), 0);
	answer_fini(&b);
	b = post(&w, ROLE_ML_ENGINEER, cancel, "{\"why\":1}");
	cr_assert_eq(b.status, 422);
	answer_fini(&b);
	b = post(&w, ROLE_ML_ENGINEER, cancel, "{}");
	cr_assert_eq(b.status, 409, "somebody is owed this job");
	cr_assert_not_null(strstr(answer_text(&b, "detail"), "serves 1 deletion request"));
	answer_fini(&b);
	b = post(&w, ROLE_ML_ENGINEER, registration, "{}");
	cr_assert_eq(b.status, 202);
	cr_assert_str_eq(answer_text(&b, "state"), "cancelled");
	answer_fini(&b);
	b = post(&w, ROLE_ML_ENGINEER, registration, "{}");
	cr_assert_eq(b.status, 409);
	answer_fini(&b);
	b = get(&w, ROLE_ML_ENGINEER, "/v1/models/wages");
	cr_assert_str_eq(answer_text(&b, "state"), "failed");
	answer_fini(&b);
	answer_fini(&a);
	mem_free(registration);
	mem_free(path);
	mem_free(cancel);
}

Test(requests, etag_and_timeline)
{
	struct answer a = submit_person(false, 16, NULL), b;
	char *path = path_of(&a, ""), *events = path_of(&a, "/events"), *etag, header[128];

	b = get(&w, ROLE_SUBMITTER, path);
	etag = answer_header(&b, "ETag");
	snprintf(header, sizeof(header), "If-None-Match: %s", etag);
	answer_fini(&b);
	b = ask(&w, &(struct question){ .role = ROLE_SUBMITTER, .path = path, .headers = { header } });
	cr_assert_eq(b.status, 304);
	cr_assert_eq(b.body.size, 0);
	answer_fini(&b);
	b = get(&w, ROLE_SUBMITTER, events);
	cr_assert_eq(b.status, 200);
	cr_assert_str_eq(first(&b, "items", "kind"), "request_received");
	answer_fini(&b);
	mem_free(etag);
	mem_free(path);
	mem_free(events);
	answer_fini(&a);
}

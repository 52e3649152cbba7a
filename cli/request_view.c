#include "cli/request_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/evidence_view.h"
#include "cli/follow.h"
#include "cli/verdict_text.h"

static int by_id(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Ids are version 7 UUIDs: their order is that of time. */
static const char **sorted_jobs(const json_t *request, size_t *count)
{
	const json_t *links = json_object_get(request, "jobs");
	const char **ids = mem_alloc((json_array_size(links) + 1) * sizeof(*ids));

	*count = json_array_size(links);
	for (size_t i = 0; i < *count; i++)
		ids[i] = remote_text(json_array_get(links, i), "id");
	qsort(ids, *count, sizeof(*ids), by_id);
	return ids;
}

static int load_jobs(struct remote *r, struct request_view *v, struct exp_error *err)
{
	struct exp_error cause = { 0 };
	size_t count;
	const char **ids = sorted_jobs(v->request, &count);
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		char *path = remote_path("/v1/jobs", ids[i]);
		json_t *job;

		rc = remote_get(r, path, &job, &cause);
		if (!rc)
			json_array_append_new(v->jobs, job);
		mem_free(path);
	}
	mem_free(ids);
	if (rc == EXP_EFORBIDDEN)
		return 0;
	return rc ? error_set(err, rc, "%s", cause.message) : 0;
}

int request_view_load(struct remote *r, const char *id, struct request_view *out, struct exp_error *err)
{
	char *path = remote_path("/v1/deletion-requests", id);
	struct request_view v = { .jobs = json_array() };
	int rc = remote_get(r, path, &v.request, err);

	mem_free(path);
	if (!rc)
		rc = load_jobs(r, &v, err);
	if (rc)
		request_view_fini(&v);
	else
		*out = v;
	return rc;
}

void request_view_fini(struct request_view *v)
{
	json_decref(v->request);
	json_decref(v->jobs);
	*v = (struct request_view){ 0 };
}

static const json_t *verdict_of(const json_t *attempt, const char *request)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(attempt, "verdicts"), i, item)
		if (!strcmp(remote_text(item, "request"), request))
			return item;
	return NULL;
}

static void add_attempt(const json_t *attempt, const char *request, struct evidence_view *v)
{
	const json_t *summary = json_object_get(attempt, "summary"), *verdict = verdict_of(attempt, request);
	const char *reason = json_string_value(json_object_get(summary, "reason"));

	if (!verdict || v->count == EVIDENCE_ATTEMPTS)
		return;
	v->columns[v->count++] = (struct evidence_column){
		.method = remote_text(attempt, "method"),
		.started = remote_text(attempt, "started_at"),
		.verdict = remote_text(verdict, "verdict"),
		.evidence = json_object_get(verdict, "evidence"),
		.seconds = json_number_value(json_object_get(attempt, "seconds")),
		.verify_seconds = json_number_value(json_object_get(summary, "verify_seconds")),
		.is_accepted = json_is_true(json_object_get(summary, "accepted")),
		.reason = reason ? reason : "",
	};
}

static void add_job(const json_t *job, const char *request, const char *model, struct evidence_view *v)
{
	json_t *attempt;
	size_t i;

	if (strcmp(remote_text(job, "model"), model))
		return;
	json_array_foreach(json_object_get(job, "attempts"), i, attempt)
		add_attempt(attempt, request, v);
}

/* What the request itself carries: the published attempt. */
static void add_published(const json_t *m, struct evidence_view *v)
{
	const json_t *part = json_object_get(m, "evidence");

	if (!json_object_get(part, "evidence"))
		return;
	v->columns[v->count++] = (struct evidence_column){
		.method = remote_text(json_object_get(part, "record"), "method"),
		.started = "",
		.verdict = remote_text(m, "verdict"),
		.evidence = json_object_get(part, "evidence"),
		.seconds = -1,
		.is_accepted = true,
		.reason = "",
	};
}

static int by_start(const void *a, const void *b)
{
	const struct evidence_column *x = a, *y = b;

	return strcmp(x->started, y->started);
}

static void print_model(const struct request_view *v, const json_t *m)
{
	struct evidence_view evidence = { 0 };
	json_t *job;
	size_t i;

	printf("\nmodel %s: %s, %s, %s\n", remote_text(m, "model"), remote_text(m, "status"), remote_text(m, "outcome"),
	       remote_text(m, "verdict"));
	json_array_foreach(v->jobs, i, job)
		add_job(job, remote_text(v->request, "id"), remote_text(m, "model"), &evidence);
	if (!evidence.count)
		add_published(m, &evidence);
	/* A retrain job may have been enqueued long before the edit that it closes. */
	qsort(evidence.columns, evidence.count, sizeof(evidence.columns[0]), by_start);
	evidence_view_print(&evidence);
}

void request_view_print_head(const json_t *r)
{
	const char *outcome = json_string_value(json_object_get(r, "outcome"));

	printf("request %s: %s", remote_text(r, "id"), remote_text(r, "status"));
	if (outcome)
		printf(", %s, %s", outcome, remote_text(r, "verdict"));
	if (json_is_string(json_object_get(r, "reason")))
		printf(" (%s)", remote_text(r, "reason"));
	printf("\n");
}

void request_view_print(const struct request_view *v)
{
	const json_t *r = v->request;
	json_t *m;
	size_t i;

	request_view_print_head(r);
	printf("received %s, due %s (%s), completed %s\n", remote_text(r, "received_at"), remote_text(r, "due_at"),
	       remote_text(r, "regime"), remote_text(r, "completed_at"));
	if (outcome_sentence(remote_text(r, "outcome"))[0])
		printf("%s: %s\n", remote_text(r, "outcome"), outcome_sentence(remote_text(r, "outcome")));
	if (json_is_string(json_object_get(r, "duplicate_of")))
		printf("an earlier request about the same person: %s\n", remote_text(r, "duplicate_of"));
	json_array_foreach(json_object_get(r, "models"), i, m)
		print_model(v, m);
}

int request_view_follow(const struct command_context *c, struct remote *r, const char *id, struct exp_error *err)
{
	struct request_view view;
	json_t *last = NULL;
	int rc = follow_request(r, id, c->json, &last, err);

	if (last && c->json)
		command_print_json(json_incref(last));
	else if (last && !request_view_load(r, id, &view, NULL)) {
		request_view_print(&view);
		request_view_fini(&view);
	}
	json_decref(last);
	return rc;
}

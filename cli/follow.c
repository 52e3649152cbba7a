#include "cli/follow.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cli/job_view.h"

enum { WAIT_S = 20, PAUSE_MS = 100 };

static int look_again(struct remote *r, const struct follow *f, struct remote_answer *now, struct exp_error *err)
{
	struct remote_call call = { .method = "GET", .path = f->path, .etag = now->etag, .wait_s = WAIT_S };
	struct remote_answer next;
	int rc;

	if (!now->json)
		call.wait_s = 0;
	rc = remote_send(r, &call, &next, err);
	if (rc)
		return rc;
	if (next.json) {
		json_decref(now->json);
		*now = next;
	}
	return 0;
}

/* Progress may change many times a second: no more than this is worth a look. */
static void pause_between(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000 * 1000 }, NULL);
}

int follow_to_end(struct remote *r, const struct follow *f, json_t **last, struct exp_error *err)
{
	struct remote_answer now = { 0 };
	struct timeline t;
	int rc;

	timeline_start(&t, f->is_silent);
	for (rc = look_again(r, f, &now, err); !rc; rc = look_again(r, f, &now, err)) {
		f->tell(&t, now.json);
		if (f->is_over(now.json))
			break;
		pause_between();
	}
	timeline_end(&t);
	if (rc)
		json_decref(now.json);
	else
		*last = now.json;
	return rc;
}

static bool is_one_of(const char *text, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		if (!strcmp(text, names[i]))
			return true;
	return false;
}

static bool is_job_over(const json_t *job)
{
	static const char *const ends[] = { "done", "failed", "cancelled", NULL };

	return is_one_of(remote_text(job, "state"), ends);
}

static void tell_progress(struct timeline *t, const json_t *job)
{
	struct buf text = { 0 };

	buf_format(&text, "%s of %s: ", remote_text(job, "kind"), remote_text(job, "model"));
	job_view_progress(job, &text);
	timeline_progress(t, text.data);
	buf_fini(&text);
}

static void tell_job(struct timeline *t, const json_t *job)
{
	timeline_tell(t, remote_text(job, "id"), "%s of model %s: %s", remote_text(job, "kind"),
		      remote_text(job, "model"), remote_text(job, "state"));
	if (!is_job_over(job))
		tell_progress(t, job);
}

/* The phases of a registration take long: each is worth a line of its own. */
static void tell_phases(struct timeline *t, const json_t *job)
{
	const char *phase = json_string_value(json_object_get(job, "phase"));

	if (phase && !is_job_over(job))
		timeline_tell(t, "phase", "%s of model %s: %s", remote_text(job, "kind"), remote_text(job, "model"),
			      phase);
	tell_job(t, job);
}

int follow_job(struct remote *r, const char *id, bool is_silent, json_t **last, struct exp_error *err)
{
	char *path = remote_path("/v1/jobs", id);
	struct follow f = { path, is_job_over, tell_phases, is_silent };
	int rc = follow_to_end(r, &f, last, err);

	mem_free(path);
	if (!rc && strcmp(remote_text(*last, "state"), "done"))
		rc = error_set(err, EXP_EVERIFY, "the job %s: %s", remote_text(*last, "state"),
			       remote_text(json_object_get(*last, "error"), "message"));
	return rc;
}

static bool is_request_over(const json_t *request)
{
	static const char *const ends[] = {
		"completed", "partially_completed", "rejected", "cancelled", "failed", NULL
	};

	return is_one_of(remote_text(request, "status"), ends);
}

static void tell_model(struct timeline *t, const json_t *m)
{
	const char *outcome = json_string_value(json_object_get(m, "outcome"));

	if (outcome)
		timeline_tell(t, remote_text(m, "model"), "model %s: %s, %s", remote_text(m, "model"), outcome,
			      remote_text(m, "verdict"));
	else if (strcmp(remote_text(m, "verdict"), "none"))
		timeline_tell(t, remote_text(m, "model"), "model %s: %s", remote_text(m, "model"),
			      remote_text(m, "verdict"));
}

static void tell_request(struct timeline *t, const json_t *request)
{
	const char *status = remote_text(request, "status");
	json_t *item;
	size_t i;

	if (!is_request_over(request))
		timeline_tell(t, "request", "%s", status);
	json_array_foreach(json_object_get(request, "jobs"), i, item)
		tell_job(t, item);
	json_array_foreach(json_object_get(request, "models"), i, item)
		tell_model(t, item);
	if (is_request_over(request))
		timeline_tell(t, "request", "%s: %s, %s", status, remote_text(request, "outcome"),
			      remote_text(request, "verdict"));
}

int follow_request(struct remote *r, const char *id, bool is_silent, json_t **last, struct exp_error *err)
{
	char *path = remote_path("/v1/deletion-requests", id);
	struct follow f = { path, is_request_over, tell_request, is_silent };
	int rc = follow_to_end(r, &f, last, err);

	mem_free(path);
	if (!rc && strcmp(remote_text(*last, "status"), "completed"))
		rc = error_set(err, EXP_EVERIFY, "the request is %s: %s", remote_text(*last, "status"),
			       remote_text(*last, "reason"));
	return rc;
}

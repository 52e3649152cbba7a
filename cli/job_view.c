#include "cli/job_view.h"

#include <stdio.h>
#include <string.h>

#include "cli/remote.h"
#include "cli/table.h"

void job_view_progress(const json_t *job, struct buf *out)
{
	const json_t *progress = json_object_get(job, "progress");
	const char *phase = json_string_value(json_object_get(job, "phase"));
	long long done = (long long)json_integer_value(json_object_get(progress, "done"));
	long long total = (long long)json_integer_value(json_object_get(progress, "total"));

	if (!phase)
		return;
	buf_add_text(out, phase);
	if (total)
		buf_format(out, " %lld/%lld", done, total);
}

static void add_attempt(struct table *t, const json_t *attempt)
{
	const json_t *summary = json_object_get(attempt, "summary");
	const char *reason = json_string_value(json_object_get(summary, "reason"));
	bool ran = json_is_true(json_object_get(summary, "ran"));

	table_format(t, "%lld", (long long)json_integer_value(json_object_get(attempt, "ordinal")));
	table_add(t, remote_text(attempt, "method"));
	table_add(t, !ran ? "not run" : json_is_true(json_object_get(summary, "accepted")) ? "accepted" : "discarded");
	table_add(t, remote_text(summary, "verdict"));
	table_format(t, "%.2f s", json_number_value(json_object_get(attempt, "seconds")));
	table_format(t, "%.2f s", json_number_value(json_object_get(summary, "verify_seconds")));
	table_add(t, reason && *reason ? reason : "-");
}

static void print_attempts(const json_t *attempts)
{
	static const char *const heads[] = {
		"ATTEMPT", "METHOD", "RESULT", "WORST VERDICT", "EDIT", "VERIFY", "REASON"
	};
	struct table t;
	json_t *attempt;
	size_t i;

	table_init(&t, "rlllrrl", heads);
	json_array_foreach(attempts, i, attempt)
		add_attempt(&t, attempt);
	table_print(&t);
	table_fini(&t);
}

void job_view_print(const json_t *job)
{
	const json_t *error = json_object_get(job, "error"), *version = json_object_get(job, "published_version");
	size_t requests = json_array_size(json_object_get(job, "requests"));
	struct buf progress = { 0 };

	job_view_progress(job, &progress);
	printf("job %s: %s of model %s, %s", remote_text(job, "id"), remote_text(job, "kind"),
	       remote_text(job, "model"), remote_text(job, "state"));
	if (progress.size)
		printf(" (%s)", progress.data);
	if (requests)
		printf(", for %zu request%s", requests, requests == 1 ? "" : "s");
	if (json_is_integer(version))
		printf(", published version %lld", (long long)json_integer_value(version));
	printf("\n");
	if (json_is_object(error))
		printf("error: %s\n", remote_text(error, "message"));
	if (json_array_size(json_object_get(job, "attempts")))
		print_attempts(json_object_get(job, "attempts"));
	buf_fini(&progress);
}

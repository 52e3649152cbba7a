/*
 * Prometheus' text format. Labels are names of states, routes and nothing else: no id, no model, no person.
 */
#include <inttypes.h>

#include "api/api_internal.h"
#include "api/render.h"
#include "base/clock.h"
#include "storage/jobs.h"
#include "storage/leaves.h"
#include "storage/models.h"

struct figures {
	struct request_summary requests;
	int64_t jobs[JOB_STATE_COUNT];
	int64_t models[MODEL_STATE_COUNT];
	int64_t leaves;
};

static int count_models(struct db *db, int64_t by_state[MODEL_STATE_COUNT], struct exp_error *err)
{
	struct stored_model_list list;
	int rc = models_list(db, NULL, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++)
		by_state[list.items[i].state]++;
	stored_model_list_fini(&list);
	return 0;
}

static int read_figures(struct store *store, struct figures *f, struct exp_error *err)
{
	struct db *db;
	int rc = reader_take(store, &db, err);

	if (rc)
		return rc;
	rc = requests_summary(db, clock_now_ms(), &f->requests, err);
	if (!rc)
		rc = jobs_count(db, f->jobs, err);
	if (!rc)
		rc = count_models(db, f->models, err);
	if (!rc)
		rc = leaves_count(db, &f->leaves, err);
	reader_give(store, db);
	return rc;
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buf *out, const char *name, const char *help, double value)
{
	head(out, name, "gauge", help);
	buf_format(out, "%s %.15g\n", name, value);
}

static void write_states(const struct figures *f, struct buf *out)
{
	head(out, "expunge_requests", "gauge", "Deletion requests by status.");
	for (int i = 0; i < REQUEST_STATUS_COUNT; i++)
		buf_format(out, "expunge_requests{status=\"%s\"} %" PRId64 "\n",
			   request_status_name((enum request_status)i), f->requests.by_status[i]);
	head(out, "expunge_jobs", "gauge", "Jobs by state.");
	for (int i = 0; i < JOB_STATE_COUNT; i++)
		buf_format(out, "expunge_jobs{state=\"%s\"} %" PRId64 "\n", job_state_name((enum job_state)i),
			   f->jobs[i]);
	head(out, "expunge_models", "gauge", "Models by state.");
	for (int i = 0; i < MODEL_STATE_COUNT; i++)
		buf_format(out, "expunge_models{state=\"%s\"} %" PRId64 "\n", model_state_name((enum model_state)i),
			   f->models[i]);
}

static double seconds_between(int64_t from, int64_t to)
{
	return from ? (double)(to - from) / 1000.0 : 0;
}

static void write_clocks(const struct figures *f, struct buf *out)
{
	int64_t now = clock_now_ms();

	gauge(out, "expunge_request_oldest_open_age_seconds",
	      "Age of the oldest open deletion request; 0: none is open.",
	      seconds_between(f->requests.oldest_received_at, now));
	gauge(out, "expunge_request_overdue", "Open deletion requests past their due date.",
	      (double)f->requests.overdue);
	gauge(out, "expunge_next_deadline_seconds",
	      "Time until the next due date, negative when past; 0: none is open.",
	      f->requests.next_due_at ? seconds_between(now, f->requests.next_due_at) : 0);
	gauge(out, "expunge_audit_leaves", "Leaves in the audit log.", (double)f->leaves);
}

static void write_store(struct store *store, struct buf *out)
{
	struct store_health h;

	store_health(store, &h);
	gauge(out, "expunge_db_bytes", "Size of the database.", (double)h.database_bytes);
	gauge(out, "expunge_db_wal_bytes", "Size of its write-ahead log.", (double)h.wal_bytes);
	gauge(out, "expunge_db_queue_depth", "Operations that wait for the writer.", (double)h.queue_depth);
	head(out, "expunge_db_commits_total", "counter", "Transactions committed.");
	buf_format(out, "expunge_db_commits_total %" PRId64 "\n", h.groups);
	head(out, "expunge_db_operations_total", "counter", "Operations in them.");
	buf_format(out, "expunge_db_operations_total %" PRId64 "\n", h.operations);
}

int api_metrics_get(struct call *c, struct exp_error *err)
{
	struct figures f = { 0 };
	struct buf text = { 0 };
	int rc = read_figures(c->api->options.store, &f, err);

	if (rc)
		return rc;
	head(&text, "expunge_build_info", "gauge", "The running program.");
	buf_add_text(&text, "expunge_build_info{version=\"" EXPUNGE_VERSION "\"} 1\n");
	write_states(&f, &text);
	write_clocks(&f, &text);
	write_store(c->api->options.store, &text);
	gauge(&text, "expunge_http_waiting", "Calls that wait: for a commit, for blocking work, or in a long poll.",
	      (double)suspended_count(&c->api->suspended));
	metrics_write(&c->api->metrics, &text);
	reply_bytes(c, 200, "text/plain; version=0.0.4; charset=utf-8", text.data, text.size);
	buf_fini(&text);
	return 0;
}

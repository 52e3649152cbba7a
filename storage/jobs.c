/*
 * What a worker does with its lease, and how jobs are read. How jobs are queued and claimed is in job_queue.c.
 */
#include "storage/jobs.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/page_internal.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum {
	CHECK,
	HEARTBEAT,
	MOVE,
	PUBLISH,
	END,
	PROGRESS,
	CHECKPOINT,
	YIELD,
	GET,
	LIST,
	LIST_MODEL,
	LIST_REQUEST,
	REQUESTS,
	COUNT
};

#define COLUMNS                                                                                                        \
	"j.id, j.kind, j.model, j.state, j.created_at, j.not_before, j.due_at, j.worker, j.lease, "                    \
	"j.lease_expires_at, "                                                                                         \
	"j.heartbeat_at, j.fence, j.attempt, j.max_attempts, j.cancel_requested, j.phase, j.progress_done, "           \
	"j.progress_total, j.published_version, j.checkpoint, j.error_code, j.error_message, j.updated_at, "           \
	"j.finished_at"

/* ?1 before, ?2 states, ?3 kinds, ?4 page size, ?5 model, ?6 request */
#define FILTER "(?2 IS NULL OR instr(?2, ',' || j.state || ',')) AND (?3 IS NULL OR instr(?3, ',' || j.kind || ',')) "

static const struct statement statements[] = {
	[CHECK] = { "SELECT cancel_requested FROM jobs WHERE id = ? AND lease = ? AND fence = ?", "jobs" },
	[HEARTBEAT] = { "UPDATE jobs SET lease_expires_at = ?2, heartbeat_at = ?3 WHERE id = ?1", "jobs" },
	[MOVE] = { "UPDATE jobs SET state = ?2, updated_at = ?3 WHERE id = ?1", "jobs" },
	[PUBLISH] = { "UPDATE jobs SET state = 'published', published_version = ?2, updated_at = ?3 WHERE id = ?1",
		      "jobs" },
	[END] = { "UPDATE jobs SET state = ?2, updated_at = ?3, finished_at = ?3, lease = NULL, worker = NULL, "
		  "lease_expires_at = NULL, heartbeat_at = NULL, checkpoint = NULL, error_code = coalesce(?4, "
		  "error_code), error_message = coalesce(?5, error_message) WHERE id = ?1",
		  "jobs" },
	[PROGRESS] = { "UPDATE jobs SET phase = coalesce(?2, phase), progress_done = ?3, progress_total = ?4, "
		       "updated_at = ?5 WHERE id = ?1",
		       "jobs" },
	[CHECKPOINT] = { "UPDATE jobs SET checkpoint = ?2, updated_at = ?3 WHERE id = ?1", "jobs" },
	[YIELD] = { "UPDATE jobs SET state = ?2, updated_at = ?3, not_before = ?4, attempt = attempt - ?5, lease = "
		    "NULL, worker = NULL, lease_expires_at = NULL, heartbeat_at = NULL, error_code = coalesce(?6, "
		    "error_code), error_message = coalesce(?7, error_message) WHERE id = ?1",
		    "jobs" },
	[GET] = { "SELECT " COLUMNS " FROM jobs j WHERE j.id = ?", "j" },
	[LIST] = { "SELECT " COLUMNS " FROM jobs j WHERE j.id < ?1 AND " FILTER "ORDER BY j.id DESC LIMIT ?4", "j" },
	[LIST_MODEL] = { "SELECT " COLUMNS " FROM jobs j WHERE j.id < ?1 AND " FILTER "AND j.model = ?5 ORDER BY "
			 "j.id DESC LIMIT ?4",
			 "jobs_by_model" },
	[LIST_REQUEST] = { "SELECT " COLUMNS
			   " FROM job_requests b CROSS JOIN jobs j ON j.id = b.job WHERE b.job < ?1 AND " FILTER
			   "AND (?5 IS NULL OR j.model = ?5) AND b.request = ?6 ORDER BY b.job DESC LIMIT ?4",
			   "job_requests_by_request" },
	[REQUESTS] = { "SELECT request FROM job_requests WHERE job = ? ORDER BY request", "job_requests" },
	[COUNT] = { "SELECT state, count(*) FROM jobs GROUP BY state", NULL },
};

const struct table jobs_table = TABLE("jobs", statements);

static void read_job(struct query *q, void *item)
{
	struct stored_job *j = item;

	query_text(q, j->id, sizeof(j->id));
	j->kind = (enum job_kind)query_enum(q, &job_kind_names);
	query_text(q, j->model, sizeof(j->model));
	j->state = (enum job_state)query_enum(q, &job_state_names);
	j->created_at = query_int(q);
	j->not_before = query_int(q);
	j->due_at = query_int(q);
	query_text(q, j->worker, sizeof(j->worker));
	query_text(q, j->lease, sizeof(j->lease));
	j->lease_expires_at = query_int(q);
	j->heartbeat_at = query_int(q);
	j->fence = query_int(q);
	j->attempt = query_int(q);
	j->max_attempts = query_int(q);
	j->cancel_requested = query_int(q) != 0;
	query_text(q, j->phase, sizeof(j->phase));
	j->progress_done = query_int(q);
	j->progress_total = query_int(q);
	j->published_version = query_int(q);
	j->checkpoint = query_string(q);
	j->error_code = (int)query_int(q);
	query_text(q, j->error_message, sizeof(j->error_message));
	j->updated_at = query_int(q);
	j->finished_at = query_int(q);
}

static void free_job(void *item)
{
	stored_job_fini(item);
}

static const struct row_type job_type = { sizeof(struct stored_job), read_job, free_job };

void stored_job_fini(struct stored_job *job)
{
	mem_free(job->checkpoint);
	job->checkpoint = NULL;
}

/* 0 and whether somebody asked to cancel, when the lease is the present one. */
static int check_lease(struct db *db, const struct job_lease *lease, int64_t *cancel, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_JOBS, CHECK);
	query_bind_text(&q, lease->job);
	query_bind_text(&q, lease->id);
	query_bind_int(&q, lease->fence);
	rc = query_number(&q, cancel, err);
	return rc == EXP_ENOTFOUND ? error_set(err, EXP_EFENCED, "the lease of job %s is over", lease->job) : rc;
}

int jobs_check(struct db *db, const struct job_lease *lease, struct exp_error *err)
{
	int64_t cancel;

	return check_lease(db, lease, &cancel, err);
}

int jobs_heartbeat(struct txn *txn, const struct job_lease *lease, int64_t lease_ms, bool *cancel,
		   struct exp_error *err)
{
	int64_t now = clock_now_ms(), asked;
	struct query q;
	int rc = check_lease(txn_db(txn), lease, &asked, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_JOBS, HEARTBEAT);
	query_bind_text(&q, lease->job);
	query_bind_int(&q, now + lease_ms);
	query_bind_int(&q, now);
	rc = query_run(&q, NULL, err);
	if (!rc)
		*cancel = asked != 0;
	return rc;
}

/* The state of a job whose lease is the present one. */
static int state_of(struct txn *txn, const struct job_lease *lease, enum job_state *state, struct exp_error *err)
{
	struct stored_job job;
	int rc = jobs_check(txn_db(txn), lease, err);

	if (!rc)
		rc = jobs_get(txn_db(txn), lease->job, &job, err);
	if (rc)
		return rc;
	*state = job.state;
	stored_job_fini(&job);
	return 0;
}

static int check_move(struct txn *txn, const struct job_lease *lease, enum job_state from, enum job_state to,
		      struct exp_error *err)
{
	enum job_state state;
	int rc = state_of(txn, lease, &state, err);

	if (rc)
		return rc;
	if (state != from)
		return error_set(err, EXP_ECONFLICT, "job %s is %s, not %s", lease->job, job_state_name(state),
				 job_state_name(from));
	if (!job_state_may_move(from, to))
		return error_set(err, EXP_ECONFLICT, "job %s: there is no move from %s to %s", lease->job,
				 job_state_name(from), job_state_name(to));
	return 0;
}

static int end(struct txn *txn, const char *id, enum job_state to, int code, const char *message, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_JOBS, END);
	query_bind_text(&q, id);
	query_bind_enum(&q, &job_state_names, (int)to);
	query_bind_int(&q, clock_now_ms());
	query_bind_time(&q, code);
	query_bind_limited(&q, message, JOB_MESSAGE);
	return query_run(&q, NULL, err);
}

int jobs_move(struct txn *txn, const struct job_lease *lease, enum job_state from, enum job_state to,
	      struct exp_error *err)
{
	struct query q;
	int rc;

	if (to == JOB_PUBLISHED || to == JOB_FAILED)
		return error_set(err, EXP_EINVAL, "%s is reached by a function of its own", job_state_name(to));
	rc = check_move(txn, lease, from, to, err);
	if (rc)
		return rc;
	if (job_state_is_terminal(to))
		return end(txn, lease->job, to, 0, NULL, err);
	query_start(&q, txn_db(txn), TABLE_JOBS, MOVE);
	query_bind_text(&q, lease->job);
	query_bind_enum(&q, &job_state_names, (int)to);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

int jobs_publish(struct txn *txn, const struct job_lease *lease, int64_t version, struct exp_error *err)
{
	struct query q;
	int rc = check_move(txn, lease, JOB_STAGED, JOB_PUBLISHED, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_JOBS, PUBLISH);
	query_bind_text(&q, lease->job);
	query_bind_int(&q, version);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

int jobs_progress(struct txn *txn, const struct job_lease *lease, const char *phase, int64_t done, int64_t total,
		  struct exp_error *err)
{
	struct query q;
	int rc = jobs_check(txn_db(txn), lease, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_JOBS, PROGRESS);
	query_bind_text(&q, lease->job);
	query_bind_limited(&q, phase, JOB_PHASE);
	query_bind_int(&q, done);
	query_bind_int(&q, total);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

int jobs_checkpoint(struct txn *txn, const struct job_lease *lease, const char *checkpoint, struct exp_error *err)
{
	struct query q;
	int rc = jobs_check(txn_db(txn), lease, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_JOBS, CHECKPOINT);
	query_bind_text(&q, lease->job);
	query_bind_text(&q, checkpoint);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

int jobs_fail(struct txn *txn, const struct job_lease *lease, int code, const char *message, struct exp_error *err)
{
	enum job_state state;
	int rc = state_of(txn, lease, &state, err);

	if (!rc)
		rc = check_move(txn, lease, state, JOB_FAILED, err);
	return rc ? rc : end(txn, lease->job, JOB_FAILED, code, message, err);
}

struct yield {
	int64_t delay_ms;
	bool counts; /* as an attempt */
	int code;    /* 0: nothing went wrong */
	const char *message;
};

static int yield_lease(struct txn *txn, const struct job_lease *lease, const struct yield *y, struct exp_error *err)
{
	int64_t now = clock_now_ms();
	enum job_state state;
	struct query q;
	int rc = state_of(txn, lease, &state, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_JOBS, YIELD);
	query_bind_text(&q, lease->job);
	query_bind_enum(&q, &job_state_names, (int)(job_state_may_move(state, JOB_QUEUED) ? JOB_QUEUED : state));
	query_bind_int(&q, now);
	query_bind_int(&q, now + y->delay_ms);
	query_bind_int(&q, y->counts ? 0 : 1);
	query_bind_time(&q, y->code);
	query_bind_limited(&q, y->message, JOB_MESSAGE);
	return query_run(&q, NULL, err);
}

int jobs_retry(struct txn *txn, const struct job_lease *lease, int64_t delay_ms, int code, const char *message,
	       struct exp_error *err)
{
	struct yield y = { .delay_ms = delay_ms, .counts = true, .code = code, .message = message };

	return yield_lease(txn, lease, &y, err);
}

int jobs_release(struct txn *txn, const struct job_lease *lease, int64_t delay_ms, struct exp_error *err)
{
	struct yield y = { .delay_ms = delay_ms };

	return yield_lease(txn, lease, &y, err);
}

int jobs_get(struct db *db, const char *id, struct stored_job *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_JOBS, GET);
	query_bind_text(&q, id);
	return query_one(&q, &job_type, out, "job", id, err);
}

static void start_list(struct query *q, struct db *db, const struct job_filter *f, const struct page *page)
{
	int statement = f->request ? LIST_REQUEST : f->model ? LIST_MODEL : LIST;

	query_start(q, db, TABLE_JOBS, statement);
	query_bind_text(q, page->before);
	query_bind_set(q, &job_state_names, f->states);
	query_bind_set(q, &job_kind_names, f->kinds);
	query_bind_int(q, (int64_t)page->size + 1);
	if (statement != LIST)
		query_bind_text(q, f->model);
	if (statement == LIST_REQUEST)
		query_bind_text(q, f->request);
}

int jobs_list(struct db *db, const struct job_filter *filter, struct stored_job_page *out, struct exp_error *err)
{
	struct row_list list;
	struct page page;
	struct query q;
	int rc = page_init(&page, filter->page_size, filter->page_token, err);

	if (rc)
		return rc;
	start_list(&q, db, filter, &page);
	rc = query_all(&q, &job_type, &list, err);
	if (rc)
		return rc;
	*out = (struct stored_job_page){ .items = list.items, .count = list.count };
	if (out->count > page.size) {
		stored_job_fini(&out->items[--out->count]);
		page_next(out->items[out->count - 1].id, out->next);
	}
	return 0;
}

void stored_job_page_fini(struct stored_job_page *page)
{
	row_list_free(&job_type, page->items, page->count);
	*page = (struct stored_job_page){ 0 };
}

static void read_id(struct query *q, void *item)
{
	query_text(q, item, ID_TEXT);
}

static const struct row_type id_type = { ID_TEXT, read_id, NULL };

int jobs_requests(struct db *db, const char *id, struct id_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_JOBS, REQUESTS);
	query_bind_text(&q, id);
	rc = query_all(&q, &id_type, &list, err);
	if (!rc)
		*out = (struct id_list){ list.items, list.count };
	return rc;
}

int jobs_count(struct db *db, int64_t by_state[JOB_STATE_COUNT], struct exp_error *err)
{
	int64_t counts[JOB_STATE_COUNT] = { 0 };
	struct query q;
	int rc;

	query_start(&q, db, TABLE_JOBS, COUNT);
	while ((rc = query_step(&q, err)) > 0) {
		int state = query_enum(&q, &job_state_names);

		counts[state] = query_int(&q);
	}
	query_end(&q);
	if (!rc)
		memcpy(by_state, counts, sizeof(counts));
	return rc;
}

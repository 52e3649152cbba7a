/*
 * How jobs get into the queue and to a worker. What a worker then does with its lease is in jobs.c.
 */
#include "storage/jobs.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum {
	INSERT,
	FIND_WAITING,
	BIND,
	EARLIER_DUE,
	HASTEN,
	UNBIND,
	LAST_DUE,
	CANCEL,
	FIND_CLAIMABLE,
	CLAIM,
	NEXT_AT,
	EXPIRE,
	ASK_CANCEL
};

enum { DEFAULT_ATTEMPTS = 5, BACKOFF_START_MS = 1000, BACKOFF_MAX_MS = 900000 };

static const struct statement statements[] = {
	[INSERT] = { "INSERT INTO jobs (id, kind, model, state, created_at, not_before, due_at, max_attempts, "
		     "checkpoint, updated_at) VALUES (?1, ?2, ?3, 'queued', ?4, ?5, ?6, ?7, ?8, ?4)",
		     NULL },
	[FIND_WAITING] = { "SELECT id FROM jobs WHERE model = ? AND kind = ? AND state = 'queued' AND finished_at "
			   "IS NULL AND fence = 0 AND NOT cancel_requested AND "
			   "(SELECT count(*) FROM job_requests WHERE job = jobs.id) < ? ORDER BY id LIMIT 1",
			   "jobs_unfinished_by_model" },
	[BIND] = { "INSERT INTO job_requests (job, request) VALUES (?, ?) ON CONFLICT DO NOTHING", NULL },
	[EARLIER_DUE] = { "UPDATE jobs SET due_at = min(coalesce(due_at, ?2), ?2), updated_at = ?3 WHERE id = ?1",
			  "jobs" },
	[HASTEN] = { "UPDATE jobs SET not_before = ?2, updated_at = ?3 WHERE id = ?1 AND not_before > ?2", "jobs" },
	[UNBIND] = { "DELETE FROM job_requests WHERE job = ? AND request = ?", "job_requests" },
	[LAST_DUE] = { "UPDATE jobs SET updated_at = ?2, due_at = (SELECT min(r.due_at) FROM job_requests b JOIN "
		       "requests r ON r.id = b.request WHERE b.job = ?1) WHERE id = ?1",
		       "jobs" },
	[CANCEL] = { "UPDATE jobs SET state = 'cancelled', cancel_requested = 1, lease = NULL, worker = NULL, "
		     "lease_expires_at = NULL, heartbeat_at = NULL, finished_at = ?2, updated_at = ?2 WHERE id = ?1",
		     "jobs" },
	[FIND_CLAIMABLE] = { "SELECT j.id FROM jobs j WHERE j.finished_at IS NULL AND j.not_before <= ?1 AND "
			     "coalesce(j.lease_expires_at, 0) <= ?1 AND NOT EXISTS (SELECT 1 FROM jobs o INDEXED "
			     "BY jobs_unfinished_by_model WHERE o.model = j.model AND o.finished_at IS NULL AND "
			     "o.id <> j.id AND (o.lease_expires_at > ?1 OR instr(?2, ',' || o.state || ',') OR "
			     "(o.kind = 'register' AND j.kind <> 'register'))) ORDER BY coalesce(j.due_at, "
			     "9223372036854775807), j.id LIMIT 1",
			     "jobs_unfinished_by_model" },
	[CLAIM] = { "UPDATE jobs SET lease = ?2, worker = ?3, lease_expires_at = ?4, heartbeat_at = ?5, updated_at "
		    "= ?5, fence = fence + 1, attempt = attempt + 1, state = CASE WHEN instr(?6, ',' || state || "
		    "',') THEN 'queued' ELSE state END WHERE id = ?1",
		    "jobs" },
	[NEXT_AT] = { "SELECT min(at) FROM (SELECT max(not_before, coalesce(lease_expires_at, 0)) AS at FROM jobs "
		      "WHERE finished_at IS NULL) WHERE at > ?",
		      NULL },
	[EXPIRE] = { "UPDATE jobs SET lease = NULL, worker = NULL, lease_expires_at = NULL, heartbeat_at = NULL "
		     "WHERE finished_at IS NULL AND lease IS NOT NULL",
		     NULL },
	[ASK_CANCEL] = { "UPDATE jobs SET cancel_requested = 1, updated_at = ? WHERE id = ?", "jobs" },
};

const struct table job_queue_table = TABLE("job_queue", statements);

int jobs_enqueue(struct txn *txn, const struct job_new *job, char id[ID_TEXT], struct exp_error *err)
{
	char fresh[ID_TEXT];
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, INSERT);
	query_bind_text(&q, id_new(fresh));
	query_bind_enum(&q, &job_kind_names, (int)job->kind);
	query_bind_name(&q, job->model);
	query_bind_int(&q, clock_now_ms());
	query_bind_int(&q, job->not_before);
	query_bind_time(&q, job->due_at);
	query_bind_int(&q, job->max_attempts ? job->max_attempts : DEFAULT_ATTEMPTS);
	query_bind_text(&q, job->checkpoint);
	rc = query_run(&q, NULL, err);
	if (rc == EXP_ECONFLICT)
		return error_set(err, rc, "model '%s' does not exist", job->model);
	if (!rc)
		memcpy(id, fresh, sizeof(fresh));
	return rc;
}

static void read_id(struct query *q, void *item)
{
	query_text(q, item, ID_TEXT);
}

static const struct row_type id_type = { ID_TEXT, read_id, NULL };

static int earlier_due(struct txn *txn, const char *id, int64_t due_at, struct exp_error *err)
{
	struct query q;

	if (!due_at)
		return 0;
	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, EARLIER_DUE);
	query_bind_text(&q, id);
	query_bind_int(&q, due_at);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

int jobs_attach(struct txn *txn, const char *model, enum job_kind kind, const char *request, int64_t due_at,
		char id[ID_TEXT], struct exp_error *err)
{
	char found[ID_TEXT];
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, FIND_WAITING);
	query_bind_text(&q, model);
	query_bind_enum(&q, &job_kind_names, (int)kind);
	query_bind_int(&q, JOB_ATTACH_MAX);
	rc = query_one(&q, &id_type, found, NULL, NULL, err);
	if (!rc)
		rc = jobs_bind(txn, found, request, err);
	if (!rc)
		rc = earlier_due(txn, found, due_at, err);
	if (!rc)
		memcpy(id, found, sizeof(found));
	return rc;
}

int jobs_bind(struct txn *txn, const char *job, const char *request, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, BIND);
	query_bind_text(&q, job);
	query_bind_text(&q, request);
	rc = query_run(&q, NULL, err);
	return rc == EXP_ECONFLICT ? error_set(err, rc, "job %s or request %s does not exist", job, request) : rc;
}

int jobs_hasten(struct txn *txn, const char *id, int64_t not_before, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, HASTEN);
	query_bind_text(&q, id);
	query_bind_int(&q, not_before);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

static int cancel_now(struct txn *txn, const char *id, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, CANCEL);
	query_bind_text(&q, id);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

static int check_never_claimed(struct txn *txn, const char *id, struct exp_error *err)
{
	struct stored_job job;
	bool waits;
	int rc = jobs_get(txn_db(txn), id, &job, err);

	if (rc)
		return rc;
	waits = job.state == JOB_QUEUED && job.fence == 0;
	stored_job_fini(&job);
	return waits ? 0 : error_set(err, EXP_ECONFLICT, "a worker has job %s already", id);
}

/* What is left of the job after a request has gone: its due date, or nothing to do. */
static int settle(struct txn *txn, const char *id, struct exp_error *err)
{
	struct id_list left;
	struct query q;
	int rc = jobs_requests(txn_db(txn), id, &left, err);

	if (rc)
		return rc;
	if (!left.count)
		return cancel_now(txn, id, err);
	id_list_fini(&left);
	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, LAST_DUE);
	query_bind_text(&q, id);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

int jobs_unbind(struct txn *txn, const char *job, const char *request, struct exp_error *err)
{
	struct query q;
	int rc = check_never_claimed(txn, job, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, UNBIND);
	query_bind_text(&q, job);
	query_bind_text(&q, request);
	rc = query_run_on(&q, "a request of job", job, err);
	return rc ? rc : settle(txn, job, err);
}

static unsigned states_that(bool (*is)(enum job_state))
{
	unsigned bits = 0;

	for (unsigned s = 0; s < JOB_STATE_COUNT; s++)
		if (is((enum job_state)s))
			bits |= 1u << s;
	return bits;
}

static bool runs_again(enum job_state state)
{
	return job_state_may_move(state, JOB_QUEUED);
}

static int find_claimable(struct db *db, int64_t now, char id[ID_TEXT], struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_JOB_QUEUE, FIND_CLAIMABLE);
	query_bind_int(&q, now);
	query_bind_set(&q, &job_state_names, states_that(job_state_holds_model));
	return query_one(&q, &id_type, id, NULL, NULL, err);
}

int jobs_claim(struct txn *txn, const char *worker, int64_t lease_ms, struct stored_job *out, struct exp_error *err)
{
	char id[ID_TEXT], lease[ID_TEXT];
	int64_t now = clock_now_ms();
	struct query q;
	int rc = find_claimable(txn_db(txn), now, id, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, CLAIM);
	query_bind_text(&q, id);
	query_bind_text(&q, id_new(lease));
	query_bind_limited(&q, worker, JOB_WORKER);
	query_bind_int(&q, now + lease_ms);
	query_bind_int(&q, now);
	query_bind_set(&q, &job_state_names, states_that(runs_again));
	rc = query_run(&q, NULL, err);
	return rc ? rc : jobs_get(txn_db(txn), id, out, err);
}

void job_lease_of(const struct stored_job *job, struct job_lease *lease)
{
	memcpy(lease->job, job->id, sizeof(lease->job));
	memcpy(lease->id, job->lease, sizeof(lease->id));
	lease->fence = job->fence;
}

int jobs_next_at(struct db *db, int64_t *at, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_JOB_QUEUE, NEXT_AT);
	query_bind_int(&q, clock_now_ms());
	return query_number(&q, at, err);
}

int jobs_expire_leases(struct txn *txn, int64_t *count, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, EXPIRE);
	return query_run(&q, count, err);
}

int64_t job_backoff_ms(int64_t attempt)
{
	int64_t base = BACKOFF_START_MS;
	uint32_t random;

	for (int64_t i = 1; i < attempt && base < BACKOFF_MAX_MS; i++)
		base *= 2;
	if (base > BACKOFF_MAX_MS)
		base = BACKOFF_MAX_MS;
	crypto_random(&random, sizeof(random));
	return base + (int64_t)(random % (uint32_t)(base / 4 + 1));
}

static int ask_to_cancel(struct txn *txn, const char *id, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_JOB_QUEUE, ASK_CANCEL);
	query_bind_int(&q, clock_now_ms());
	query_bind_text(&q, id);
	return query_run(&q, NULL, err);
}

int jobs_cancel(struct txn *txn, const char *id, bool *done, struct exp_error *err)
{
	struct stored_job job;
	bool held;
	int rc = jobs_get(txn_db(txn), id, &job, err);

	if (rc)
		return rc;
	held = job.lease_expires_at > clock_now_ms();
	if (!job_state_may_move(job.state, JOB_CANCELLED))
		rc = error_set(err, EXP_ECONFLICT, "job %s is %s and can no longer be cancelled", id,
			       job_state_name(job.state));
	stored_job_fini(&job);
	if (!rc)
		rc = held ? ask_to_cancel(txn, id, err) : cancel_now(txn, id, err);
	if (!rc)
		*done = !held;
	return rc;
}

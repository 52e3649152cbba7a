#include "storage/attempts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { START, FINISH, FINISHED, LIST, ADD_VERDICT, VERDICTS };

static const struct statement statements[] = {
	[START] = { "INSERT INTO attempts (job, ordinal, method, parameters, started_at) SELECT ?1, "
		    "coalesce(max(ordinal), 0) + 1, ?2, ?3, ?4 FROM attempts WHERE job = ?1 RETURNING ordinal",
		    "attempts" },
	[FINISH] = { "UPDATE attempts SET summary = ?3, seconds = ?4, finished_at = ?5 WHERE job = ?1 AND ordinal = ?2",
		     "attempts" },
	[FINISHED] = { "SELECT finished_at FROM attempts WHERE job = ? AND ordinal = ?", "attempts" },
	[LIST] = { "SELECT job, ordinal, method, parameters, summary, seconds, started_at, finished_at FROM "
		   "attempts WHERE job = ? ORDER BY ordinal",
		   "attempts" },
	[ADD_VERDICT] = { "INSERT INTO attempt_verdicts (job, ordinal, request, verdict, evidence) VALUES (?, ?, "
			  "?, ?, ?)",
			  NULL },
	[VERDICTS] = { "SELECT request, verdict, evidence FROM attempt_verdicts WHERE job = ? AND ordinal = ? "
		       "ORDER BY request",
		       "attempt_verdicts" },
};

const struct table attempts_table = TABLE("attempts", statements);

static void read_attempt(struct query *q, void *item)
{
	struct stored_attempt *a = item;

	query_text(q, a->job, sizeof(a->job));
	a->ordinal = query_int(q);
	query_text(q, a->method, sizeof(a->method));
	a->parameters = query_string(q);
	a->summary = query_string(q);
	a->seconds = query_real(q);
	a->started_at = query_int(q);
	a->finished_at = query_int(q);
}

static void free_attempt(void *item)
{
	struct stored_attempt *a = item;

	mem_free(a->parameters);
	mem_free(a->summary);
}

static void read_verdict(struct query *q, void *item)
{
	struct attempt_verdict *v = item;

	query_text(q, v->request, sizeof(v->request));
	v->verdict = (enum request_verdict)query_enum(q, &request_verdict_names);
	v->evidence = query_string(q);
}

static void free_verdict(void *item)
{
	mem_free(((struct attempt_verdict *)item)->evidence);
}

static const struct row_type attempt_type = { sizeof(struct stored_attempt), read_attempt, free_attempt };
static const struct row_type verdict_type = { sizeof(struct attempt_verdict), read_verdict, free_verdict };

int attempts_start(struct txn *txn, const struct job_lease *lease, const char *method, const char *parameters,
		   int64_t *ordinal, struct exp_error *err)
{
	struct query q;
	int rc = jobs_check(txn_db(txn), lease, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_ATTEMPTS, START);
	query_bind_text(&q, lease->job);
	query_bind_name(&q, method);
	query_bind_text(&q, parameters);
	query_bind_int(&q, clock_now_ms());
	return query_number(&q, ordinal, err);
}

static int check_unfinished(struct txn *txn, const char *job, int64_t ordinal, struct exp_error *err)
{
	int64_t finished_at;
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_ATTEMPTS, FINISHED);
	query_bind_text(&q, job);
	query_bind_int(&q, ordinal);
	rc = query_number(&q, &finished_at, err);
	if (rc == EXP_ENOTFOUND)
		return error_set(err, rc, "job %s has no attempt %lld", job, (long long)ordinal);
	if (!rc && finished_at)
		return error_set(err, EXP_ECONFLICT, "attempt %lld of job %s is finished already", (long long)ordinal,
				 job);
	return rc;
}

int attempts_finish(struct txn *txn, const struct job_lease *lease, int64_t ordinal, const char *summary,
		    double seconds, struct exp_error *err)
{
	struct query q;
	int rc = jobs_check(txn_db(txn), lease, err);

	if (!rc)
		rc = check_unfinished(txn, lease->job, ordinal, err);
	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_ATTEMPTS, FINISH);
	query_bind_text(&q, lease->job);
	query_bind_int(&q, ordinal);
	query_bind_text(&q, summary);
	query_bind_real(&q, seconds);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

int attempts_list(struct db *db, const char *job, struct stored_attempt_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_ATTEMPTS, LIST);
	query_bind_text(&q, job);
	rc = query_all(&q, &attempt_type, &list, err);
	if (!rc)
		*out = (struct stored_attempt_list){ list.items, list.count };
	return rc;
}

void stored_attempt_list_fini(struct stored_attempt_list *list)
{
	row_list_free(&attempt_type, list->items, list->count);
	*list = (struct stored_attempt_list){ 0 };
}

int attempts_add_verdict(struct txn *txn, const struct job_lease *lease, int64_t ordinal,
			 const struct attempt_verdict *verdict, struct exp_error *err)
{
	struct query q;
	int rc = jobs_check(txn_db(txn), lease, err);

	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_ATTEMPTS, ADD_VERDICT);
	query_bind_text(&q, lease->job);
	query_bind_int(&q, ordinal);
	query_bind_text(&q, verdict->request);
	query_bind_enum(&q, &request_verdict_names, (int)verdict->verdict);
	query_bind_text(&q, verdict->evidence);
	rc = query_run(&q, NULL, err);
	if (rc == EXP_ECONFLICT)
		return error_set(err, rc, "attempt %lld of job %s or request %s does not exist", (long long)ordinal,
				 lease->job, verdict->request);
	return rc;
}

int attempts_verdicts(struct db *db, const char *job, int64_t ordinal, struct attempt_verdict_list *out,
		      struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_ATTEMPTS, VERDICTS);
	query_bind_text(&q, job);
	query_bind_int(&q, ordinal);
	rc = query_all(&q, &verdict_type, &list, err);
	if (!rc)
		*out = (struct attempt_verdict_list){ list.items, list.count };
	return rc;
}

void attempt_verdict_list_fini(struct attempt_verdict_list *list)
{
	row_list_free(&verdict_type, list->items, list->count);
	*list = (struct attempt_verdict_list){ 0 };
}

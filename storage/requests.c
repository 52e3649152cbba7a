#include "storage/requests.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/page_internal.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { INSERT, GET, CHANGE, LIST, LIST_STATUS, LIST_MODEL, UPDATE, SET_LEAF, COUNT, OVERDUE, OPEN };

#define COLUMNS                                                                                                        \
	"r.id, r.status, r.outcome, r.verdict, r.reason, r.regime, r.received_at, r.due_at, r.submitted_by, "          \
	"r.identities, r.duplicate_of, r.leaf, r.completed_at, r.updated_at, r.change"

/* ?1 before, ?2 outcomes, ?3 verdicts, ?4 due before, ?5 statuses, ?6 page size, ?7 model, ?8 the one status */
#define FILTER                                                                                                         \
	"(?2 IS NULL OR instr(?2, ',' || coalesce(r.outcome, 'unset') || ',')) "                                       \
	"AND (?3 IS NULL OR instr(?3, ',' || r.verdict || ',')) AND (?4 IS NULL OR r.due_at < ?4) "                    \
	"AND (?5 IS NULL OR instr(?5, ',' || r.status || ',')) "

/* The law's clock runs on where the work has failed. The same words are in the index. */
#define UNSETTLED "status NOT IN ('completed', 'rejected', 'cancelled')"

static const struct statement statements[] = {
	[INSERT] = { "INSERT INTO requests (id, status, outcome, verdict, reason, regime, received_at, due_at, "
		     "submitted_by, identities, duplicate_of, leaf, completed_at, updated_at, change) VALUES (?, "
		     "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
		     NULL },
	[GET] = { "SELECT " COLUMNS " FROM requests r WHERE id = ?", "r" },
	[CHANGE] = { "SELECT change FROM requests WHERE id = ?", "requests" },
	[LIST] = { "SELECT " COLUMNS " FROM requests r WHERE r.id < ?1 AND " FILTER "ORDER BY r.id DESC LIMIT ?6",
		   "r" },
	[LIST_STATUS] = { "SELECT " COLUMNS " FROM requests r WHERE r.id < ?1 AND " FILTER "AND (?7 IS NULL OR "
			  "EXISTS (SELECT 1 FROM "
			  "request_models m WHERE "
			  "m.request = r.id AND "
			  "m.model = ?7)) AND "
			  "r.status = ?8 ORDER BY "
			  "r.id DESC LIMIT ?6",
			  "requests_by_status" },
	[LIST_MODEL] = { "SELECT " COLUMNS " FROM request_models m CROSS JOIN requests r ON r.id = m.request WHERE "
			 "m.request < ?1 AND " FILTER "AND m.model = ?7 ORDER BY m.request DESC LIMIT ?6",
			 "request_models_by_model" },
	[UPDATE] = { "UPDATE requests SET status = ?2, outcome = ?3, verdict = ?4, reason = CASE WHEN ?5 IS NULL "
		     "THEN reason WHEN ?5 = '' THEN NULL ELSE ?5 END, completed_at = CASE WHEN NOT ?6 THEN NULL "
		     "WHEN status = ?2 THEN completed_at ELSE ?7 END, updated_at = ?7, change = change + 1 WHERE "
		     "id = ?1",
		     "requests" },
	[SET_LEAF] = { "UPDATE requests SET leaf = ?, updated_at = ?, change = change + 1 WHERE id = ?", "requests" },
	[COUNT] = { "SELECT status, count(*) FROM requests GROUP BY status", NULL },
	[OVERDUE] = { "SELECT count(*) FROM requests WHERE " UNSETTLED " AND due_at < ?", "requests_unsettled_by_due" },
	[OPEN] = { "SELECT min(due_at), min(received_at) FROM requests WHERE " UNSETTLED, NULL },
};

const struct table requests_table = TABLE("requests", statements);

static void read_request(struct query *q, void *item)
{
	struct stored_request *r = item;

	query_text(q, r->id, sizeof(r->id));
	r->status = (enum request_status)query_enum(q, &request_status_names);
	r->outcome = (enum request_outcome)query_enum(q, &request_outcome_names);
	r->verdict = (enum request_verdict)query_enum(q, &request_verdict_names);
	query_text(q, r->reason, sizeof(r->reason));
	r->regime = (enum regime)query_enum(q, &regime_names);
	r->received_at = query_int(q);
	r->due_at = query_int(q);
	query_text(q, r->submitted_by, sizeof(r->submitted_by));
	r->identities = query_int(q);
	query_text(q, r->duplicate_of, sizeof(r->duplicate_of));
	r->leaf = query_is_null(q) ? -1 : 0;
	r->leaf += query_int(q);
	r->completed_at = query_int(q);
	r->updated_at = query_int(q);
	r->change = query_int(q);
}

static const struct row_type request_type = { sizeof(struct stored_request), read_request, NULL };

static int explain_insert(int rc, const struct stored_request *r, struct exp_error *err)
{
	if (rc == EXP_EEXISTS)
		return error_set(err, rc, "request %s exists already", r->id);
	if (rc == EXP_ECONFLICT)
		return error_set(err, rc, "request %s: its token or the request that it repeats does not exist", r->id);
	return rc;
}

int requests_insert(struct txn *txn, const struct stored_request *request, struct exp_error *err)
{
	int64_t now = clock_now_ms();
	struct query q;

	query_start(&q, txn_db(txn), TABLE_REQUESTS, INSERT);
	query_bind_text(&q, request->id);
	query_bind_enum(&q, &request_status_names, (int)request->status);
	query_bind_enum(&q, &request_outcome_names, (int)request->outcome);
	query_bind_enum(&q, &request_verdict_names, (int)request->verdict);
	query_bind_optional(&q, request->reason);
	query_bind_enum(&q, &regime_names, (int)request->regime);
	query_bind_int(&q, request->received_at);
	query_bind_int(&q, request->due_at);
	query_bind_text(&q, request->submitted_by);
	query_bind_int(&q, request->identities);
	query_bind_optional(&q, request->duplicate_of);
	query_bind_index(&q, request->leaf);
	query_bind_time(&q, request_status_is_closed(request->status) ? now : 0);
	query_bind_int(&q, now);
	return explain_insert(query_run(&q, NULL, err), request, err);
}

int requests_get(struct db *db, const char *id, struct stored_request *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_REQUESTS, GET);
	query_bind_text(&q, id);
	return query_one(&q, &request_type, out, "request", id, err);
}

int requests_change(struct db *db, const char *id, int64_t *change, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_REQUESTS, CHANGE);
	query_bind_text(&q, id);
	rc = query_number(&q, change, err);
	return rc == EXP_ENOTFOUND ? error_set(err, rc, "request '%s' does not exist", id) : rc;
}

/* The one status of a set, or -1. */
static int only_one(unsigned bits)
{
	return bits && !(bits & (bits - 1)) ? __builtin_ctz(bits) : -1;
}

/* Each way to narrow a list down has the statement whose index serves it; the rest of the filter is applied on the way.
 */
static void start_list(struct query *q, struct db *db, const struct request_filter *f, const struct page *page)
{
	int status = only_one(f->statuses);
	int statement = status >= 0 ? LIST_STATUS : f->model ? LIST_MODEL : LIST;

	query_start(q, db, TABLE_REQUESTS, statement);
	query_bind_text(q, page->before);
	query_bind_set(q, &request_outcome_names, f->outcomes);
	query_bind_set(q, &request_verdict_names, f->verdicts);
	query_bind_time(q, f->due_before);
	query_bind_set(q, &request_status_names, f->statuses);
	query_bind_int(q, (int64_t)page->size + 1);
	if (statement != LIST)
		query_bind_text(q, f->model);
	if (statement == LIST_STATUS)
		query_bind_enum(q, &request_status_names, status);
}

int requests_list(struct db *db, const struct request_filter *filter, struct stored_request_page *out,
		  struct exp_error *err)
{
	struct row_list list;
	struct page page;
	struct query q;
	int rc = page_init(&page, filter->page_size, filter->page_token, err);

	if (rc)
		return rc;
	start_list(&q, db, filter, &page);
	rc = query_all(&q, &request_type, &list, err);
	if (rc)
		return rc;
	*out = (struct stored_request_page){ .items = list.items, .count = list.count };
	if (out->count > page.size)
		page_next(out->items[--out->count - 1].id, out->next);
	return 0;
}

void stored_request_page_fini(struct stored_request_page *page)
{
	row_list_free(&request_type, page->items, page->count);
	*page = (struct stored_request_page){ 0 };
}

static int check_update(const struct stored_request *r, const struct request_update *u, struct exp_error *err)
{
	if (!request_status_may_move(r->status, u->status))
		return error_set(err, EXP_ECONFLICT, "request %s is %s and cannot become %s", r->id,
				 request_status_name(r->status), request_status_name(u->status));
	if (!request_outcome_may_move(r->outcome, u->outcome))
		return error_set(err, EXP_ECONFLICT, "request %s: outcome %s cannot become %s", r->id,
				 request_outcome_name(r->outcome),
				 u->outcome ? request_outcome_name(u->outcome) : "unset");
	return 0;
}

int requests_update(struct txn *txn, const char *id, const struct request_update *update, struct exp_error *err)
{
	struct stored_request r;
	struct query q;
	int rc = requests_get(txn_db(txn), id, &r, err);

	if (!rc)
		rc = check_update(&r, update, err);
	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_REQUESTS, UPDATE);
	query_bind_text(&q, id);
	query_bind_enum(&q, &request_status_names, (int)update->status);
	query_bind_enum(&q, &request_outcome_names, (int)update->outcome);
	query_bind_enum(&q, &request_verdict_names, (int)update->verdict);
	query_bind_limited(&q, update->reason, DB_REASON);
	query_bind_int(&q, request_status_is_closed(update->status));
	query_bind_int(&q, clock_now_ms());
	return query_run_on(&q, "request", id, err);
}

int requests_set_leaf(struct txn *txn, const char *id, int64_t leaf, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_REQUESTS, SET_LEAF);
	query_bind_index(&q, leaf);
	query_bind_int(&q, clock_now_ms());
	query_bind_text(&q, id);
	return query_run_on(&q, "request", id, err);
}

static int count_by_status(struct db *db, struct request_summary *out, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_REQUESTS, COUNT);
	while ((rc = query_step(&q, err)) > 0) {
		int status = query_enum(&q, &request_status_names);

		out->by_status[status] = query_int(&q);
	}
	query_end(&q);
	return rc;
}

static int look_at_open(struct db *db, struct request_summary *out, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_REQUESTS, OPEN);
	rc = query_step(&q, err);
	if (rc > 0) {
		out->next_due_at = query_int(&q);
		out->oldest_received_at = query_int(&q);
	}
	query_end(&q);
	return rc < 0 ? rc : 0;
}

int requests_summary(struct db *db, int64_t now_ms, struct request_summary *out, struct exp_error *err)
{
	struct request_summary summary = { 0 };
	struct query q;
	int rc = count_by_status(db, &summary, err);

	if (!rc)
		rc = look_at_open(db, &summary, err);
	if (rc)
		return rc;
	query_start(&q, db, TABLE_REQUESTS, OVERDUE);
	query_bind_int(&q, now_ms);
	rc = query_number(&q, &summary.overdue, err);
	if (!rc)
		*out = summary;
	return rc;
}

#include "storage/requests.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { LINK, UNLINK, SUBJECTS, OF_SUBJECT, PUT_MODEL, GET_MODEL, MODELS, TOUCH };

#define MODEL_COLUMNS "model, status, outcome, verdict, evidence, updated_at"

static const struct statement statements[] = {
	[LINK] = { "INSERT INTO request_subjects (request, subject) VALUES (?, ?) ON CONFLICT DO NOTHING", NULL },
	[UNLINK] = { "DELETE FROM request_subjects WHERE request = ?", "request_subjects" },
	[SUBJECTS] = { "SELECT subject FROM request_subjects WHERE request = ? ORDER BY subject", "request_subjects" },
	[OF_SUBJECT] = { "SELECT request FROM request_subjects WHERE subject = ? ORDER BY request",
			 "request_subjects_by_subject" },
	[PUT_MODEL] = { "INSERT INTO request_models (request, " MODEL_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?) ON "
			"CONFLICT (request, model) DO UPDATE "
			"SET status = excluded.status, "
			"outcome = excluded.outcome, verdict "
			"= excluded.verdict, evidence = "
			"excluded.evidence, updated_at = "
			"excluded.updated_at",
			NULL },
	[GET_MODEL] = { "SELECT " MODEL_COLUMNS " FROM request_models WHERE request = ? AND model = ?",
			"request_models" },
	[MODELS] = { "SELECT " MODEL_COLUMNS " FROM request_models WHERE request = ? ORDER BY model",
		     "request_models" },
	[TOUCH] = { "UPDATE requests SET updated_at = ?, change = change + 1 WHERE id = ?", "requests" },
};

const struct table request_links_table = TABLE("request_links", statements);

static void read_number(struct query *q, void *item)
{
	*(int64_t *)item = query_int(q);
}

static void read_id(struct query *q, void *item)
{
	query_text(q, item, ID_TEXT);
}

static void read_model(struct query *q, void *item)
{
	struct request_model *m = item;

	query_text(q, m->model, sizeof(m->model));
	m->status = (enum request_status)query_enum(q, &request_status_names);
	m->outcome = (enum request_outcome)query_enum(q, &request_outcome_names);
	m->verdict = (enum request_verdict)query_enum(q, &request_verdict_names);
	m->evidence = query_string(q);
	m->updated_at = query_int(q);
}

static void free_model(void *item)
{
	mem_free(((struct request_model *)item)->evidence);
}

static const struct row_type number_type = { sizeof(int64_t), read_number, NULL };
static const struct row_type id_type = { ID_TEXT, read_id, NULL };
static const struct row_type model_type = { sizeof(struct request_model), read_model, free_model };

int requests_link_subject(struct txn *txn, const char *id, int64_t subject, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_REQUEST_LINKS, LINK);
	query_bind_text(&q, id);
	query_bind_int(&q, subject);
	rc = query_run(&q, NULL, err);
	return rc == EXP_ECONFLICT ? error_set(err, rc, "request %s or its subject does not exist", id) : rc;
}

int requests_unlink_subjects(struct txn *txn, const char *id, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_REQUEST_LINKS, UNLINK);
	query_bind_text(&q, id);
	return query_run(&q, NULL, err);
}

int requests_subjects(struct db *db, const char *id, struct subject_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_REQUEST_LINKS, SUBJECTS);
	query_bind_text(&q, id);
	rc = query_all(&q, &number_type, &list, err);
	if (!rc)
		*out = (struct subject_list){ list.items, list.count };
	return rc;
}

void subject_list_fini(struct subject_list *list)
{
	row_list_free(&number_type, list->items, list->count);
	*list = (struct subject_list){ 0 };
}

int requests_of_subject(struct db *db, int64_t subject, struct id_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_REQUEST_LINKS, OF_SUBJECT);
	query_bind_int(&q, subject);
	rc = query_all(&q, &id_type, &list, err);
	if (!rc)
		*out = (struct id_list){ list.items, list.count };
	return rc;
}

void id_list_fini(struct id_list *list)
{
	row_list_free(&id_type, list->items, list->count);
	*list = (struct id_list){ 0 };
}

/* A model that the request does not touch yet may start anywhere. */
static int check_model_move(struct txn *txn, const char *id, const struct request_model *to, struct exp_error *err)
{
	struct request_model from;
	struct query q;
	bool allowed;
	int rc;

	query_start(&q, txn_db(txn), TABLE_REQUEST_LINKS, GET_MODEL);
	query_bind_text(&q, id);
	query_bind_text(&q, to->model);
	rc = query_one(&q, &model_type, &from, NULL, NULL, err);
	if (rc)
		return rc == EXP_ENOTFOUND ? 0 : rc;
	allowed =
	    request_status_may_move(from.status, to->status) && request_outcome_may_move(from.outcome, to->outcome);
	free_model(&from);
	if (allowed)
		return 0;
	return error_set(err, EXP_ECONFLICT, "request %s on model '%s' is %s and cannot become %s with this outcome",
			 id, to->model, request_status_name(from.status), request_status_name(to->status));
}

static int put_model(struct txn *txn, const char *id, const struct request_model *m, int64_t now, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_REQUEST_LINKS, PUT_MODEL);
	query_bind_text(&q, id);
	query_bind_name(&q, m->model);
	query_bind_enum(&q, &request_status_names, (int)m->status);
	query_bind_enum(&q, &request_outcome_names, (int)m->outcome);
	query_bind_enum(&q, &request_verdict_names, (int)m->verdict);
	query_bind_text(&q, m->evidence);
	query_bind_int(&q, now);
	rc = query_run(&q, NULL, err);
	return rc == EXP_ECONFLICT ? error_set(err, rc, "request %s or model '%s' does not exist", id, m->model) : rc;
}

int requests_set_model(struct txn *txn, const char *id, const struct request_model *model, struct exp_error *err)
{
	int64_t now = clock_now_ms();
	struct query q;
	int rc = check_model_move(txn, id, model, err);

	if (!rc)
		rc = put_model(txn, id, model, now, err);
	if (rc)
		return rc;
	query_start(&q, txn_db(txn), TABLE_REQUEST_LINKS, TOUCH);
	query_bind_int(&q, now);
	query_bind_text(&q, id);
	return query_run_on(&q, "request", id, err);
}

int requests_models(struct db *db, const char *id, struct request_model_list *out, struct exp_error *err)
{
	struct row_list list;
	struct query q;
	int rc;

	query_start(&q, db, TABLE_REQUEST_LINKS, MODELS);
	query_bind_text(&q, id);
	rc = query_all(&q, &model_type, &list, err);
	if (!rc)
		*out = (struct request_model_list){ list.items, list.count };
	return rc;
}

void request_model_list_fini(struct request_model_list *list)
{
	row_list_free(&model_type, list->items, list->count);
	*list = (struct request_model_list){ 0 };
}

#include "workers/settle.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* From good to bad; the request shows the worst of its models. */
static const enum request_verdict order[] = {
	REQUEST_VERDICT_NONE,           REQUEST_VERDICT_BY_CONSTRUCTION, REQUEST_VERDICT_CONSISTENT,
	REQUEST_VERDICT_NO_EVIDENCE,    REQUEST_VERDICT_UNDERPOWERED,    REQUEST_VERDICT_NOT_EXCHANGEABLE,
	REQUEST_VERDICT_OVER_FORGOTTEN, REQUEST_VERDICT_RESIDUAL,        REQUEST_VERDICT_UTILITY,
};

static size_t badness(enum request_verdict verdict)
{
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (order[i] == verdict)
			return i;
	return 0;
}

enum request_verdict settle_verdict(const char *name)
{
	enum request_verdict verdict = REQUEST_VERDICT_NONE;

	exp_require(request_verdict_parse(name, &verdict) == 0);
	return verdict;
}

/* Mitigated as long as one model only is; unset as long as one has nothing yet. */
static enum request_outcome join_outcomes(const struct request_model_list *models)
{
	bool mitigated = false, erased = false;

	for (size_t i = 0; i < models->count; i++) {
		switch (models->items[i].outcome) {
		case REQUEST_OUTCOME_MITIGATED:
			mitigated = true;
			break;
		case REQUEST_OUTCOME_ERASED:
			erased = true;
			break;
		case REQUEST_OUTCOME_ALREADY_ERASED:
			break;
		default:
			return REQUEST_OUTCOME_UNSET;
		}
	}
	if (mitigated)
		return REQUEST_OUTCOME_MITIGATED;
	return erased ? REQUEST_OUTCOME_ERASED : REQUEST_OUTCOME_ALREADY_ERASED;
}

/* Open as long as one model is; then failed, or partly so. All completed stays running: the last step completes it. */
static enum request_status join_statuses(const struct request_model_list *models)
{
	size_t completed = 0, ended = 0;

	for (size_t i = 0; i < models->count; i++) {
		completed += models->items[i].status == REQUEST_COMPLETED;
		ended += models->items[i].status == REQUEST_FAILED || models->items[i].status == REQUEST_CANCELLED;
	}
	if (!ended || completed + ended < models->count)
		return REQUEST_RUNNING;
	return completed ? REQUEST_PARTIAL : REQUEST_FAILED;
}

int settle_request(struct txn *txn, const char *request, const char *reason, struct exp_error *err)
{
	struct request_model_list models = { 0 };
	struct stored_request now;
	struct request_update update;
	int rc = requests_get(txn_db(txn), request, &now, err);

	if (!rc)
		rc = requests_models(txn_db(txn), request, &models, err);
	if (rc || request_status_is_closed(now.status)) {
		request_model_list_fini(&models);
		return rc;
	}
	update = (struct request_update){ REQUEST_RUNNING, now.outcome, REQUEST_VERDICT_NONE, reason };
	for (size_t i = 0; i < models.count; i++)
		if (badness(models.items[i].verdict) > badness(update.verdict))
			update.verdict = models.items[i].verdict;
	/* Exact and finished work is announced by the last step only, when the rows are gone too. */
	if (join_outcomes(&models) == REQUEST_OUTCOME_MITIGATED)
		update.outcome = REQUEST_OUTCOME_MITIGATED;
	rc = requests_update(txn, request, &update, err);
	update.status = join_statuses(&models);
	request_model_list_fini(&models);
	return rc || update.status == REQUEST_RUNNING ? rc : requests_update(txn, request, &update, err);
}

int settle_model(struct txn *txn, const struct run *r, const struct settle_model *m, struct exp_error *err)
{
	struct request_model model = { .status = m->status, .outcome = m->outcome, .verdict = m->verdict };
	json_t *data =
	    json_pack("{s:s, s:s, s:s, s:s?}", "model", r->job.model, "status", request_status_name(m->status),
		      "verdict", request_verdict_name(m->verdict), "outcome", request_outcome_name(m->outcome));
	int rc;

	memcpy(model.model, r->job.model, sizeof(model.model));
	model.evidence = (char *)m->evidence;
	rc = requests_set_model(txn, m->request, &model, err);
	if (!rc)
		rc = settle_request(txn, m->request, NULL, err);
	if (!rc)
		rc = run_event(txn, r, m->request, "request_model", data, err);
	json_decref(data);
	return rc;
}

/* Exact work that is published stands, whatever became of a later job. */
static bool may_end(const struct request_model *m, enum request_status status)
{
	return m->outcome != REQUEST_OUTCOME_ERASED && m->outcome != REQUEST_OUTCOME_ALREADY_ERASED &&
	       request_status_may_move(m->status, status);
}

static int end_model(struct txn *txn, const struct run *r, const char *id, enum request_status status,
		     struct exp_error *err)
{
	struct request_model_list models = { 0 };
	int rc = requests_models(txn_db(txn), id, &models, err);

	for (size_t i = 0; !rc && i < models.count; i++) {
		struct request_model *m = &models.items[i];

		if (strcmp(m->model, r->job.model) != 0 || !may_end(m, status))
			continue;
		m->status = status;
		rc = requests_set_model(txn, id, m, err);
	}
	request_model_list_fini(&models);
	return rc;
}

static int fail_request(struct txn *txn, const struct run *r, const char *id, const char *reason, struct exp_error *err)
{
	struct stored_request now;
	int rc = requests_get(txn_db(txn), id, &now, err);

	if (rc || request_status_is_closed(now.status))
		return rc;
	rc = end_model(txn, r, id, REQUEST_FAILED, err);
	if (!rc)
		rc = settle_request(txn, id, reason, err);
	return rc ? rc : run_event(txn, r, id, "request_ended", NULL, err);
}

int settle_failure(struct txn *txn, const struct run *r, const char *reason, struct exp_error *err)
{
	struct id_list ids = { 0 };
	int rc = jobs_requests(txn_db(txn), r->job.id, &ids, err);

	for (size_t i = 0; !rc && i < ids.count; i++)
		rc = fail_request(txn, r, ids.items[i], reason, err);
	id_list_fini(&ids);
	return rc;
}

int settle_fare(struct db *db, const char *request, const char *model, struct request_model *out, struct exp_error *err)
{
	struct request_model_list models = { 0 };
	int rc = requests_models(db, request, &models, err);

	if (rc)
		return rc;
	rc = EXP_ENOTFOUND;
	for (size_t i = 0; i < models.count; i++) {
		if (strcmp(models.items[i].model, model))
			continue;
		*out = models.items[i];
		out->evidence = NULL;
		rc = 0;
	}
	request_model_list_fini(&models);
	return rc ? error_set(err, rc, "the request does not concern model %s", model) : 0;
}

int settle_is_over(struct db *db, const char *request, bool *over, struct exp_error *err)
{
	struct request_model_list models = { 0 };
	int rc = requests_models(db, request, &models, err);

	if (rc)
		return rc;
	*over = true;
	for (size_t i = 0; i < models.count; i++)
		*over = *over && models.items[i].status == REQUEST_COMPLETED;
	request_model_list_fini(&models);
	return 0;
}

#include "api/submission.h"

#include <stdio.h>
#include <string.h>

#include "api/record.h"
#include "base/clock.h"
#include "storage/dataset_rows.h"
#include "storage/jobs.h"
#include "storage/models.h"
#include "storage/writer.h"

/* What the databases say of the person, at the moment of the operation. */
struct finding {
	int64_t subjects[CLAIM_IDENTITIES];
	int64_t rows;
	json_t *datasets; /* names of those that hold rows of the person, each once */
	bool was_erased;
	char duplicate_of[ID_TEXT];
};

static bool is_listed(const json_t *names, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(names, i, item)
		if (!strcmp(json_string_value(item), name))
			return true;
	return false;
}

static int find_rows(struct txn *txn, int64_t subject, struct finding *f, struct exp_error *err)
{
	struct row_counts_list list;
	int rc = dataset_rows_count(txn_db(txn), subject, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++) {
		f->rows += list.items[i].train + list.items[i].heldout;
		if (!is_listed(f->datasets, list.items[i].dataset))
			json_array_append_new(f->datasets, json_string(list.items[i].dataset));
	}
	row_counts_list_fini(&list);
	return 0;
}

static void note_earlier(const struct stored_request *earlier, struct finding *f)
{
	if (earlier->status == REQUEST_CANCELLED || earlier->status == REQUEST_REJECTED)
		return;
	if (!f->duplicate_of[0])
		memcpy(f->duplicate_of, earlier->id, sizeof(f->duplicate_of));
	f->was_erased |=
	    earlier->outcome == REQUEST_OUTCOME_ERASED || earlier->outcome == REQUEST_OUTCOME_ALREADY_ERASED;
}

static int find_earlier(struct txn *txn, int64_t subject, struct finding *f, struct exp_error *err)
{
	struct id_list list;
	int rc = requests_of_subject(txn_db(txn), subject, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < list.count; i++) {
		struct stored_request earlier;

		rc = requests_get(txn_db(txn), list.items[i], &earlier, err);
		if (!rc)
			note_earlier(&earlier, f);
	}
	id_list_fini(&list);
	return rc;
}

static int find(struct txn *txn, const struct submission *s, struct finding *f, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->claim.count; i++) {
		rc = subjects_ensure(txn, s->claim.lookup[i], &f->subjects[i], err);
		if (!rc)
			rc = find_rows(txn, f->subjects[i], f, err);
		if (!rc)
			rc = find_earlier(txn, f->subjects[i], f, err);
	}
	return rc;
}

static int insert_request(struct txn *txn, const struct submission *s, const struct finding *f, struct exp_error *err)
{
	struct stored_request r = {
		.status = f->rows ? REQUEST_QUEUED : REQUEST_COMPLETED,
		.outcome = f->rows         ? REQUEST_OUTCOME_UNSET
			   : f->was_erased ? REQUEST_OUTCOME_ALREADY_ERASED
					   : REQUEST_OUTCOME_NOT_FOUND,
		.verdict = REQUEST_VERDICT_NONE,
		.regime = s->claim.regime,
		.received_at = s->claim.received_at,
		.due_at = s->claim.due_at,
		.identities = (int64_t)s->claim.count,
		.leaf = -1,
	};
	int rc;

	memcpy(r.id, s->id, sizeof(r.id));
	memcpy(r.duplicate_of, f->duplicate_of, sizeof(r.duplicate_of));
	snprintf(r.submitted_by, sizeof(r.submitted_by), "%s", s->submitted_by);
	rc = requests_insert(txn, &r, err);
	for (size_t i = 0; !rc && i < s->claim.count; i++)
		rc = requests_link_subject(txn, s->id, f->subjects[i], err);
	return rc ? rc : keys_put(txn, s->id, s->key, err);
}

static int tombstone(struct txn *txn, const struct submission *s, const struct finding *f, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->claim.count; i++) {
		int64_t changed;

		rc = dataset_rows_tombstone(txn, f->subjects[i], &changed, err);
	}
	return rc;
}

int submission_queue_model(struct txn *txn, const char *request, const char *model, int64_t due_at,
			   struct exp_error *err)
{
	struct request_model fare = { .status = REQUEST_QUEUED,
				      .outcome = REQUEST_OUTCOME_UNSET,
				      .verdict = REQUEST_VERDICT_NONE };
	struct job_new job = { .kind = JOB_UNLEARN, .model = model, .due_at = due_at };
	char id[ID_TEXT];
	int rc;

	snprintf(fare.model, sizeof(fare.model), "%s", model);
	rc = requests_set_model(txn, request, &fare, err);
	if (rc)
		return rc;
	rc = jobs_attach(txn, model, JOB_UNLEARN, request, due_at, id, err);
	if (rc != EXP_ENOTFOUND)
		return rc;
	rc = jobs_enqueue(txn, &job, id, err);
	return rc ? rc : jobs_bind(txn, id, request, err);
}

/* A model whose registration failed was never served and has nothing to forget. */
static int queue_dataset(struct txn *txn, struct submission *s, const char *dataset, struct exp_error *err)
{
	struct stored_model_list list;
	int rc = models_list(txn_db(txn), dataset, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < list.count; i++) {
		if (list.items[i].state == MODEL_FAILED)
			continue;
		rc = submission_queue_model(txn, s->id, list.items[i].name, s->claim.due_at, err);
		s->is_queued = true;
	}
	stored_model_list_fini(&list);
	return rc;
}

static json_t *render_subject(const struct submission *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->claim.count; i++) {
		char text[DIGEST_HEX];

		json_array_append_new(list, json_string(hex_encode(s->claim.leaf[i], DIGEST_SIZE, text)));
	}
	return list;
}

static int record_received(struct txn *txn, const struct submission *s, struct exp_error *err)
{
	char due[CLOCK_RFC3339];
	json_t *fields =
	    json_pack("{s:s, s:o, s:s, s:s, s:s}", "request", s->id, "subject", render_subject(s), "regime",
		      regime_name(s->claim.regime), "due", clock_format(s->claim.due_at, due), "channel", "api");
	json_t *data = s->claim.reason[0] ? json_pack("{s:s}", "reason", s->claim.reason) : NULL;
	int64_t index;
	int rc = record_leaf(txn, LEAF_REQUEST_RECEIVED, fields, s->id, &index, err);

	if (!rc)
		rc = requests_set_leaf(txn, s->id, index, err);
	if (rc) {
		json_decref(data);
		return rc;
	}
	rc = record_event(txn, "request_received", s->id, NULL, data, err);
	return rc ? rc : record_message(txn, "deletion_request.received", s->id, err);
}

static int record_completed(struct txn *txn, const struct submission *s, const struct finding *f, struct exp_error *err)
{
	uint8_t digest[DIGEST_SIZE];
	char key[DIGEST_HEX];
	json_t *fields;
	int rc;

	sha256(s->key, sizeof(s->key), digest);
	fields = json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:[], s:{s:i, s:i}, s:s}", "request", s->id, "subject",
			   render_subject(s), "key_sha256", hex_encode(digest, DIGEST_SIZE, key), "status", "completed",
			   "outcome", f->was_erased ? "already_erased" : "not_found", "verdict", "none", "models",
			   "rows", "train", 0, "heldout", 0, "scope", "operator-originals-not-covered");
	rc = record_leaf(txn, LEAF_REQUEST_COMPLETED, fields, s->id, NULL, err);
	if (!rc)
		rc = record_event(txn, "request_completed", s->id, NULL, NULL, err);
	return rc ? rc : record_message(txn, "deletion_request.completed", s->id, err);
}

/* Jobs belong to models. Until the dataset has one, the rows are tombstoned and the request says what it waits for. */
static int explain_wait(struct txn *txn, const struct submission *s, struct exp_error *err)
{
	struct request_update update = { REQUEST_QUEUED, REQUEST_OUTCOME_UNSET, REQUEST_VERDICT_NONE,
					 "dataset_without_model" };

	return requests_update(txn, s->id, &update, err);
}

static int queue_all(struct txn *txn, struct submission *s, const struct finding *f, struct exp_error *err)
{
	const json_t *item;
	size_t i;
	int rc = tombstone(txn, s, f, err);

	json_array_foreach(f->datasets, i, item)
		if (!rc)
			rc = queue_dataset(txn, s, json_string_value(item), err);
	return rc || s->is_queued ? rc : explain_wait(txn, s, err);
}

static int take_in(struct txn *txn, struct submission *s, struct finding *f, struct exp_error *err)
{
	int rc = find(txn, s, f, err);

	if (!rc)
		rc = insert_request(txn, s, f, err);
	if (!rc)
		rc = record_received(txn, s, err);
	if (!rc)
		rc = f->rows ? queue_all(txn, s, f, err) : record_completed(txn, s, f, err);
	return rc;
}

int submission_run(struct txn *txn, struct submission *s, struct exp_error *err)
{
	struct finding f = { 0 };
	char earlier[ID_TEXT];
	int rc = 0;

	if (s->has_idempotency)
		rc = idempotency_claim(txn, &s->idempotency, s->id, &s->is_known, earlier, err);
	if (rc)
		return rc;
	if (s->is_known) {
		memcpy(s->id, earlier, sizeof(s->id));
		return 0;
	}
	f.datasets = json_array();
	rc = take_in(txn, s, &f, err);
	json_decref(f.datasets);
	return rc;
}

#include "workers/complete.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/erase.h"
#include "model/files.h"
#include "storage/outbox.h"
#include "workers/record.h"
#include "workers/settle.h"

/* One request on its way out. */
struct completion {
	struct run *run;
	const struct selection *selection;
	const char *request;
	struct subject_list subjects; /* the request's own: a group may hold others', whose models are not done */
};

/* Exact work closes a model; a mitigation does only where the policy says so and no exact work can follow. */
static bool is_closed(const struct selection *s, const struct request_model *m)
{
	if (m->outcome == REQUEST_OUTCOME_ERASED || m->outcome == REQUEST_OUTCOME_ALREADY_ERASED)
		return true;
	return m->outcome == REQUEST_OUTCOME_MITIGATED && !s->has_recipe && s->policy.mitigated_may_complete;
}

static int close_model(struct txn *txn, const struct completion *c, struct exp_error *err)
{
	struct request_model_list models = { 0 };
	int rc = requests_models(txn_db(txn), c->request, &models, err);

	for (size_t i = 0; !rc && i < models.count; i++) {
		struct request_model *m = &models.items[i];

		if (strcmp(m->model, c->run->job.model) || m->status == REQUEST_COMPLETED ||
		    !is_closed(c->selection, m))
			continue;
		m->status = REQUEST_COMPLETED;
		rc = requests_set_model(txn, c->request, m, err);
	}
	request_model_list_fini(&models);
	return rc;
}

static int close_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct completion *c = arg;
	int rc = jobs_check(txn_db(txn), &c->run->lease, err);

	if (!rc)
		rc = close_model(txn, c, err);
	return rc ? rc : settle_request(txn, c->request, NULL, err);
}

static int overwrite_dataset(const struct completion *c, const char *name, const size_t *rows, size_t count,
			     struct exp_error *err)
{
	struct dataset *d;
	int rc = dataset_open(c->run->options->store, c->run->options->data_folder, name, &d, err);

	if (rc)
		return rc;
	rc = erase_rows(d, rows, count, err);
	dataset_close(d);
	return rc;
}

/* The references' scores of these rows, in every model that was trained on the dataset. */
static int purge_scores(const struct completion *c, const char *dataset, const size_t *rows, size_t count,
			struct exp_error *err)
{
	struct stored_model_list models = { 0 };
	struct db *db;
	int rc = reader_take(c->run->options->store, &db, err);

	if (rc)
		return rc;
	rc = models_list(db, dataset, &models, err);
	reader_give(c->run->options->store, db);
	for (size_t i = 0; !rc && i < models.count; i++) {
		char *folder = model_folder(c->run->options->data_folder, models.items[i].name);
		char *scores = calibrate_scores_path(folder);

		if (file_exists(scores))
			rc = scores_purge(scores, (struct row_list){ rows, count }, err);
		mem_free(scores);
		mem_free(folder);
	}
	stored_model_list_fini(&models);
	return rc;
}

/* Rows come ordered by dataset and index: each dataset's run of them is overwritten at once. */
static int overwrite_rows(const struct completion *c, const struct row_ref_list *refs, struct exp_error *err)
{
	size_t *rows = mem_alloc(refs->count * sizeof(*rows));
	int rc = 0;

	for (size_t first = 0, n; !rc && first < refs->count; first += n) {
		const char *dataset = refs->items[first].dataset;

		for (n = 0; first + n < refs->count && !strcmp(refs->items[first + n].dataset, dataset); n++)
			rows[n] = (size_t)refs->items[first + n].row;
		rc = overwrite_dataset(c, dataset, rows, n, err);
		if (!rc)
			rc = purge_scores(c, dataset, rows, n, err);
	}
	mem_free(rows);
	return rc;
}

/* Only tombstoned rows go: a row that nobody has asked for is live, whoever it is about. */
static int read_tombstoned(struct db *db, int64_t subject, struct row_ref_list *out, struct exp_error *err)
{
	size_t kept = 0;
	int rc = dataset_rows_of_subject(db, subject, out, err);

	for (size_t i = 0; !rc && i < out->count; i++)
		if (out->items[i].state == ROW_TOMBSTONED)
			out->items[kept++] = out->items[i];
	out->count = rc ? 0 : kept;
	return rc;
}

static int overwrite_subject(const struct completion *c, int64_t subject, struct exp_error *err)
{
	struct row_ref_list refs = { 0 };
	struct db *db;
	int rc = reader_take(c->run->options->store, &db, err);

	if (rc)
		return rc;
	rc = read_tombstoned(db, subject, &refs, err);
	reader_give(c->run->options->store, db);
	if (!rc)
		rc = overwrite_rows(c, &refs, err);
	row_ref_list_fini(&refs);
	return rc;
}

/* Books one dataset's rows of a subject as erased; refs [count] are of that dataset. */
static int erase_in_dataset(struct txn *txn, const struct completion *c, int64_t subject, const struct row_ref *refs,
			    size_t count, struct exp_error *err)
{
	struct row_counts counts = { 0 };
	int64_t changed;
	int rc = dataset_rows_erase(txn, refs[0].dataset, subject, &changed, err);

	for (size_t i = 0; i < count; i++) {
		counts.train += refs[i].split == ROW_TRAIN;
		counts.heldout += refs[i].split == ROW_HELDOUT;
	}
	return rc ? rc : record_rows_erased(txn, refs[0].dataset, c->request, &counts, err);
}

static int erase_subject(struct txn *txn, const struct completion *c, int64_t subject, struct record_completion *done,
			 struct exp_error *err)
{
	struct row_ref_list refs = { 0 };
	int rc = read_tombstoned(txn_db(txn), subject, &refs, err);

	for (size_t first = 0, n; !rc && first < refs.count; first += n) {
		for (n = 0; first + n < refs.count; n++) {
			if (strcmp(refs.items[first + n].dataset, refs.items[first].dataset))
				break;
			done->train += refs.items[first + n].split == ROW_TRAIN;
			done->heldout += refs.items[first + n].split == ROW_HELDOUT;
		}
		rc = erase_in_dataset(txn, c, subject, &refs.items[first], n, err);
	}
	row_ref_list_fini(&refs);
	return rc;
}

/* What the models say, as the completion leaf's list, and the outcome that follows for the whole. */
static int gather_models(struct txn *txn, const struct completion *c, json_t *parts, enum request_outcome *outcome,
			 struct exp_error *err)
{
	struct request_model_list models = { 0 };
	int rc = requests_models(txn_db(txn), c->request, &models, err);

	*outcome = REQUEST_OUTCOME_ALREADY_ERASED;
	for (size_t i = 0; !rc && i < models.count; i++) {
		const struct request_model *m = &models.items[i];
		json_t *evidence = NULL;

		if (m->outcome == REQUEST_OUTCOME_MITIGATED ||
		    (m->outcome == REQUEST_OUTCOME_ERASED && *outcome == REQUEST_OUTCOME_ALREADY_ERASED))
			*outcome = m->outcome;
		if (m->evidence && !json_parse(m->evidence, strlen(m->evidence), &evidence, NULL))
			json_array_append(parts, json_object_get(evidence, "record"));
		json_decref(evidence);
	}
	request_model_list_fini(&models);
	return rc;
}

static int tell_outside(struct txn *txn, const struct record_completion *done, struct exp_error *err)
{
	json_t *body =
	    json_pack("{s:s, s:s, s:s, s:s?}", "request", done->request, "status", request_status_name(done->status),
		      "verdict", request_verdict_name(done->verdict), "outcome", request_outcome_name(done->outcome));
	struct buf text = { 0 };
	int64_t id;
	int rc;

	json_write(body, false, &text);
	rc = outbox_put(txn, "deletion_request.completed", text.data, &id, err);
	buf_fini(&text);
	json_decref(body);
	return rc;
}

static int write_completion(struct txn *txn, const struct completion *c, struct record_completion *done,
			    struct exp_error *err)
{
	struct request_update update;
	int rc = gather_models(txn, c, done->models, &done->outcome, err);

	update = (struct request_update){ REQUEST_COMPLETED, done->outcome, done->verdict, NULL };
	if (!rc)
		rc = requests_update(txn, c->request, &update, err);
	if (!rc)
		rc = record_completed(txn, done, err);
	if (!rc)
		rc = tell_outside(txn, done, err);
	return rc ? rc : run_event(txn, c->run, c->request, "request_completed", NULL, err);
}

/* T2, for one request. Another worker may have come first, or a model may have been registered since. */
static int complete_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct completion *c = arg;
	struct record_completion done = { .request = c->request, .status = REQUEST_COMPLETED, .reason = "" };
	struct stored_request now;
	bool over = false;
	int rc = jobs_check(txn_db(txn), &c->run->lease, err);

	if (!rc)
		rc = requests_get(txn_db(txn), c->request, &now, err);
	if (!rc)
		rc = settle_is_over(txn_db(txn), c->request, &over, err);
	if (rc || !over || request_status_is_closed(now.status))
		return rc;
	for (size_t i = 0; !rc && i < c->subjects.count; i++)
		rc = erase_subject(txn, c, c->subjects.items[i], &done, err);
	if (rc)
		return rc;
	done.models = json_array();
	done.verdict = now.verdict;
	rc = write_completion(txn, c, &done, err);
	json_decref(done.models);
	return rc;
}

/* Whether a job in hand still computes with this person's rows for another request. */
static int is_computed_with(struct db *db, const struct run *r, const char *request, bool *busy, struct exp_error *err)
{
	struct job_filter filter = { .request = request,
				     .states = 1u << JOB_SELECTING | 1u << JOB_UNLEARNING | 1u << JOB_VERIFYING };
	struct stored_job_page page = { 0 };
	int rc = jobs_list(db, &filter, &page, err);

	for (size_t i = 0; !rc && i < page.count; i++)
		*busy = *busy || strcmp(page.items[i].id, r->job.id) != 0;
	stored_job_page_fini(&page);
	return rc;
}

static int are_rows_busy(struct db *db, const struct completion *c, bool *busy, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < c->subjects.count; i++) {
		struct id_list requests = { 0 };

		rc = requests_of_subject(db, c->subjects.items[i], &requests, err);
		for (size_t k = 0; !rc && k < requests.count; k++)
			rc = is_computed_with(db, c->run, requests.items[k], busy, err);
		id_list_fini(&requests);
	}
	return rc;
}

/* Whether the request is over on all its models, and who it is about. */
static int look(struct completion *c, bool *over, struct exp_error *err)
{
	struct db *db;
	bool busy = false;
	int rc = reader_take(c->run->options->store, &db, err);

	if (rc)
		return rc;
	rc = settle_is_over(db, c->request, over, err);
	if (!rc)
		rc = requests_subjects(db, c->request, &c->subjects, err);
	if (!rc && *over)
		rc = are_rows_busy(db, c, &busy, err);
	reader_give(c->run->options->store, db);
	if (!rc && busy)
		rc = error_set(err, EXP_EBUSY, "another job still computes with the rows that are to be overwritten");
	return rc;
}

static int complete_one(struct completion *c, struct exp_error *err)
{
	bool over = false;
	int rc = run_commit(c->run, close_op, c, err);

	if (!rc)
		rc = look(c, &over, err);
	for (size_t i = 0; !rc && over && i < c->subjects.count; i++)
		rc = overwrite_subject(c, c->subjects.items[i], err);
	if (!rc && over)
		rc = run_commit(c->run, complete_op, c, err);
	subject_list_fini(&c->subjects);
	return rc;
}

int complete_requests(struct run *r, const struct selection *s, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->request_count; i++) {
		struct completion c = { .run = r, .selection = s, .request = s->requests[i].request };

		rc = complete_one(&c, err);
	}
	return rc;
}

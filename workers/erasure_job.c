/*
 * The way of a job that unlearns: select, run the policy's ladder, stage what was accepted, publish. Everything before
 * T1 (publish_op) can be done again by another worker; the seed in the job's checkpoint makes it come out the same.
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "erasure/debt.h"
#include "model/stage.h"
#include "storage/attempts.h"
#include "storage/versions.h"
#include "workers/record.h"
#include "workers/run_job.h"
#include "workers/settle.h"

struct erasure {
	struct run *run;
	struct selection selection;
	uint64_t seed;
	bool seed_is_fresh;
	struct row_list *lists; /* [list_count] */
	size_t *indices;        /* [group_count] */
	size_t list_count;
	struct erasure_result result;
	int64_t ordinals[POLICY_MAX_RUNGS];
	struct staged staged;
	int64_t version, old_version;
};

static struct record_attempt record_of(const struct erasure *e, size_t attempt)
{
	bool accepted = (int)attempt == e->result.accepted;

	return (struct record_attempt){ &e->result.attempts[attempt],
					&e->selection,
					e->indices,
					e->ordinals[attempt],
					e->selection.live->sha256,
					accepted ? e->staged.id.sha256 : NULL };
}

/* What an earlier run of this job has staged and not published is made again, to the bit, under the next number. */
static int drop_own_staged(struct txn *txn, const struct run *r, struct exp_error *err)
{
	struct stored_version_list staged = { 0 };
	int rc = versions_in_state(txn_db(txn), VERSION_STAGED, &staged, err);

	for (size_t i = 0; !rc && i < staged.count; i++)
		if (!strcmp(staged.items[i].job, r->job.id))
			rc = versions_move(txn, staged.items[i].model, staged.items[i].version, VERSION_DESTROYED, err);
	stored_version_list_fini(&staged);
	return rc;
}

/* Which requests run now, and the record of what is about to be done. */
static int start_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct erasure *e = arg;
	struct selection *s = &e->selection;
	int rc = jobs_check(txn_db(txn), &e->run->lease, err);

	for (size_t i = 0; !rc && i < s->request_count; i++)
		rc = settle_request(txn, s->requests[i].request, NULL, err);
	if (!rc)
		rc = drop_own_staged(txn, e->run, err);
	if (!rc && e->seed_is_fresh)
		rc = run_keep_seed(txn, e->run, err);
	if (!rc && e->seed_is_fresh)
		rc = record_started(txn, e->run, s, e->seed, err);
	if (!rc && e->seed_is_fresh && e->run->job.kind == JOB_UNLEARN)
		rc = record_resolved(txn, s, err);
	return rc;
}

static int start(struct erasure *e, struct exp_error *err)
{
	struct selection *s = &e->selection;

	run_seed(e->run, &e->seed, &e->seed_is_fresh);
	e->lists = mem_alloc(s->group_count * sizeof(*e->lists));
	e->indices = mem_alloc(s->group_count * sizeof(*e->indices));
	e->list_count = s->live ? selection_lists(s, e->lists, e->indices) : 0;
	return run_commit(e->run, start_op, e, err);
}

/* There is nothing to unlearn: what the rows' overwriting makes of the request on this model. */
static enum request_outcome outcome_without_work(const struct request_model *fare, const struct group *g)
{
	if (fare->outcome == REQUEST_OUTCOME_MITIGATED || fare->outcome == REQUEST_OUTCOME_ERASED)
		return REQUEST_OUTCOME_ERASED;
	return g->heldout_count || g->train.source.rows ? REQUEST_OUTCOME_ERASED : REQUEST_OUTCOME_ALREADY_ERASED;
}

/* Nobody in this job has training rows, or the model never went live: straight to the overwriting of what there is. */
static int skip_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct erasure *e = arg;
	int rc = 0;

	for (size_t i = 0; !rc && i < e->selection.request_count; i++) {
		const struct chosen *c = &e->selection.requests[i];
		struct settle_model m = { c->request, REQUEST_RUNNING, REQUEST_OUTCOME_UNSET, REQUEST_VERDICT_NONE,
					  NULL };
		struct request_model fare;

		rc = settle_fare(txn_db(txn), c->request, e->run->job.model, &fare, err);
		if (rc)
			break;
		m.outcome = outcome_without_work(&fare, &e->selection.groups[c->group]);
		m.verdict = fare.verdict;
		rc = settle_model(txn, e->run, &m, err);
	}
	return rc ? rc : jobs_move(txn, &e->run->lease, JOB_SELECTING, JOB_ERASING, err);
}

static int skip(struct erasure *e, struct exp_error *err)
{
	int rc = run_commit(e->run, skip_op, e, err);

	if (!rc)
		run_moved(e->run, JOB_ERASING);
	return rc;
}

static int run_ladder(struct erasure *e, struct params *initial, struct exp_error *err)
{
	struct selection *s = &e->selection;
	struct erasure_job job = {
		.policy = &s->policy,
		.population = &s->population,
		.live = s->live->params,
		.initial = initial,
		.recipe = s->has_recipe ? &s->recipe : NULL,
		.importance = s->has_importance ? &s->importance : NULL,
		.scores = s->has_scores ? &s->scores : NULL,
		.calibration = s->has_calibration ? &s->calibration : NULL,
		.requests = e->lists,
		.request_count = e->list_count,
		.exact_only = e->run->job.kind == JOB_RETRAIN,
		.seed = e->seed,
		.threads = e->run->options->trainers,
		.watch = &e->run->watch,
	};

	return erasure_run(&job, &e->result, err);
}

static int compute(struct erasure *e, struct exp_error *err)
{
	struct params *initial = NULL;
	int rc = run_move(e->run, JOB_UNLEARNING, err);

	if (!rc)
		rc = graph_initial_params(e->selection.live->graph, &initial);
	if (!rc)
		rc = run_ladder(e, initial, err);
	params_free(initial);
	if (rc == EXP_ECANCELLED)
		rc = run_check(e->run);
	if (!rc && e->run->job.state == JOB_UNLEARNING)
		rc = run_move(e->run, JOB_VERIFYING, err);
	return rc;
}

static char *json_text(const json_t *json)
{
	struct buf text = { 0 };

	json_write(json, false, &text);
	return buf_take(&text);
}

static json_t *attempt_summary(const struct erasure_attempt *a, size_t count)
{
	return json_pack("{s:b, s:b, s:s, s:s, s:I, s:f, s:i}", "ran", a->ran, "accepted", a->accepted, "reason",
			 a->reason, "verdict", a->findings ? verdict_names[record_verdict(a, count)] : "none", "edited",
			 (json_int_t)a->edited, "verify_seconds", a->verify_seconds, "method_version",
			 a->method->version);
}

static int keep_verdicts(struct txn *txn, const struct erasure *e, size_t attempt, struct exp_error *err)
{
	const struct erasure_attempt *a = &e->result.attempts[attempt];
	int rc = 0;

	for (size_t i = 0; !rc && i < e->selection.request_count; i++) {
		const struct chosen *c = &e->selection.requests[i];
		struct attempt_verdict v = { 0 };
		size_t index = e->indices[c->group];

		if (index == SIZE_MAX || !a->findings)
			continue;
		memcpy(v.request, c->request, sizeof(v.request));
		v.verdict = settle_verdict(verdict_names[a->findings[index].verdict]);
		v.evidence = json_text(a->findings[index].evidence);
		rc = attempts_add_verdict(txn, &e->run->lease, e->ordinals[attempt], &v, err);
		mem_free(v.evidence);
	}
	return rc;
}

static int keep_attempt(struct txn *txn, struct erasure *e, size_t attempt, struct exp_error *err)
{
	const struct erasure_attempt *a = &e->result.attempts[attempt];
	json_t *summary = attempt_summary(a, e->list_count);
	char *parameters = json_text(a->parameters), *text = json_text(summary);
	struct record_attempt record;
	int rc = attempts_start(txn, &e->run->lease, a->method->name, parameters, &e->ordinals[attempt], err);

	if (!rc)
		rc = attempts_finish(txn, &e->run->lease, e->ordinals[attempt], text, a->seconds, err);
	if (!rc)
		rc = keep_verdicts(txn, e, attempt, err);
	record = record_of(e, attempt);
	if (!rc && a->ran)
		rc = record_attempted(txn, e->run, &record, err);
	json_decref(summary);
	mem_free(parameters);
	mem_free(text);
	return rc;
}

/* All attempts, the failed ones too, and the staged version if one was accepted. */
static int stage_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct erasure *e = arg;
	uint8_t digest[DIGEST_SIZE];
	int rc = 0;

	for (size_t i = 0; !rc && i < e->result.attempt_count; i++)
		rc = keep_attempt(txn, e, i, err);
	if (rc || e->result.accepted < 0)
		return rc;
	rc = hex_decode(e->staged.id.sha256, digest, sizeof(digest));
	if (!rc)
		rc = versions_stage(txn, e->run->job.model, digest, e->old_version, e->run->job.id, &e->version, err);
	return rc ? rc : jobs_move(txn, &e->run->lease, JOB_VERIFYING, JOB_STAGED, err);
}

static int save_importance(const struct erasure *e, struct exp_error *err)
{
	char *folder, *path;
	int rc;

	if (!e->result.importance.sum)
		return 0;
	folder = model_folder(e->run->options->data_folder, e->run->job.model);
	path = selection_importance_path(folder, e->staged.id.sha256);
	rc = importance_save(&e->result.importance, path, err);
	mem_free(folder);
	mem_free(path);
	return rc;
}

static const char *refusal(const struct erasure *e)
{
	return e->result.attempt_count ? e->result.attempts[e->result.attempt_count - 1].reason
				       : "the policy's ladder is empty";
}

static int stage(struct erasure *e, struct exp_error *err)
{
	struct stage_spec spec = { e->run->options->data_folder, e->run->job.model, e->result.params, NULL };
	int rc;

	e->old_version = e->selection.live->version;
	if (e->result.accepted < 0) {
		rc = run_commit(e->run, stage_op, e, err);
		return rc ? rc : error_set(err, EXP_EVERIFY, "no method was accepted: %s", refusal(e));
	}
	rc = model_stage(&spec, &e->staged, err);
	if (!rc)
		rc = save_importance(e, err);
	if (!rc)
		rc = run_commit(e->run, stage_op, e, err);
	if (!rc)
		run_moved(e->run, JOB_STAGED);
	return rc;
}

/* What the finding of a group says of one of its requests on this model. */
static int settle_finding(struct txn *txn, const struct erasure *e, const struct chosen *c, struct exp_error *err)
{
	const struct erasure_attempt *a = &e->result.attempts[e->result.accepted];
	struct record_attempt record = record_of(e, (size_t)e->result.accepted);
	bool exact = a->method->class == METHOD_EXACT;
	struct settle_model m = { c->request, REQUEST_RUNNING, REQUEST_OUTCOME_UNSET, REQUEST_VERDICT_NONE, NULL };
	const struct erasure_finding *f;
	json_t *evidence;
	char *text;
	int rc;

	if (e->indices[c->group] == SIZE_MAX) {
		m.outcome = REQUEST_OUTCOME_ERASED;
		return settle_model(txn, e->run, &m, err);
	}
	f = &a->findings[e->indices[c->group]];
	evidence = json_pack("{s:o, s:O}", "record", record_model_part(e->run, &record, c->group, e->version),
			     "evidence", f->evidence);
	text = json_text(evidence);
	m.verdict = settle_verdict(verdict_names[f->verdict]);
	if (f->closes)
		m.outcome = exact ? REQUEST_OUTCOME_ERASED : REQUEST_OUTCOME_MITIGATED;
	m.evidence = text;
	rc = settle_model(txn, e->run, &m, err);
	json_decref(evidence);
	mem_free(text);
	return rc;
}

static int64_t earliest_due(struct db *db, const struct selection *s)
{
	int64_t earliest = INT64_MAX;

	for (size_t i = 0; i < s->request_count; i++) {
		struct stored_request request;

		if (!requests_get(db, s->requests[i].request, &request, NULL) && request.due_at < earliest)
			earliest = request.due_at;
	}
	return earliest;
}

/* A recipe that was not measured, because registration was cut short, is a recipe all the same. */
static double retrain_seconds(const struct selection *s)
{
	if (!s->has_recipe)
		return 0;
	return s->calibration.retrain_seconds > 0 ? s->calibration.retrain_seconds : 1;
}

/* Without a recipe nothing here can do the exact work: the requests stay open and say so. */
static int explain_owed(struct txn *txn, const struct selection *s, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->request_count; i++)
		rc = settle_request(txn, s->requests[i].request, "exact_work_needs_a_recipe", err);
	return rc;
}

/* Exact work that an approximate publication leaves owed: one retrain job a model, which later requests join. */
static int owe_exact(struct txn *txn, const struct erasure *e, struct exp_error *err)
{
	const struct selection *s = &e->selection;
	int64_t now = clock_now_ms(), due = earliest_due(txn_db(txn), s);
	struct debt debt = { (size_t)s->model.debt + s->request_count, now, due, retrain_seconds(s) };
	struct job_new job = { .kind = JOB_RETRAIN, .model = s->model.name, .due_at = due };
	char id[ID_TEXT];
	int rc = models_set_debt(txn, s->model.name, s->model.debt + (int64_t)s->request_count, err);

	job.not_before = debt_due_ms(&s->policy, &debt, now);
	if (job.not_before == INT64_MAX)
		return rc ? rc : explain_owed(txn, s, err);
	if (!rc)
		rc = jobs_attach(txn, s->model.name, JOB_RETRAIN, s->requests[0].request, due, id, err);
	if (rc == EXP_ENOTFOUND)
		rc = jobs_enqueue(txn, &job, id, err);
	else if (!rc)
		rc = jobs_hasten(txn, id, job.not_before, err);
	for (size_t i = 0; !rc && i < s->request_count; i++)
		rc = jobs_bind(txn, id, s->requests[i].request, err);
	return rc;
}

/* A retraining closes the mitigated requests that it was enqueued for; those of other jobs are still owed. */
static int pay_debt(struct txn *txn, const struct erasure *e, struct exp_error *err)
{
	const struct selection *s = &e->selection;
	int64_t paid = e->run->job.kind == JOB_RETRAIN ? (int64_t)s->request_count : 0;

	return models_set_debt(txn, s->model.name, s->model.debt > paid ? s->model.debt - paid : 0, err);
}

/* T1: the new version is live, its requests say so, the record says so; all or nothing, and only under a valid lease.
 */
static int publish_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct erasure *e = arg;
	const struct selection *s = &e->selection;
	struct record_attempt record = record_of(e, (size_t)e->result.accepted);
	int rc = jobs_publish(txn, &e->run->lease, e->version, err);

	if (!rc)
		rc = versions_publish(txn, s->model.name, e->version, err);
	for (size_t i = 0; !rc && i < s->request_count; i++)
		rc = settle_finding(txn, e, &s->requests[i], err);
	if (!rc)
		rc = record_published(txn, e->run, &record, e->version, err);
	if (rc || record.attempt->method->class != METHOD_EXACT)
		return rc ? rc : owe_exact(txn, e, err);
	return pay_debt(txn, e, err);
}

static int publish(struct erasure *e, struct exp_error *err)
{
	int rc = run_commit(e->run, publish_op, e, err);

	if (rc)
		return rc;
	e->run->job.published_version = e->version;
	models_swap(e->run->options->models, e->staged.snapshot, e->version);
	e->staged.snapshot = NULL;
	run_moved(e->run, JOB_PUBLISHED);
	return 0;
}

static void fini(struct erasure *e)
{
	erasure_result_fini(&e->result);
	snapshot_free(e->staged.snapshot);
	selection_fini(e->run, &e->selection);
	mem_free(e->lists);
	mem_free(e->indices);
}

static int run_to_publication(struct erasure *e, struct exp_error *err)
{
	int rc = start(e, err);

	if (!rc && !e->list_count)
		return skip(e, err);
	if (!rc)
		rc = compute(e, err);
	if (!rc)
		rc = stage(e, err);
	if (!rc)
		rc = run_check(e->run);
	return rc ? rc : publish(e, err);
}

int erasure_job(struct run *r, struct exp_error *err)
{
	struct erasure e = { .run = r, .result = { .accepted = -1 } };
	int rc = run_move(r, JOB_SELECTING, err);

	if (!rc)
		rc = selection_load(r, &e.selection, err);
	if (rc)
		return rc;
	rc = e.selection.request_count ? run_to_publication(&e, err) : run_move(r, JOB_DONE, err);
	fini(&e);
	return rc || r->job.state == JOB_DONE ? rc : finish_job(r, err);
}

#include "workers/run_job.h"

#include "base/log.h"
#include "storage/models.h"
#include "workers/settle.h"

enum { REPEAT_MS = 1000 };

static int refresh_job(struct run *r, struct exp_error *err)
{
	(void)r;
	return error_set(err, EXP_EUNSUPPORTED, "references are made anew by registering the model again");
}

static int (*const kinds[JOB_KIND_COUNT])(struct run *r, struct exp_error *err) = {
	[JOB_REGISTER] = register_job,
	[JOB_UNLEARN] = erasure_job,
	[JOB_RETRAIN] = erasure_job,
	[JOB_REFRESH] = refresh_job,
};

static bool may_pass(int code)
{
	switch (error_class(code)) {
	case ERR_BUSY:
	case ERR_IO:
	case ERR_SPACE:
	case ERR_MEMORY:
		return true;
	default:
		return false;
	}
}

static bool is_published(const struct run *r)
{
	return r->job.state == JOB_PUBLISHED || r->job.state == JOB_DRAINING || r->job.state == JOB_ERASING;
}

struct ending {
	struct run *run;
	int code;
	const char *message;
	int64_t delay_ms;
};

static int retry_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct ending *e = arg;

	return jobs_retry(txn, &e->run->lease, e->delay_ms, e->code, e->message, err);
}

static int release_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct ending *e = arg;

	return jobs_release(txn, &e->run->lease, e->delay_ms, err);
}

/* A model that never went live has failed; one that serves is degraded: its verdicts lack references. */
static int end_registration(struct txn *txn, const struct run *r, const char *why, struct exp_error *err)
{
	struct stored_model model;
	enum model_state state;
	int rc;

	if (r->job.kind != JOB_REGISTER)
		return 0;
	rc = models_get(txn_db(txn), r->job.model, &model, err);
	if (rc)
		return rc;
	state = model.live_version ? MODEL_DEGRADED : MODEL_FAILED;
	stored_model_fini(&model);
	return models_set_state(txn, r->job.model, state, why, err);
}

/* Jobs that carry requests are not cancelled (api/job_cancel.c): somebody is owed their work. */
static int cancel_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct ending *e = arg;
	int rc = end_registration(txn, e->run, "registration was cancelled", err);

	return rc ? rc : jobs_move(txn, &e->run->lease, e->run->job.state, JOB_CANCELLED, err);
}

static int fail_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct ending *e = arg;
	int rc = settle_failure(txn, e->run, error_slug(e->code), err);

	if (!rc)
		rc = end_registration(txn, e->run, e->message, err);
	return rc ? rc : jobs_fail(txn, &e->run->lease, e->code, e->message, err);
}

/* What becomes of a job that ended with e->code. */
static int (*choose(struct ending *e))(struct txn *, void *, struct exp_error *)
{
	const struct run *r = e->run;

	e->delay_ms = job_backoff_ms(r->job.attempt);
	if (atomic_load(r->stopping)) {
		e->delay_ms = 0;
		return release_op;
	}
	if (is_published(r))
		return retry_op;
	if (e->code == EXP_ECANCELLED)
		return cancel_op;
	return may_pass(e->code) ? retry_op : fail_op;
}

static void end_badly(struct run *r, int code, const char *message)
{
	struct ending ending = { r, code, message, REPEAT_MS };
	int (*op)(struct txn *, void *, struct exp_error *);
	struct exp_error err = { 0 };

	if (code == EXP_EFENCED)
		return;
	op = choose(&ending);
	if (op == retry_op || op == fail_op)
		log_warn(op == fail_op ? "job_failed" : "job_retried", "kind=%s code=%s message=\"%s\"",
			 job_kind_name(r->job.kind), error_slug(code), message);
	if (run_commit(r, op, &ending, &err))
		log_error("job_not_settled", "message=\"%s\"", err.message);
}

/*
 * A job that time and again ends the process is not given up, since somebody is owed its work, but it must not keep the
 * daemon from everything else: beyond max_attempts every other claim only waits.
 */
static bool is_parked(const struct run *r)
{
	return !is_published(r) && r->job.attempt > r->job.max_attempts && r->job.attempt % 2 == 0;
}

void run_job(struct run *r)
{
	struct exp_error err = { 0 };
	int rc;

	log_set_scope(r->job.id);
	if (is_parked(r))
		rc = error_set(&err, EXP_EBUSY,
			       "the job has ended its worker %lld times and waits before it is tried again",
			       (long long)r->job.attempt - 1);
	else if (is_published(r))
		rc = finish_job(r, &err);
	else
		rc = kinds[r->job.kind](r, &err);
	if (rc)
		end_badly(r, rc, err.code ? err.message : error_sentence(rc));
	log_set_scope(NULL);
}

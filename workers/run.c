#include "workers/run.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/events.h"
#include "workers/failpoint.h"

enum { REPORT_MS = 250 };

/* Stages of erasure/watch.h in which a job counts as verifying; all others are unlearning. */
static const char *const verifying_stages[] = { "scoring", "verifying" };

static void tell(const struct run *r)
{
	if (r->options->changed)
		r->options->changed(r->options->changed_arg);
}

int run_commit(struct run *r, int (*op)(struct txn *txn, void *arg, struct exp_error *err), void *arg,
	       struct exp_error *err)
{
	int rc = writer_call(r->options->store, op, arg, err);

	if (!rc)
		tell(r);
	return rc;
}

int run_event(struct txn *txn, const struct run *r, const char *request, const char *kind, const json_t *data,
	      struct exp_error *err)
{
	struct stored_event event = { 0 };
	struct buf text = { 0 };
	int rc;

	memcpy(event.job, r->job.id, sizeof(event.job));
	if (request)
		memcpy(event.request, request, sizeof(event.request));
	snprintf(event.kind, sizeof(event.kind), "%s", kind);
	if (data) {
		json_write(data, false, &text);
		event.data = text.data;
	}
	rc = events_append(txn, &event, err);
	buf_fini(&text);
	return rc;
}

struct move {
	struct run *run;
	enum job_state to;
};

static int move_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct move *m = arg;
	json_t *data = json_pack("{s:s}", "state", job_state_name(m->to));
	int rc = jobs_move(txn, &m->run->lease, m->run->job.state, m->to, err);

	if (!rc)
		rc = run_event(txn, m->run, NULL, "job_state", data, err);
	json_decref(data);
	return rc;
}

void run_moved(struct run *r, enum job_state to)
{
	r->job.state = to;
	log_info("job_state", "kind=%s state=%s", job_kind_name(r->job.kind), job_state_name(to));
	failpoint(r->job.kind, to);
	tell(r);
}

int run_move(struct run *r, enum job_state to, struct exp_error *err)
{
	struct move move = { r, to };
	int rc = writer_call(r->options->store, move_op, &move, err);

	if (!rc)
		run_moved(r, to);
	return rc;
}

int run_check(const struct run *r)
{
	if (r->failure)
		return r->failure;
	return atomic_load(&r->cancelled) || atomic_load(r->stopping) ? EXP_ECANCELLED : 0;
}

static bool is_verifying(const char *stage)
{
	for (size_t i = 0; i < sizeof(verifying_stages) / sizeof(verifying_stages[0]); i++)
		if (!strcmp(stage, verifying_stages[i]))
			return true;
	return false;
}

/* A job that computes stands in unlearning or verifying, by what its stage is; others do not move with stages. */
static void follow_stage(struct run *r, const char *stage)
{
	enum job_state now = r->job.state, wanted = is_verifying(stage) ? JOB_VERIFYING : JOB_UNLEARNING;

	if ((now == JOB_UNLEARNING || now == JOB_VERIFYING) && now != wanted)
		r->failure = run_move(r, wanted, NULL);
}

struct progress_report {
	struct run *run;
	const char *stage;
	int64_t done, total;
};

static int progress_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct progress_report *p = arg;

	return jobs_progress(txn, &p->run->lease, p->stage, p->done, p->total, err);
}

static bool report(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	struct run *r = arg;
	struct progress_report p = { r, stage, (int64_t)done, (int64_t)total };
	int64_t now = clock_monotonic_ms();

	follow_stage(r, stage);
	if (!r->failure && (now - r->reported_ms >= REPORT_MS || done == total)) {
		r->reported_ms = now;
		if (run_commit(r, progress_op, &p, NULL) == EXP_EFENCED)
			r->failure = EXP_EFENCED;
	}
	return run_check(r) != 0;
}

void run_init(struct run *r, const struct workers_options *options, struct stored_job *job, atomic_bool *stopping)
{
	*r = (struct run){ .options = options, .stopping = stopping };
	r->job = *job;
	*job = (struct stored_job){ 0 };
	job_lease_of(&r->job, &r->lease);
	r->watch = (struct watch){ report, r };
}

void run_fini(struct run *r)
{
	stored_job_fini(&r->job);
}

struct heartbeat {
	const struct job_lease *lease;
	int64_t lease_ms;
	bool cancel;
};

static int heartbeat_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct heartbeat *h = arg;

	return jobs_heartbeat(txn, h->lease, h->lease_ms, &h->cancel, err);
}

void run_extend(struct run *r)
{
	struct heartbeat h = { &r->lease, r->options->lease_ms, false };
	int rc = writer_call(r->options->store, heartbeat_op, &h, NULL);

	if (rc == EXP_EFENCED)
		log_warn("lease_lost", "job=%s", r->job.id);
	if (rc == EXP_EFENCED || h.cancel)
		atomic_store(&r->cancelled, true);
}

static int read_seed(const char *checkpoint, uint64_t *seed)
{
	json_t *json = NULL;
	const char *text;
	uint8_t bytes[8];
	int rc = checkpoint ? json_parse(checkpoint, strlen(checkpoint), &json, NULL) : EXP_ENOTFOUND;

	if (rc)
		return rc;
	text = json_string_value(json_object_get(json, "seed"));
	rc = text ? hex_decode(text, bytes, sizeof(bytes)) : EXP_ENOTFOUND;
	json_decref(json);
	if (!rc)
		memcpy(seed, bytes, sizeof(*seed));
	return rc;
}

void run_seed(struct run *r, uint64_t *seed, bool *fresh)
{
	char hex[17];

	*fresh = read_seed(r->job.checkpoint, seed) != 0;
	if (!*fresh)
		return;
	crypto_random(seed, sizeof(*seed));
	mem_free(r->job.checkpoint);
	r->job.checkpoint = mem_format("{\"seed\":\"%s\"}", hex_encode(seed, sizeof(*seed), hex));
}

int run_keep_seed(struct txn *txn, const struct run *r, struct exp_error *err)
{
	return jobs_checkpoint(txn, &r->lease, r->job.checkpoint, err);
}

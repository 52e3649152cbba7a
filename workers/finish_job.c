/*
 * What follows a publication, each step idempotent, so that a kill anywhere is followed by taking up the state that
 * storage has:
 *
 *   published   the live pointer shows the version          (models_load did it when the process is a new one)
 *   draining    nobody uses the old version any more; its weights and what was derived from them are destroyed
 *   erasing     the rows are overwritten, the requests completed (T2)
 */
#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <dirent.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/files.h"
#include "model/stage.h"
#include "storage/versions.h"
#include "workers/complete.h"
#include "workers/record.h"
#include "workers/run_job.h"

static int read_version(const struct run *r, int64_t number, struct stored_version *out, struct exp_error *err)
{
	struct db *db;
	int rc = reader_take(r->options->store, &db, err);

	if (rc)
		return rc;
	rc = versions_get(db, r->job.model, number, out, err);
	reader_give(r->options->store, db);
	return rc;
}

static int make_live(struct run *r, struct exp_error *err)
{
	int64_t number = r->job.published_version;
	struct stored_version version;
	struct snapshot *s;
	int rc;

	if (!models_take(r->options->models, r->job.model, number, &s, NULL)) {
		models_give(r->options->models, s);
		return 0;
	}
	rc = read_version(r, number, &version, err);
	if (!rc)
		rc = model_open_version(r->options->data_folder, r->options->store, &version, &s, err);
	if (!rc)
		models_swap(r->options->models, s, number);
	return rc;
}

/* Versions with the same bytes share a file: what the others still need stays. */
static int read_needed(const struct run *r, int64_t version, struct weights_list *out, struct exp_error *err)
{
	struct db *db;
	int rc = reader_take(r->options->store, &db, err);

	if (rc)
		return rc;
	rc = model_weights_needed(db, r->job.model, version, out, err);
	reader_give(r->options->store, db);
	return rc;
}

struct retirement {
	struct run *run;
	const struct stored_version *version;
	const char *sha256;
	int64_t last_served;
};

static int retire_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct retirement *t = arg;
	int64_t number = t->version->version;
	int rc = jobs_check(txn_db(txn), &t->run->lease, err);

	if (!rc && t->last_served)
		rc = versions_served(txn, t->version->model, number, t->last_served, err);
	if (!rc)
		rc = versions_move(txn, t->version->model, number, VERSION_DESTROYED, err);
	return rc ? rc : record_destroyed(txn, t->run, number, t->sha256, err);
}

static int retire(struct run *r, const struct stored_version *version, struct exp_error *err)
{
	struct retirement t = { r, version, NULL, 0 };
	struct models_drained drained = { 0 };
	struct weights_list needed = { 0 };
	struct weights_id id;
	bool destroyed;
	int rc;

	t.sha256 = hex_encode(version->sha256, DIGEST_SIZE, id.sha256);
	rc = models_drain(r->options->models, version->model, version->version, r->options->drain_timeout_ms, &drained,
			  err);
	if (!rc && !drained.drained)
		rc = error_set(err, EXP_EBUSY, "version %lld is still in use", (long long)version->version);
	t.last_served = drained.last_served_ms;
	if (!rc)
		rc = read_needed(r, version->version, &needed, err);
	if (!rc)
		rc = model_weights_destroy(r->options->data_folder, &id, &needed, &destroyed, err);
	weights_list_fini(&needed);
	return rc ? rc : run_commit(r, retire_op, &t, err);
}

/* Importances of weights that are gone hold squared gradients of people who are gone. */
static int destroy_importances(struct run *r, struct exp_error *err)
{
	char *folder = model_folder(r->options->data_folder, r->job.model), live[DIGEST_HEX] = "";
	struct dirent *entry;
	struct snapshot *s;
	DIR *dir = opendir(folder);
	char *kept;
	int rc = models_take(r->options->models, r->job.model, 0, &s, err);

	if (!rc) {
		memcpy(live, s->sha256, sizeof(live));
		models_give(r->options->models, s);
	}
	if (!rc && !dir && errno != ENOENT)
		rc = error_set_errno(err, "open", folder);
	kept = selection_importance_path(folder, live);
	while (!rc && dir && (entry = readdir(dir))) {
		char *path = file_join(folder, entry->d_name);

		if (!strncmp(entry->d_name, "importance", 10) && strcmp(path, kept))
			rc = file_destroy(path, err);
		mem_free(path);
	}
	if (dir)
		closedir(dir);
	mem_free(kept);
	mem_free(folder);
	return rc;
}

static int drain(struct run *r, struct exp_error *err)
{
	struct stored_version_list versions = { 0 };
	struct db *db;
	int rc = reader_take(r->options->store, &db, err);

	if (rc)
		return rc;
	rc = versions_in_state(db, VERSION_DRAINING, &versions, err);
	reader_give(r->options->store, db);
	for (size_t i = 0; !rc && i < versions.count; i++)
		if (!strcmp(versions.items[i].model, r->job.model))
			rc = retire(r, &versions.items[i], err);
	stored_version_list_fini(&versions);
	return rc ? rc : destroy_importances(r, err);
}

struct wait {
	struct run *run;
	int64_t delay_ms;
};

static int wait_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct wait *w = arg;

	return jobs_release(txn, &w->run->lease, w->delay_ms, err);
}

/* How long the policy still wants the rows for an independent verifier; 0: no longer. */
static int evidence_wait(const struct run *r, const struct selection *s, int64_t *ms, struct exp_error *err)
{
	struct stored_version version;
	int rc = 0;

	*ms = 0;
	if (r->job.published_version && s->policy.evidence_window_s > 0) {
		rc = read_version(r, r->job.published_version, &version, err);
		if (!rc)
			*ms = version.published_at + (int64_t)(s->policy.evidence_window_s * 1000) - clock_now_ms();
	}
	return rc;
}

static int erase(struct run *r, struct exp_error *err)
{
	struct wait wait = { r, 0 };
	struct selection s;
	int rc = selection_load(r, &s, err);

	if (rc)
		return rc;
	rc = evidence_wait(r, &s, &wait.delay_ms, err);
	if (!rc && wait.delay_ms > 0)
		rc = run_commit(r, wait_op, &wait, err);
	else if (!rc)
		rc = complete_requests(r, &s, err);
	selection_fini(r, &s);
	return rc || wait.delay_ms > 0 ? rc : run_move(r, JOB_DONE, err);
}

int finish_job(struct run *r, struct exp_error *err)
{
	int rc = 0;

	if (r->job.state == JOB_PUBLISHED) {
		rc = make_live(r, err);
		if (!rc)
			rc = run_move(r, JOB_DRAINING, err);
	}
	if (!rc && r->job.state == JOB_DRAINING) {
		rc = drain(r, err);
		if (!rc)
			rc = run_move(r, JOB_ERASING, err);
	}
	return rc ? rc : erase(r, err);
}

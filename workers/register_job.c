/*
 * Registration: version 1 goes live at once, so that the model serves; then importances, fidelity and references are
 * computed into the model's folder, resumably, while deletions of the model queue behind this job.
 */
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/files.h"
#include "model/stage.h"
#include "storage/versions.h"
#include "workers/record.h"
#include "workers/run_job.h"

struct registration {
	struct run *run;
	struct selection selection;
	struct calibration calibration;
	uint64_t seed;
	char sha256[DIGEST_HEX];
};

static int publish_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct run *r = arg;
	int rc = jobs_check(txn_db(txn), &r->lease, err);

	return rc ? rc : versions_publish(txn, r->job.model, 1, err);
}

/* Version 1 from its file into service. Done already when the job runs again. */
static int serve(struct run *r, struct exp_error *err)
{
	struct stored_version version;
	struct snapshot *snapshot;
	struct db *db;
	int rc = reader_take(r->options->store, &db, err);

	if (rc)
		return rc;
	rc = versions_get(db, r->job.model, 1, &version, err);
	reader_give(r->options->store, db);
	if (rc || version.state != VERSION_STAGED)
		return rc;
	rc = model_open_version(r->options->data_folder, r->options->store, &version, &snapshot, err);
	if (rc)
		return rc;
	rc = run_commit(r, publish_op, r, err);
	if (rc)
		snapshot_free(snapshot);
	else
		models_swap(r->options->models, snapshot, 1);
	return rc;
}

static int start_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct registration *g = arg;
	int rc = run_keep_seed(txn, g->run, err);

	return rc ? rc : record_started(txn, g->run, &g->selection, g->seed, err);
}

static int save_calibration(const char *folder, const struct calibration *c, struct exp_error *err)
{
	json_t *json = calibration_to_json(c);
	char *path = file_join(folder, "calibration.json");
	struct buf text = { 0 };
	int rc;

	json_write(json, true, &text);
	rc = file_write_durable(path, text.data, text.size, err);
	buf_fini(&text);
	mem_free(path);
	json_decref(json);
	return rc;
}

/* The importance gets the name of the weights that it belongs to. */
static int name_importance(const struct registration *g, const char *folder, struct exp_error *err)
{
	char *from = calibrate_importance_path(folder), *to = selection_importance_path(folder, g->sha256);
	uint8_t digest[DIGEST_SIZE];
	int rc = file_copy_durable(from, to, SIZE_MAX, digest, err);

	if (!rc)
		rc = file_destroy(from, err);
	mem_free(from);
	mem_free(to);
	return rc;
}

static int calibrate_into(struct registration *g, const char *folder, struct exp_error *err)
{
	struct selection *s = &g->selection;
	struct calibrate_job job = {
		.policy = &s->policy,
		.population = &s->population,
		.recipe = s->has_recipe ? &s->recipe : NULL,
		.served = s->live->params,
		.seed = g->seed,
		.threads = g->run->options->trainers,
		.folder = folder,
		.watch = &g->run->watch,
	};
	int rc = calibrate(&job, &g->calibration, err);

	if (rc == EXP_ECANCELLED)
		rc = run_check(g->run);
	if (!rc)
		rc = save_calibration(folder, &g->calibration, err);
	return rc ? rc : name_importance(g, folder, err);
}

static int finish_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct registration *g = arg;
	const char *name = g->run->job.model;
	int64_t generation;
	char capped[DB_REASON];
	int rc;

	snprintf(capped, sizeof(capped), "%s", g->calibration.capped);
	rc = models_set_findings(txn, name, capped, g->calibration.retrain_seconds, err);

	if (!rc)
		rc = models_next_generation(txn, name, &generation, err);
	if (!rc)
		rc = models_set_state(txn, name, MODEL_READY, NULL, err);
	g->selection.calibration = g->calibration;
	if (!rc)
		rc = record_registered(txn, g->run, &g->selection, g->sha256, err);
	return rc ? rc : jobs_move(txn, &g->run->lease, JOB_SELECTING, JOB_DONE, err);
}

static int work(struct registration *g, struct exp_error *err)
{
	struct run *r = g->run;
	char *folder = model_folder(r->options->data_folder, r->job.model);
	bool fresh = false;
	int rc = model_make_folder(r->options->data_folder, r->job.model, err);

	memcpy(g->sha256, g->selection.live->sha256, sizeof(g->sha256));
	run_seed(r, &g->seed, &fresh);
	if (!rc && fresh)
		rc = run_commit(r, start_op, g, err);
	if (!rc)
		rc = calibrate_into(g, folder, err);
	if (!rc)
		rc = run_commit(r, finish_op, g, err);
	if (!rc)
		run_moved(r, JOB_DONE);
	mem_free(folder);
	return rc;
}

int register_job(struct run *r, struct exp_error *err)
{
	struct registration g = { .run = r };
	int rc = run_move(r, JOB_SELECTING, err);

	if (!rc)
		rc = serve(r, err);
	if (!rc)
		rc = selection_load(r, &g.selection, err);
	if (rc)
		return rc;
	rc = work(&g, err);
	selection_fini(r, &g.selection);
	return rc;
}

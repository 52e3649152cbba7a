#include "workers/recover.h"

#include "base/log.h"
#include "base/mem.h"
#include "dataset/sweep.h"
#include "model/files.h"
#include "storage/jobs.h"
#include "storage/keys.h"
#include "storage/versions.h"
#include "storage/writer.h"

/* A model's first version is staged by its registration and stays; later ones are made again by their job. */
static int drop_staged(struct txn *txn, struct exp_error *err)
{
	struct stored_version_list staged = { 0 };
	int rc = versions_in_state(txn_db(txn), VERSION_STAGED, &staged, err);

	for (size_t i = 0; !rc && i < staged.count; i++)
		if (staged.items[i].version > 1)
			rc = versions_move(txn, staged.items[i].model, staged.items[i].version, VERSION_DESTROYED, err);
	stored_version_list_fini(&staged);
	return rc;
}

static int recover_op(struct txn *txn, void *arg, struct exp_error *err)
{
	int64_t *leases = arg;
	int rc = jobs_expire_leases(txn, leases, err);

	return rc ? rc : drop_staged(txn, err);
}

static int sweep_weights(const struct workers_options *o, size_t *destroyed, struct exp_error *err)
{
	struct weights_list needed = { 0 };
	struct db *db;
	int rc = reader_take(o->store, &db, err);

	if (rc)
		return rc;
	rc = model_weights_needed(db, NULL, 0, &needed, err);
	reader_give(o->store, db);
	if (!rc)
		rc = model_sweep(o->data_folder, &needed, destroyed, err);
	weights_list_fini(&needed);
	return rc;
}

int recover(const struct workers_options *o, struct exp_error *err)
{
	int64_t leases = 0, keys = 0;
	size_t weights = 0, datasets = 0;
	int rc = writer_call(o->store, recover_op, &leases, err);

	if (!rc)
		rc = keys_sweep_orphans(o->store, &keys, err);
	if (!rc)
		rc = sweep_weights(o, &weights, err);
	if (!rc)
		rc = dataset_sweep(o->store, o->data_folder, &datasets, err);
	if (!rc)
		log_info("recovered", "jobs=%lld keys=%lld weights=%zu datasets=%zu", (long long)leases,
			 (long long)keys, weights, datasets);
	return rc;
}

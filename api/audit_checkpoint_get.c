#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "storage/checkpoints.h"

int api_audit_checkpoint_get(struct call *c, struct exp_error *err)
{
	struct store *store = c->api->options.store;
	struct stored_checkpoint latest;
	struct db *db;
	int rc = reader_take(store, &db, err);

	if (rc)
		return rc;
	rc = checkpoints_latest_published(db, &latest, err);
	reader_give(store, db);
	if (rc)
		return rc;
	reply_bytes(c, 200, "text/plain; charset=utf-8", latest.note, strlen(latest.note));
	stored_checkpoint_fini(&latest);
	return 0;
}

#include "storage/checkpoints.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { INSERT, PUBLISHED, GET, LATEST, LATEST_PUBLISHED, COVERING };

#define SELECT "SELECT size, root, note, created_at, published_at FROM checkpoints "

static const struct statement statements[] = {
	[INSERT] = { "INSERT INTO checkpoints (size, root, note, created_at) VALUES (?, ?, ?, ?)", NULL },
	[PUBLISHED] = { "UPDATE checkpoints SET published_at = coalesce(published_at, ?) WHERE size = ?",
			"checkpoints" },
	[GET] = { SELECT "WHERE size = ?", "checkpoints" },
	[LATEST] = { SELECT "ORDER BY size DESC LIMIT 1", NULL },
	[LATEST_PUBLISHED] = { SELECT "WHERE published_at IS NOT NULL ORDER BY size DESC LIMIT 1", NULL },
	[COVERING] = { SELECT "WHERE published_at IS NOT NULL AND size >= ? ORDER BY size LIMIT 1", "checkpoints" },
};

const struct table checkpoints_table = TABLE("checkpoints", statements);

static void read_checkpoint(struct query *q, void *item)
{
	struct stored_checkpoint *c = item;

	c->size = query_int(q);
	query_blob(q, c->root, sizeof(c->root));
	c->note = query_string(q);
	c->created_at = query_int(q);
	c->published_at = query_int(q);
}

static void free_checkpoint(void *item)
{
	stored_checkpoint_fini(item);
}

static const struct row_type checkpoint_type = { sizeof(struct stored_checkpoint), read_checkpoint, free_checkpoint };

void stored_checkpoint_fini(struct stored_checkpoint *checkpoint)
{
	mem_free(checkpoint->note);
	checkpoint->note = NULL;
}

static int insert(struct txn *txn, const struct stored_checkpoint *c, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_CHECKPOINTS, INSERT);
	query_bind_int(&q, c->size);
	query_bind_blob(&q, c->root, sizeof(c->root));
	query_bind_text(&q, c->note);
	query_bind_int(&q, clock_now_ms());
	return query_run(&q, NULL, err);
}

static bool same(const struct stored_checkpoint *a, const struct stored_checkpoint *b)
{
	return a->size == b->size && memcmp(a->root, b->root, sizeof(a->root)) == 0 && strcmp(a->note, b->note) == 0;
}

int checkpoints_insert(struct txn *txn, const struct stored_checkpoint *checkpoint, struct exp_error *err)
{
	struct stored_checkpoint latest;
	int rc = checkpoints_latest(txn_db(txn), &latest, NULL);

	if (rc == EXP_ENOTFOUND)
		return insert(txn, checkpoint, err);
	if (rc)
		return error_set(err, rc, "the latest checkpoint cannot be read");
	if (latest.size < checkpoint->size)
		rc = insert(txn, checkpoint, err);
	else if (!same(&latest, checkpoint))
		rc = error_set(err, EXP_ECONFLICT,
			       "a checkpoint of %lld leaves is signed, another of %lld would fork the log",
			       (long long)latest.size, (long long)checkpoint->size);
	stored_checkpoint_fini(&latest);
	return rc;
}

int checkpoints_published(struct txn *txn, int64_t size, struct exp_error *err)
{
	int64_t changes;
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_CHECKPOINTS, PUBLISHED);
	query_bind_int(&q, clock_now_ms());
	query_bind_int(&q, size);
	rc = query_run(&q, &changes, err);
	if (rc || changes)
		return rc;
	return error_set(err, EXP_ENOTFOUND, "there is no checkpoint of %lld leaves", (long long)size);
}

static int get(struct query *q, struct stored_checkpoint *out, const char *which, struct exp_error *err)
{
	int rc = query_one(q, &checkpoint_type, out, NULL, NULL, err);

	return rc == EXP_ENOTFOUND ? error_set(err, rc, "there is no %s yet", which) : rc;
}

int checkpoints_latest(struct db *db, struct stored_checkpoint *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_CHECKPOINTS, LATEST);
	return get(&q, out, "checkpoint", err);
}

int checkpoints_latest_published(struct db *db, struct stored_checkpoint *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_CHECKPOINTS, LATEST_PUBLISHED);
	return get(&q, out, "published checkpoint", err);
}

int checkpoints_covering(struct db *db, int64_t size, struct stored_checkpoint *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_CHECKPOINTS, COVERING);
	query_bind_int(&q, size);
	return get(&q, out, "published checkpoint of that many leaves", err);
}

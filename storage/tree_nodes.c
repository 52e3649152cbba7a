#include "storage/tree_nodes.h"

#include <string.h>

#include "storage/query_internal.h"
#include "storage/writer.h"

enum { PUT, READ, COUNT };

static const struct statement statements[] = {
	[PUT] = { "INSERT INTO tree_nodes (level, idx, hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", NULL },
	[READ] = { "SELECT hash FROM tree_nodes WHERE level = ?1 AND idx >= ?2 AND idx < ?2 + ?3 ORDER BY idx",
		   "tree_nodes" },
	[COUNT] = { "SELECT coalesce(max(idx) + 1, 0) FROM tree_nodes WHERE level = ?", "tree_nodes" },
};

const struct table tree_nodes_table = TABLE("tree_nodes", statements);

int tree_nodes_put(struct txn *txn, int level, int64_t index, const uint8_t hash[DB_HASH], struct exp_error *err)
{
	uint8_t kept[DB_HASH];
	int64_t changes;
	struct query q;
	int rc;

	query_start(&q, txn_db(txn), TABLE_TREE_NODES, PUT);
	query_bind_int(&q, level);
	query_bind_int(&q, index);
	query_bind_blob(&q, hash, DB_HASH);
	rc = query_run(&q, &changes, err);
	if (rc || changes)
		return rc;
	rc = tree_nodes_get(txn_db(txn), level, index, kept, err);
	if (!rc && memcmp(kept, hash, DB_HASH) != 0)
		rc = error_set(err, EXP_ECORRUPT, "tree node (%d, %lld) is kept with another hash", level,
			       (long long)index);
	return rc;
}

int tree_nodes_get(struct db *db, int level, int64_t index, uint8_t hash[DB_HASH], struct exp_error *err)
{
	return tree_nodes_read(db, level, index, 1, hash, err);
}

int tree_nodes_read(struct db *db, int level, int64_t first, size_t count, uint8_t *out, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_TREE_NODES, READ);
	query_bind_int(&q, level);
	query_bind_int(&q, first);
	query_bind_int(&q, (int64_t)count);
	rc = query_hashes(&q, count, out, err);
	if (rc == EXP_ENOTFOUND)
		return error_set(err, rc, "level %d of the tree lacks a node in [%lld, %lld)", level, (long long)first,
				 (long long)first + (long long)count);
	return rc;
}

int tree_nodes_count(struct db *db, int level, int64_t *count, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_TREE_NODES, COUNT);
	query_bind_int(&q, level);
	return query_number(&q, count, err);
}

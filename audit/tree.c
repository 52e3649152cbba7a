#include "audit/audit_internal.h"

#include <string.h>

#include "base/mem.h"
#include "storage/leaves.h"
#include "storage/tree_nodes.h"

enum { CHUNK = 256 };

int audit_read_node(void *context, unsigned level, uint64_t index, uint8_t out[DIGEST_SIZE], struct exp_error *err)
{
	struct db *db = context;

	if (level == 0)
		return leaves_hashes(db, (int64_t)index, 1, out, err);
	return tree_nodes_get(db, (int)level, (int64_t)index, out, err);
}

typedef int (*completed_fn)(void *context, unsigned level, uint64_t index, const uint8_t hash[DIGEST_SIZE]);

/* Takes the leaves from f->size up to size, trusting their bytes only. after is called with each new size. */
struct intake {
	struct merkle_frontier *frontier;
	completed_fn completed;
	void *context;
	int (*after)(void *context, const struct merkle_frontier *f, struct exp_error *err);
};

static int take_leaf(const struct intake *in, const struct stored_leaf *leaf, struct exp_error *err)
{
	uint8_t hash[DIGEST_SIZE];
	int rc;

	merkle_leaf_hash(leaf->bytes, leaf->size, hash);
	if ((uint64_t)leaf->index != in->frontier->size || memcmp(hash, leaf->hash, sizeof(hash)) != 0)
		return error_set(
		    err, EXP_ECORRUPT,
		    "log entry %lld was altered in the database: its bytes do not have its hash; restore a backup",
		    (long long)leaf->index);
	rc = merkle_append(in->frontier, hash, in->completed, in->context);
	if (rc)
		return error_set(
		    err, rc,
		    "the stored hash tree does not belong to the log entries (at entry %lld); restore a backup",
		    (long long)leaf->index);
	return in->after ? in->after(in->context, in->frontier, err) : 0;
}

static int take_leaves(struct db *db, uint64_t size, const struct intake *in, struct exp_error *err)
{
	int rc = 0;

	while (!rc && in->frontier->size < size) {
		uint64_t left = size - in->frontier->size;
		struct stored_leaf_list list = { 0 };

		rc = leaves_read(db, (int64_t)in->frontier->size, left < CHUNK ? left : CHUNK, &list, err);
		if (!rc && !list.count)
			rc = error_set(err, EXP_ECORRUPT,
				       "log entry %llu is missing from the database; restore a backup",
				       (unsigned long long)in->frontier->size);
		for (size_t i = 0; !rc && i < list.count; i++)
			rc = take_leaf(in, &list.items[i], err);
		stored_leaf_list_fini(&list);
	}
	return rc;
}

struct rebuild {
	struct db *db;
	const struct audit_head *heads;
	size_t head_count;
};

static int compare_node(void *context, unsigned level, uint64_t index, const uint8_t hash[DIGEST_SIZE])
{
	struct rebuild *r = context;
	uint8_t stored[DIGEST_SIZE];

	if (level == 0)
		return 0;
	if (tree_nodes_get(r->db, (int)level, (int64_t)index, stored, NULL) || memcmp(stored, hash, DIGEST_SIZE) != 0)
		return EXP_ECORRUPT;
	return 0;
}

static int compare_heads(void *context, const struct merkle_frontier *f, struct exp_error *err)
{
	struct rebuild *r = context;
	uint8_t root[DIGEST_SIZE];

	for (size_t i = 0; i < r->head_count; i++) {
		if (r->heads[i].head.size != f->size)
			continue;
		merkle_frontier_root(f, root);
		if (memcmp(root, r->heads[i].head.root, DIGEST_SIZE) != 0)
			return error_set(
			    err, EXP_ECORRUPT,
			    "the log in the database is not the one of %s (%llu entries): entries were altered, or the "
			    "database belongs to another log",
			    r->heads[i].what, (unsigned long long)f->size);
	}
	return 0;
}

int audit_rebuild(struct db *db, uint64_t size, const struct audit_head *heads, size_t head_count,
		  struct merkle_frontier *out, struct exp_error *err)
{
	struct rebuild r = { db, heads, head_count };
	struct merkle_frontier f = { 0 };
	struct intake in = { &f, compare_node, &r, compare_heads };
	int rc = take_leaves(db, size, &in, err);

	if (!rc)
		*out = f;
	return rc;
}

static int keep_node(void *context, unsigned level, uint64_t index, const uint8_t hash[DIGEST_SIZE])
{
	struct audit_growth *g = context;
	struct audit_node *node;

	if (level == 0)
		return 0;
	if (g->count == g->capacity) {
		size_t capacity = g->capacity ? 2 * g->capacity : CHUNK;
		struct audit_node *more = mem_try_realloc(g->nodes, capacity, sizeof(*more));

		if (!more)
			return EXP_EMEMORY;
		g->nodes = more;
		g->capacity = capacity;
	}
	node = &g->nodes[g->count++];
	node->level = level;
	node->index = index;
	memcpy(node->hash, hash, DIGEST_SIZE);
	return 0;
}

int audit_grow(struct db *db, uint64_t size, struct audit_growth *growth, struct exp_error *err)
{
	struct intake in = { &growth->frontier, keep_node, growth, NULL };

	return take_leaves(db, size, &in, err);
}

void audit_growth_fini(struct audit_growth *growth)
{
	mem_free(growth->nodes);
	growth->nodes = NULL;
	growth->count = growth->capacity = 0;
}

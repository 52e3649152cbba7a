#include "storage/leaves.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storage/query_internal.h"
#include "storage/writer.h"

enum { APPEND, COUNT, READ, OF_REQUEST, HASHES, UNLINK };

#define SELECT "SELECT idx, bytes, hash, type, request, created_at FROM leaves "

static const struct statement statements[] = {
	[APPEND] = { "INSERT INTO leaves (idx, bytes, hash, type, request, created_at) VALUES ((SELECT "
		     "coalesce(max(idx) + 1, 0) FROM leaves), ?, ?, ?, ?, ?) RETURNING idx",
		     NULL },
	[COUNT] = { "SELECT coalesce(max(idx) + 1, 0) FROM leaves", "leaves" },
	[READ] = { SELECT "WHERE idx >= ? ORDER BY idx LIMIT ?", "leaves" },
	[OF_REQUEST] = { SELECT "WHERE request = ? ORDER BY idx", "leaves_by_request" },
	[HASHES] = { "SELECT hash FROM leaves WHERE idx >= ? ORDER BY idx LIMIT ?", "leaves" },
	[UNLINK] = { "UPDATE leaves SET request = NULL WHERE request = ?", "leaves_by_request" },
};

const struct table leaves_table = TABLE("leaves", statements);

static void read_leaf(struct query *q, void *item)
{
	struct stored_leaf *l = item;

	l->index = query_int(q);
	l->bytes = query_bytes(q, &l->size);
	query_blob(q, l->hash, sizeof(l->hash));
	query_text(q, l->type, sizeof(l->type));
	query_text(q, l->request, sizeof(l->request));
	l->created_at = query_int(q);
}

static void free_leaf(void *item)
{
	mem_free((void *)((struct stored_leaf *)item)->bytes);
}

static const struct row_type leaf_type = { sizeof(struct stored_leaf), read_leaf, free_leaf };

int leaves_append(struct txn *txn, const struct stored_leaf *leaf, int64_t *index, struct exp_error *err)
{
	struct query q;

	if (leaf->size > LEAF_MAX)
		return error_set(err, EXP_ELIMIT, "a leaf has at most %d bytes, this one %zu", LEAF_MAX, leaf->size);
	query_start(&q, txn_db(txn), TABLE_LEAVES, APPEND);
	query_bind_blob(&q, leaf->size ? leaf->bytes : (const uint8_t *)"", leaf->size);
	query_bind_blob(&q, leaf->hash, sizeof(leaf->hash));
	query_bind_limited(&q, leaf->type, sizeof(leaf->type));
	query_bind_optional(&q, leaf->request);
	query_bind_int(&q, clock_now_ms());
	return query_number(&q, index, err);
}

int leaves_count(struct db *db, int64_t *count, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_LEAVES, COUNT);
	return query_number(&q, count, err);
}

static int collect(struct query *q, struct stored_leaf_list *out, struct exp_error *err)
{
	struct row_list list;
	int rc = query_all(q, &leaf_type, &list, err);

	if (!rc)
		*out = (struct stored_leaf_list){ list.items, list.count };
	return rc;
}

int leaves_read(struct db *db, int64_t first, size_t count, struct stored_leaf_list *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_LEAVES, READ);
	query_bind_int(&q, first);
	query_bind_int(&q, (int64_t)count);
	return collect(&q, out, err);
}

int leaves_of_request(struct db *db, const char *request, struct stored_leaf_list *out, struct exp_error *err)
{
	struct query q;

	query_start(&q, db, TABLE_LEAVES, OF_REQUEST);
	query_bind_text(&q, request);
	return collect(&q, out, err);
}

void stored_leaf_list_fini(struct stored_leaf_list *list)
{
	row_list_free(&leaf_type, list->items, list->count);
	*list = (struct stored_leaf_list){ 0 };
}

int leaves_hashes(struct db *db, int64_t first, size_t count, uint8_t *out, struct exp_error *err)
{
	struct query q;
	int rc;

	query_start(&q, db, TABLE_LEAVES, HASHES);
	query_bind_int(&q, first);
	query_bind_int(&q, (int64_t)count);
	rc = query_hashes(&q, count, out, err);
	if (rc == EXP_ENOTFOUND)
		return error_set(err, rc, "the log has fewer than %lld leaves", (long long)first + (long long)count);
	return rc;
}

int leaves_unlink_request(struct txn *txn, const char *request, struct exp_error *err)
{
	struct query q;

	query_start(&q, txn_db(txn), TABLE_LEAVES, UNLINK);
	query_bind_text(&q, request);
	return query_run(&q, NULL, err);
}

#include "audit/audit.h"

#include <string.h>

#include "audit/audit_internal.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/checkpoints.h"
#include "storage/keys.h"
#include "storage/leaves.h"
#include "storage/tree_nodes.h"
#include "storage/writer.h"

static const char seed_name[] = "log-seed";

static int seed_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct audit *a = arg;

	return secrets_get_or_create(txn, seed_name, a->seed, sizeof(a->seed), err);
}

static int load_key(struct audit *a, const char *origin, struct exp_error *err)
{
	int rc;

	if (!note_name_is_valid(origin, strlen(origin)))
		return error_set(err, EXP_EINVAL,
				 "the log's origin is 1 to %d bytes of UTF-8 without spaces and plus signs",
				 NOTE_NAME - 1);
	rc = writer_call(a->store, seed_op, a, err);
	return rc ? rc : note_key_init(&a->key, origin, a->seed, err);
}

/* Opens a checkpoint that this log is said to have signed. */
static int open_own(const struct audit *a, const char *note, const char *what, struct checkpoint *out,
		    struct exp_error *err)
{
	struct exp_error cause = { 0 };

	if (checkpoint_open(note, strlen(note), &a->key, out, &cause) == 0)
		return 0;
	return error_set(err, EXP_ECORRUPT,
			 "%s was not signed by this log's key (%s); bring back keys.db, and the origin as it was", what,
			 cause.message);
}

/* What the outside may have seen: the file that was published last. Size 0 when there is none. */
static int read_published(const struct audit *a, struct checkpoint *out, struct exp_error *err)
{
	char *path = file_join(a->folder, "checkpoint");
	struct exp_error cause = { 0 };
	struct buf note = { 0 };
	int rc = file_read(path, NOTE_SIZE_MAX, &note, &cause);

	memset(out, 0, sizeof(*out));
	if (!rc)
		rc = open_own(a, note.data ? note.data : "", path, out, err);
	else if (rc == EXP_ENOTFOUND)
		rc = 0;
	else if (err)
		*err = cause;
	buf_fini(&note);
	mem_free(path);
	return rc;
}

static int read_stored(struct audit *a, struct db *db, struct checkpoint *out, struct exp_error *err)
{
	struct stored_checkpoint stored = { 0 };
	int rc = checkpoints_latest(db, &stored, NULL);

	memset(out, 0, sizeof(*out));
	if (rc == EXP_ENOTFOUND)
		return 0;
	if (rc)
		return error_set(err, rc, "the newest checkpoint cannot be read from the database");
	rc = open_own(a, stored.note, "the newest stored checkpoint", out, err);
	if (!rc && ((uint64_t)stored.size != out->head.size || memcmp(stored.root, out->head.root, DIGEST_SIZE) != 0))
		rc = error_set(err, EXP_ECORRUPT, "the newest stored checkpoint does not say what it was signed for");
	if (!rc) {
		a->note = mem_strdup(stored.note);
		a->published = stored.published_at ? out->head.size : 0;
	}
	stored_checkpoint_fini(&stored);
	return rc;
}

/* The database must contain what was signed and what was seen, else everything signed from now on would contradict it.
 */
static int check_log(struct audit *a, struct db *db, struct exp_error *err)
{
	struct checkpoint stored, published;
	int rc = read_stored(a, db, &stored, err);

	if (!rc)
		rc = read_published(a, &published, err);
	if (rc)
		return rc;
	if (published.head.size > stored.head.size)
		return error_set(
		    err, EXP_ECORRUPT,
		    "the database is older than the published log: it ends at entry %llu, %s/checkpoint at %llu; "
		    "restore a newer backup",
		    (unsigned long long)stored.head.size, a->folder, (unsigned long long)published.head.size);
	return audit_rebuild(db, stored.head.size,
			     (struct audit_head[]){ { published.head, "the published checkpoint" },
						    { stored.head, "the newest stored checkpoint" } },
			     2, &a->frontier, err);
}

static int published_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct audit *a = arg;

	return checkpoints_published(txn, (int64_t)a->frontier.size, err);
}

static int publish(struct audit *a, uint64_t from, struct exp_error *err)
{
	int rc = audit_publish(a, from, err);

	if (!rc && a->published < a->frontier.size)
		rc = writer_call(a->store, published_op, a, err);
	if (!rc)
		a->published = a->frontier.size;
	return rc;
}

static int start(struct audit *a, const char *origin, struct exp_error *err)
{
	struct db *db;
	int rc = load_key(a, origin, err);

	if (!rc)
		rc = reader_take(a->store, &db, err);
	if (rc)
		return rc;
	rc = check_log(a, db, err);
	reader_give(a->store, db);
	if (rc || !a->frontier.size)
		return rc;
	audit_sweep(a->folder);
	return publish(a, 0, err);
}

int audit_open(struct store *store, const char *data_folder, const char *origin, struct audit **out,
	       struct exp_error *err)
{
	struct audit *a = mem_alloc(sizeof(*a));
	int rc;

	a->store = store;
	a->folder = file_join(data_folder, "log");
	atomic_flag_clear(&a->busy);
	rc = start(a, origin, err);
	if (rc)
		audit_close(a);
	else
		*out = a;
	return rc;
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	mem_free(a->folder);
	mem_free(a->note);
	mem_free_secret(a, sizeof(*a));
}

char *audit_vkey(const struct audit *a)
{
	return note_key_format(&a->key);
}

int audit_append(struct txn *txn, enum leaf_type type, const json_t *fields, const char *request, int64_t *index,
		 struct exp_error *err)
{
	struct stored_leaf leaf = { 0 };
	struct buf bytes = { 0 };
	int64_t at = 0;
	int rc = leaf_build(type, clock_now_ms(), fields, &bytes, err);

	if (rc)
		return error_wrap(err, rc, "a leaf of type %s", leaf_type_name(type));
	leaf.bytes = (const uint8_t *)bytes.data;
	leaf.size = bytes.size;
	merkle_leaf_hash(bytes.data, bytes.size, leaf.hash);
	strcpy(leaf.type, leaf_type_name(type));
	if (request) {
		exp_require(id_is_valid(request));
		strcpy(leaf.request, request);
	}
	rc = leaves_append(txn, &leaf, &at, err);
	if (!rc && index)
		*index = at;
	buf_fini(&bytes);
	return rc;
}

struct head_op {
	const struct audit_growth *growth;
	struct stored_checkpoint checkpoint;
};

static int store_op(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct head_op *op = arg;
	int rc = 0;

	for (size_t i = 0; !rc && i < op->growth->count; i++) {
		const struct audit_node *n = &op->growth->nodes[i];

		rc = tree_nodes_put(txn, (int)n->level, (int64_t)n->index, n->hash, err);
	}
	return rc ? rc : checkpoints_insert(txn, &op->checkpoint, err);
}

/* Signs the tree in growth and stores it; only then does it become a's. */
static int store_head(struct audit *a, const struct audit_growth *growth, struct exp_error *err)
{
	struct checkpoint c = { .head.size = growth->frontier.size };
	struct head_op op = { .growth = growth, .checkpoint.size = (int64_t)growth->frontier.size };
	struct buf note = { 0 };
	int rc;

	memcpy(c.origin, a->key.name, sizeof(c.origin));
	merkle_frontier_root(&growth->frontier, c.head.root);
	rc = checkpoint_sign(&c, a->seed, &note, err);
	if (rc)
		return rc;
	memcpy(op.checkpoint.root, c.head.root, DIGEST_SIZE);
	op.checkpoint.note = note.data;
	rc = writer_call(a->store, store_op, &op, err);
	if (rc) {
		buf_fini(&note);
		return rc;
	}
	mem_free(a->note);
	a->note = buf_take(&note);
	a->frontier = growth->frontier;
	return 0;
}

/* Reads what was appended since the newest checkpoint, without writing anything. */
static int read_growth(struct audit *a, struct audit_growth *growth, struct exp_error *err)
{
	struct db *db;
	int64_t count;
	int rc = reader_take(a->store, &db, err);

	if (rc)
		return rc;
	growth->frontier = a->frontier;
	rc = leaves_count(db, &count, err);
	if (!rc)
		rc = audit_grow(db, (uint64_t)count, growth, err);
	reader_give(a->store, db);
	return rc;
}

static int advance(struct audit *a, bool *advanced, struct exp_error *err)
{
	struct audit_growth growth = { 0 };
	uint64_t before = a->published;
	int rc = read_growth(a, &growth, err);

	if (!rc && growth.frontier.size > a->frontier.size)
		rc = store_head(a, &growth, err);
	if (!rc && a->published < a->frontier.size)
		rc = publish(a, before, err);
	if (!rc)
		*advanced = a->published > before;
	audit_growth_fini(&growth);
	return rc;
}

int audit_checkpoint(struct audit *a, bool *advanced, struct exp_error *err)
{
	int rc;

	if (atomic_flag_test_and_set(&a->busy))
		return error_set(err, EXP_EBUSY, "a checkpoint is being made");
	rc = advance(a, advanced, err);
	atomic_flag_clear(&a->busy);
	return rc;
}

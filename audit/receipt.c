#include "audit/audit_internal.h"

#include <string.h>

#include "base/mem.h"
#include "proof/receipt.h"
#include "storage/checkpoints.h"
#include "storage/keys.h"
#include "storage/leaves.h"
#include "storage/requests.h"
#include "storage/writer.h"

struct key_op {
	const char *request;
	uint8_t *key;
};

static int key_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct key_op *op = arg;

	return keys_get(txn, op->request, op->key, err);
}

static int fetch_key(struct audit *a, struct receipt *r, struct exp_error *err)
{
	struct key_op op = { r->request, r->key };
	int rc = writer_call(a->store, key_op, &op, err);

	if (rc == EXP_ENOTFOUND)
		rc = error_set(err, EXP_EGONE,
			       "the proof period of request %s is over and its key destroyed; who kept the receipt can "
			       "still prove",
			       r->request);
	return rc;
}

/* The last completion counts: a partial one may have come before. */
static int take_completion(const struct stored_leaf_list *leaves, struct receipt *r, struct exp_error *err)
{
	for (size_t i = leaves->count; i > 0; i--) {
		const struct stored_leaf *leaf = &leaves->items[i - 1];

		if (strcmp(leaf->type, leaf_type_name(LEAF_REQUEST_COMPLETED)) != 0)
			continue;
		r->index = (uint64_t)leaf->index;
		buf_add(&r->leaf, leaf->bytes, leaf->size);
		return 0;
	}
	return error_set(err, EXP_ENOTFOUND, "request %s is not completed, so there is no receipt yet", r->request);
}

static int find_completion(struct db *db, struct receipt *r, struct exp_error *err)
{
	struct stored_leaf_list leaves = { 0 };
	int rc = leaves_of_request(db, r->request, &leaves, err);

	if (!rc)
		rc = take_completion(&leaves, r, err);
	stored_leaf_list_fini(&leaves);
	return rc;
}

static int prove(struct db *db, struct receipt *r, struct exp_error *err)
{
	struct merkle_reader reader = { audit_read_node, db };
	struct stored_checkpoint c = { 0 };
	int rc = checkpoints_covering(db, (int64_t)r->index + 1, &c, NULL);

	if (rc == EXP_ENOTFOUND)
		return error_set(err, rc, "the receipt of request %s becomes available with the next checkpoint",
				 r->request);
	if (rc)
		return error_set(err, rc, "the checkpoint over log entry %llu cannot be read",
				 (unsigned long long)r->index);
	buf_add_text(&r->note, c.note);
	rc = merkle_prove_inclusion(&reader, r->index, (uint64_t)c.size, &r->proof, err);
	stored_checkpoint_fini(&c);
	return rc;
}

static int need_request(struct db *db, struct receipt *r, struct exp_error *err)
{
	struct stored_request request;

	return requests_get(db, r->request, &request, err);
}

static int read_proof(struct db *db, struct receipt *r, struct exp_error *err)
{
	int rc = find_completion(db, r, err);

	return rc ? rc : prove(db, r, err);
}

static int with_reader(struct audit *a, struct receipt *r,
		       int (*read)(struct db *db, struct receipt *r, struct exp_error *err), struct exp_error *err)
{
	struct db *db;
	int rc = reader_take(a->store, &db, err);

	if (rc)
		return rc;
	rc = read(db, r, err);
	reader_give(a->store, db);
	return rc;
}

/* What does not verify here would not verify anywhere. */
static int check(struct audit *a, const struct receipt *r, struct exp_error *err)
{
	struct receipt_report report;
	struct exp_error cause = { 0 };

	if (receipt_verify(r, &a->key, NULL, &report, &cause) == 0)
		return 0;
	return error_set(err, EXP_ECORRUPT, "the stored log does not prove request %s: %s", r->request, cause.message);
}

int audit_receipt(struct audit *a, const char *request, struct buf *out, struct exp_error *err)
{
	struct receipt r = { 0 };
	int rc;

	if (!id_is_valid(request))
		return error_set(err, EXP_ENOTFOUND, "there is no such request");
	memcpy(r.request, request, ID_TEXT);
	rc = with_reader(a, &r, need_request, err);
	if (!rc)
		rc = fetch_key(a, &r, err);
	if (!rc)
		rc = with_reader(a, &r, read_proof, err);
	if (!rc)
		rc = check(a, &r, err);
	if (!rc)
		receipt_build(&r, out);
	receipt_fini(&r);
	return rc;
}

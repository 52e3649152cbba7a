/*
 * leaves.h: the entries of the audit log, append only. Storage neither makes nor understands them.
 *
 * Triggers hold the table to it: a leaf is never changed or deleted, indices are dense from 0. Only the link to the
 * request can be cut, which happens at the end of the proof period.
 */
#ifndef STORAGE_LEAVES_H
#define STORAGE_LEAVES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/db.h"

enum { LEAF_MAX = 65535, LEAF_TYPE = 65 };

struct stored_leaf {
	int64_t index;
	const uint8_t *bytes;  /* written: borrowed; read: belongs to the list */
	size_t size;           /* at most LEAF_MAX */
	uint8_t hash[DB_HASH]; /* RFC 6962 leaf hash, made by the caller */
	char type[LEAF_TYPE];
	char request[ID_TEXT]; /* "" for none */
	int64_t created_at;
};

struct stored_leaf_list {
	struct stored_leaf *items;
	size_t count;
};

/* Gives the next index. leaf->index and leaf->created_at are ignored. EXP_ELIMIT: larger than LEAF_MAX. */
EXP_NODISCARD int leaves_append(struct txn *txn, const struct stored_leaf *leaf, int64_t *index, struct exp_error *err);

EXP_NODISCARD int leaves_count(struct db *db, int64_t *count, struct exp_error *err);

/* Leaves [first, first + count), as far as they exist. */
EXP_NODISCARD int leaves_read(struct db *db, int64_t first, size_t count, struct stored_leaf_list *out,
			      struct exp_error *err);

/* The leaves that are linked to a request, in order. */
EXP_NODISCARD int leaves_of_request(struct db *db, const char *request, struct stored_leaf_list *out,
				    struct exp_error *err);
void stored_leaf_list_fini(struct stored_leaf_list *list);

/* Only the hashes of exactly count leaves, into out of count * DB_HASH bytes. EXP_ENOTFOUND: there are fewer. */
EXP_NODISCARD int leaves_hashes(struct db *db, int64_t first, size_t count, uint8_t *out, struct exp_error *err);

/* Cuts the link between a request and its leaves. */
EXP_NODISCARD int leaves_unlink_request(struct txn *txn, const char *request, struct exp_error *err);

#endif

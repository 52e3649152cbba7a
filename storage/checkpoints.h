/*
 * checkpoints.h: the signed heads of the tree. One is durable here before it is published anywhere.
 */
#ifndef STORAGE_CHECKPOINTS_H
#define STORAGE_CHECKPOINTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

struct stored_checkpoint {
	int64_t size; /* leaves in the tree */
	uint8_t root[DB_HASH];
	char *note; /* the signed note, whole */
	int64_t created_at, published_at;
};

/* Times are ignored. The same size, root and note again is success. EXP_ECONFLICT: another root or note for this size,
 * or a larger checkpoint exists. */
EXP_NODISCARD int checkpoints_insert(struct txn *txn, const struct stored_checkpoint *checkpoint,
				     struct exp_error *err);

/* Sets published_at, once. EXP_ENOTFOUND. */
EXP_NODISCARD int checkpoints_published(struct txn *txn, int64_t size, struct exp_error *err);

EXP_NODISCARD int checkpoints_latest(struct db *db, struct stored_checkpoint *out,
				     struct exp_error *err); /* EXP_ENOTFOUND */
EXP_NODISCARD int checkpoints_latest_published(struct db *db, struct stored_checkpoint *out,
					       struct exp_error *err); /* EXP_ENOTFOUND */

/* The smallest published checkpoint of at least size leaves: the first that covers leaf size - 1. EXP_ENOTFOUND. */
EXP_NODISCARD int checkpoints_covering(struct db *db, int64_t size, struct stored_checkpoint *out,
				       struct exp_error *err);
void stored_checkpoint_fini(struct stored_checkpoint *checkpoint);

#endif

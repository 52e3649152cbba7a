/*
 * tree_nodes.h: the full subtrees of the Merkle tree.
 *
 * Node (level, index) covers the leaves from index << level up to (index + 1) << level, exclusive. Once complete it
 * never changes: triggers hold the table to it.
 */
#ifndef STORAGE_TREE_NODES_H
#define STORAGE_TREE_NODES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

/* Keeps a node. The same again is success. EXP_ECORRUPT: it is there with another hash. */
EXP_NODISCARD int tree_nodes_put(struct txn *txn, int level, int64_t index, const uint8_t hash[DB_HASH],
				 struct exp_error *err);

EXP_NODISCARD int tree_nodes_get(struct db *db, int level, int64_t index, uint8_t hash[DB_HASH],
				 struct exp_error *err); /* EXP_ENOTFOUND */

/* Exactly count neighbouring nodes of a level, into out of count * DB_HASH bytes. EXP_ENOTFOUND: one is missing. */
EXP_NODISCARD int tree_nodes_read(struct db *db, int level, int64_t first, size_t count, uint8_t *out,
				  struct exp_error *err);

/* How many nodes a level has; they are dense from 0. */
EXP_NODISCARD int tree_nodes_count(struct db *db, int level, int64_t *count, struct exp_error *err);

#endif

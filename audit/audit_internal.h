/*
 * audit_internal.h: what the sources of this folder share.
 */
#ifndef AUDIT_AUDIT_INTERNAL_H
#define AUDIT_AUDIT_INTERNAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "audit/audit.h"
#include "proof/checkpoint.h"
#include "proof/merkle.h"
#include "proof/note.h"

/* frontier, note and published belong to whoever holds busy, and to audit_open before anybody can. */
struct audit {
	struct store *store;
	char *folder; /* DATA/log */
	uint8_t seed[NOTE_SEED_SIZE];
	struct note_key key;
	struct merkle_frontier frontier; /* the tree of the newest stored checkpoint */
	char *note;                      /* that checkpoint, or NULL for none */
	uint64_t published;              /* size of the newest published one */
	atomic_flag busy;
};

/* tree.c */

/* Nodes of the tree as the database has them; context is the struct db. */
int audit_read_node(void *context, unsigned level, uint64_t index, uint8_t out[DIGEST_SIZE], struct exp_error *err);

/* A head that the database must still contain; what names it in the error message. */
struct audit_head {
	struct merkle_head head;
	const char *what;
};

/*
 * Builds the frontier of size leaves from their bytes, and holds hashes, stored nodes and heads (in rising size) to it.
 * EXP_ECORRUPT.
 */
EXP_NODISCARD int audit_rebuild(struct db *db, uint64_t size, const struct audit_head *heads, size_t head_count,
				struct merkle_frontier *out, struct exp_error *err);

struct audit_node {
	unsigned level;
	uint64_t index;
	uint8_t hash[DIGEST_SIZE];
};

/* The tree after more leaves: its frontier and the nodes, above level 0, that they completed. */
struct audit_growth {
	struct merkle_frontier frontier;
	struct audit_node *nodes;
	size_t count, capacity;
};

/* growth->frontier is the starting point; adds the leaves up to size. EXP_ECORRUPT: a leaf does not have its hash. */
EXP_NODISCARD int audit_grow(struct db *db, uint64_t size, struct audit_growth *growth, struct exp_error *err);
void audit_growth_fini(struct audit_growth *growth);

/* publish.c */

/* Brings the files below a->folder up to the newest stored checkpoint, tiles first. Files that are right already stay.
 */
EXP_NODISCARD int audit_publish(struct audit *a, uint64_t from, struct exp_error *err);

/* Removes what writers that were killed have left half written. */
void audit_sweep(const char *folder);

#endif

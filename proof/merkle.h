/*
 * merkle.h: the hash tree under the log (RFC 6962 section 2.1; RFC 9162 section 2.1 keeps it).
 *
 *   leaf   SHA-256(0x00 || entry)         empty tree   SHA-256("")
 *   node   SHA-256(0x01 || left || right) split at the largest power of two below the size
 *
 * A node (level, index) is the hash of the perfect subtree over leaves [index << level, (index + 1) << level). A tree
 * that only grows never changes such a node once it is complete, so they can be stored, and every proof is made of
 * them.
 *
 * Ownership: all buffers are the caller's; nothing allocates. Threads: pure functions, any thread.
 * Sizes and indexes are below 2^62; larger ones are refused or, where a peer cannot cause them, required not to occur.
 */
#ifndef PROOF_MERKLE_H
#define PROOF_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

enum {
	MERKLE_LEVELS = 62,
	MERKLE_PROOF_MAX = 64, /* hashes of any proof */
};

#define MERKLE_SIZE_MAX (UINT64_C(1) << MERKLE_LEVELS)

/* The compact form of a tree: its complete subtrees, one for each bit of size; nodes[level] is meaningful where bit
 * level of size is set. Zero-initialised it is the empty tree. */
struct merkle_frontier {
	uint64_t size;
	uint8_t nodes[MERKLE_LEVELS + 1][DIGEST_SIZE];
};

/* From the leaf's sibling upwards, or in the order of RFC 6962 section 2.1.2 for consistency. */
struct merkle_proof {
	size_t count;
	uint8_t hashes[MERKLE_PROOF_MAX][DIGEST_SIZE];
};

/* Where stored nodes come from. read returns 0, or a negative code that the caller of the proof gets back. */
struct merkle_reader {
	int (*read)(void *context, unsigned level, uint64_t index, uint8_t out[DIGEST_SIZE], struct exp_error *err);
	void *context;
};

void merkle_leaf_hash(const void *entry, size_t size, uint8_t out[DIGEST_SIZE]);
void merkle_node_hash(const uint8_t left[DIGEST_SIZE], const uint8_t right[DIGEST_SIZE], uint8_t out[DIGEST_SIZE]);

/* Root of count leaf hashes laid out one after the other; count 0 gives the empty tree's root. */
void merkle_root(const uint8_t *hashes, size_t count, uint8_t out[DIGEST_SIZE]);

/*
 * Appends one leaf hash in O(log size). completed, when not NULL, is called for every node that the leaf completes, the
 * leaf itself (level 0) first, so that a caller can store them; a non-zero return of it stops and is returned, and the
 * frontier is then as before.
 */
EXP_NODISCARD int merkle_append(struct merkle_frontier *f, const uint8_t leaf[DIGEST_SIZE],
				int (*completed)(void *context, unsigned level, uint64_t index,
						 const uint8_t hash[DIGEST_SIZE]),
				void *context);

void merkle_frontier_root(const struct merkle_frontier *f, uint8_t out[DIGEST_SIZE]);

/* Fills f for a tree of the given size from stored nodes. The reader's error. */
EXP_NODISCARD int merkle_frontier_load(struct merkle_frontier *f, uint64_t size, const struct merkle_reader *reader,
				       struct exp_error *err);

/* Proof that leaf index is in the tree of size. EXP_EINVAL unless index < size; the reader's error. */
EXP_NODISCARD int merkle_prove_inclusion(const struct merkle_reader *reader, uint64_t index, uint64_t size,
					 struct merkle_proof *out, struct exp_error *err);

/* Proof that the tree of old_size is a prefix of the tree of new_size. EXP_EINVAL unless 0 < old_size <= new_size. */
EXP_NODISCARD int merkle_prove_consistency(const struct merkle_reader *reader, uint64_t old_size, uint64_t new_size,
					   struct merkle_proof *out, struct exp_error *err);

/* RFC 9162 section 2.1.3.2. EXP_EVERIFY with the reason: index outside the tree, a proof of the wrong length, another
 * root. */
EXP_NODISCARD int merkle_verify_inclusion(const uint8_t leaf[DIGEST_SIZE], uint64_t index, uint64_t size,
					  const struct merkle_proof *proof, const uint8_t root[DIGEST_SIZE],
					  struct exp_error *err);

struct merkle_head {
	uint64_t size;
	uint8_t root[DIGEST_SIZE];
};

/* RFC 9162 section 2.1.4.2. EXP_EVERIFY, also for an old tree of size 0, about which nothing can be proved. */
EXP_NODISCARD int merkle_verify_consistency(const struct merkle_head *old, const struct merkle_head *new,
					    const struct merkle_proof *proof, struct exp_error *err);

#endif

#include "proof/merkle.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

void merkle_leaf_hash(const void *entry, size_t size, uint8_t out[DIGEST_SIZE])
{
	struct digest d;

	digest_init(&d);
	digest_add(&d, "\x00", 1);
	digest_add(&d, entry, size);
	digest_final(&d, out);
}

void merkle_node_hash(const uint8_t left[DIGEST_SIZE], const uint8_t right[DIGEST_SIZE], uint8_t out[DIGEST_SIZE])
{
	struct digest d;

	digest_init(&d);
	digest_add(&d, "\x01", 1);
	digest_add(&d, left, DIGEST_SIZE);
	digest_add(&d, right, DIGEST_SIZE);
	digest_final(&d, out);
}

void merkle_root(const uint8_t *hashes, size_t count, uint8_t out[DIGEST_SIZE])
{
	struct merkle_frontier f = { 0 };

	for (size_t i = 0; i < count; i++) {
		int rc = merkle_append(&f, hashes + i * DIGEST_SIZE, NULL, NULL);

		exp_require(rc == 0);
	}
	merkle_frontier_root(&f, out);
}

static void copy_hash(uint8_t to[DIGEST_SIZE], const uint8_t from[DIGEST_SIZE])
{
	memcpy(to, from, DIGEST_SIZE);
}

/* Adding one leaf carries like adding one to a binary counter: each trailing one bit of size merges a subtree. */
int merkle_append(struct merkle_frontier *f, const uint8_t leaf[DIGEST_SIZE],
		  int (*completed)(void *context, unsigned level, uint64_t index, const uint8_t hash[DIGEST_SIZE]),
		  void *context)
{
	uint8_t hash[DIGEST_SIZE];
	unsigned level = 0;

	exp_require(f->size < MERKLE_SIZE_MAX - 1);
	copy_hash(hash, leaf);
	for (;; level++) {
		int rc = completed ? completed(context, level, f->size >> level, hash) : 0;

		if (rc)
			return rc;
		if (!(f->size >> level & 1))
			break;
		merkle_node_hash(f->nodes[level], hash, hash);
	}
	copy_hash(f->nodes[level], hash);
	f->size++;
	return 0;
}

void merkle_frontier_root(const struct merkle_frontier *f, uint8_t out[DIGEST_SIZE])
{
	uint8_t hash[DIGEST_SIZE];
	bool started = false;

	sha256("", 0, hash);
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		if (!(f->size >> level & 1))
			continue;
		if (started)
			merkle_node_hash(f->nodes[level], hash, hash);
		else
			copy_hash(hash, f->nodes[level]);
		started = true;
	}
	copy_hash(out, hash);
}

int merkle_frontier_load(struct merkle_frontier *f, uint64_t size, const struct merkle_reader *reader,
			 struct exp_error *err)
{
	struct merkle_frontier loaded = { .size = size };

	if (size >= MERKLE_SIZE_MAX)
		return error_set(err, EXP_ERANGE, "a tree of %llu leaves is too large", (unsigned long long)size);
	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		int rc = 0;

		if (size >> level & 1)
			rc = reader->read(reader->context, level, (size >> level) - 1, loaded.nodes[level], err);
		if (rc)
			return rc;
	}
	*f = loaded;
	return 0;
}

/* Largest power of two strictly below n; n > 1. */
static uint64_t split_point(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* Hash of the leaves [low, high). A perfect range is always aligned here, hence one stored node. */
static int range_hash(const struct merkle_reader *reader, uint64_t low, uint64_t high, uint8_t out[DIGEST_SIZE],
		      struct exp_error *err)
{
	uint8_t left[DIGEST_SIZE], right[DIGEST_SIZE];
	uint64_t n = high - low, middle;
	int rc;

	if ((n & (n - 1)) == 0) {
		unsigned level = (unsigned)__builtin_ctzll(n);

		return reader->read(reader->context, level, low >> level, out, err);
	}
	middle = low + split_point(n);
	rc = range_hash(reader, low, middle, left, err);
	if (!rc)
		rc = range_hash(reader, middle, high, right, err);
	if (!rc)
		merkle_node_hash(left, right, out);
	return rc;
}

struct range {
	uint64_t low, high;
};

/* Hashes the collected ranges in reverse: they were met from the root down, a proof lists them from the leaf up. */
static int hash_ranges(const struct merkle_reader *reader, const struct range *ranges, size_t count,
		       struct merkle_proof *out, struct exp_error *err)
{
	struct merkle_proof proof = { .count = count };

	for (size_t i = 0; i < count; i++) {
		const struct range *r = &ranges[count - 1 - i];
		int rc = range_hash(reader, r->low, r->high, proof.hashes[i], err);

		if (rc)
			return rc;
	}
	*out = proof;
	return 0;
}

int merkle_prove_inclusion(const struct merkle_reader *reader, uint64_t index, uint64_t size, struct merkle_proof *out,
			   struct exp_error *err)
{
	struct range ranges[MERKLE_PROOF_MAX];
	uint64_t low = 0, high = size;
	size_t count = 0;

	if (index >= size || size >= MERKLE_SIZE_MAX)
		return error_set(err, EXP_EINVAL, "no inclusion proof: leaf %llu is not in a tree of %llu",
				 (unsigned long long)index, (unsigned long long)size);
	while (high - low > 1) {
		uint64_t middle = low + split_point(high - low);

		if (index < middle) {
			ranges[count++] = (struct range){ middle, high };
			high = middle;
		} else {
			ranges[count++] = (struct range){ low, middle };
			low = middle;
		}
	}
	return hash_ranges(reader, ranges, count, out, err);
}

/* SUBPROOF of RFC 6962 section 2.1.2, walked down instead of recursing. */
int merkle_prove_consistency(const struct merkle_reader *reader, uint64_t old_size, uint64_t new_size,
			     struct merkle_proof *out, struct exp_error *err)
{
	struct range ranges[MERKLE_PROOF_MAX];
	uint64_t low = 0, high = new_size;
	size_t count = 0;

	if (!old_size || old_size > new_size || new_size >= MERKLE_SIZE_MAX)
		return error_set(err, EXP_EINVAL, "no consistency proof from a tree of %llu to one of %llu",
				 (unsigned long long)old_size, (unsigned long long)new_size);
	while (high > old_size) {
		uint64_t middle = low + split_point(high - low);

		if (old_size <= middle) {
			ranges[count++] = (struct range){ middle, high };
			high = middle;
		} else {
			ranges[count++] = (struct range){ low, middle };
			low = middle;
		}
	}
	/* The verifier knows the old root itself; it needs the last subtree only when the old tree is more. */
	if (low > 0)
		ranges[count++] = (struct range){ low, high };
	return hash_ranges(reader, ranges, count, out, err);
}

/* A walk towards the root: positions of the node and of the last node at the present level. */
struct climb {
	uint64_t node, last;
};

/* True when the next sibling lies to the left. A node without a right sibling rises to where it has a left one. */
static bool climb_left(struct climb *c)
{
	if (!(c->node & 1) && c->node != c->last)
		return false;
	while (!(c->node & 1) && c->node) {
		c->node >>= 1;
		c->last >>= 1;
	}
	return true;
}

static void climb_up(struct climb *c)
{
	c->node >>= 1;
	c->last >>= 1;
}

static int wrong_length(struct exp_error *err)
{
	return error_set(err, EXP_EVERIFY, "the proof does not have the length that the tree size asks for");
}

int merkle_verify_inclusion(const uint8_t leaf[DIGEST_SIZE], uint64_t index, uint64_t size,
			    const struct merkle_proof *proof, const uint8_t root[DIGEST_SIZE], struct exp_error *err)
{
	struct climb c = { index, size - 1 };
	uint8_t hash[DIGEST_SIZE];

	if (index >= size)
		return error_set(err, EXP_EVERIFY, "index %llu is not in a tree of %llu leaves",
				 (unsigned long long)index, (unsigned long long)size);
	copy_hash(hash, leaf);
	for (size_t i = 0; i < proof->count; i++) {
		if (!c.last)
			return wrong_length(err);
		if (climb_left(&c))
			merkle_node_hash(proof->hashes[i], hash, hash);
		else
			merkle_node_hash(hash, proof->hashes[i], hash);
		climb_up(&c);
	}
	if (c.last)
		return wrong_length(err);
	if (!crypto_equal(hash, root, DIGEST_SIZE))
		return error_set(err, EXP_EVERIFY,
				 "the leaf at index %llu does not hash up to the root of the checkpoint",
				 (unsigned long long)index);
	return 0;
}

static int check_sizes(const struct merkle_head *old, const struct merkle_head *new, const struct merkle_proof *proof,
		       struct exp_error *err)
{
	if (!old->size)
		return error_set(err, EXP_EVERIFY, "nothing can be proved about an empty tree");
	if (old->size > new->size)
		return error_set(err, EXP_EVERIFY, "the tree shrank from %llu to %llu leaves",
				 (unsigned long long)old->size, (unsigned long long)new->size);
	if ((old->size == new->size) != (proof->count == 0))
		return wrong_length(err);
	return 0;
}

static int compare_roots(const uint8_t old[DIGEST_SIZE], const uint8_t new[DIGEST_SIZE],
			 const struct merkle_head *old_head, const struct merkle_head *new_head, struct exp_error *err)
{
	if (!crypto_equal(old, old_head->root, DIGEST_SIZE))
		return error_set(err, EXP_EVERIFY, "the older tree is not a prefix of the newer one: its root differs");
	if (!crypto_equal(new, new_head->root, DIGEST_SIZE))
		return error_set(err, EXP_EVERIFY, "the proof does not lead to the root of the newer tree");
	return 0;
}

int merkle_verify_consistency(const struct merkle_head *old, const struct merkle_head *new,
			      const struct merkle_proof *proof, struct exp_error *err)
{
	struct climb c = { old->size - 1, new->size - 1 };
	uint8_t old_hash[DIGEST_SIZE], new_hash[DIGEST_SIZE];
	bool whole = (old->size & (old->size - 1)) == 0;
	size_t i = whole ? 0 : 1;
	int rc = check_sizes(old, new, proof, err);

	if (rc || old->size == new->size)
		return rc ? rc : compare_roots(old->root, old->root, old, new, err);
	while (c.node & 1)
		climb_up(&c);
	copy_hash(old_hash, whole ? old->root : proof->hashes[0]);
	copy_hash(new_hash, old_hash);
	for (; i < proof->count; i++) {
		if (!c.last)
			return wrong_length(err);
		if (climb_left(&c)) {
			merkle_node_hash(proof->hashes[i], old_hash, old_hash);
			merkle_node_hash(proof->hashes[i], new_hash, new_hash);
		} else {
			merkle_node_hash(new_hash, proof->hashes[i], new_hash);
		}
		climb_up(&c);
	}
	if (c.last)
		return wrong_length(err);
	return compare_roots(old_hash, new_hash, old, new, err);
}

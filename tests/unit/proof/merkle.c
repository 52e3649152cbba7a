#include "proof/merkle.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "sample_log.h"

enum { SIZES = 40 };

static struct buf entries[SIZES];

static void fill_entries(void)
{
	for (int i = 0; i < SIZES; i++)
		buf_format(&entries[i], "entry %d", i);
}

static void free_entries(void)
{
	for (int i = 0; i < SIZES; i++)
		buf_fini(&entries[i]);
}

TestSuite(merkle, .init = fill_entries, .fini = free_entries);

static int read_node(void *context, unsigned level, uint64_t index, uint8_t out[DIGEST_SIZE], struct exp_error *err)
{
	(void)context;
	(void)err;
	cr_assert_leq((index + 1) << level, SIZES, "a node beyond the tree was asked for");
	sample_root(entries + (index << level), (size_t)1 << level, out);
	return 0;
}

static const struct merkle_reader reader = { read_node, NULL };

static struct merkle_head head(size_t size)
{
	struct merkle_head h = { .size = size };

	sample_root(entries, size, h.root);
	return h;
}

static void leaf(size_t i, uint8_t out[DIGEST_SIZE])
{
	merkle_leaf_hash(entries[i].data, entries[i].size, out);
}

/* The roots of sizes 0 … 8 for one-byte entries 0 … 7, made by merkle_roots.py beside this file. */
static const char *const golden_roots[] = {
#include "merkle_roots.inc"
};

Test(merkle, roots_agree_with_another_implementation)
{
	struct merkle_frontier f = { 0 };

	for (size_t size = 0; size <= 8; size++) {
		uint8_t root[DIGEST_SIZE], hash[DIGEST_SIZE];
		uint8_t entry = (uint8_t)size;
		char hex[DIGEST_HEX];

		merkle_frontier_root(&f, root);
		cr_assert_str_eq(hex_encode(root, sizeof(root), hex), golden_roots[size]);
		merkle_leaf_hash(&entry, 1, hash);
		cr_assert_eq(merkle_append(&f, hash, NULL, NULL), 0);
	}
}

static int check_completed(void *context, unsigned level, uint64_t index, const uint8_t hash[DIGEST_SIZE])
{
	uint8_t expected[DIGEST_SIZE];

	++*(int *)context;
	sample_root(entries + (index << level), (size_t)1 << level, expected);
	return memcmp(hash, expected, DIGEST_SIZE) ? EXP_EINTERNAL : 0;
}

Test(merkle, frontier_agrees_with_the_definition)
{
	struct merkle_frontier f = { 0 };
	int completed = 0;

	for (size_t size = 0; size < SIZES; size++) {
		struct merkle_frontier loaded;
		uint8_t root[DIGEST_SIZE], hash[DIGEST_SIZE];
		struct merkle_head h = head(size);

		merkle_frontier_root(&f, root);
		cr_assert_eq(memcmp(root, h.root, DIGEST_SIZE), 0, "size %zu", size);
		cr_assert_eq(merkle_frontier_load(&loaded, size, &reader, NULL), 0);
		merkle_frontier_root(&loaded, root);
		cr_assert_eq(memcmp(root, h.root, DIGEST_SIZE), 0, "size %zu", size);
		leaf(size, hash);
		cr_assert_eq(merkle_append(&f, hash, check_completed, &completed), 0);
	}
	/* 40 leaves, 20 pairs, 10, 5, 2, 1 */
	cr_assert_eq(completed, 40 + 20 + 10 + 5 + 2 + 1);
}

static int refuse(void *context, unsigned level, uint64_t index, const uint8_t hash[DIGEST_SIZE])
{
	(void)context;
	(void)index;
	(void)hash;
	return level == 1 ? EXP_ENOSPACE : 0;
}

Test(merkle, a_refused_append_changes_nothing)
{
	struct merkle_frontier f = { 0 }, before;
	uint8_t hash[DIGEST_SIZE];

	leaf(0, hash);
	cr_assert_eq(merkle_append(&f, hash, NULL, NULL), 0);
	before = f;
	cr_assert_eq(merkle_append(&f, hash, refuse, NULL), EXP_ENOSPACE);
	cr_assert_eq(memcmp(&f, &before, sizeof(f)), 0);
}

static void expect_refused(const uint8_t hash[DIGEST_SIZE], uint64_t index, const struct merkle_head *h,
			   const struct merkle_proof *proof)
{
	struct merkle_proof bad = *proof;

	for (size_t i = 0; i < proof->count; i++) {
		bad.hashes[i][i % DIGEST_SIZE] ^= 4;
		cr_assert_eq(merkle_verify_inclusion(hash, index, h->size, &bad, h->root, NULL), EXP_EVERIFY);
		bad = *proof;
	}
	bad.count = proof->count + 1;
	memset(bad.hashes[proof->count], 0, DIGEST_SIZE);
	cr_assert_eq(merkle_verify_inclusion(hash, index, h->size, &bad, h->root, NULL), EXP_EVERIFY);
	bad.count = proof->count - 1;
	if (proof->count)
		cr_assert_eq(merkle_verify_inclusion(hash, index, h->size, &bad, h->root, NULL), EXP_EVERIFY);
	for (uint64_t other = 0; other <= h->size; other++)
		if (other != index)
			cr_assert_eq(merkle_verify_inclusion(hash, other, h->size, proof, h->root, NULL), EXP_EVERIFY);
}

Test(merkle, inclusion_of_every_leaf_in_every_tree)
{
	for (size_t size = 1; size <= SIZES; size++) {
		struct merkle_head h = head(size);

		for (size_t index = 0; index < size; index++) {
			struct merkle_proof proof;
			uint8_t hash[DIGEST_SIZE];

			leaf(index, hash);
			cr_assert_eq(merkle_prove_inclusion(&reader, index, size, &proof, NULL), 0);
			cr_assert_eq(merkle_verify_inclusion(hash, index, size, &proof, h.root, NULL), 0, "%zu in %zu",
				     index, size);
			expect_refused(hash, index, &h, &proof);
		}
	}
}

Test(merkle, consistency_of_every_pair_of_trees)
{
	for (size_t new = 1; new <= SIZES; new ++) {
		struct merkle_head after = head(new);

		for (size_t old = 1; old <= new; old++) {
			struct merkle_head before = head(old);
			struct merkle_proof proof, bad;

			cr_assert_eq(merkle_prove_consistency(&reader, old, new, &proof, NULL), 0);
			cr_assert_eq(merkle_verify_consistency(&before, &after, &proof, NULL), 0, "%zu to %zu", old,
				     new);
			for (size_t i = 0; i < proof.count; i++) {
				bad = proof;
				bad.hashes[i][31] ^= 1;
				cr_assert_eq(merkle_verify_consistency(&before, &after, &bad, NULL), EXP_EVERIFY);
			}
			bad = proof;
			bad.count++;
			memset(bad.hashes[proof.count], 0, DIGEST_SIZE);
			cr_assert_eq(merkle_verify_consistency(&before, &after, &bad, NULL), EXP_EVERIFY);
			before.root[0] ^= 1;
			cr_assert_eq(merkle_verify_consistency(&before, &after, &proof, NULL), EXP_EVERIFY);
		}
	}
}

Test(merkle, refuses_what_proves_nothing)
{
	struct merkle_head none = head(0), five = head(5);
	struct merkle_proof proof = { 0 };
	uint8_t hash[DIGEST_SIZE];

	leaf(0, hash);
	cr_assert_eq(merkle_verify_consistency(&none, &five, &proof, NULL), EXP_EVERIFY);
	cr_assert_eq(merkle_verify_consistency(&none, &none, &proof, NULL), EXP_EVERIFY);
	cr_assert_eq(merkle_verify_consistency(&five, &(struct merkle_head){ .size = 4 }, &proof, NULL), EXP_EVERIFY);
	cr_assert_eq(merkle_verify_inclusion(hash, 0, 0, &proof, none.root, NULL), EXP_EVERIFY);
	cr_assert_eq(merkle_prove_inclusion(&reader, 5, 5, &proof, NULL), EXP_EINVAL);
	cr_assert_eq(merkle_prove_consistency(&reader, 0, 5, &proof, NULL), EXP_EINVAL);
	cr_assert_eq(merkle_prove_consistency(&reader, 6, 5, &proof, NULL), EXP_EINVAL);
}

/* Published vectors, when EXPUNGE_KAT names the folder that holds them. */
static char *kat_file(const char *name)
{
	const char *folder = getenv("EXPUNGE_KAT");

	if (!folder)
		cr_skip_test("EXPUNGE_KAT is not set");
	return mem_format("%s/merkle-rfc6962/%s", folder, name);
}

/* False for what is not 32 bytes in base64. */
static bool take_hash(const json_t *value, uint8_t out[DIGEST_SIZE])
{
	const char *text = json_string_value(value);
	uint8_t bytes[64];
	size_t size = sizeof(bytes);

	if (!text || base64_decode(text, strlen(text), bytes, &size) || size != DIGEST_SIZE)
		return false;
	memcpy(out, bytes, DIGEST_SIZE);
	return true;
}

static bool take_proof(const json_t *list, struct merkle_proof *out)
{
	out->count = json_array_size(list);
	if (out->count > MERKLE_PROOF_MAX)
		return false;
	for (size_t i = 0; i < out->count; i++)
		if (!take_hash(json_array_get(list, i), out->hashes[i]))
			return false;
	return true;
}

static uint64_t number(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

static bool holds(const json_t *c, bool inclusion)
{
	struct merkle_head old = { .size = number(c, "size1") }, new = { .size = number(c, "size2") };
	struct merkle_proof proof = { 0 };
	uint8_t hash[DIGEST_SIZE], root[DIGEST_SIZE];

	if (!take_proof(json_object_get(c, "proof"), &proof))
		return false;
	if (inclusion)
		return take_hash(json_object_get(c, "leafHash"), hash) && take_hash(json_object_get(c, "root"), root) &&
		       !merkle_verify_inclusion(hash, number(c, "leafIdx"), number(c, "treeSize"), &proof, root, NULL);
	return take_hash(json_object_get(c, "root1"), old.root) && take_hash(json_object_get(c, "root2"), new.root) &&
	       !merkle_verify_consistency(&old, &new, &proof, NULL);
}

/* jansson has no integers above 2^63 - 1; minus one is the same index once it is unsigned. */
static void tame_index(char *line)
{
	static const char largest[] = "18446744073709551615";
	char *at = strstr(line, largest);

	if (at) {
		memset(at, ' ', strlen(largest));
		memcpy(at, "-1", 2);
	}
}

/* One case compares two equal "roots" that are not hashes and wants a yes; a root is 32 bytes here, so it is a no. */
static bool is_about_other_hashes(const json_t *c)
{
	return !strcmp(json_string_value(json_object_get(c, "case")),
		       "additional/sizes-are-equal-one-and-proof-is-empty");
}

Test(merkle, agrees_with_published_proofs)
{
	char *path = kat_file("proofs.jsonl"), line[1024];
	FILE *file = fopen(path, "r");
	int cases = 0, others = 0;

	cr_assert(file != NULL);
	while (fgets(line, sizeof(line), file)) {
		bool inclusion = strstr(line, "\"kind\": \"inclusion\"") != NULL;
		json_t *c = NULL;

		if (!inclusion && !strstr(line, "\"kind\": \"consistency\""))
			continue;
		tame_index(line);
		cr_assert_eq(json_parse(line, strlen(line), &c, NULL), 0, "%s", line);
		if (is_about_other_hashes(c))
			others++;
		else
			cr_expect_eq(holds(c, inclusion), !json_is_true(json_object_get(c, "wantErr")), "%s", line);
		cases++;
		json_decref(c);
	}
	cr_assert_eq(cases, 196);
	cr_assert_eq(others, 1);
	fclose(file);
	mem_free(path);
}

Test(merkle, agrees_with_published_trees)
{
	char *path = kat_file("trees.json");
	struct buf text = { 0 };
	struct merkle_frontier f = { 0 };
	json_t *trees = NULL, *inputs, *roots;

	cr_assert_eq(file_read(path, 1 << 20, &text, NULL), 0);
	cr_assert_eq(json_parse(text.data, text.size, &trees, NULL), 0);
	inputs = json_object_get(trees, "leaf_inputs_hex");
	roots = json_object_get(trees, "root_hash_by_tree_size_hex");
	cr_assert_eq(json_array_size(roots), 9);
	for (size_t i = 0; i < 9; i++) {
		const char *input = json_string_value(json_array_get(inputs, i));
		uint8_t entry[32], hash[DIGEST_SIZE];
		char hex[DIGEST_HEX];

		merkle_frontier_root(&f, hash);
		cr_assert_str_eq(hex_encode(hash, sizeof(hash), hex), json_string_value(json_array_get(roots, i)));
		if (!input)
			break;
		cr_assert_eq(hex_decode(input, entry, strlen(input) / 2), 0);
		merkle_leaf_hash(entry, strlen(input) / 2, hash);
		cr_assert_eq(merkle_append(&f, hash, NULL, NULL), 0);
	}
	json_decref(trees);
	buf_fini(&text);
	mem_free(path);
}

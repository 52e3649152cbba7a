#include "proof/verifier.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "proof/leaf.h"
#include "proof/tiles.h"
#include "proof/verifier_internal.h"

/*
 * One pass over the entries rebuilds everything. Where an entry and the hash tile disagree, only the root can tell
 * which of the two was altered, so the first disagreement is remembered and judged at the end.
 */
struct rebuild {
	const char *folder;
	struct verifier_report *report;
	struct ledger *ledger;
	struct checkpoint pin;
	bool pin_differs;
	struct merkle_frontier frontier;
	uint8_t hashes[TILE_LEVELS][TILE_WIDTH][DIGEST_SIZE]; /* of the tile under way on each level */
	unsigned widths[TILE_LEVELS];
	uint64_t indexes[TILE_LEVELS];
	struct tile odd_tile;        /* first hash tile that disagrees; width 0: none */
	unsigned odd_hash;           /* which of its hashes */
	struct exp_error leaf_error; /* of the first leaf that breaks a rule; code 0: none */
	int64_t leaf_entry;
};

static void blame(struct verifier_report *report, const char *file, int64_t entry)
{
	snprintf(report->file, sizeof(report->file), "%s", file);
	report->entry = entry;
}

static void blame_tile(struct verifier_report *report, const struct tile *t, int64_t entry)
{
	char *path = tile_path(t);

	blame(report, path, entry);
	mem_free(path);
}

int verifier_read_tile(const char *folder, const struct tile *t, struct verifier_report *report, struct buf *out,
		       struct exp_error *err)
{
	size_t limit = t->level == TILE_ENTRIES ? TILE_BUNDLE_MAX : TILE_WIDTH * DIGEST_SIZE;
	char *path = tile_path(t), *full = file_join(folder, path);
	int rc = file_read(full, limit, out, err);

	if (rc)
		blame(report, path, -1);
	mem_free(full);
	mem_free(path);
	return rc;
}

/* Compares the tile under way on a level with its file. */
static int compare_tile(struct rebuild *r, int level, struct exp_error *err)
{
	struct tile t = { level, r->indexes[level], r->widths[level] };
	struct buf file = { 0 };
	int rc = verifier_read_tile(r->folder, &t, r->report, &file, err);

	if (!rc && file.size != (size_t)t.width * DIGEST_SIZE) {
		blame_tile(r->report, &t, -1);
		rc = error_set(err, EXP_EVERIFY, "%s has %zu bytes instead of %u", r->report->file, file.size,
			       t.width * DIGEST_SIZE);
	}
	for (unsigned i = 0; !rc && !r->odd_tile.width && i < t.width; i++) {
		if (memcmp(file.data + (size_t)i * DIGEST_SIZE, r->hashes[level][i], DIGEST_SIZE) != 0) {
			r->odd_tile = t;
			r->odd_hash = i;
		}
	}
	buf_fini(&file);
	return rc;
}

/* A full tile becomes one hash of the tile above it. */
static int push_hash(struct rebuild *r, const uint8_t leaf[DIGEST_SIZE], struct exp_error *err)
{
	uint8_t hash[DIGEST_SIZE];

	memcpy(hash, leaf, DIGEST_SIZE);
	for (int level = 0; level < TILE_LEVELS; level++) {
		int rc;

		memcpy(r->hashes[level][r->widths[level]++], hash, DIGEST_SIZE);
		if (r->widths[level] < TILE_WIDTH)
			return 0;
		rc = compare_tile(r, level, err);
		if (rc)
			return rc;
		merkle_root(r->hashes[level][0], TILE_WIDTH, hash);
		r->widths[level] = 0;
		r->indexes[level]++;
	}
	return 0;
}

static int compare_partial_tiles(struct rebuild *r, struct exp_error *err)
{
	int rc = 0;

	for (int level = 0; !rc && level < TILE_LEVELS; level++)
		if (r->widths[level])
			rc = compare_tile(r, level, err);
	return rc;
}

static void judge_leaf(struct rebuild *r, const uint8_t *entry, size_t size)
{
	struct leaf leaf;
	int rc;

	if (r->leaf_error.code)
		return;
	r->leaf_entry = (int64_t)r->frontier.size;
	rc = leaf_check(entry, size, &leaf, &r->leaf_error);
	if (rc)
		return;
	if (ledger_add(r->ledger, &leaf, &r->leaf_error) == 0)
		r->leaf_entry = -1;
	leaf_fini(&leaf);
}

static void compare_pin(struct rebuild *r)
{
	uint8_t root[DIGEST_SIZE];

	if (!r->report->pinned || r->frontier.size != r->pin.head.size)
		return;
	merkle_frontier_root(&r->frontier, root);
	r->pin_differs = memcmp(root, r->pin.head.root, DIGEST_SIZE) != 0;
}

static int take_entry(struct rebuild *r, const uint8_t *entry, size_t size, struct exp_error *err)
{
	uint8_t hash[DIGEST_SIZE];
	int rc;

	judge_leaf(r, entry, size);
	merkle_leaf_hash(entry, size, hash);
	rc = push_hash(r, hash, err);
	if (!rc)
		rc = merkle_append(&r->frontier, hash, NULL, NULL);
	compare_pin(r);
	return rc;
}

static int take_bundle(struct rebuild *r, const struct tile *t, struct exp_error *err)
{
	struct buf file = { 0 };
	size_t at = 0, size;
	const uint8_t *entry;
	int rc = verifier_read_tile(r->folder, t, r->report, &file, err);

	for (unsigned i = 0; !rc && i < t->width; i++) {
		if (tile_next_entry(&file, &at, &entry, &size)) {
			rc = take_entry(r, entry, size, err);
		} else {
			blame_tile(r->report, t, (int64_t)r->frontier.size);
			rc = error_set(err, EXP_EVERIFY, "%s is cut off at entry %lld", r->report->file,
				       (long long)r->report->entry);
		}
	}
	if (!rc && at != file.size) {
		blame_tile(r->report, t, -1);
		rc = error_set(err, EXP_EVERIFY, "%s goes on after its last entry", r->report->file);
	}
	buf_fini(&file);
	return rc;
}

static int take_bundles(struct rebuild *r, uint64_t size, struct exp_error *err)
{
	uint64_t full = tile_full_count(TILE_ENTRIES, size);
	struct tile t = { TILE_ENTRIES, 0, TILE_WIDTH };
	int rc = 0;

	for (; !rc && t.index < full; t.index++)
		rc = take_bundle(r, &t, err);
	t.width = tile_partial_width(TILE_ENTRIES, size);
	if (!rc && t.width)
		rc = take_bundle(r, &t, err);
	if (!rc)
		rc = compare_partial_tiles(r, err);
	return rc;
}

/* The entries do not have the signed root. When the hash tiles tell an entry apart, that is the one. */
static int blame_entries(struct rebuild *r, struct exp_error *err)
{
	uint64_t entry = r->odd_tile.index * TILE_WIDTH + r->odd_hash;
	struct tile bundle = { TILE_ENTRIES, r->odd_tile.index, r->odd_tile.width };

	if (!r->odd_tile.width || r->odd_tile.level != 0) {
		blame(r->report, "tile/entries", -1);
		return error_set(
		    err, EXP_EVERIFY,
		    "the entries do not lead to the signed root: entries were altered, dropped, added or reordered");
	}
	blame_tile(r->report, &bundle, (int64_t)entry);
	return error_set(err, EXP_EVERIFY, "entry %llu in %s was altered: its hash is not the logged one",
			 (unsigned long long)entry, r->report->file);
}

static int blame_leaf(struct rebuild *r, struct exp_error *err)
{
	uint64_t entry = (uint64_t)r->leaf_entry, full = tile_full_count(TILE_ENTRIES, r->frontier.size);
	struct tile bundle = { TILE_ENTRIES, entry / TILE_WIDTH, TILE_WIDTH };

	if (bundle.index == full)
		bundle.width = tile_partial_width(TILE_ENTRIES, r->frontier.size);
	blame_tile(r->report, &bundle, r->leaf_entry);
	if (err)
		*err = r->leaf_error;
	return error_wrap(err, r->leaf_error.code, "entry %lld", (long long)r->leaf_entry);
}

static int judge(struct rebuild *r, struct exp_error *err)
{
	uint8_t root[DIGEST_SIZE];

	merkle_frontier_root(&r->frontier, root);
	if (memcmp(root, r->report->checkpoint.head.root, DIGEST_SIZE) != 0)
		return blame_entries(r, err);
	if (r->odd_tile.width) {
		blame_tile(r->report, &r->odd_tile, -1);
		return error_set(err, EXP_EVERIFY, "hash %u of %s is not the one that the entries lead to", r->odd_hash,
				 r->report->file);
	}
	if (r->leaf_error.code)
		return blame_leaf(r, err);
	if (r->pin_differs) {
		blame(r->report, "checkpoint", -1);
		return error_set(
		    err, EXP_EVERIFY,
		    "the first %llu entries are not those of the pinned checkpoint: the past was rewritten",
		    (unsigned long long)r->pin.head.size);
	}
	return 0;
}

static int open_checkpoint(struct rebuild *r, const struct note_key *key, struct exp_error *err)
{
	char *path = file_join(r->folder, "checkpoint");
	struct buf note = { 0 };
	int rc = file_read(path, NOTE_SIZE_MAX, &note, err);

	if (!rc)
		rc = checkpoint_open(note.data ? note.data : "", note.size, key, &r->report->checkpoint, err);
	if (rc)
		blame(r->report, "checkpoint", -1);
	buf_fini(&note);
	mem_free(path);
	return rc;
}

static int open_pin(struct rebuild *r, const struct note_key *key, const struct verifier_pin *pin,
		    struct exp_error *err)
{
	uint64_t size = r->report->checkpoint.head.size;
	int rc;

	if (!pin || !pin->bytes)
		return 0;
	rc = checkpoint_open(pin->bytes, pin->size, key, &r->pin, err);
	if (rc)
		return error_wrap(err, rc, "the pinned checkpoint");
	r->report->pinned = true;
	if (r->pin.head.size > size) {
		blame(r->report, "checkpoint", -1);
		return error_set(err, EXP_EVERIFY,
				 "the log was rolled back: it has %llu entries, the pinned checkpoint %llu",
				 (unsigned long long)size, (unsigned long long)r->pin.head.size);
	}
	compare_pin(r);
	return 0;
}

int verifier_check_folder(const char *folder, const struct note_key *key, const struct verifier_pin *pin,
			  struct verifier_report *report, struct exp_error *err)
{
	struct rebuild *r = mem_alloc(sizeof(*r));
	int rc;

	*report = (struct verifier_report){ .entry = -1 };
	r->folder = folder;
	r->report = report;
	r->ledger = ledger_new();
	rc = open_checkpoint(r, key, err);
	if (!rc)
		rc = open_pin(r, key, pin, err);
	if (!rc)
		rc = take_bundles(r, report->checkpoint.head.size, err);
	if (!rc)
		rc = judge(r, err);
	if (!rc)
		rc = verifier_check_files(folder, report->checkpoint.head.size, report, err);
	ledger_count(r->ledger, &report->counts);
	ledger_free(r->ledger);
	mem_free(r);
	return rc;
}

/*
 * tiles.h: names and contents of the files that a log is published as (C2SP tlog-tiles).
 *
 *   checkpoint                      the signed head
 *   tile/<level>/<n>[.p/<width>]    width x 32 bytes: nodes (8 * level, n * 256 …) of the tree
 *   tile/entries/<n>[.p/<width>]    width entries, each with its length in front as big-endian uint16
 *
 * n is written in groups of three digits, all but the last with an x: 1234067 is x001/x234/067. A full tile is 256 wide
 * and has no .p part. Threads: any.
 */
#ifndef PROOF_TILES_H
#define PROOF_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	TILE_WIDTH = 256,
	TILE_LEVELS = 8,   /* 256^8 leaves and more are beyond MERKLE_SIZE_MAX */
	TILE_ENTRIES = -1, /* the level of entry bundles */
	TILE_ENTRY_MAX = 65535,
	TILE_BUNDLE_MAX = TILE_WIDTH * (TILE_ENTRY_MAX + 2),
};

struct tile {
	int level; /* 0 … TILE_LEVELS - 1, or TILE_ENTRIES */
	uint64_t index;
	unsigned width; /* 1 … 256 */
};

/* Relative path; the caller frees with mem_free. */
char *tile_path(const struct tile *t);

/* The inverse of tile_path, exact: what another text would also lead to is refused. */
bool tile_parse_path(const char *path, struct tile *out);

/* Tiles of one level in a tree of size leaves: how many are full, and how wide the partial one behind them is (0:
 * none). */
uint64_t tile_full_count(int level, uint64_t size);
unsigned tile_partial_width(int level, uint64_t size);

/* Appends one entry to a bundle. EXP_ELIMIT above TILE_ENTRY_MAX. */
EXP_NODISCARD int tile_add_entry(struct buf *bundle, const void *entry, size_t size, struct exp_error *err);

/* Takes the next entry out of a bundle; *at is the position, 0 at first. False at the end and where the bundle is cut
 * off (then *at is not the bundle's size). */
bool tile_next_entry(const struct buf *bundle, size_t *at, const uint8_t **entry, size_t *size);

#endif

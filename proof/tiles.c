#include "proof/tiles.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proof/merkle.h"

/* Index in groups of three digits, most significant first. */
static void format_index(uint64_t index, char *out, size_t room)
{
	unsigned groups[8];
	size_t count = 0, used = 0;

	do {
		groups[count++] = (unsigned)(index % 1000);
		index /= 1000;
	} while (index);
	while (count--) {
		int n =
		    snprintf(out + used, room - used, "%s%03u%s", count ? "x" : "", groups[count], count ? "/" : "");

		exp_require(n > 0 && (size_t)n < room - used);
		used += (size_t)n;
	}
}

char *tile_path(const struct tile *t)
{
	char index[48], width[16] = "", level[16] = "entries";

	exp_require(t->width >= 1 && t->width <= TILE_WIDTH && t->level < TILE_LEVELS);
	format_index(t->index, index, sizeof(index));
	if (t->level != TILE_ENTRIES)
		snprintf(level, sizeof(level), "%d", t->level);
	if (t->width < TILE_WIDTH)
		snprintf(width, sizeof(width), ".p/%u", t->width);
	return mem_format("tile/%s/%s%s", level, index, width);
}

/* Reads leniently, for tile_parse_path prints the result again and compares. */
static bool scan_path(const char *path, struct tile *t)
{
	uint64_t index = 0;
	char *end;

	if (!strncmp(path, "tile/entries/", 13)) {
		t->level = TILE_ENTRIES;
		path += 13;
	} else if (!strncmp(path, "tile/", 5) && path[5] >= '0' && path[5] < '0' + TILE_LEVELS && path[6] == '/') {
		t->level = path[5] - '0';
		path += 7;
	} else {
		return false;
	}
	for (; *path && *path != '.'; path++) {
		if (*path >= '0' && *path <= '9')
			index = index * 10 + (uint64_t)(*path - '0');
		if (index >= MERKLE_SIZE_MAX)
			return false;
	}
	t->index = index;
	t->width = TILE_WIDTH;
	if (!strncmp(path, ".p/", 3))
		t->width = (unsigned)strtoul(path + 3, &end, 10);
	return t->width >= 1 && t->width <= TILE_WIDTH;
}

bool tile_parse_path(const char *path, struct tile *out)
{
	struct tile t;
	char *again;
	bool same;

	if (!scan_path(path, &t))
		return false;
	again = tile_path(&t);
	same = strcmp(again, path) == 0;
	mem_free(again);
	if (same)
		*out = t;
	return same;
}

static uint64_t nodes_at(int level, uint64_t size)
{
	return level == TILE_ENTRIES ? size : size >> (8 * level);
}

uint64_t tile_full_count(int level, uint64_t size)
{
	return nodes_at(level, size) / TILE_WIDTH;
}

unsigned tile_partial_width(int level, uint64_t size)
{
	return (unsigned)(nodes_at(level, size) % TILE_WIDTH);
}

int tile_add_entry(struct buf *bundle, const void *entry, size_t size, struct exp_error *err)
{
	uint8_t length[2] = { (uint8_t)(size >> 8), (uint8_t)size };

	if (size > TILE_ENTRY_MAX)
		return error_set(err, EXP_ELIMIT, "an entry has at most %d bytes, this one %zu", TILE_ENTRY_MAX, size);
	buf_add(bundle, length, sizeof(length));
	buf_add(bundle, entry, size);
	return 0;
}

bool tile_next_entry(const struct buf *bundle, size_t *at, const uint8_t **entry, size_t *size)
{
	const uint8_t *bytes = (const uint8_t *)bundle->data;
	size_t left = bundle->size - *at, length;

	if (left < 2)
		return false;
	length = (size_t)bytes[*at] << 8 | bytes[*at + 1];
	if (length > left - 2)
		return false;
	*entry = bytes + *at + 2;
	*size = length;
	*at += 2 + length;
	return true;
}

#include "proof/tiles.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	struct tile tile;
	const char *path;
} paths[] = {
	{ { 0, 0, 256 }, "tile/0/000" },
	{ { 0, 273, 112 }, "tile/0/273.p/112" },
	{ { 1, 1234067, 256 }, "tile/1/x001/x234/067" },
	{ { 2, 1000, 1 }, "tile/2/x001/000.p/1" },
	{ { TILE_ENTRIES, 999, 256 }, "tile/entries/999" },
	{ { TILE_ENTRIES, 1000000, 255 }, "tile/entries/x001/x000/000.p/255" },
};

Test(tiles, paths_are_those_of_the_specification)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *path = tile_path(&paths[i].tile);
		struct tile back;

		cr_assert_str_eq(path, paths[i].path);
		cr_assert(tile_parse_path(path, &back));
		cr_assert_eq(back.level, paths[i].tile.level);
		cr_assert_eq(back.index, paths[i].tile.index);
		cr_assert_eq(back.width, paths[i].tile.width);
		mem_free(path);
	}
}

Test(tiles, other_paths_are_refused)
{
	static const char *const bad[] = {
		"",
		"checkpoint",
		"tile",
		"tile/",
		"tile/0",
		"tile/0/",
		"tile/8/000",
		"tile/00/000",
		"tile/-1/000",
		"tile/0/0",
		"tile/0/0000",
		"tile/0/x000/001",
		"tile/0/001/002",
		"tile/0/000.p",
		"tile/0/000.p/",
		"tile/0/000.p/0",
		"tile/0/000.p/256",
		"tile/0/000.p/01",
		"tile/0/000.p/1x",
		"tile/0/000.tmp-aBcDeF",
		"tile/0/../000",
		"tile/entries/x999/x999/x999/x999/x999/x999/999",
		"tile/entries/000.p/99999999999999999999",
		"/tile/0/000",
	};
	struct tile t;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_not(tile_parse_path(bad[i], &t), "%s", bad[i]);
}

/* The numbers of C2SP tlog-tiles: 70,000 leaves, and 256. */
Test(tiles, a_log_has_the_tiles_that_the_specification_counts)
{
	cr_assert_eq(tile_full_count(0, 70000), 273);
	cr_assert_eq(tile_partial_width(0, 70000), 112);
	cr_assert_eq(tile_full_count(1, 70000), 1);
	cr_assert_eq(tile_partial_width(1, 70000), 17);
	cr_assert_eq(tile_full_count(2, 70000), 0);
	cr_assert_eq(tile_partial_width(2, 70000), 1);
	cr_assert_eq(tile_partial_width(3, 70000), 0);
	cr_assert_eq(tile_full_count(0, 256), 1);
	cr_assert_eq(tile_partial_width(0, 256), 0);
	cr_assert_eq(tile_partial_width(1, 256), 1);
	cr_assert_eq(tile_full_count(TILE_ENTRIES, 513), 2);
	cr_assert_eq(tile_partial_width(TILE_ENTRIES, 513), 1);
}

Test(tiles, bundles_give_back_their_entries)
{
	static char largest[TILE_ENTRY_MAX + 1];
	struct buf b = { 0 };
	const uint8_t *entry;
	size_t at = 0, size;

	cr_assert_eq(tile_add_entry(&b, "", 0, NULL), 0);
	cr_assert_eq(tile_add_entry(&b, "abc", 3, NULL), 0);
	cr_assert_eq(memcmp(b.data, "\0\0\0\3abc", 7), 0);
	cr_assert_eq(tile_add_entry(&b, largest, TILE_ENTRY_MAX, NULL), 0);
	cr_assert_eq(tile_add_entry(&b, largest, TILE_ENTRY_MAX + 1, NULL), EXP_ELIMIT);
	cr_assert(tile_next_entry(&b, &at, &entry, &size) && size == 0);
	cr_assert(tile_next_entry(&b, &at, &entry, &size) && size == 3 && !memcmp(entry, "abc", 3));
	cr_assert(tile_next_entry(&b, &at, &entry, &size) && size == TILE_ENTRY_MAX);
	cr_assert_eq(at, b.size);
	cr_assert_not(tile_next_entry(&b, &at, &entry, &size));
	b.size--;
	at = 7;
	cr_assert_not(tile_next_entry(&b, &at, &entry, &size));
	cr_assert_eq(at, 7);
	buf_fini(&b);
}

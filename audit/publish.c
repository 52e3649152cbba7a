#include "audit/audit_internal.h"

#include <dirent.h>
#include <ftw.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "proof/tiles.h"
#include "storage/leaves.h"
#include "storage/tree_nodes.h"

static bool is_same(const char *path, const struct buf *content)
{
	struct buf present = { 0 };
	bool same = !file_read(path, content->size, &present, NULL) && present.size == content->size &&
		    !memcmp(present.data, content->data, content->size);

	buf_fini(&present);
	return same;
}

static int write_file(const char *path, const struct buf *content, struct exp_error *err)
{
	char *copy;
	int rc;

	if (is_same(path, content))
		return 0;
	copy = mem_strdup(path);
	rc = file_make_folder(dirname(copy), err);
	mem_free(copy);
	return rc ? rc : file_write_durable(path, content->data, content->size, err);
}

static int read_entries(struct db *db, const struct tile *t, struct buf *out, struct exp_error *err)
{
	struct stored_leaf_list list = { 0 };
	int rc = leaves_read(db, (int64_t)t->index * TILE_WIDTH, t->width, &list, err);

	if (!rc && list.count != t->width)
		rc = error_set(err, EXP_ECORRUPT, "log entries are missing from the database");
	for (size_t i = 0; !rc && i < list.count; i++)
		rc = tile_add_entry(out, list.items[i].bytes, list.items[i].size, err);
	stored_leaf_list_fini(&list);
	return rc;
}

static int read_hashes(struct db *db, const struct tile *t, struct buf *out, struct exp_error *err)
{
	uint8_t hashes[TILE_WIDTH * DIGEST_SIZE];
	int64_t first = (int64_t)t->index * TILE_WIDTH;
	int rc = t->level ? tree_nodes_read(db, 8 * t->level, first, t->width, hashes, err)
			  : leaves_hashes(db, first, t->width, hashes, err);

	if (!rc)
		buf_add(out, hashes, (size_t)t->width * DIGEST_SIZE);
	return rc;
}

/* The connection is given back before the disk is waited for. */
static int read_tile(struct audit *a, const struct tile *t, struct buf *out, struct exp_error *err)
{
	struct db *db;
	int rc = reader_take(a->store, &db, err);

	if (rc)
		return rc;
	rc = t->level == TILE_ENTRIES ? read_entries(db, t, out, err) : read_hashes(db, t, out, err);
	reader_give(a->store, db);
	return rc;
}

/* A full tile takes the place of the partial ones that led to it; that they stay after a failure here does no harm. */
static void remove_partials(const char *full_path)
{
	char *folder = mem_format("%s.p", full_path);
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(folder);
	mem_free(folder);
}

static int publish_tile(struct audit *a, const struct tile *t, struct exp_error *err)
{
	char *path = tile_path(t), *full = file_join(a->folder, path);
	struct buf content = { 0 };
	int rc = read_tile(a, t, &content, err);

	if (!rc)
		rc = write_file(full, &content, err);
	if (!rc && t->width == TILE_WIDTH)
		remove_partials(full);
	buf_fini(&content);
	mem_free(full);
	mem_free(path);
	return rc;
}

static int publish_level(struct audit *a, int level, uint64_t from, struct exp_error *err)
{
	struct tile t = { level, tile_full_count(level, from), TILE_WIDTH };
	int rc = 0;

	for (; !rc && t.index < tile_full_count(level, a->frontier.size); t.index++)
		rc = publish_tile(a, &t, err);
	t.width = tile_partial_width(level, a->frontier.size);
	if (!rc && t.width)
		rc = publish_tile(a, &t, err);
	return rc;
}

int audit_publish(struct audit *a, uint64_t from, struct exp_error *err)
{
	char *path = file_join(a->folder, "checkpoint");
	struct buf note = { 0 };
	int rc = 0;

	for (int level = TILE_ENTRIES; !rc && level < TILE_LEVELS; level++)
		rc = publish_level(a, level, from, err);
	buf_add_text(&note, a->note);
	if (!rc)
		rc = write_file(path, &note, err);
	buf_fini(&note);
	mem_free(path);
	return rc;
}

static int sweep_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	if (type == FTW_F && strstr(path + at->base, ".tmp-") && unlink(path) == 0)
		log_warn("half_written_file_removed", "path=\"%s\"", path);
	return 0;
}

void audit_sweep(const char *folder)
{
	nftw(folder, sweep_file, 16, FTW_PHYS);
}

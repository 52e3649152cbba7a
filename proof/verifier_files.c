#include "proof/verifier_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "proof/tiles.h"

enum { DEPTH_MAX = 12 };

struct walk {
	const char *folder;
	uint64_t size;
	struct verifier_report *report;
};

static void blame(struct walk *w, const char *path)
{
	snprintf(w->report->file, sizeof(w->report->file), "%s", path);
}

static int does_not_belong(struct walk *w, const char *path, struct exp_error *err)
{
	blame(w, path);
	return error_set(err, EXP_EVERIFY, "%s does not belong to the log", path);
}

/* The widest tile of t's place in the present log; false when the log is not as long as t claims. */
static bool present_tile(const struct tile *t, uint64_t size, struct tile *out)
{
	uint64_t full = tile_full_count(t->level, size);

	*out = *t;
	out->width = t->index < full ? TILE_WIDTH : t->index == full ? tile_partial_width(t->level, size) : 0;
	return out->width >= t->width;
}

/* How many bytes the first width members of a tile's content take. */
static size_t prefix_size(const struct tile *t, const struct buf *content)
{
	const uint8_t *entry;
	size_t at = 0, size;

	if (t->level != TILE_ENTRIES)
		return (size_t)t->width * DIGEST_SIZE;
	for (unsigned i = 0; i < t->width; i++)
		if (!tile_next_entry(content, &at, &entry, &size))
			break;
	return at;
}

static int check_older(struct walk *w, const char *path, const struct tile *older, const struct tile *present,
		       struct exp_error *err)
{
	struct buf old = { 0 }, new = { 0 };
	int rc = verifier_read_tile(w->folder, present, w->report, &new, err);

	if (!rc)
		rc = verifier_read_tile(w->folder, older, w->report, &old, err);
	if (!rc && (old.size != prefix_size(older, &new) || memcmp(old.data, new.data, old.size) != 0)) {
		blame(w, path);
		rc = error_set(err, EXP_EVERIFY, "%s is not the beginning of the tile that it grew into", path);
	}
	buf_fini(&old);
	buf_fini(&new);
	return rc;
}

static int check_file(struct walk *w, const char *path, struct exp_error *err)
{
	struct tile t, present;

	if (!strcmp(path, "checkpoint"))
		return 0;
	if (!tile_parse_path(path, &t) || !present_tile(&t, w->size, &present))
		return does_not_belong(w, path, err);
	return t.width == present.width ? 0 : check_older(w, path, &t, &present, err);
}

static int check_below(struct walk *w, const char *path, int depth, struct exp_error *err);

static int check_child(struct walk *w, const char *path, int depth, struct exp_error *err)
{
	char *full = file_join(w->folder, path);
	struct stat st;
	int rc;

	if (lstat(full, &st))
		rc = error_set_errno(err, "look at", full);
	else if (S_ISREG(st.st_mode))
		rc = check_file(w, path, err);
	else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
		rc = check_below(w, path, depth + 1, err);
	else
		rc = does_not_belong(w, path, err);
	mem_free(full);
	return rc;
}

static int check_below(struct walk *w, const char *path, int depth, struct exp_error *err)
{
	char *full = file_join(w->folder, path);
	DIR *dir = opendir(full);
	struct dirent *entry;
	int rc = dir ? 0 : error_set_errno(err, "open folder", full);

	while (!rc && (entry = readdir(dir)) != NULL) {
		char *child;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		child = *path ? file_join(path, entry->d_name) : mem_strdup(entry->d_name);
		rc = check_child(w, child, depth, err);
		mem_free(child);
	}
	if (dir)
		closedir(dir);
	mem_free(full);
	return rc;
}

int verifier_check_files(const char *folder, uint64_t size, struct verifier_report *report, struct exp_error *err)
{
	struct walk w = { folder, size, report };

	return check_below(&w, "", 0, err);
}

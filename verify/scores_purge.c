/* Purging overwrites where the bytes lie: a new file beside the old one would leave the old blocks on the disk. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "verify/fold.h"
#include "verify/scores_internal.h"

/* Writes the same bytes over each of the row's places in one file. */
struct overwrite {
	const char *path;
	int fd;
};

static int overwrite_open(struct overwrite *o, const char *path, struct exp_error *err)
{
	o->path = path;
	o->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return o->fd < 0 ? error_set_errno(err, "opening", path) : 0;
}

static int overwrite_at(const struct overwrite *o, size_t offset, const void *bytes, size_t size, struct exp_error *err)
{
	ssize_t n;

	do {
		n = pwrite(o->fd, bytes, size, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set_errno(err, "overwriting", o->path);
	if ((size_t)n != size)
		return error_set(err, EXP_EIO, "overwriting %s stopped after %zd of %zu bytes", o->path, n, size);
	return 0;
}

static int overwrite_check(const struct overwrite *o, size_t offset, const void *bytes, size_t size,
			   struct exp_error *err)
{
	char found[STATISTICS * sizeof(float)];
	ssize_t n = pread(o->fd, found, size, (off_t)offset);

	if (n < 0)
		return error_set_errno(err, "reading back", o->path);
	if ((size_t)n != size || memcmp(found, bytes, size) != 0)
		return error_set(err, EXP_EVERIFY, "%s does not hold what was written over a purged row", o->path);
	return 0;
}

static int overwrite_sync(const struct overwrite *o, struct exp_error *err)
{
	return fsync(o->fd) < 0 ? error_set_errno(err, "syncing", o->path) : 0;
}

typedef int overwrite_step(const struct overwrite *, size_t, const void *, size_t, struct exp_error *);

struct purge {
	const char *folder;
	const struct scores *table;
	const size_t *columns;
	size_t count;
};

static int step_model(const struct purge *p, const struct overwrite *o, overwrite_step *step, struct exp_error *err)
{
	const size_t size = STATISTICS * sizeof(float);
	float gone[STATISTICS];
	int rc = 0;

	for (size_t i = 0; i < STATISTICS; i++)
		gone[i] = NAN;
	for (size_t i = 0; !rc && i < p->count; i++)
		rc = step(o, sizeof(struct scores_model_header) + p->columns[i] * size, gone, size, err);
	return rc;
}

static int step_table(const struct purge *p, const struct overwrite *o, overwrite_step *step, struct exp_error *err)
{
	const struct scores *s = p->table;
	const uint8_t fold = FOLD_PURGED;
	const int32_t label = 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < p->count; i++) {
		size_t column = p->columns[i];

		rc = step(o, scores_offset_labels(s) + column * sizeof(label), &label, sizeof(label), err);
		for (size_t r = 0; !rc && r < s->rounds; r++)
			rc = step(o, scores_offset_fold(s) + r * s->columns + column, &fold, sizeof(fold), err);
	}
	return rc;
}

typedef int purge_file(const struct purge *, const struct overwrite *, overwrite_step *, struct exp_error *);

static int purge_one(const struct purge *p, const char *path, purge_file *each, struct exp_error *err)
{
	struct overwrite o;
	int rc;

	if (!file_exists(path))
		return 0;
	rc = overwrite_open(&o, path, err);
	if (rc)
		return rc;
	rc = each(p, &o, overwrite_at, err);
	if (!rc)
		rc = overwrite_sync(&o, err);
	if (!rc)
		rc = each(p, &o, overwrite_check, err);
	close(o.fd);
	return rc;
}

static int purge_columns(const struct purge *p, struct exp_error *err)
{
	char *path;
	int rc = 0;

	for (size_t m = 0; !rc && m < p->table->models; m++) {
		path = scores_model_path(p->folder, m);
		rc = purge_one(p, path, step_model, err);
		mem_free(path);
	}
	if (rc)
		return rc;
	path = scores_table_path(p->folder);
	rc = purge_one(p, path, step_table, err);
	mem_free(path);
	return rc;
}

static bool table_exists(const char *folder)
{
	char *path = scores_table_path(folder);
	bool exists = file_exists(path);

	mem_free(path);
	return exists;
}

int scores_purge(const char *folder, struct row_list rows, struct exp_error *err)
{
	struct scores table = { 0 };
	struct purge p = { .folder = folder, .table = &table };
	size_t *columns;
	int rc;

	if (!table_exists(folder) || rows.count == 0)
		return 0;
	rc = scores_load_table(folder, &table, err);
	if (rc)
		return rc;
	columns = mem_try_alloc(rows.count, sizeof(*columns));
	if (!columns) {
		scores_fini(&table);
		return error_set(err, EXP_EMEMORY, "no memory to purge %zu rows", rows.count);
	}
	for (size_t i = 0; i < rows.count; i++) {
		size_t column = scores_find_row(&table, rows.index[i]);

		if (column != SIZE_MAX)
			columns[p.count++] = column;
	}
	p.columns = columns;
	rc = purge_columns(&p, err);
	mem_free(columns);
	scores_fini(&table);
	return rc;
}

static int destroy(char *path, struct exp_error *err)
{
	int rc = file_destroy(path, err);

	mem_free(path);
	return rc;
}

int scores_destroy(const char *folder, struct exp_error *err)
{
	struct scores table = { 0 };
	int rc;

	if (!table_exists(folder))
		return 0;
	rc = scores_load_table(folder, &table, err);
	for (size_t m = 0; !rc && m < table.models; m++)
		rc = destroy(scores_model_path(folder, m), err);
	if (!rc)
		rc = destroy(scores_table_path(folder), err);
	scores_fini(&table);
	return rc;
}

#include "dataset/erase.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "dataset/dataset_internal.h"

/* The rows of one array, as ranges of its file. */
struct column {
	const char *path;
	size_t data_offset, row_bytes;
	const char *zeros; /* [row_bytes] */
	char *seen;        /* [row_bytes] */
};

static int move_all(ssize_t (*move)(int fd, void *bytes, size_t size, off_t at), int fd, char *bytes, size_t size,
		    off_t at)
{
	while (size) {
		ssize_t n = move(fd, bytes, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return -1;
		bytes += n;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static ssize_t write_at(int fd, void *bytes, size_t size, off_t at)
{
	return pwrite(fd, bytes, size, at);
}

static off_t offset_of(const struct column *c, size_t row)
{
	return (off_t)(c->data_offset + row * c->row_bytes);
}

static int overwrite(const struct column *c, int fd, const size_t *rows, size_t count, struct exp_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (move_all(write_at, fd, (char *)c->zeros, c->row_bytes, offset_of(c, rows[i])))
			return error_set_errno(err, "overwrite rows of", c->path);
	return fsync(fd) ? error_set_errno(err, "fsync", c->path) : 0;
}

static int read_back(const struct column *c, int fd, const size_t *rows, size_t count, struct exp_error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (move_all(pread, fd, c->seen, c->row_bytes, offset_of(c, rows[i])))
			return error_set_errno(err, "read back", c->path);
		if (memcmp(c->seen, c->zeros, c->row_bytes))
			return error_set(err, EXP_ECORRUPT, "row %zu of %s was overwritten and is not zeros", rows[i],
					 c->path);
	}
	return 0;
}

static int on_file(const struct column *c, int flags,
		   int (*act)(const struct column *c, int fd, const size_t *rows, size_t count, struct exp_error *err),
		   const size_t *rows, size_t count, struct exp_error *err)
{
	int rc, fd = open(c->path, flags | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return error_set_errno(err, "open", c->path);
	rc = act(c, fd, rows, count, err);
	if (close(fd) && !rc)
		rc = error_set_errno(err, "close", c->path);
	return rc;
}

static int erase_column(const char *path, const struct npy *a, const size_t *rows, size_t count, struct exp_error *err)
{
	struct column c = { .path = path, .row_bytes = npy_item_size(a->type) * (a->count / a->dims[0]) };
	char *zeros = mem_try_alloc(1, c.row_bytes);
	int rc;

	c.data_offset = (size_t)((const char *)a->data - (const char *)a->map);
	c.zeros = zeros;
	c.seen = mem_try_alloc(1, c.row_bytes);
	rc = zeros && c.seen ? on_file(&c, O_WRONLY, overwrite, rows, count, err)
			     : error_set(err, EXP_EMEMORY, "no memory for a row of %zu bytes", c.row_bytes);
	if (!rc)
		rc = on_file(&c, O_RDONLY, read_back, rows, count, err);
	mem_free(zeros);
	mem_free_secret(c.seen, c.row_bytes);
	return rc;
}

int erase_rows(const struct dataset *d, const size_t *rows, size_t count, struct exp_error *err)
{
	int rc;

	for (size_t i = 0; i < count; i++)
		if (rows[i] >= d->rows.count)
			return error_set(err, EXP_ERANGE, "dataset %s has no row %zu", d->name, rows[i]);
	rc = erase_column(d->inputs_path, &d->inputs, rows, count, err);
	return rc ? rc : erase_column(d->labels_path, &d->labels, rows, count, err);
}

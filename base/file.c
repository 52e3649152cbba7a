#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { CHUNK = 1 << 16 };

static int write_all(int fd, const void *bytes, size_t size)
{
	const char *p = bytes;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_read(const char *path, size_t limit, struct buf *out, struct exp_error *err)
{
	char chunk[CHUNK];
	size_t start = out->size;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, "open", path);
	while (!rc) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = error_set_errno(err, "read", path);
		if (n <= 0)
			break;
		if (out->size - start + (size_t)n > limit)
			rc = error_set(err, EXP_ELIMIT, "%s is larger than the allowed %zu bytes", path, limit);
		else
			buf_add(out, chunk, (size_t)n);
	}
	close(fd);
	return rc;
}

int file_sync_folder(const char *path, struct exp_error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return error_set_errno(err, "open", path);
	if (fsync(fd))
		rc = error_set_errno(err, "fsync", path);
	close(fd);
	return rc;
}

static int sync_parent(const char *path, struct exp_error *err)
{
	char *copy = mem_strdup(path);
	int rc = file_sync_folder(dirname(copy), err);

	mem_free(copy);
	return rc;
}

/* Closes the temporary file, makes it durable under its real name, or removes it when rc already tells of a failure. */
static int commit_temporary(int fd, const char *temporary, const char *path, int rc, struct exp_error *err)
{
	if (!rc && fsync(fd))
		rc = error_set_errno(err, "fsync", path);
	close(fd);
	if (!rc && rename(temporary, path))
		rc = error_set_errno(err, "rename to", path);
	if (rc)
		unlink(temporary);
	return rc ? rc : sync_parent(path, err);
}

static int open_temporary(const char *path, char **temporary, struct exp_error *err)
{
	int fd;

	*temporary = mem_format("%s.tmp-XXXXXX", path);
	fd = mkostemp(*temporary, O_CLOEXEC);
	if (fd < 0) {
		int code = error_set_errno(err, "create", path);

		mem_free(*temporary);
		*temporary = NULL;
		return code;
	}
	return fd;
}

/* A rename would put a file in the place of a device or a pipe. */
static int refuse_special(const char *path, struct exp_error *err)
{
	struct stat st;

	if (stat(path, &st) || S_ISREG(st.st_mode))
		return 0;
	return error_set(err, EXP_EINVAL, "%s exists and is not a regular file", path);
}

int file_write_durable(const char *path, const void *bytes, size_t size, struct exp_error *err)
{
	char *temporary;
	int fd, rc = refuse_special(path, err);

	if (rc)
		return rc;
	fd = open_temporary(path, &temporary, err);
	if (fd < 0)
		return fd;
	if (write_all(fd, bytes, size))
		rc = error_set_errno(err, "write", path);
	rc = commit_temporary(fd, temporary, path, rc, err);
	mem_free(temporary);
	return rc;
}

static int copy_bytes(int in, int out, const char *from, const char *to, size_t limit, struct digest *d,
		      struct exp_error *err)
{
	char chunk[CHUNK];
	size_t total = 0;
	ssize_t n;

	while ((n = read(in, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, "read", from);
		total += (size_t)n;
		if (total > limit)
			return error_set(err, EXP_ELIMIT, "%s is larger than the allowed %zu bytes", from, limit);
		digest_add(d, chunk, (size_t)n);
		if (out >= 0 && write_all(out, chunk, (size_t)n))
			return error_set_errno(err, "write", to);
	}
	return 0;
}

static int open_regular(const char *path, int flags, struct exp_error *err)
{
	struct stat st;
	int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set_errno(err, "open", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return error_set(err, EXP_EINVAL, "%s is not a regular file", path);
	}
	return fd;
}

int file_copy_durable(const char *from, const char *to, size_t limit, uint8_t digest[DIGEST_SIZE],
		      struct exp_error *err)
{
	struct digest d;
	char *temporary;
	int rc, out, in = open_regular(from, O_RDONLY, err);

	if (in < 0)
		return in;
	out = open_temporary(to, &temporary, err);
	if (out < 0) {
		close(in);
		return out;
	}
	digest_init(&d);
	rc = copy_bytes(in, out, from, to, limit, &d, err);
	close(in);
	rc = commit_temporary(out, temporary, to, rc, err);
	mem_free(temporary);
	if (!rc)
		digest_final(&d, digest);
	return rc;
}

int file_digest(const char *path, uint8_t digest[DIGEST_SIZE], struct exp_error *err)
{
	struct digest d;
	int rc, fd = open_regular(path, O_RDONLY, err);

	if (fd < 0)
		return fd;
	digest_init(&d);
	rc = copy_bytes(fd, -1, path, NULL, SIZE_MAX, &d, err);
	close(fd);
	if (!rc)
		digest_final(&d, digest);
	return rc;
}

static int overwrite(int fd, off_t size)
{
	static const char zeros[CHUNK];

	while (size > 0) {
		size_t n = size < CHUNK ? (size_t)size : CHUNK;

		if (write_all(fd, zeros, n))
			return -1;
		size -= (off_t)n;
	}
	return fsync(fd);
}

int file_destroy(const char *path, struct exp_error *err)
{
	struct exp_error cause = { 0 };
	struct stat st;
	int rc = 0, fd = open_regular(path, O_WRONLY, &cause);

	if (fd == EXP_ENOTFOUND)
		return 0;
	if (fd < 0) {
		if (err)
			*err = cause;
		return fd;
	}
	if (fstat(fd, &st) || overwrite(fd, st.st_size))
		rc = error_set_errno(err, "overwrite", path);
	close(fd);
	if (!rc && unlink(path))
		rc = error_set_errno(err, "remove", path);
	return rc ? rc : sync_parent(path, err);
}

int file_make_folder(const char *path, struct exp_error *err)
{
	char *copy = mem_strdup(path);
	int rc = 0;

	for (char *p = copy + 1; !rc; p++) {
		char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) && errno != EEXIST)
			rc = error_set_errno(err, "create folder", copy);
		*p = end;
		if (!end)
			break;
	}
	mem_free(copy);
	return rc;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

char *file_join(const char *folder, const char *name)
{
	return mem_format("%s/%s", folder, name);
}

int file_lock(const char *path, int *fd, struct exp_error *err)
{
	int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (f < 0)
		return error_set_errno(err, "open", path);
	if (flock(f, LOCK_EX | LOCK_NB)) {
		int code = errno == EWOULDBLOCK ? error_set(err, EXP_EBUSY, "%s is held by another process", path)
						: error_set_errno(err, "lock", path);
		close(f);
		return code;
	}
	*fd = f;
	return 0;
}

void file_unlock(int fd)
{
	close(fd);
}

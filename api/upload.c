#include "api/upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"

static const char folder[] = "uploads";
static const char incoming[] = "incoming-";

enum { KEPT_S = 86400 };

int upload_open(struct call *c, struct exp_error *err)
{
	char id[ID_TEXT];

	c->upload.path = mem_format("%s/%s/%s%s", c->api->options.data_folder, folder, incoming, id_new(id));
	c->upload.fd = open(c->upload.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return c->upload.fd < 0 ? error_set_errno(err, "creating", c->upload.path) : 0;
}

int upload_write(struct call *c, const void *bytes, size_t size, struct exp_error *err)
{
	const char *at = bytes;

	while (size) {
		ssize_t n = write(c->upload.fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, "writing", c->upload.path);
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

char *upload_path(const struct api *a, const char *kind, const char *name, const char *file)
{
	return mem_format("%s/%s/%s-%s-%s", a->options.data_folder, folder, kind, name, file);
}

/* Nobody takes what was under way when the process ended, nor what has waited for a day. */
static bool is_left_over(const char *path, const char *name, bool starting)
{
	struct stat st;

	if (!strncmp(name, incoming, sizeof(incoming) - 1))
		return starting;
	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_mtime < time(NULL) - KEPT_S;
}

static int sweep(const char *path, bool starting, struct exp_error *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int rc = 0;

	if (!dir)
		return error_set_errno(err, "opening", path);
	while (!rc && (entry = readdir(dir))) {
		char *file;

		file = file_join(path, entry->d_name);
		if (is_left_over(file, entry->d_name, starting))
			rc = file_destroy(file, err);
		mem_free(file);
	}
	closedir(dir);
	return rc;
}

int upload_keep(struct call *c, const char *kind, const char *name, const char *file, struct exp_error *err)
{
	char *to = upload_path(c->api, kind, name, file), *in = file_join(c->api->options.data_folder, folder);
	int rc = 0;

	if (fsync(c->upload.fd) || rename(c->upload.path, to))
		rc = error_set_errno(err, "storing", to);
	if (!rc) {
		mem_free(c->upload.path);
		c->upload.path = NULL;
		rc = file_sync_folder(in, err);
	}
	if (!rc)
		rc = sweep(in, false, err);
	mem_free(to);
	mem_free(in);
	return rc;
}

int upload_discard(const struct api *a, const char *kind, const char *name, const char *file, struct exp_error *err)
{
	char *path = upload_path(a, kind, name, file);
	int rc = file_destroy(path, err);

	mem_free(path);
	return rc;
}

int upload_prepare_folder(const struct api *a, struct exp_error *err)
{
	char *path = file_join(a->options.data_folder, folder);
	int rc = file_make_folder(path, err);

	if (!rc)
		rc = sweep(path, true, err);
	mem_free(path);
	return rc;
}

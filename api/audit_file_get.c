/*
 * The log as static files (C2SP tlog-tiles). Only names that a log has are looked for, so no path of a client reaches
 * the disk.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "proof/tiles.h"

static bool is_of_a_log(const char *path)
{
	struct tile tile;

	return !strcmp(path, "checkpoint") || tile_parse_path(path, &tile);
}

static int refuse(struct exp_error *err)
{
	return error_set(err, EXP_ENOTFOUND, "the log has no such file; it has checkpoint, tile/… and tile/entries/…");
}

int api_audit_file_get(struct call *c, struct exp_error *err)
{
	const char *path = call_arg(c, 0);
	bool is_text = !strcmp(path, "checkpoint");
	struct stat st;
	char *full;
	int fd;

	if (!is_of_a_log(path))
		return refuse(err);
	full = mem_format("%s/log/%s", c->api->options.data_folder, path);
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	mem_free(full);
	if (fd < 0)
		return refuse(err);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return refuse(err);
	}
	reply_file(c, is_text ? "text/plain; charset=utf-8" : "application/octet-stream", fd, (uint64_t)st.st_size);
	return 0;
}

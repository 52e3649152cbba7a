#include "api/import_path.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

static bool is_below(const char *root, const char *path)
{
	size_t size = strlen(root);

	return !strncmp(path, root, size) && (path[size] == '/' || root[size - 1] == '/');
}

static bool is_regular(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

int import_path_resolve(const char *root, const char *path, const char *pointer, char **out, struct exp_error *err)
{
	char real_root[PATH_MAX], real[PATH_MAX];
	char *joined;
	bool found;

	if (!root)
		return error_set_field(err, EXP_EFORBIDDEN, pointer,
				       "importing by path is switched off here; upload the file instead");
	if (!realpath(root, real_root))
		return error_set_errno(err, "opening the import root", root);
	joined = path[0] == '/' ? mem_strdup(path) : file_join(real_root, path);
	found = realpath(joined, real) && is_below(real_root, real) && is_regular(real);
	mem_free(joined);
	if (!found)
		return error_set_field(err, EXP_EFIELD, pointer,
				       "%s: there is no such regular file below the import root", pointer);
	*out = mem_strdup(real);
	return 0;
}

#include "dataset/folder.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

char *folder_root(const char *data_folder)
{
	return file_join(data_folder, "datasets");
}

char *folder_path(const char *data_folder, const char *name)
{
	return mem_format("%s/datasets/%s", data_folder, name);
}

char *folder_row_dims(const struct npy *inputs)
{
	struct buf b = { 0 };

	buf_add_text(&b, "[");
	for (size_t i = 1; i < inputs->rank; i++)
		buf_format(&b, "%s%zu", i > 1 ? "," : "", inputs->dims[i]);
	buf_add_text(&b, "]");
	return buf_take(&b);
}

int folder_sync(const char *data_folder, const char *name, struct exp_error *err)
{
	char *root = folder_root(data_folder), *path = folder_path(data_folder, name);
	int rc = file_sync_folder(path, err);

	if (!rc)
		rc = file_sync_folder(root, err);
	if (!rc)
		rc = file_sync_folder(data_folder, err);
	mem_free(root);
	mem_free(path);
	return rc;
}

static int destroy_files(DIR *folder, const char *path, struct exp_error *err)
{
	const struct dirent *entry;
	int rc = 0;

	while (!rc && (entry = readdir(folder))) {
		char *file;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		file = file_join(path, entry->d_name);
		rc = file_destroy(file, err);
		mem_free(file);
	}
	return rc;
}

int folder_destroy(const char *path, struct exp_error *err)
{
	DIR *folder = opendir(path);
	int rc;

	if (!folder && errno == ENOENT)
		return 0;
	if (!folder)
		return error_set_errno(err, "open", path);
	rc = destroy_files(folder, path, err);
	closedir(folder);
	if (!rc && rmdir(path))
		rc = error_set_errno(err, "remove", path);
	return rc;
}

#include "dataset/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "dataset/folder.h"
#include "storage/datasets.h"
#include "storage/writer.h"

struct sweep {
	struct store *store;
	const char *data_folder;
	struct stored_dataset_list known;
	size_t removed;
};

static int forget_record(struct txn *txn, void *arg, struct exp_error *err)
{
	return datasets_delete(txn, arg, err);
}

/* The files go first: a record without files is swept again, files without a record might not be looked for. */
static int sweep_one(struct sweep *s, const char *name, bool has_record, struct exp_error *err)
{
	char *path = folder_path(s->data_folder, name), *copy = mem_strdup(name);
	int rc = folder_destroy(path, err);

	if (!rc && has_record)
		rc = writer_call(s->store, forget_record, copy, err);
	if (!rc) {
		s->removed++;
		log_warn("dataset_swept", "dataset=%s", name);
	}
	mem_free(path);
	mem_free(copy);
	return rc;
}

static bool is_known(const struct sweep *s, const char *name)
{
	for (size_t i = 0; i < s->known.count; i++)
		if (!strcmp(s->known.items[i].name, name))
			return true;
	return false;
}

static int sweep_records(struct sweep *s, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->known.count; i++)
		if (s->known.items[i].state != DATASET_READY)
			rc = sweep_one(s, s->known.items[i].name, true, err);
	return rc;
}

static int sweep_entry(struct sweep *s, const char *root, const char *name, struct exp_error *err)
{
	char *path = file_join(root, name);
	struct stat st;
	int rc = 0;

	if (lstat(path, &st))
		rc = error_set_errno(err, "stat", path);
	else if (name[0] != '.' && S_ISDIR(st.st_mode) && !is_known(s, name))
		rc = sweep_one(s, name, false, err);
	mem_free(path);
	return rc;
}

static int sweep_folders(struct sweep *s, struct exp_error *err)
{
	char *root = folder_root(s->data_folder);
	const struct dirent *entry;
	DIR *folder = opendir(root);
	int rc = 0;

	if (!folder && errno != ENOENT)
		rc = error_set_errno(err, "open", root);
	while (folder && !rc && (entry = readdir(folder)))
		rc = sweep_entry(s, root, entry->d_name, err);
	if (folder)
		closedir(folder);
	mem_free(root);
	return rc;
}

int dataset_sweep(struct store *store, const char *data_folder, size_t *removed, struct exp_error *err)
{
	struct sweep s = { .store = store, .data_folder = data_folder };
	struct db *db;
	int rc = reader_take(store, &db, err);

	if (rc)
		return rc;
	rc = datasets_list(db, &s.known, err);
	reader_give(store, db);
	if (!rc)
		rc = sweep_records(&s, err);
	if (!rc)
		rc = sweep_folders(&s, err);
	stored_dataset_list_fini(&s.known);
	if (!rc)
		*removed = s.removed;
	return rc;
}

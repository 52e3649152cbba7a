#include "model/files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/versions.h"

#define WEIGHTS_SUFFIX ".onnx"
#define HALF_WRITTEN   ".tmp-" /* as base/file.c names what it has not renamed yet */

char *model_root(const char *data_folder)
{
	return file_join(data_folder, "models");
}

char *model_weights_path(const char *data_folder, const char *sha256)
{
	return mem_format("%s/models/%s" WEIGHTS_SUFFIX, data_folder, sha256);
}

char *model_folder(const char *data_folder, const char *name)
{
	return mem_format("%s/models/%s", data_folder, name);
}

int model_make_folder(const char *data_folder, const char *name, struct exp_error *err)
{
	char *path;
	int rc;

	if (!id_is_name(name))
		return error_set_field(
		    err, EXP_EINVAL, "/name",
		    "a model's name is 1 to 63 letters, digits, '.', '_' and '-', and starts with a letter or "
		    "a digit");
	path = model_folder(data_folder, name);
	rc = file_make_folder(path, err);
	mem_free(path);
	return rc;
}

static bool holds(const char *path, const struct weights_id *id)
{
	uint8_t digest[DIGEST_SIZE];
	char text[DIGEST_HEX];

	return file_exists(path) && !file_digest(path, digest, NULL) &&
	       !strcmp(hex_encode(digest, sizeof(digest), text), id->sha256);
}

int model_weights_write(const char *data_folder, const void *bytes, size_t size, struct weights_id *id,
			struct exp_error *err)
{
	char *root = model_root(data_folder), *path;
	uint8_t digest[DIGEST_SIZE];
	struct weights_id made;
	int rc = file_make_folder(root, err);

	sha256(bytes, size, digest);
	hex_encode(digest, sizeof(digest), made.sha256);
	path = model_weights_path(data_folder, made.sha256);
	if (!rc && !holds(path, &made))
		rc = file_write_durable(path, bytes, size, err);
	if (!rc)
		*id = made;
	mem_free(path);
	mem_free(root);
	return rc;
}

static int add_needed(struct weights_list *list, const struct stored_version_list *versions, const char *model,
		      int64_t version)
{
	struct weights_id *items = mem_try_realloc(list->items, list->count + versions->count + 1, sizeof(*items));

	if (!items)
		return EXP_EMEMORY;
	list->items = items;
	for (size_t i = 0; i < versions->count; i++) {
		const struct stored_version *v = &versions->items[i];

		if (!model || v->version != version || strcmp(v->model, model))
			hex_encode(v->sha256, DIGEST_SIZE, list->items[list->count++].sha256);
	}
	return 0;
}

int model_weights_needed(struct db *db, const char *model, int64_t version, struct weights_list *out,
			 struct exp_error *err)
{
	struct weights_list list = { 0 };
	int rc = 0;

	for (int state = 0; !rc && state < VERSION_STATE_COUNT; state++) {
		struct stored_version_list versions;

		if (state == VERSION_DESTROYED)
			continue;
		rc = versions_in_state(db, (enum version_state)state, &versions, err);
		if (rc)
			break;
		if (add_needed(&list, &versions, model, version))
			rc = error_set(err, EXP_EMEMORY, "no memory for the list of weights");
		stored_version_list_fini(&versions);
	}
	if (rc)
		weights_list_fini(&list);
	else
		*out = list;
	return rc;
}

void weights_list_fini(struct weights_list *list)
{
	mem_free(list->items);
	*list = (struct weights_list){ 0 };
}

static bool is_needed(const struct weights_list *needed, const char *sha256)
{
	for (size_t i = 0; needed && i < needed->count; i++)
		if (!strncmp(needed->items[i].sha256, sha256, DIGEST_HEX - 1))
			return true;
	return false;
}

int model_weights_destroy(const char *data_folder, const struct weights_id *id, const struct weights_list *needed,
			  bool *destroyed, struct exp_error *err)
{
	bool keep = is_needed(needed, id->sha256);
	char *path = model_weights_path(data_folder, id->sha256);
	int rc = keep ? 0 : file_destroy(path, err);

	if (!rc)
		*destroyed = !keep;
	mem_free(path);
	return rc;
}

static bool is_weights(const char *name)
{
	return strspn(name, "0123456789abcdef") == DIGEST_HEX - 1 && !strcmp(name + DIGEST_HEX - 1, WEIGHTS_SUFFIX);
}

/* needed is NULL in a model's own folder, where only what is half-written goes. */
static bool is_leftover(const char *name, const struct weights_list *needed)
{
	return strstr(name, HALF_WRITTEN) || (needed && is_weights(name) && !is_needed(needed, name));
}

static int sweep_folder(const char *path, const struct weights_list *needed, size_t *destroyed, struct exp_error *err);

static int sweep_entry(const char *path, const char *name, const struct weights_list *needed, size_t *destroyed,
		       struct exp_error *err)
{
	struct stat st;
	int rc = 0;

	if (lstat(path, &st))
		return error_set_errno(err, "stat", path);
	if (S_ISDIR(st.st_mode) && needed && name[0] != '.')
		return sweep_folder(path, NULL, destroyed, err);
	if (S_ISREG(st.st_mode) && is_leftover(name, needed)) {
		rc = file_destroy(path, err);
		*destroyed += !rc;
	}
	return rc;
}

static int sweep_folder(const char *path, const struct weights_list *needed, size_t *destroyed, struct exp_error *err)
{
	const struct dirent *entry;
	DIR *folder = opendir(path);
	int rc = 0;

	if (!folder)
		return errno == ENOENT ? 0 : error_set_errno(err, "open", path);
	while (!rc && (entry = readdir(folder))) {
		char *below = file_join(path, entry->d_name);

		rc = sweep_entry(below, entry->d_name, needed, destroyed, err);
		mem_free(below);
	}
	closedir(folder);
	return rc;
}

int model_sweep(const char *data_folder, const struct weights_list *needed, size_t *destroyed, struct exp_error *err)
{
	char *root = model_root(data_folder);
	size_t count = 0;
	int rc = sweep_folder(root, needed, &count, err);

	if (count)
		log_info("models_swept", "files=%zu", count);
	if (!rc)
		*destroyed = count;
	mem_free(root);
	return rc;
}

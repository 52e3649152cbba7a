/*
 * files.h: what models keep on disk, below the data folder.
 *
 *   models/<sha256>.onnx    the weights of a version, named by the digest of the file (64 lower-case hexadecimal
 * digits) models/<name>/          what belongs to one model over its versions: importance, scores of the references
 *
 * A weights file is complete or absent: it is written beside its place, fsynced and renamed. Versions with the same
 * bytes share one file, so a file goes only when no version needs it any more: model_weights_needed says which do.
 *
 * Ownership: paths and lists are the caller's. Threads: any, one writer a file.
 */
#ifndef MODEL_FILES_H
#define MODEL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "storage/db.h"

/* A digest as it stands in a file name. */
struct weights_id {
	char sha256[DIGEST_HEX];
};

struct weights_list {
	struct weights_id *items;
	size_t count;
};

/* DATA/models, DATA/models/<sha256>.onnx and DATA/models/<name>; the caller frees with mem_free. None looks at the
 * disk. */
char *model_root(const char *data_folder);
char *model_weights_path(const char *data_folder, const char *sha256);
char *model_folder(const char *data_folder, const char *name);

/* Creates DATA/models/<name> and what lies above it. EXP_EINVAL: id_is_name (base/id.h) is false. */
EXP_NODISCARD int model_make_folder(const char *data_folder, const char *name, struct exp_error *err);

/* Writes bytes durably under their digest and gives it. Bytes that are there already are success. EXP_ENOSPACE,
 * EXP_EIO. */
EXP_NODISCARD int model_weights_write(const char *data_folder, const void *bytes, size_t size, struct weights_id *id,
				      struct exp_error *err);

/* The weights of every version that is not destroyed, but for one version of a model (NULL: for none). */
EXP_NODISCARD int model_weights_needed(struct db *db, const char *model, int64_t version, struct weights_list *out,
				       struct exp_error *err);
void weights_list_fini(struct weights_list *list);

/*
 * Overwrites and removes the weights, unless they are among the needed ones (NULL: none is). *destroyed says whether
 * the bytes are gone; they may have been before. EXP_EIO.
 */
EXP_NODISCARD int model_weights_destroy(const char *data_folder, const struct weights_id *id,
					const struct weights_list *needed, bool *destroyed, struct exp_error *err);

/*
 * At start, before any job runs: destroys weights that are not among the needed ones and what a killed process left
 * half-written. *destroyed counts files. Anything else in the folder is left alone. EXP_EIO.
 */
EXP_NODISCARD int model_sweep(const char *data_folder, const struct weights_list *needed, size_t *destroyed,
			      struct exp_error *err);

#endif

/*
 * files.h: what models keep on disk, below the data folder.
 *
 *   models/<sha256>.onnx    the weights of a version, named by the digest of the file (64 lower-case hexadecimal
 * digits) models/<name>/          what belongs to one model over its versions: importance, scores of the references
 *
 * A weights file is complete or absent: it is written beside its place, fsynced and renamed. Two versions with the same
 * bytes share one file, so a file is destroyed only when no version needs it any more; who destroys says what is still
 * needed.
 *
 * Ownership: paths are the caller's, mem_free. Threads: any, one writer a file.
 */
#ifndef MODEL_FILES_H
#define MODEL_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "base/error.h"

/* A digest as it stands in a file name and in storage. */
struct weights_id {
	char sha256[DIGEST_HEX];
};

/* DATA/models/<sha256>.onnx and DATA/models/<name>. Neither looks at the disk. */
char *model_weights_path(const char *data_folder, const char *sha256);
char *model_folder(const char *data_folder, const char *name);

/* Creates DATA/models/<name> and what lies above it. EXP_EINVAL: id_is_name (base/id.h) is false. */
EXP_NODISCARD int model_make_folder(const char *data_folder, const char *name, struct exp_error *err);

/* Writes bytes durably under their digest and gives it. Present bytes are success. EXP_ENOSPACE, EXP_EIO. */
EXP_NODISCARD int model_weights_write(const char *data_folder, const void *bytes, size_t size, struct weights_id *id,
				      struct exp_error *err);

/*
 * Overwrites and removes the weights of id, unless needed (count of them) names the same digest. *destroyed says
 * whether the bytes are gone: true also when the file was absent before. EXP_EIO.
 */
EXP_NODISCARD int model_weights_destroy(const char *data_folder, const struct weights_id *id,
					const struct weights_id *needed, size_t count, bool *destroyed,
					struct exp_error *err);

/*
 * At start, before any job runs: destroys weights that are not among the referenced ones and what a killed process left
 * half-written. *destroyed counts files. Anything else in the folder is left alone. EXP_EIO names the first file that
 * resisted; the rest is still swept.
 */
EXP_NODISCARD int model_sweep(const char *data_folder, const struct weights_id *referenced, size_t count,
			      size_t *destroyed, struct exp_error *err);

#endif

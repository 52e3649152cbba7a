/*
 * file.h: whole files, written so that a power cut leaves either the old content or the new.
 *
 * Threads: any. Errors name the path. Files are created 0600, folders 0700.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/error.h"

/* Appends the file to out. EXP_ENOTFOUND, EXP_ELIMIT (larger than limit bytes), EXP_EIO. */
EXP_NODISCARD int file_read(const char *path, size_t limit, struct buf *out, struct exp_error *err);

/* Writes a temporary file beside path, fsyncs it, renames it over path, fsyncs the folder. EXP_ENOSPACE, EXP_EIO,
 * EXP_EINVAL (path is there and not a regular file); on failure path is as before and no temporary file stays. */
EXP_NODISCARD int file_write_durable(const char *path, const void *bytes, size_t size, struct exp_error *err);

/* Copies a regular file durably (as above), at most limit bytes, and gives its SHA-256. Symbolic links are refused. */
EXP_NODISCARD int file_copy_durable(const char *from, const char *to, size_t limit, uint8_t digest[DIGEST_SIZE],
				    struct exp_error *err);

EXP_NODISCARD int file_digest(const char *path, uint8_t digest[DIGEST_SIZE], struct exp_error *err);

/* Overwrites the bytes of a regular file with zeros, fsyncs, unlinks, fsyncs the folder. A missing file is success.
 * What the file system or the device keeps below (copy-on-write, wear levelling) is out of reach and documented. */
EXP_NODISCARD int file_destroy(const char *path, struct exp_error *err);

/* Creates the folder and its parents. An existing folder is success. */
EXP_NODISCARD int file_make_folder(const char *path, struct exp_error *err);

EXP_NODISCARD int file_sync_folder(const char *path, struct exp_error *err);

bool file_exists(const char *path);

/* "folder/name"; the caller frees with mem_free. */
char *file_join(const char *folder, const char *name);

/* An exclusive advisory lock on path, held until file_unlock or the end of the process. EXP_EBUSY when another holds
 * it. */
EXP_NODISCARD int file_lock(const char *path, int *fd, struct exp_error *err);
void file_unlock(int fd);

#endif

/*
 * upload.h: bodies that go to files below DATA/uploads while they arrive, and the files that were put there for a
 * dataset or model that is registered afterwards.
 *
 *   DATA/uploads/incoming-<uuid>               under way; removed with its call
 *   DATA/uploads/<kind>-<name>-<file>          complete, fsynced, waiting for the registration that takes it
 *
 * Uploading the same file again replaces it. What waits is kept over a restart, but for a day at most, since it holds
 * people's rows and rows.csv their identities; what was under way is not kept. Both are overwritten at start, and what
 * has waited too long whenever something is uploaded. Threads: a call's upload belongs to its HTTP thread.
 */
#ifndef API_UPLOAD_H
#define API_UPLOAD_H

#include "api/call.h"

/* EXP_ENOSPACE, EXP_EIO. */
EXP_NODISCARD int upload_open(struct call *c, struct exp_error *err);
EXP_NODISCARD int upload_write(struct call *c, const void *bytes, size_t size, struct exp_error *err);

/* Makes the file that arrived durable under its waiting name. EXP_ENOSPACE, EXP_EIO. Blocks: not on an HTTP thread. */
EXP_NODISCARD int upload_keep(struct call *c, const char *kind, const char *name, const char *file,
			      struct exp_error *err);

/* Where it waits; the caller frees. Does not look. */
char *upload_path(const struct api *a, const char *kind, const char *name, const char *file);

/* Overwrites and removes a waiting file: they hold people's rows. A missing one is success. */
EXP_NODISCARD int upload_discard(const struct api *a, const char *kind, const char *name, const char *file,
				 struct exp_error *err);

/* Makes DATA/uploads and overwrites what was left over when the daemon ended. */
EXP_NODISCARD int upload_prepare_folder(const struct api *a, struct exp_error *err);

#endif

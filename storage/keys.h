/*
 * keys.h: keys.db: the key of each request, and the secrets of the installation.
 *
 * Creating is safe in the operation that inserts the request: keys.db commits first, and a key whose request did not
 * follow is swept at start. Destroying needs the opposite order and gets it: see keys_destroy. Read access goes through
 * operations too, since only the writer thread has a connection. Callers zero what they got.
 */
#ifndef STORAGE_KEYS_H
#define STORAGE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"
#include "storage/store.h"

enum { KEYS_SIZE = 32, SECRET_MAX = 64 };

/* EXP_EEXISTS: the request has a key. */
EXP_NODISCARD int keys_put(struct txn *txn, const char *request, const uint8_t key[KEYS_SIZE], struct exp_error *err);

EXP_NODISCARD int keys_get(struct txn *txn, const char *request, uint8_t key[KEYS_SIZE],
			   struct exp_error *err); /* EXP_ENOTFOUND */

/*
 * Destroys the request's key for good. The operation may delete the subject–request link itself
 * (requests_unlink_subjects, leaves_unlink_request) or come after it; EXP_ECONFLICT when a link is still there. What
 * happens, in this order: expunge.db commits, its log is truncated, the key is overwritten and committed, keys.db's log
 * is truncated. When a step after the commit fails, the operation's error is that step's, its changes to expunge.db
 * stand, and it is to be repeated. A missing key is success.
 */
EXP_NODISCARD int keys_destroy(struct txn *txn, const char *request, struct exp_error *err);

/* The secret of this name, made of size random bytes (1 to SECRET_MAX) when it does not exist. EXP_EINVAL: it has
 * another size. */
EXP_NODISCARD int secrets_get_or_create(struct txn *txn, const char *name, uint8_t *out, size_t size,
					struct exp_error *err);

/* Removes keys that are older than a minute and whose request is not in expunge.db: what a crash between the two
 * commits leaves. Call once after store_open, not on the writer thread. *count (may be NULL) says how many. */
EXP_NODISCARD int keys_sweep_orphans(struct store *s, int64_t *count, struct exp_error *err);

#endif

/*
 * subjects.h: the people in datasets and requests, as numbers that stand for lookup hashes. Neither leaves expunge.
 */
#ifndef STORAGE_SUBJECTS_H
#define STORAGE_SUBJECTS_H

#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

/* The number of a lookup hash. EXP_ENOTFOUND: nobody with this identity is or was in any dataset or request. */
EXP_NODISCARD int subjects_find(struct db *db, const uint8_t lookup[DB_HASH], int64_t *subject, struct exp_error *err);

/* As subjects_find, and creates it: for a request whose subject has no rows. */
EXP_NODISCARD int subjects_ensure(struct txn *txn, const uint8_t lookup[DB_HASH], int64_t *subject,
				  struct exp_error *err);

/* Forgets the lookup hash. EXP_ECONFLICT: a row or a request still refers to the subject. A missing subject is success.
 */
EXP_NODISCARD int subjects_delete(struct txn *txn, int64_t subject, struct exp_error *err);

#endif

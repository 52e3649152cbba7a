/*
 * policies.h: the verification and escalation rules, kept for ever under the digest that the record names.
 */
#ifndef STORAGE_POLICIES_H
#define STORAGE_POLICIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

struct stored_policy {
	uint8_t digest[DB_HASH]; /* SHA-256 of body */
	char name[DB_NAME];
	int64_t version; /* from 1, by name */
	char *body;      /* canonical JSON */
	int64_t created_at;
};

struct stored_policy_list {
	struct stored_policy *items;
	size_t count;
};

/* Keeps a policy; created_at is ignored. The same digest again is success. EXP_EEXISTS: name and version have another
 * body. */
EXP_NODISCARD int policies_put(struct txn *txn, const struct stored_policy *policy, struct exp_error *err);

EXP_NODISCARD int policies_get(struct db *db, const uint8_t digest[DB_HASH], struct stored_policy *out,
			       struct exp_error *err); /* EXP_ENOTFOUND */

/* The highest version of a name. EXP_ENOTFOUND. */
EXP_NODISCARD int policies_latest(struct db *db, const char *name, struct stored_policy *out, struct exp_error *err);
void stored_policy_fini(struct stored_policy *policy);

/* By name and version. */
EXP_NODISCARD int policies_list(struct db *db, struct stored_policy_list *out, struct exp_error *err);
void stored_policy_list_fini(struct stored_policy_list *list);

#endif

/*
 * versions.h: the sets of weights of a model: which file, from which parent, made by which job, and what became of it.
 */
#ifndef STORAGE_VERSIONS_H
#define STORAGE_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "storage/db.h"

enum version_state {
#define X(symbol, name, next) symbol,
#include "storage/version_state.def"
#undef X
	VERSION_STATE_COUNT,
};

struct stored_version {
	char model[DB_NAME];
	int64_t version;         /* from 1, without gaps, by model */
	uint8_t sha256[DB_HASH]; /* of the ONNX file; also its name */
	int64_t parent;          /* 0: registered, not made */
	char job[ID_TEXT];       /* the job that made it */
	enum version_state state;
	int64_t created_at, published_at, last_served_at, destroyed_at;
};

struct stored_version_list {
	struct stored_version *items;
	size_t count;
};

const char *version_state_name(enum version_state state);
bool version_state_may_move(enum version_state from, enum version_state to);

/* Records a staged version and gives it the next number. EXP_ECONFLICT: model, parent or job are not there. */
EXP_NODISCARD int versions_stage(struct txn *txn, const char *model, const uint8_t sha256[DB_HASH], int64_t parent,
				 const char *job, int64_t *version, struct exp_error *err);

/*
 * A staged version becomes live, the live one (if any) draining, and the model's live_version follows. Run it in one
 * operation with jobs_publish, whose lease check fences it. EXP_ECONFLICT: the version is not staged. EXP_ENOTFOUND.
 */
EXP_NODISCARD int versions_publish(struct txn *txn, const char *model, int64_t version, struct exp_error *err);

/* Any other move. Being there already is success. EXP_ECONFLICT: not allowed. EXP_ENOTFOUND. */
EXP_NODISCARD int versions_move(struct txn *txn, const char *model, int64_t version, enum version_state to,
				struct exp_error *err);

/* Last served at the time at. A later time that is already there stays. EXP_ENOTFOUND. */
EXP_NODISCARD int versions_served(struct txn *txn, const char *model, int64_t version, int64_t at,
				  struct exp_error *err);

EXP_NODISCARD int versions_get(struct db *db, const char *model, int64_t version, struct stored_version *out,
			       struct exp_error *err); /* EXP_ENOTFOUND */

/* By number. */
EXP_NODISCARD int versions_list(struct db *db, const char *model, struct stored_version_list *out,
				struct exp_error *err);

/* All models' versions in a state: what recovery at start looks for. */
EXP_NODISCARD int versions_in_state(struct db *db, enum version_state state, struct stored_version_list *out,
				    struct exp_error *err);
void stored_version_list_fini(struct stored_version_list *list);

#endif

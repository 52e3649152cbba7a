/*
 * models.h: the named things that are served. Their weights are in versions.h.
 */
#ifndef STORAGE_MODELS_H
#define STORAGE_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/db.h"

enum model_state {
#define X(symbol, name) symbol,
#include "storage/model_state.def"
#undef X
	MODEL_STATE_COUNT,
};

struct stored_model {
	char name[DB_NAME];
	char dataset[DB_NAME];
	enum model_state state;
	char *error;          /* why state is degraded or failed, or NULL */
	int64_t live_version; /* 0: none yet */
	char *recipe;         /* JSON, or NULL when the model cannot be retrained */
	bool has_policy;
	uint8_t policy[DB_HASH]; /* digest; valid when has_policy */
	int64_t classes;
	char input_name[DB_NAME];
	char *input_dims;       /* JSON array, without the batch */
	char capped[DB_REASON]; /* why verdicts are capped ("no_recipe", "not_exchangeable" …), or "" */
	double retrain_seconds; /* measured; 0: not measured */
	int64_t generation;     /* of references and importances; grows when they are made anew */
	int64_t debt;           /* mitigated deletions since the last exact retraining */
	int64_t registered_at;
	char *options; /* JSON: what its file leaves open (engine/graph_options.h), or NULL */
};

struct stored_model_list {
	struct stored_model *items;
	size_t count;
};

const char *model_state_name(enum model_state state);

/* live_version, generation, debt, error and registered_at are ignored. EXP_EEXISTS: the name is taken. EXP_ECONFLICT:
 * dataset or policy are not there. */
EXP_NODISCARD int models_insert(struct txn *txn, const struct stored_model *model, struct exp_error *err);

EXP_NODISCARD int models_get(struct db *db, const char *name, struct stored_model *out,
			     struct exp_error *err); /* EXP_ENOTFOUND */
void stored_model_fini(struct stored_model *model);

/* By name; dataset NULL means of all datasets. */
EXP_NODISCARD int models_list(struct db *db, const char *dataset, struct stored_model_list *out, struct exp_error *err);
void stored_model_list_fini(struct stored_model_list *list);

/* error is NULL unless the state is degraded or failed. EXP_ENOTFOUND, as all below. */
EXP_NODISCARD int models_set_state(struct txn *txn, const char *name, enum model_state state, const char *error,
				   struct exp_error *err);

/* What registration or a refresh has found out: capped reason ("" for none) and seconds of an exact retraining. */
EXP_NODISCARD int models_set_findings(struct txn *txn, const char *name, const char *capped, double retrain_seconds,
				      struct exp_error *err);

EXP_NODISCARD int models_set_policy(struct txn *txn, const char *name, const uint8_t digest[DB_HASH],
				    struct exp_error *err);

/* Adds one to generation and gives the new one. */
EXP_NODISCARD int models_next_generation(struct txn *txn, const char *name, int64_t *generation, struct exp_error *err);

EXP_NODISCARD int models_set_debt(struct txn *txn, const char *name, int64_t debt, struct exp_error *err);

#endif

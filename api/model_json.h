/*
 * model_json.h: how a model and its versions look from outside: digests and dates, never weights. What two consecutive
 * versions differ in is what the forgotten person taught the model. Threads: any; new references are the caller's.
 */
#ifndef API_MODEL_JSON_H
#define API_MODEL_JSON_H

#include "base/json.h"
#include "storage/models.h"
#include "storage/versions.h"

json_t *model_json_summary(const struct stored_model *m);

/* The summary, recipe, policy and all versions. EXP_ENOTFOUND. */
EXP_NODISCARD int model_json_render(struct db *db, const char *name, json_t **out, struct exp_error *err);

json_t *model_json_version(const struct stored_version *v);

#endif

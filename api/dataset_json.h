/*
 * dataset_json.h: how a dataset looks from outside: numbers of rows, never whose they are.
 * Threads: any; new references are the caller's.
 */
#ifndef API_DATASET_JSON_H
#define API_DATASET_JSON_H

#include "base/json.h"
#include "storage/datasets.h"

json_t *dataset_json_summary(const struct stored_dataset *d);

/* The summary, and rows by split and state. EXP_ENOTFOUND. */
EXP_NODISCARD int dataset_json_render(struct db *db, const char *name, json_t **out, struct exp_error *err);

#endif

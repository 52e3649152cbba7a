/*
 * model_view.h: how a model is shown to a person.
 */
#ifndef CLI_MODEL_VIEW_H
#define CLI_MODEL_VIEW_H

#include "base/json.h"

/* model: an answer of GET or POST /v1/models. */
void model_view_print(const json_t *model);

#endif

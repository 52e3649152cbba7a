/*
 * dataset_view.h: how a dataset is shown to a person.
 */
#ifndef CLI_DATASET_VIEW_H
#define CLI_DATASET_VIEW_H

#include "base/json.h"

/* dataset: an answer of GET or POST /v1/datasets. */
void dataset_view_print(const json_t *dataset);

/* "14", "3 x 28 x 28": the shape of one row of inputs. */
void dataset_view_shape(const json_t *dims, struct buf *out);

#endif

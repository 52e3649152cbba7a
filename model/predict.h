/*
 * predict.h: inference on a snapshot that the caller holds (models_take).
 *
 * A snapshot has a bounded pool of sessions: concurrent callers compute side by side, and one more than the pool has
 * sessions waits for the next that is given back. More rows than a session's batch are computed in chunks.
 * Threads: any number, on one snapshot too.
 */
#ifndef MODEL_PREDICT_H
#define MODEL_PREDICT_H

#include <stddef.h>

#include "base/error.h"
#include "model/live.h"

/*
 * inputs [n, graph_input_floats] -> outputs [n, graph_classes], the graph's own output as it is (logits or
 * probabilities). A row's output does not depend on n or on its neighbours beyond what the engine says of batch sizes.
 * Marks the snapshot as served. EXP_EMEMORY, EXP_ENONFINITE; outputs are then unspecified.
 */
EXP_NODISCARD int predict(struct snapshot *s, const float *inputs, size_t n, float *outputs, struct exp_error *err);

#endif

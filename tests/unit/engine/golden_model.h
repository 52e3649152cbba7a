/*
 * golden_model.h: a PyTorch-exported model with what PyTorch computed for it (tools/golden/make_engine_goldens.py says
 * the format).
 */
#ifndef TESTS_ENGINE_GOLDEN_MODEL_H
#define TESTS_ENGINE_GOLDEN_MODEL_H

#include <stdint.h>

#include "base/buf.h"
#include "engine/graph.h"

struct golden_model {
	struct graph *graph;
	uint64_t rows, row_floats, classes, parameter_floats, parameters;
	const float *inputs, *outputs, *log_probs, *losses, *sum, *square_sum, *norms;
	const int32_t *labels;
	struct buf onnx, bytes; /* the files */
};

/* Fails the test when a file is missing or broken. */
void golden_open(struct golden_model *m, const char *name);
void golden_close(struct golden_model *m);

/* Fails the test, naming what, unless |got - want| <= relative * (|want| + scale) everywhere, scale being want's
 * largest magnitude / 10. */
void golden_compare(const char *name, const char *what, const float *got, const float *want, size_t count,
		    double relative);

#endif

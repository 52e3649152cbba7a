/*
 * onnx_input.h: the shapes of a model's inputs: what the file says, and what its owner says of open dimensions.
 *
 * The first dimension is the batch, unless the graph is whole; every other one must be a number in the file or given by
 * the options, by its symbol or with its input's shape. Only for onnx_load.c.
 * Ownership: the table is in the graph's arena, texts are borrowed from the options and the file's messages. Threads:
 * one.
 */
#ifndef ENGINE_ONNX_INPUT_H
#define ENGINE_ONNX_INPUT_H

#include "engine/graph_internal.h"
#include "engine/graph_options.h"
#include "engine/onnx.pb-c.h"

struct onnx_open_sizes {
	const struct graph_options *options;
	struct graph_size *sizes; /* what options and shapes say of symbols, each once */
	size_t count;
};

/* Holds g->options against the file's inputs: EXP_EINVAL (no such input or symbol), EXP_ESHAPE (shapes that do not
 * fit the file or each other), EXP_EMEMORY. */
EXP_NODISCARD int onnx_open_sizes_init(struct onnx_open_sizes *s, struct graph *g, const Onnx__GraphProto *proto,
				       struct exp_error *err);

/* Fills value->shape, and g->file_batch. EXP_ESHAPE names the input, the dimension and what to say about it;
 * EXP_ELIMIT. shape NULL: the file says none. */
EXP_NODISCARD int onnx_input_shape(const struct onnx_open_sizes *s, struct graph *g,
				   const Onnx__TensorShapeProto *shape, struct graph_value *value,
				   struct exp_error *err);

#endif

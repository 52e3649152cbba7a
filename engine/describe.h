/*
 * describe.h: what is in an ONNX file, what of it the engine does not support, where a PyTorch user finds its weights,
 * and what a pass costs.
 *
 * A file that the engine refuses is described too, as far as the file alone says it; refusal then holds the reason, and
 * gaps name every operator and attribute that is not supported, not the first only.
 * Ownership: description_fini. Threads: any number of readers.
 */
#ifndef ENGINE_DESCRIBE_H
#define ENGINE_DESCRIBE_H

#include "base/buf.h"
#include "engine/graph.h"
#include "engine/onnx_inventory.h"
#include "engine/torch_names.h"

struct describe_weight {
	const char *name; /* in the file */
	struct shape shape;
	const struct graph_parameter *parameter; /* NULL when the file is refused */
	const struct torch_weight *torch;        /* NULL: a Constant node's tensor */
};

/* What a pass costs; memory in bytes, beside the parameters. */
struct describe_cost {
	uint64_t forward_flops, backward_flops; /* of one row; backward: all gradients, without the forward pass */
	size_t batch, shard;                    /* rows of a call, and those that a thread runs at once */
	size_t forward_memory, backward_memory; /* of one thread; backward: forward and backward together */
};

struct description {
	struct onnx_inventory file;
	struct onnx_tally *operators;
	size_t operator_count;
	struct onnx_gap *gaps;
	size_t gap_count;
	struct describe_weight *weights; /* the graph's parameters; of a refused file all fp32 initializers */
	size_t weight_count;
	struct graph *graph; /* NULL: refused */
	struct exp_error refusal;
	struct describe_cost cost; /* zeros when refused */
};

/* batch >= 1. options: what the file is loaded with; NULL: nothing. EXP_EPARSE, EXP_ELIMIT (not an ONNX file that could
 * be read at all), EXP_EMEMORY. */
EXP_NODISCARD int describe(const void *bytes, size_t size, size_t batch, const struct graph_options *options,
			   struct description *out, struct exp_error *err);
void description_fini(struct description *d);

/* Appends where PyTorch has the weight: "layers.0.linear1.weight (transposed); equal to …"; nothing when it has the
 * file's own name. Guesses say "probably". */
void describe_torch_names(const struct describe_weight *w, struct buf *out);

#endif

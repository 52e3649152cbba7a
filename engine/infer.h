/*
 * infer.h: shapes, samples, known values and phases of all of a graph's values and nodes, for a number of samples.
 *
 * Ownership: everything hangs in the inference's arena; infer_fini. Constant after infer_run. Threads: any number of
 * readers.
 */
#ifndef ENGINE_INFER_H
#define ENGINE_INFER_H

#include "engine/graph_internal.h"

/* When a node is run. */
enum infer_phase {
	PHASE_FOLDED, /* when the plan is made: its outputs are known */
	PHASE_EARLY,  /* once a call: from parameters (or, in a graph run whole, inputs) without samples */
	PHASE_ROWS,   /* for the samples */
};

struct infer_node {
	enum infer_phase phase;
	bool runs; /* live, not folded, no view */
	bool selects;
	unsigned passes; /* see op_build */
	void *config;
	size_t scratch, reduce_scratch, prepared; /* floats */
	uint64_t flops;
	struct op_value **inputs, **outputs; /* [input_count], [output_count]; NULL */
};

struct inference {
	const struct graph *graph;
	struct arena arena;
	size_t samples;
	bool training;
	struct op_value *values; /* [value_count] */
	size_t *roots;           /* [value_count]: the value whose memory this is: itself unless a view made it */
	struct infer_node *nodes;
};

struct infer_options {
	size_t samples; /* 0: the graph is whole */
	bool training;
	size_t limit; /* elements of one value, at most; 0: SHAPE_MAX_COUNT */
	const size_t
	    *taps; /* fp32 values with samples that get a gradient, whether or not a parameter is behind them */
	size_t tap_count;
};

/* Errors name the node. EXP_ESHAPE, EXP_EUNSUPPORTED, EXP_ELIMIT, EXP_EMEMORY. */
EXP_NODISCARD int infer_run(const struct graph *g, const struct infer_options *options, struct inference *out,
			    struct exp_error *err);
/* Input i of op is never differentiated. */
bool infer_is_index(const struct op *op, size_t i);

void infer_fini(struct inference *inf);

#endif

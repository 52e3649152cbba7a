/*
 * plan.h: how a graph runs on a number of samples: shapes, the order of nodes, and where everything lies in one block
 * of memory: activations, gradients, tangents, scratch.
 *
 * All offsets are in floats from the block's start, multiples of 16. A value's memory is its root's (views share);
 * memory of values that are not needed at the same time is shared.
 *
 * Gradients of unbatched values come in three kinds (enum plan_share). A weight that one operator uses is reduced where
 * its caller wants it. One that is only rearranged on the way (Transpose, Slice: each element at most once) is reduced
 * in its rearranged form, and the result is put back in order. Anything else, a weight used twice or by way of
 * arithmetic, has a gradient that is a sum over places: it is laid out for a window of samples at a time, completed,
 * and only then squared.
 *
 * The plan is constant after plan_init. Ownership: plan_fini. Threads: any number of readers.
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/infer.h"

enum plan_kind { PLAN_FORWARD, PLAN_BACKWARD, PLAN_TANGENT };

enum plan_share { SHARE_NONE, SHARE_DIRECT, SHARE_CARRIED, SHARE_SUMMED };

/* One input of one node in the backward pass. */
struct plan_edge {
	bool wanted;  /* a gradient is to be given */
	bool passed;  /* it is the output's own, in the same memory */
	size_t spare; /* where it is written when the value already has one, to be added */
};

struct plan_options {
	size_t samples; /* 0: the graph is run whole */
	enum plan_kind kind;
	bool training;
	const size_t *taps; /* values that stay readable and may start or end gradients */
	size_t tap_count;
};

struct plan {
	struct inference inf;
	enum plan_kind kind;
	size_t *data;     /* [value_count] of roots that are computed; GRAPH_NONE */
	size_t *grads;    /* [value_count] of batched roots with a gradient; GRAPH_NONE */
	size_t *tangents; /* [value_count] of computed roots */
	size_t *inputs;   /* [input_count]: converted or gathered input data; GRAPH_NONE: the caller's rows serve */
	size_t *rows;     /* [value_count]: [window, count] of CARRIED and SUMMED values and what leads to them */
	enum plan_share *shares; /* [value_count] of unbatched trainable roots */
	size_t rows_first, rows_floats, window;
	bool any_carried, any_summed;
	struct plan_edge *edges; /* of all nodes, one after the other */
	size_t *first_edge;      /* [node_count] */
	size_t *order;           /* nodes for the samples, in running order */
	size_t order_count;
	size_t *early; /* nodes of PHASE_EARLY that run */
	size_t early_count;
	size_t scratch, reduce_scratch, spare;
	size_t zeros;       /* TANGENT: as many zeros as any input has elements */
	size_t max_edges;   /* inputs or outputs of one node */
	size_t floats;      /* of the block */
	size_t work_floats; /* of activations, for the report */
};

/* EXP_EMEMORY, EXP_ELIMIT (more than 8 GiB), EXP_ESHAPE, EXP_EUNSUPPORTED. */
EXP_NODISCARD int plan_init(struct plan *p, const struct graph *g, const struct plan_options *options,
			    struct exp_error *err);
void plan_fini(struct plan *p);

/* Floats that a value's elements take. */
size_t plan_floats(const struct op_value *v);

#endif

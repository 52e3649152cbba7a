/*
 * plan.h: where everything lies when a graph runs on a batch: one arena for activations, gradients and scratch.
 *
 * All offsets are in floats from the arena's start, multiples of 16. A value's memory is its root's (views share). The
 * plan is constant after plan_init.
 * Ownership: plan_fini. Threads: any number of readers.
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/graph_internal.h"

/* What the backward pass does with one input of one node. */
struct plan_edge {
	/* Where the operator writes the gradient of a batched input, or of any input of an unbatched operator. */
	size_t grad;
	bool wanted; /* the input depends on a parameter */
	bool added;  /* grad is a spare place, to be added to the value's own gradient afterwards */
};

struct plan {
	size_t batch;
	size_t *data, *grads;    /* [value_count]; GRAPH_NONE */
	struct plan_edge *edges; /* of all nodes, one after the other */
	size_t *first_edge;      /* [node_count] */
	size_t *order;           /* nodes of PHASE_ROWS in running order, views left out */
	size_t order_count;
	size_t *early; /* nodes of PHASE_CONSTANT and PHASE_PARAMETERS, views left out */
	size_t early_count;
	bool *shared; /* [parameter_count]: used more than once, or by way of an unbatched operator */
	bool any_shared;
	size_t sums, sum_floats; /* gradients of unbatched values: zeroed together */
	size_t scratch, tile, tile_floats;
	size_t max_inputs; /* of one node */
	size_t floats;     /* of the arena */
};

/* EXP_EMEMORY, EXP_ELIMIT (more than 8 GiB). */
EXP_NODISCARD int plan_init(struct plan *p, const struct graph *g, size_t batch, struct exp_error *err);
void plan_fini(struct plan *p);

#endif

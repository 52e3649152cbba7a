/*
 * runner_internal.h: one node's call, for the files that run plans in their three directions.
 */
#ifndef ENGINE_RUNNER_INTERNAL_H
#define ENGINE_RUNNER_INTERNAL_H

#include "engine/runner.h"

struct runner_step {
	struct op_run run;
};

/* Data of all inputs and outputs, nothing else; in the runner's memory until the next call. */
void runner_bind(struct runner *r, size_t node, struct runner_step *s);

void runner_take_inputs(struct runner *r);
void runner_forward_node(struct runner *r, size_t node);

#endif

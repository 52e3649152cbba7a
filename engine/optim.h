/*
 * optim.h: one step of an optimiser over a flat block of parameters, as torch.optim takes it.
 *
 * With g the clipped mean gradient, w the weight decay (0 for groups that have none):
 *   sgd    d = g + w p; v = momentum v + d; p -= rate v, with nesterov p -= rate (d + momentum v)
 *   adam   d = g + w p; moments m, s of d with bias correction; p -= rate m / (sqrt(s) + epsilon)
 *          (Kingma and Ba, ICLR 2015)
 *   adamw  as adam with d = g, after p *= 1 - rate w (Loshchilov and Hutter, ICLR 2019)
 * Element-wise sums, products, quotients and roots are rounded alike at any vector width and none are fused: the same
 * bits on every machine but for what the C library's pow and cos give.
 *
 * Ownership: optim_fini frees the state. Threads: a struct optim belongs to one thread.
 */
#ifndef ENGINE_OPTIM_H
#define ENGINE_OPTIM_H

#include <stddef.h>

#include "engine/graph.h"
#include "engine/recipe.h"
#include "engine/schedule.h"

/* A run of the block that is treated alike. */
struct optim_group {
	size_t offset, count; /* floats */
	bool decayed;
};

struct optim {
	const struct recipe *recipe; /* borrowed */
	size_t count;                /* trainable floats: the front of a block of parameters */
	struct optim_group *groups;
	size_t group_count;
	uint64_t steps;        /* taken so far */
	float *first, *second; /* [count] or NULL; sgd: velocity when there is momentum, NULL; adam: the two moments */
};

/* A fresh state for g's trainable parameters, grouped by the recipe's decay. EXP_EMEMORY. */
EXP_NODISCARD int optim_init(struct optim *o, const struct recipe *recipe, const struct graph *g);

/* Moves values [count] by gradients [count], the sum over the batch, of which share (1 / samples) is the mean. The mean
 * is clipped as the recipe says: gradients may be changed. at: rate and momentum (beta1 of adam) of this step. */
void optim_step(struct optim *o, const struct schedule_point *at, float *values, float *gradients, float share);

void optim_fini(struct optim *o);

#endif

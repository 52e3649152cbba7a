/*
 * optim.h: one step of an optimiser over a flat block of parameters.
 *
 * SGD with momentum: v = momentum v + (g + weight_decay p); p -= learning_rate v, as torch.optim.SGD without dampening.
 * AdamW: decoupled weight decay (Loshchilov and Hutter, ICLR 2019), bias-corrected moments, as torch.optim.AdamW.
 * Weight decay covers every parameter, biases too, as PyTorch does when it is handed model.parameters().
 *
 * Ownership: optim_fini frees the state. Threads: a struct optim belongs to one thread.
 */
#ifndef ENGINE_OPTIM_H
#define ENGINE_OPTIM_H

#include <stddef.h>

#include "engine/recipe.h"

struct optim {
	const struct recipe *recipe; /* borrowed */
	size_t count;
	uint64_t steps;        /* taken so far */
	float *first, *second; /* [count]; SGD: velocity and NULL; AdamW: the two moments */
};

/* A fresh state for count parameters. EXP_EMEMORY. */
EXP_NODISCARD int optim_init(struct optim *o, const struct recipe *recipe, size_t count);

/* Moves values [count] along gradients [count], the mean over the batch. */
void optim_step(struct optim *o, float *values, const float *gradients);

void optim_fini(struct optim *o);

#endif

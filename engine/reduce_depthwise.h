/*
 * reduce_depthwise.h: weight gradients of convolutions with one channel a group. For engine/reduce_conv.c.
 *
 * Ownership and threads as in engine/reduce.h.
 */
#ifndef ENGINE_REDUCE_DEPTHWISE_H
#define ENGINE_REDUCE_DEPTHWISE_H

#include "engine/reduce.h"

bool reduce_is_depthwise(const struct reduce_conv *c);

/* Floats of scratch: a channel's planes and a sample's gradient. */
size_t reduce_scratch_depthwise(const struct reduce_conv *c);

/* All samples of c into r, which begins with the first of them; any kind but REDUCE_MOMENTS. */
void reduce_add_depthwise(const struct reduce *r, const struct reduce_conv *c);

#endif

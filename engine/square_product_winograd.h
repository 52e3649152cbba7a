/*
 * square_product_winograd.h: weight gradients of convolutions in fewer multiplications. For
 * engine/square_product_conv.c.
 *
 * Ownership and threads as in engine/square_product.h.
 */
#ifndef ENGINE_SQUARE_PRODUCT_WINOGRAD_H
#define ENGINE_SQUARE_PRODUCT_WINOGRAD_H

#include "engine/square_product_internal.h"

/* It is a 3 by 3 convolution that steps by one, with so many channels and outputs that this is the faster way. */
bool winograd_serves(const struct reduce_conv *c);

/* Floats of scratch, and all samples of c into r: as square_product_conv_scratch and square_product_add_conv. */
size_t winograd_scratch(const struct reduce_conv *c);
void winograd_add(const struct reduce *r, const struct reduce_conv *c);

#endif

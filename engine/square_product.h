/*
 * square_product.h: per-sample weight gradients that never reach memory.
 *
 * A sample's gradient of a weight is a product over the positions t where the weight acted:
 *
 *   g[n][r][c] = sum_t left[n][t][r] * right[n][t][c]
 *
 * and a convolution's gradient is one such product for each tap of its kernel, with right[n][t] the pixel that the tap
 * read at output t. Both operands are packed into panels of a few channels. A tile of the gradient is then formed in
 * registers over all of t, and squared and added to a tile of the sum that stays in cache for all samples (or added,
 * multiplied with directions, written out: the reduction's kind says). A gradient costs its multiplications and no
 * memory; convolutions need no im2col, and skip what lies in the padding. Those of 3 by 3 taps that step by one take
 * Winograd's minimal filtering where it is faster: rounding is then some 1e-6 of the largest entry instead of 4e-7.
 *
 * This is the general case of engine/reduce.h, which knows when something cheaper serves and is whom operators call.
 *
 * Numbers: additions happen in an order that follows from the shapes, the samples in the call and the machine's vector
 * level alone. Ownership: the caller's, all of it; r->scratch holds the floats that the scratch functions name, 64-byte
 * aligned. Threads: any, with different r.
 */
#ifndef ENGINE_SQUARE_PRODUCT_H
#define ENGINE_SQUARE_PRODUCT_H

#include "engine/reduce.h"

/* Floats of scratch; the data pointers need not be set. Grows with f->samples up to a fixed share of the cache. */
size_t square_product_scratch(const struct reduce_factors *f);
size_t square_product_conv_scratch(const struct reduce_conv *c);

/*
 * Folds all samples of f or c into r->out or r->dots, which begin with the first of them: r->first and r->samples are
 * not looked at. Any kind but REDUCE_MOMENTS. Directions and weights are laid out as reduce.h says.
 */
void square_product_add(const struct reduce *r, const struct reduce_factors *f);
void square_product_add_conv(const struct reduce *r, const struct reduce_conv *c);

#endif

/*
 * kernels_ref.h: what the fast paths mean, as plain loops. Tests hold blas.c, window.c and reduce.c to these; nothing
 * else calls them.
 */
#ifndef ENGINE_KERNELS_REF_H
#define ENGINE_KERNELS_REF_H

#include "engine/blas.h"
#include "engine/window.h"

void kernels_ref_multiply(const struct blas_product *p);

/* A convolution of one sample: image [channels, in], weight [filters, channels, kernel], y [filters, out]. */
struct kernels_ref_conv {
	const struct window *w;
	size_t channels, filters;
};

void kernels_ref_conv(const struct kernels_ref_conv *c, const float *image, const float *weight, float *y);
void kernels_ref_conv_input_gradient(const struct kernels_ref_conv *c, const float *weight, const float *dy, float *dx);
void kernels_ref_conv_weight_gradient(const struct kernels_ref_conv *c, const float *image, const float *dy, float *dw);

#endif

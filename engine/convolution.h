/*
 * convolution.h: one convolution over a batch, forward and backward, by the fastest path that the shape has.
 *
 * Y [B, M, positions] of X [B, C, pixels] and W [M, C/G, taps]; window.h says which pixel each tap meets at each
 * position. Conv and ConvTranspose are the same convolution read in the two directions. Paths, chosen when the plan is
 * made by rules that look at shapes and the processor only:
 *
 *   Winograd (winograd.h)     3 x 3 that step by one, with enough outputs
 *   narrow_product.h          an image or two with few outputs, forward: the weights are read where they lie
 *   oneDNN (dnnl_conv.h)      where it has code of its own for the shape
 *   taps one by one           depthwise convolutions
 *   columns and a product     all else; a window of one tap that steps by one needs no columns, they are the image
 *
 * Ownership: convolution_init, convolution_fini; the window's ranges are the arena's. Threads: any number, with
 * different buffers.
 */
#ifndef ENGINE_CONVOLUTION_H
#define ENGINE_CONVOLUTION_H

#include "engine/dnnl_conv.h"
#include "engine/window.h"
#include "engine/winograd.h"

struct convolution {
	/* The caller's: */
	struct window w;
	size_t images, channels, filters, groups; /* B, C, M, G */
	bool has_bias;                            /* of convolution_forward */

	size_t depth, group_filters; /* C/G * taps, M/G */
	struct convolution_path {
		struct winograd *winograd; /* one of these, or none; owned */
		struct dnnl_conv *dnnl;
		bool narrow;
	} forward, backward;
	bool direct, depthwise;
	size_t scratch; /* floats that each function below needs */
};

/* EXP_ELIMIT, EXP_EMEMORY. */
EXP_NODISCARD int convolution_init(struct convolution *c, struct exp_error *err);
void convolution_fini(struct convolution *c);

/* out = image * weight + bias [M]; bias may be NULL. */
struct convolution_operands {
	const float *weight, *bias;
	float *scratch; /* 64-byte aligned */
};
void convolution_forward(const struct convolution *c, const struct convolution_operands *with, const float *image,
			 float *out);

/* The transpose of the above without its bias: gradients of out to gradients of image. */
void convolution_backward(const struct convolution *c, const struct convolution_operands *with, const float *out,
			  float *image);

/* ---- gradients of the weight and the bias ---- */

/* B images are [before, samples, after], before or after being 1; { 1, 1, B } where nothing depends on the sample. */
struct convolution_samples {
	size_t before, samples, after;
};

/* Floats of r->scratch. */
size_t convolution_reduce_scratch(const struct convolution *c, const struct convolution_samples *s);

/* Floats of scratch of our own. EXP_ELIMIT. */
EXP_NODISCARD int convolution_own_scratch(const struct convolution *c, const struct convolution_samples *s, size_t *out,
					  struct exp_error *err);

/* What made the weight's gradient. */
struct convolution_factors {
	const struct convolution_samples *samples;
	const float *image, *out; /* out: gradients of it, or for ConvTranspose the other way round */
	float *scratch;
};
void convolution_reduce_weight(const struct convolution *c, const struct convolution_factors *f, struct reduce *r);

/* planes [B, channels, size]: each sample's sums over its images and positions. scratch: samples * channels floats. */
struct convolution_planes {
	const struct convolution_samples *samples;
	const float *data;
	size_t channels, size;
	float *scratch;
};
void convolution_reduce_bias(const struct convolution_planes *p, struct reduce *r);

#endif

/*
 * winograd.h: 3 x 3 convolutions that step by one, by Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", CVPR 2016).
 *
 * The output is cut into tiles of 4 x 4. A tile's patch of 6 x 6 inputs, each channel's 3 x 3 weights and the output
 * are brought into a basis of 36 numbers in which the convolution is 36 products of matrices [filters, channels] by
 * [channels, tiles]: a quarter of the multiplications. The basis are values of polynomials at 0, +-5/8, +-3/2 and
 * infinity; about 1e-6 of a typical output is lost to rounding with hundreds of channels.
 *
 * Images are plain [N, channels, height, width] and are read and written in place; tiles are taken a few at a time, so
 * that what lies between stays in the cache. Needs AVX-512 or AVX2.
 *
 * Ownership: every buffer is the caller's, 64-byte aligned where said. Threads: any. Results depend on the operands,
 * the shape and the machine's vector level.
 */
#ifndef ENGINE_WINOGRAD_H
#define ENGINE_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

/* Along a dimension out = in + pad - 2 + what is padded behind; either padding is 0, 1 or 2. */
struct winograd {
	/* The caller's: */
	size_t images, channels, filters, in[2], out[2], pad[2]; /* pad: before */

	size_t tiles[2];          /* of an image along each dimension */
	size_t chunk;             /* rows of tiles that are taken together, over all images */
	size_t panels;            /* of filters */
	size_t width;             /* floats from one row of a plane to the next */
	size_t plane, lanes;      /* floats of a chunk's padded inputs; tiles of a chunk, whole vectors */
	size_t in_step, out_step; /* floats from one number of the basis to the next, of inputs and outputs */
	size_t weight_step;       /* the same of weights */
	bool once;                /* weights are brought into the basis where they are used, a part at a time */
	size_t scratch;           /* floats */
	const struct winograd_kernels *kernels;
};

/* False where the machine has no vectors for it. */
bool winograd_init(struct winograd *w);

struct winograd_buffers {
	const float *from;   /* [images, channels, in, in] */
	const float *weight; /* [filters, channels, 3, 3]; when transposed that of the convolution [channels, filters,
				3, 3] whose transpose w is */
	bool transposed;
	const float *bias; /* [filters], or NULL */
	float *to;         /* [images, filters, out, out] */
	float *scratch;    /* aligned */
};
void winograd_run(const struct winograd *w, const struct winograd_buffers *b);

#endif

/*
 * window.h: a window that slides over one or two spatial dimensions: what convolutions and pools have in common.
 *
 * A series [N, C, L] is an image of height 1. Along a dimension, output o reads inputs o * stride - pad + k * dilation
 * for k < kernel; positions outside [0, in) are padding.
 */
#ifndef ENGINE_WINDOW_H
#define ENGINE_WINDOW_H

#include "engine/op.h"

enum { WINDOW_DIMS = 2 };

/* Outputs first … end-1 at which a tap reads inside the input. */
struct window_range {
	size_t first, end;
};

struct window {
	size_t in[WINDOW_DIMS], kernel[WINDOW_DIMS], stride[WINDOW_DIMS], dilation[WINDOW_DIMS], out[WINDOW_DIMS];
	size_t pad[WINDOW_DIMS], pad_end[WINDOW_DIMS];
	size_t pixels, taps, positions;           /* products of in, kernel, out */
	struct window_range *ranges[WINDOW_DIMS]; /* [kernel], of each tap along a dimension; in the graph's arena */
};

/* Fills ranges. EXP_EMEMORY. window_infer does so itself. */
EXP_NODISCARD int window_prepare(struct window *w, struct arena *arena, struct exp_error *err);

/* The input that tap k reads at output o along dimension d; o lies in the tap's range. */
static inline size_t window_reads(const struct window *w, size_t d, size_t k, size_t o)
{
	return o * w->stride[d] + k * w->dilation[d] - w->pad[d];
}

/*
 * From input 0 [N, C, …] and the attributes kernel_shape, strides, pads, dilations, auto_pad, ceil_mode. kernel: the
 * weight's spatial dimensions, or NULL where kernel_shape alone says. A last window that would start in the padding at
 * the end is left out, as PyTorch does. EXP_ESHAPE, EXP_EUNSUPPORTED, EXP_EPARSE.
 */
EXP_NODISCARD int window_infer(const struct op_build *b, const size_t *kernel, struct window *w, struct exp_error *err);

/* Sets the output's shape to [N, channels, out …]. */
void window_output(const struct op_build *b, const struct window *w, size_t channels);

/* columns [channels * taps, positions] of image [channels, pixels]: what each tap sees at each position, padding 0. */
void window_gather(const struct window *w, const float *image, size_t channels, float *columns);

/* Its transpose: image [channels, pixels] = for each pixel the sum of the columns' entries that read it. */
void window_scatter(const struct window *w, const float *columns, size_t channels, float *image);

#endif

/*
 * window.h: a window that slides over one to three spatial dimensions: what convolutions and pools have in common.
 *
 * A series [N, C, L] is a volume of depth and height 1, an image one of depth 1. Along a dimension, output o reads
 * inputs o * stride - pad + k * dilation for k < kernel; positions outside [0, in) are padding.
 */
#ifndef ENGINE_WINDOW_H
#define ENGINE_WINDOW_H

#include "engine/op.h"

enum { WINDOW_DIMS = 3 };

/* Outputs first … end-1 at which a tap reads inside the input. */
struct window_range {
	size_t first, end;
};

struct window {
	size_t in[WINDOW_DIMS], kernel[WINDOW_DIMS], stride[WINDOW_DIMS], dilation[WINDOW_DIMS], out[WINDOW_DIMS];
	size_t pad[WINDOW_DIMS], pad_end[WINDOW_DIMS];
	size_t pixels, taps, positions;           /* products of in, kernel, out */
	struct window_range *ranges[WINDOW_DIMS]; /* [kernel], of each tap along a dimension; in the arena */
};

/* Fills pixels, taps, positions and ranges from the rest. EXP_EMEMORY, EXP_ELIMIT. The two below do so themselves. */
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

/* The same for a transposed convolution: w->out is input 0, w->in the output that follows from the attributes and
 * output_padding or output_shape. */
EXP_NODISCARD int window_infer_transposed(const struct op_build *b, const size_t *kernel, struct window *w,
					  struct exp_error *err);

/* Sets output i's shape to [input 0's dims[0], channels, sizes …], sizes being w's in or out. */
void window_output(const struct op_build *b, size_t i, size_t channels, const size_t sizes[WINDOW_DIMS]);

/* One tap: the box of outputs at which it reads inside the input, and what it reads there, counted in elements. Zeros
 * when it meets padding only. */
struct window_tap {
	size_t planes, rows, count;       /* of the box, outermost dimension first */
	size_t in, out;                   /* the first element that is read; the first output */
	size_t in_plane, in_row, in_step; /* from one to the next, along each dimension of the box */
	size_t out_plane, out_row;
};

/* Tap i < taps, in row-major order. */
struct window_tap window_tap(const struct window *w, size_t i);

/* columns [channels * taps, positions] of image [channels, pixels]: what each tap sees at each position, padding 0. */
void window_gather(const struct window *w, const float *image, size_t channels, float *columns);

/* Its transpose: image [channels, pixels] = for each pixel the sum of the columns' entries that read it. */
void window_scatter(const struct window *w, const float *columns, size_t channels, float *image);

#endif

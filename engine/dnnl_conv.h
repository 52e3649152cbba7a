/*
 * dnnl_conv.h: direct two-dimensional convolutions by oneDNN. The only user of oneDNN.
 *
 * A dnnl_conv is one convolution of one shape in one direction: the code that oneDNN generates for it and the layouts
 * that this code wants. At this interface images are plain [N, channels, height, width]; oneDNN gets them a few samples
 * at a time, so that what is brought into another layout is still in the cache when it is used. Weights are prepared
 * once for as long as they stay the same.
 *
 * Ownership: dnnl_conv_new, dnnl_conv_free; every buffer is the caller's. Once each thread has run it, nothing of ours
 * is allocated. Threads: any number may use one dnnl_conv at a time with different buffers; each call runs on its
 * caller alone, whatever OMP_NUM_THREADS says. Results depend on the operands, the shape, oneDNN's version and the
 * processor's vector level (dnnl_conv_config), never on time or threads.
 */
#ifndef ENGINE_DNNL_CONV_H
#define ENGINE_DNNL_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum dnnl_conv_direction {
	DNNL_CONV_FORWARD,        /* image, weight, bias to output */
	DNNL_CONV_INPUT_GRADIENT, /* output's gradient, weight to image's gradient */
};

/* Output o along a dimension reads inputs o * stride - pad + k * dilation for k < kernel. A series has height 1. */
struct dnnl_conv_shape {
	size_t samples, channels, filters, groups;
	size_t in[2], out[2], kernel[2], stride[2], dilation[2], pad[2]; /* pad: before; what follows is implied */
	bool bias;                                                       /* FORWARD: add one */
};

struct dnnl_conv;

/* EXP_EUNSUPPORTED: oneDNN has nothing better than a plain loop, or is not built in. EXP_EMEMORY. */
EXP_NODISCARD int dnnl_conv_new(const struct dnnl_conv_shape *s, enum dnnl_conv_direction direction,
				struct dnnl_conv **out, struct exp_error *err);
void dnnl_conv_free(struct dnnl_conv *c); /* NULL is fine */

size_t dnnl_conv_prepared(const struct dnnl_conv *c); /* floats of prepared weights */
size_t dnnl_conv_scratch(const struct dnnl_conv *c);  /* floats that dnnl_conv_run needs */

/* prepared: weight [filters, channels / groups, kernel, kernel] as the generated code wants it. Buffers are 64-byte
 * aligned. */
void dnnl_conv_prepare(struct dnnl_conv *c, const float *weight, float *prepared);

/* to [samples, filters, out, out] from [samples, channels, in, in], or for INPUT_GRADIENT the other way round. bias
 * [filters] when the shape has one, else NULL. from and to need no alignment; scratch does. */
struct dnnl_conv_buffers {
	const float *from, *prepared, *bias;
	float *to, *scratch;
};
void dnnl_conv_run(struct dnnl_conv *c, const struct dnnl_conv_buffers *b);

/* What oneDNN calls the code, for example "jit:avx512_core"; and how many samples it gets at a time. */
const char *dnnl_conv_kind(const struct dnnl_conv *c);
size_t dnnl_conv_chunk(const struct dnnl_conv *c);

/* Appends for example "oneDNN 2.6.3 avx512_core", or "no oneDNN". */
void dnnl_conv_config(struct buf *out);

#endif

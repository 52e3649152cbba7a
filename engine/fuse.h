/*
 * fuse.h: chains of nodes that exporters write for one function become one node of a graph.
 *
 *   Gelu                 0.5 x (1 + erf(x / sqrt 2))
 *   Gelu by tanh         0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
 *   LayerNormalization   scale (x - mean) / sqrt(variance + epsilon) + shift over the last dimensions, without shift or
 *                        without both. Opsets below 17 have no operator for it
 *
 * Factors and terms may stand in any order, and constants in any place that makes the same function; they may differ by
 * a millionth, relatively. Constants are contents that are known for any batch size: parameters are none. Scale and
 * shift stay the values that they are.
 *
 * Only what nobody else sees is taken: a chain is left as it is when anything outside it uses one of its inner values,
 * or the graph puts one out. The name of the chain's result stays; its inner values are no longer computed and cannot
 * be tapped (engine/session.h). The file is not touched, so graph_save writes the chain as it was.
 * Threads: one, while the graph is built.
 */
#ifndef ENGINE_FUSE_H
#define ENGINE_FUSE_H

#include "engine/graph_internal.h"

/* After parameters and rows of g are known; samples to try shapes with. Errors are those of infer_run. */
EXP_NODISCARD int fuse_chains(struct graph *g, size_t samples, struct exp_error *err);

/* Made by fusing only; no file can name them. */
extern const struct op op_gelu, op_gelu_tanh;

#endif

/*
 * model_text.h: small ONNX files from a few lines of text, so that a test shows the model that it means.
 *
 *   opset 13                              default 13
 *   input x 2 8 8                         fp32 [N, 2, 8, 8]; "input x =1 2 8 8" fixes the batch
 *   input x 2 height ?                    open dimensions, with and without a symbol; "input x *": no shape at all
 *   param w 4 2 3 3                       fp32 initializer of seeded numbers in ±1; "positive v 4" in 0.5 … 1.5
 *   packed w 4 2, loose w 4 2             the same, stored as packed or unpacked float_data instead of raw_data
 *   ids x 7 5                             int64 [N, 5] of numbers below 7; with several inputs a row is all of them
 *   number c 0.5                          fp32 scalar initializer; "numbers s 1.0 0.5" a vector
 *   ints s -1 12                          int64 vector; "int i 0" a scalar; "bools m 1 0" a boolean vector
 *   constant w 4 2                        seeded numbers as a Constant node
 *   Conv x,w,b -> y pads=[1,1,1,1] group=2 epsilon=0.1 auto_pad=SAME_UPPER scales=[1.0,2.0] value={0.5}
 *   Split x -> a,b axis=1
 *   output y
 *
 * Nodes are named after their first output; an empty input or output is "_". Attributes are integers, numbers with a
 * point, lists of either, lists of words ("names=[a,b]"), one-element tensors in braces and words. The output is that
 * of the last node unless a line says otherwise.
 */
#ifndef TESTS_ENGINE_MODEL_TEXT_H
#define TESTS_ENGINE_MODEL_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "engine/graph.h"

#include <stddef.h>

/* Inputs for a model without open dimensions: rows of seeded normal numbers, ids below their bound. out [rows, row
 * floats]. */
void model_text_rows(const char *text, size_t rows, float *out);

/* Appends the file. Fails the test on a line that it does not understand. */
void model_text_write(const char *text, struct buf *out);

/* As above, loaded; fails the test when that fails. */
struct graph *model_text_load(const char *text);

/* Loads and expects failure with code; the message must contain each of the NULL-terminated words. */
void model_text_refused(const char *text, int code, const char *const *words);

/* Protobuf pieces, for tests that write broken files themselves. */
void wire_key(struct buf *b, unsigned field, unsigned type);
void wire_varint(struct buf *b, uint64_t value);
void wire_bytes(struct buf *b, unsigned field, const void *bytes, size_t size);

#endif

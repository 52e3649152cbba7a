/*
 * wire.h: what can be said of an ONNX file before anything parses it.
 *
 * protobuf-c recurses without a bound and allocates many times the bytes it reads, so a hostile file of a few kilobytes
 * can exhaust stack or memory. The scan walks the wire format (protobuf encoding, field numbers of onnx.proto) with a
 * bound on depth and on the memory that parsing will take, and refuses what would make offsets ambiguous (a graph or a
 * tensor's data given twice). It records where the fp32 data of each initializer and each Constant node lie, so that
 * weights are read and patched in place.
 * Ownership: wire_fini. Threads: any.
 */
#ifndef ENGINE_WIRE_H
#define ENGINE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	WIRE_MAX_DEPTH = 24,   /* nested messages; a plain model needs 7 */
	WIRE_INITIALIZER = -1, /* in place of a node */
};

/* A run of little-endian floats in the file. */
struct wire_span {
	size_t offset; /* bytes from the start of the file */
	size_t floats;
};

/* A tensor: initializer number index of the graph, or attribute number index of node number node. */
struct wire_tensor {
	int64_t node; /* WIRE_INITIALIZER or the node's number */
	size_t index;
	size_t first_span, spans; /* in wire.spans, in file order */
	size_t raw_bytes;         /* of raw_data, which the spans cover when float_data is absent */
	bool has_raw, has_floats;
};

struct wire {
	struct wire_tensor *tensors;
	size_t tensor_count, tensor_room;
	struct wire_span *spans;
	size_t span_count, span_room;
};

/* EXP_EPARSE with the byte offset of the fault, EXP_ELIMIT (parsing would take too much memory), EXP_EMEMORY. */
EXP_NODISCARD int wire_scan(const uint8_t *bytes, size_t size, struct wire *out, struct exp_error *err);

/* The same for a file that is one tensor (TensorProto); nothing is recorded. */
EXP_NODISCARD int wire_scan_tensor(const uint8_t *bytes, size_t size, struct exp_error *err);

/* NULL when the file has no such tensor. */
const struct wire_tensor *wire_find(const struct wire *w, int64_t node, size_t index);

void wire_fini(struct wire *w);

#endif

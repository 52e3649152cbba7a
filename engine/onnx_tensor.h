/*
 * onnx_tensor.h: a tensor that stands in a file of its own (a serialized TensorProto, *.pb, as ONNX's test data are),
 * read and compared.
 *
 * Every way to store one is read: raw or typed data, packed or not, scalars and empty tensors, all integer types,
 * boolean, fp32 and double (held as fp32). Others (float16, strings …) are EXP_EUNSUPPORTED, and the message names the
 * type. The bytes are hostile: they are scanned before protobuf-c sees them, and nothing is allocated that the data
 * themselves do not fill.
 * Ownership: the data are the arena's. Threads: any, one to an arena.
 */
#ifndef ENGINE_ONNX_TENSOR_H
#define ENGINE_ONNX_TENSOR_H

#include "engine/arena.h"
#include "engine/tensor.h"

/* EXP_EPARSE, EXP_EUNSUPPORTED, EXP_ESHAPE (dimensions and data differ), EXP_ERANGE (an unsigned number of 2^63 or
 * more), EXP_ELIMIT, EXP_EMEMORY. */
EXP_NODISCARD int onnx_tensor_parse(const void *bytes, size_t size, struct arena *arena, struct tensor *out,
				    struct exp_error *err);

/* The same from a message that protobuf-c has read. */
struct Onnx__TensorProto;
EXP_NODISCARD int onnx_tensor_convert(const struct Onnx__TensorProto *t, struct arena *arena, struct tensor *out,
				      struct exp_error *err);

/* The same from a file of at most limit bytes; messages name it. */
EXP_NODISCARD int onnx_tensor_read(const char *path, size_t limit, struct arena *arena, struct tensor *out,
				   struct exp_error *err);

/* What two tensors of one type and shape differ by. */
struct onnx_deviation {
	size_t outside;         /* elements outside the tolerance */
	size_t at;              /* row-major index of the element that is worst against its tolerance */
	double expected, found; /* that element */
};

/* fp32 elements agree when |found - expected| <= absolute + relative * |expected|; infinities only with themselves,
 * NaN with NaN. Integers and booleans agree when they are equal. All zeros for tensors without elements. */
void onnx_tensor_compare(const struct tensor *expected, const void *found, double relative, double absolute,
			 struct onnx_deviation *out);

#endif

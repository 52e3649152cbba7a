/*
 * tensor.h: numbers with a shape, as they stand in memory while a graph runs.
 *
 * Three types in memory serve all of ONNX's that are supported: every integer type is held as int64_t, double as fp32.
 * What the file called the type is kept beside it. Elements are row-major and densely packed.
 */
#ifndef ENGINE_TENSOR_H
#define ENGINE_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "engine/shape.h"

enum tensor_type {
	TENSOR_F32,  /* float */
	TENSOR_I64,  /* int64_t */
	TENSOR_BOOL, /* uint8_t, 0 or 1 */
};

struct tensor {
	enum tensor_type type;
	int onnx_type; /* TensorProto.DataType of the file */
	struct shape shape;
	void *data; /* [count] of the type; NULL when count is 0 */
};

/* Bytes of one element. */
size_t tensor_size(enum tensor_type type);

/* "fp32", "integer", "boolean". */
const char *tensor_type_name(enum tensor_type type);

/* TensorProto.DataType to the type in memory; false: not supported (float16, string, complex …). */
EXP_NODISCARD bool tensor_type_of(int onnx_type, enum tensor_type *type);

/* The usual TensorProto.DataType of a type in memory. */
int tensor_onnx_type(enum tensor_type type);

#endif

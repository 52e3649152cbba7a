#include "engine/tensor.h"

/* TensorProto.DataType (onnx.proto). */
enum { FLOAT = 1, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE, UINT32, UINT64 };

size_t tensor_size(enum tensor_type type)
{
	static const size_t sizes[] = {
		[TENSOR_F32] = sizeof(float), [TENSOR_I64] = sizeof(int64_t), [TENSOR_BOOL] = sizeof(uint8_t)
	};

	return sizes[type];
}

const char *tensor_type_name(enum tensor_type type)
{
	static const char *const names[] = {
		[TENSOR_F32] = "fp32", [TENSOR_I64] = "integer", [TENSOR_BOOL] = "boolean"
	};

	return names[type];
}

bool tensor_type_of(int onnx_type, enum tensor_type *type)
{
	switch (onnx_type) {
	case FLOAT:
	case DOUBLE:
		*type = TENSOR_F32;
		return true;
	case BOOL:
		*type = TENSOR_BOOL;
		return true;
	case UINT8:
	case INT8:
	case UINT16:
	case INT16:
	case INT32:
	case INT64:
	case UINT32:
	case UINT64:
		*type = TENSOR_I64;
		return true;
	default:
		return false;
	}
}

int tensor_onnx_type(enum tensor_type type)
{
	return type == TENSOR_F32 ? FLOAT : type == TENSOR_I64 ? INT64 : BOOL;
}

#include "engine/onnx_tensor.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "engine/onnx.pb-c.h"
#include "engine/onnx_text.h"
#include "engine/wire.h"

/* Where the elements of a tensor stand and how wide they are; typed: its field for data that are not raw. */
enum store { STORE_RAW, STORE_FLOAT, STORE_DOUBLE, STORE_INT32, STORE_INT64, STORE_UINT64 };

struct element_type {
	enum store typed;
	size_t raw_size; /* bytes; 0: not supported */
};

static const struct element_type types[] = {
	[ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT] = { STORE_FLOAT, 4 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE] = { STORE_DOUBLE, 8 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__BOOL] = { STORE_INT32, 1 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__INT8] = { STORE_INT32, 1 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__INT16] = { STORE_INT32, 2 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__INT32] = { STORE_INT32, 4 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__INT64] = { STORE_INT64, 8 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__UINT8] = { STORE_INT32, 1 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__UINT16] = { STORE_INT32, 2 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__UINT32] = { STORE_UINT64, 4 },
	[ONNX__TENSOR_PROTO__DATA_TYPE__UINT64] = { STORE_UINT64, 8 },
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

static int read_shape(const Onnx__TensorProto *t, struct shape *shape, size_t *count, struct exp_error *err)
{
	if (t->n_dims > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "the tensor has %zu dimensions; at most %d are supported", t->n_dims,
				 GRAPH_MAX_DIMS);
	shape->rank = t->n_dims;
	for (size_t i = 0; i < t->n_dims; i++) {
		if (t->dims[i] < 0)
			return error_set(err, EXP_ESHAPE, "the tensor has the dimension %" PRId64, t->dims[i]);
		shape->dims[i] = (size_t)t->dims[i];
	}
	if (!shape_try_count(shape, count))
		return error_set(err, EXP_ELIMIT, "the tensor has more than %zu elements", SHAPE_MAX_COUNT);
	return 0;
}

static size_t stored_count(const Onnx__TensorProto *t, enum store store, size_t raw_size)
{
	switch (store) {
	case STORE_FLOAT:
		return t->n_float_data;
	case STORE_DOUBLE:
		return t->n_double_data;
	case STORE_INT32:
		return t->n_int32_data;
	case STORE_INT64:
		return t->n_int64_data;
	case STORE_UINT64:
		return t->n_uint64_data;
	case STORE_RAW:
		break;
	}
	return t->raw_data.len / raw_size;
}

static double real_at(const Onnx__TensorProto *t, enum store store, size_t i)
{
	double wide;
	float narrow;

	if (store == STORE_FLOAT)
		return (double)t->float_data[i];
	if (store == STORE_DOUBLE)
		return t->double_data[i];
	if (t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE) {
		memcpy(&wide, t->raw_data.data + i * sizeof(wide), sizeof(wide));
		return wide;
	}
	memcpy(&narrow, t->raw_data.data + i * sizeof(narrow), sizeof(narrow));
	return (double)narrow;
}

/* Little-endian; widened by its sign where the type has one. */
static uint64_t raw_integer(const uint8_t *bytes, size_t size, bool is_signed)
{
	uint64_t value = 0;

	for (size_t k = 0; k < size; k++)
		value |= (uint64_t)bytes[k] << 8 * k;
	if (is_signed && size < sizeof(value) && value >> (8 * size - 1))
		value |= ~(uint64_t)0 << 8 * size;
	return value;
}

static uint64_t integer_at(const Onnx__TensorProto *t, enum store store, size_t i)
{
	size_t size = types[t->data_type].raw_size;

	switch (store) {
	case STORE_INT32:
		return (uint64_t)(int64_t)t->int32_data[i];
	case STORE_INT64:
		return (uint64_t)t->int64_data[i];
	case STORE_UINT64:
		return t->uint64_data[i];
	case STORE_RAW:
	case STORE_FLOAT:
	case STORE_DOUBLE:
		break;
	}
	return raw_integer(t->raw_data.data + i * size, size,
			   t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8 ||
			       t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT16 ||
			       t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32);
}

static int read_elements(const Onnx__TensorProto *t, enum store store, size_t count, struct tensor *out,
			 struct exp_error *err)
{
	bool is_unsigned = t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT64;

	for (size_t i = 0; i < count; i++) {
		uint64_t integer;

		if (out->type == TENSOR_F32) {
			((float *)out->data)[i] = (float)real_at(t, store, i);
			continue;
		}
		integer = integer_at(t, store, i);
		if (is_unsigned && integer > INT64_MAX)
			return error_set(err, EXP_ERANGE, "element %zu is %" PRIu64 "; integers are held in 63 bits", i,
					 integer);
		if (out->type == TENSOR_BOOL)
			((uint8_t *)out->data)[i] = integer != 0;
		else
			((int64_t *)out->data)[i] = (int64_t)integer;
	}
	return 0;
}

static bool is_elsewhere(const Onnx__TensorProto *t)
{
	return t->n_external_data || t->segment ||
	       (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL);
}

int onnx_tensor_convert(const struct Onnx__TensorProto *t, struct arena *arena, struct tensor *to,
			struct exp_error *err)
{
	const struct element_type *type = t->data_type >= 0 && t->data_type < TYPES ? &types[t->data_type] : &types[0];
	struct tensor out = { .onnx_type = t->data_type };
	size_t count, stored;
	enum store store;
	int rc;

	if (!type->raw_size || !tensor_type_of(t->data_type, &out.type))
		return error_set(err, EXP_EUNSUPPORTED, "elements of the type %s are not supported",
				 onnx_type_name(t->data_type));
	if (is_elsewhere(t))
		return error_set(err, EXP_EUNSUPPORTED, "the tensor keeps its data in another file");
	rc = read_shape(t, &out.shape, &count, err);
	if (rc)
		return rc;
	store = t->has_raw_data ? STORE_RAW : type->typed;
	stored = stored_count(t, store, type->raw_size);
	if (stored != count || (store == STORE_RAW && t->raw_data.len % type->raw_size))
		return error_set(err, EXP_ESHAPE, "the tensor has a shape of %zu elements and data for %zu", count,
				 stored);
	if (count) {
		out.data = arena_try_alloc(arena, count, tensor_size(out.type));
		if (!out.data)
			return error_set(err, EXP_EMEMORY, "not enough memory for a tensor of %zu elements", count);
	}
	rc = read_elements(t, store, count, &out, err);
	if (!rc)
		*to = out;
	return rc;
}

int onnx_tensor_parse(const void *bytes, size_t size, struct arena *arena, struct tensor *out, struct exp_error *err)
{
	Onnx__TensorProto *t;
	int rc = wire_scan_tensor(bytes, size, err);

	if (rc)
		return rc;
	t = onnx__tensor_proto__unpack(NULL, size, bytes);
	if (!t)
		return error_set(err, EXP_EPARSE, "not a readable tensor: its messages are not well formed");
	rc = onnx_tensor_convert(t, arena, out, err);
	onnx__tensor_proto__free_unpacked(t, NULL);
	return rc;
}

int onnx_tensor_read(const char *path, size_t limit, struct arena *arena, struct tensor *out, struct exp_error *err)
{
	struct buf b = { 0 };
	int rc = file_read(path, limit, &b, err);

	if (rc)
		return rc;
	rc = onnx_tensor_parse(b.data, b.size, arena, out, err);
	buf_fini(&b);
	return rc ? error_wrap(err, rc, "%s", path) : 0;
}

/* ---- comparison ---- */

static double element(const void *data, enum tensor_type type, size_t i)
{
	if (type == TENSOR_F32)
		return (double)((const float *)data)[i];
	return type == TENSOR_I64 ? (double)((const int64_t *)data)[i] : (double)((const uint8_t *)data)[i];
}

/* How far apart two elements are, in units of what is allowed: at most 1 is agreement. */
static double excess(double expected, double found, double relative, double absolute)
{
	double apart = fabs(found - expected), allowed = absolute + relative * fabs(expected);

	if (expected == found || (isnan(expected) && isnan(found)))
		return 0;
	if (!isfinite(expected) || !isfinite(found) || allowed == 0)
		return INFINITY;
	return apart / allowed;
}

/* As doubles, integers beyond 2^53 would be equal to their neighbours. */
static bool same_integer(const struct tensor *expected, const void *found, size_t i)
{
	return expected->type != TENSOR_I64 || ((const int64_t *)expected->data)[i] == ((const int64_t *)found)[i];
}

void onnx_tensor_compare(const struct tensor *expected, const void *found, double relative, double absolute,
			 struct onnx_deviation *out)
{
	size_t count = shape_count(&expected->shape);
	double worst = -1;

	*out = (struct onnx_deviation){ 0 };
	if (expected->type != TENSOR_F32)
		relative = absolute = 0;
	for (size_t i = 0; i < count; i++) {
		double e = element(expected->data, expected->type, i), f = element(found, expected->type, i);
		double x = same_integer(expected, found, i) ? excess(e, f, relative, absolute) : INFINITY;

		out->outside += x > 1;
		if (x <= worst)
			continue;
		worst = x;
		out->at = i;
		out->expected = e;
		out->found = f;
	}
}

/* Single tensors in every encoding that TensorProto has, broken ones, and how two are compared. */
#include "engine/onnx_tensor.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model_text.h"

/* Fields of TensorProto, and its types. */
enum { DIMS = 1, DATA_TYPE = 2, FLOATS = 4, INT32S = 5, STRINGS = 6, INT64S = 7, RAW = 9, DOUBLES = 10, UINT64S = 11 };
enum { FLOAT = 1, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE, UINT32, UINT64 };

static void add_number(struct buf *b, unsigned field, uint64_t value)
{
	wire_key(b, field, 0);
	wire_varint(b, value);
}

static struct buf start(int type, size_t rank, const int64_t *dims)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < rank; i++)
		add_number(&b, DIMS, (uint64_t)dims[i]);
	add_number(&b, DATA_TYPE, (uint64_t)type);
	return b;
}

/* Frees b. */
static int parse(struct buf *b, struct arena *arena, struct tensor *out, struct exp_error *err)
{
	/* An exact copy, so that a sanitizer sees a read past the end. */
	char *copy = malloc(b->size ? b->size : 1);
	int rc;

	memcpy(copy, b->data, b->size);
	rc = onnx_tensor_parse(copy, b->size, arena, out, err);
	free(copy);
	buf_fini(b);
	return rc;
}

static void refused(struct buf b, int code, const char *word)
{
	struct arena arena = { 0 };
	struct exp_error err = { 0 };
	struct tensor t;

	cr_expect_eq(parse(&b, &arena, &t, &err), code, "%s", err.message);
	cr_expect_not_null(strstr(err.message, word), "\"%s\" says nothing of \"%s\"", err.message, word);
	arena_fini(&arena);
}

static void reads_floats(struct buf b, const float *wanted, size_t count)
{
	struct arena arena = { 0 };
	struct exp_error err = { 0 };
	struct tensor t;

	cr_assert_eq(parse(&b, &arena, &t, &err), 0, "%s", err.message);
	cr_assert_eq(t.type, TENSOR_F32);
	cr_assert_eq(shape_count(&t.shape), count);
	cr_expect_arr_eq(t.data, wanted, count * sizeof(*wanted));
	arena_fini(&arena);
}

static void reads_integers(struct buf b, int type, const int64_t *wanted, size_t count)
{
	struct arena arena = { 0 };
	struct exp_error err = { 0 };
	struct tensor t;

	cr_assert_eq(parse(&b, &arena, &t, &err), 0, "%s", err.message);
	cr_assert_eq(t.type, TENSOR_I64);
	cr_assert_eq(t.onnx_type, type);
	cr_assert_eq(shape_count(&t.shape), count);
	cr_expect_arr_eq(t.data, wanted, count * sizeof(*wanted), "type %d", type);
	arena_fini(&arena);
}

static const int64_t two[] = { 2 }, two_by_two[] = { 2, 2 };

Test(onnx_tensor, floats_in_every_encoding)
{
	static const float x[] = { 1.5f, -0.0f, 3e-40f, INFINITY };
	static const double wide[] = { 0.1, -2 };
	static const float narrow[] = { 0.1f, -2 };
	struct buf b = start(FLOAT, 2, two_by_two);

	wire_bytes(&b, RAW, x, sizeof(x));
	reads_floats(b, x, 4);
	b = start(FLOAT, 2, two_by_two);
	wire_bytes(&b, FLOATS, x, sizeof(x));
	reads_floats(b, x, 4);
	b = start(FLOAT, 2, two_by_two);
	for (size_t i = 0; i < 4; i++) {
		wire_key(&b, FLOATS, 5);
		buf_add(&b, &x[i], sizeof(x[i]));
	}
	reads_floats(b, x, 4);
	b = start(DOUBLE, 1, two);
	wire_bytes(&b, RAW, wide, sizeof(wide));
	reads_floats(b, narrow, 2);
	b = start(DOUBLE, 1, two);
	wire_bytes(&b, DOUBLES, wide, sizeof(wide));
	reads_floats(b, narrow, 2);
}

Test(onnx_tensor, raw_integers_widen_by_their_sign)
{
	static const struct {
		int type;
		size_t size;
		int64_t wanted[2];
	} rows[] = {
		{ UINT8, 1, { 0x01, 0xfe } }, { INT8, 1, { 0x01, -2 } },  { UINT16, 2, { 0x01, 0xfffe } },
		{ INT16, 2, { 0x01, -2 } },   { INT32, 4, { 0x01, -2 } }, { UINT32, 4, { 0x01, 0xfffffffe } },
		{ INT64, 8, { 0x01, -2 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const uint8_t minus_two[] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
		uint8_t raw[16] = { 1 };
		struct buf b = start(rows[i].type, 1, two);

		memcpy(raw + rows[i].size, minus_two, rows[i].size);
		wire_bytes(&b, RAW, raw, 2 * rows[i].size);
		reads_integers(b, rows[i].type, rows[i].wanted, 2);
	}
}

Test(onnx_tensor, typed_integers)
{
	static const int types[] = { UINT8, INT8, UINT16, INT16, INT32, INT64, UINT32, UINT64 };
	static const unsigned fields[] = { INT32S, INT32S, INT32S, INT32S, INT32S, INT64S, UINT64S, UINT64S };
	static const int64_t wanted[] = { 5, 0 };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct buf b = start(types[i], 1, two);

		wire_bytes(&b, fields[i], "\x05\x00", 2);
		reads_integers(b, types[i], wanted, 2);
		b = start(types[i], 1, two);
		add_number(&b, fields[i], 5);
		add_number(&b, fields[i], 0);
		reads_integers(b, types[i], wanted, 2);
	}
}

Test(onnx_tensor, booleans_scalars_and_nothing)
{
	static const int64_t none[] = { 3, 0 };
	static const float one = 7;
	struct arena arena = { 0 };
	struct tensor t;
	struct buf b = start(BOOL, 1, two);

	wire_bytes(&b, RAW, "\x00\x02", 2);
	cr_assert_eq(parse(&b, &arena, &t, NULL), 0);
	cr_assert_eq(t.type, TENSOR_BOOL);
	cr_expect_arr_eq(t.data, "\x00\x01", 2);
	b = start(FLOAT, 0, NULL);
	wire_bytes(&b, RAW, &one, sizeof(one));
	cr_assert_eq(parse(&b, &arena, &t, NULL), 0);
	cr_expect_eq(t.shape.rank, 0);
	cr_expect_eq(*(float *)t.data, 7);
	b = start(INT64, 2, none);
	cr_assert_eq(parse(&b, &arena, &t, NULL), 0);
	cr_expect_eq(t.shape.rank, 2);
	cr_expect_null(t.data);
	arena_fini(&arena);
}

Test(onnx_tensor, refuses_what_it_cannot_hold)
{
	static const int64_t negative[] = { -1 }, huge[] = { (int64_t)1 << 40, (int64_t)1 << 40 },
			     nine[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, vast_nothing[] = { 0, (int64_t)1 << 62 };
	struct buf b = start(FLOAT16, 1, two);

	wire_bytes(&b, RAW, "\0\0\0\0", 4);
	refused(b, EXP_EUNSUPPORTED, "float16");
	b = start(STRING, 1, two);
	wire_bytes(&b, STRINGS, "a", 1);
	wire_bytes(&b, STRINGS, "b", 1);
	refused(b, EXP_EUNSUPPORTED, "string");
	refused(start(99, 0, NULL), EXP_EUNSUPPORTED, "unknown");
	refused(start(0, 0, NULL), EXP_EUNSUPPORTED, "undefined");
	refused(start(FLOAT, 1, negative), EXP_ESHAPE, "-1");
	refused(start(FLOAT, 2, huge), EXP_ELIMIT, "elements");
	refused(start(FLOAT, 2, vast_nothing), EXP_ELIMIT, "elements");
	refused(start(FLOAT, 9, nine), EXP_ESHAPE, "9 dimensions");
	refused(start(FLOAT, 1, two), EXP_ESHAPE, "data for 0");
	b = start(FLOAT, 1, two);
	wire_bytes(&b, RAW, "\0\0\0\0\0\0\0\0\0", 9);
	refused(b, EXP_ESHAPE, "2 elements");
	b = start(UINT64, 0, NULL);
	add_number(&b, UINT64S, UINT64_MAX);
	refused(b, EXP_ERANGE, "18446744073709551615");
	b = start(FLOAT, 1, two);
	wire_bytes(&b, 13, "", 0);
	refused(b, EXP_EUNSUPPORTED, "another file");
}

Test(onnx_tensor, survives_any_bytes)
{
	enum { ROUNDS = 20000, LENGTH = 24 };
	struct arena arena = { 0 };
	struct rng r;

	rng_init(&r, 3, "tensors");
	for (int i = 0; i < ROUNDS; i++) {
		static const int64_t four[] = { 4 };
		struct buf b = start(FLOAT, 1, four);
		struct exp_error err = { 0 };
		struct tensor t;

		wire_bytes(&b, RAW, "0123456789abcdef", 16);
		for (uint32_t k = rng_below(&r, 4); k > 0; k--)
			b.data[rng_below(&r, (uint32_t)b.size)] = (char)rng_u32(&r);
		if (rng_below(&r, 2))
			b.size = rng_below(&r, LENGTH);
		if (parse(&b, &arena, &t, &err))
			cr_assert(err.code < 0 && err.message[0]);
	}
	arena_fini(&arena);
}

/* ---- comparison ---- */

static struct onnx_deviation compare(const float *expected, const float *found, size_t count)
{
	struct tensor t = { .type = TENSOR_F32, .shape = { 1, { count } }, .data = (void *)(uintptr_t)expected };
	struct onnx_deviation d;

	onnx_tensor_compare(&t, found, 1e-3, 1e-7, &d);
	return d;
}

Test(onnx_tensor, tolerance)
{
	static const float expected[] = { 0, 100, -1, INFINITY, NAN }, near[] = { 9e-8f, 100.09f, -1, INFINITY, NAN };
	static const float far[] = { 2e-7f, 100.2f, -1.1f, 1e30f, 0 };
	struct onnx_deviation d = compare(expected, near, 5);

	cr_expect_eq(d.outside, 0);
	d = compare(expected, far, 5);
	cr_expect_eq(d.outside, 5);
	cr_expect_eq(d.at, 3, "what is not finite is worst");
	d = compare(expected, far, 3);
	cr_expect_eq(d.outside, 3);
	cr_expect_eq(d.at, 2);
	cr_expect_eq(d.expected, -1);
	cr_expect_float_eq(d.found, -1.1, 1e-6);
	cr_expect_eq(compare(expected, far, 0).outside, 0);
}

Test(onnx_tensor, integers_are_equal_or_not)
{
	static const int64_t expected[] = { 7, ((int64_t)1 << 60) + 1 }, found[] = { 7, (int64_t)1 << 60 };
	struct tensor t = { .type = TENSOR_I64, .shape = { 1, { 2 } }, .data = (void *)(uintptr_t)expected };
	struct onnx_deviation d;

	onnx_tensor_compare(&t, found, 1e-3, 1e-7, &d);
	cr_expect_eq(d.outside, 1, "neighbours that one double stands for");
	cr_expect_eq(d.at, 1);
	onnx_tensor_compare(&t, expected, 0, 0, &d);
	cr_expect_eq(d.outside, 0);
}

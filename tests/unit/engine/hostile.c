/* Files that are broken by accident or on purpose: a clear error, and never a crash. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/describe.h"
#include "engine/session.h"
#include "golden_model.h"
#include "model_text.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const char *const models[] = { "mlp_softmax", "views", "cnn_average", "residual" };

static int load(const void *bytes, size_t size, struct exp_error *err)
{
	struct graph *g = NULL;
	int rc = graph_load(bytes, size, &g, err);

	cr_assert((rc == 0) == (g != NULL));
	graph_unref(g);
	return rc;
}

Test(hostile, truncated_at_every_byte)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		struct golden_model m;

		golden_open(&m, models[i]);
		/* An exact copy, so that a sanitizer sees a read past the end. */
		for (size_t size = 0; size < m.onnx.size; size++) {
			struct exp_error err = { 0 };
			char *copy = malloc(size + 1);

			memcpy(copy, m.onnx.data, size);
			copy = realloc(copy, size ? size : 1);
			if (load(copy, size, &err))
				cr_assert(err.code < 0 && err.message[0], "%s at %zu", models[i], size);
			else
				cr_assert(size > m.onnx.size - 8, "%s loads when cut at %zu of %zu", models[i], size,
					  m.onnx.size);
			free(copy);
		}
		golden_close(&m);
	}
}

/* Loads a damaged file; what loads must also run. */
static void try_damaged(const struct buf *file, size_t row_floats)
{
	struct exp_error err = { 0 };
	struct graph *g = NULL;
	struct session *s = NULL;
	struct params *p = NULL;
	struct description d;
	float *x;

	if (graph_load(file->data, file->size, &g, &err)) {
		cr_assert(err.code < 0 && err.message[0]);
		return;
	}
	cr_assert_eq(describe(file->data, file->size, 2, NULL, &d, &err), 0, "%s", err.message);
	description_fini(&d);
	if (graph_input_floats(g) <= 16 * row_floats && graph_initial_params(g, &p) == 0 &&
	    session_new(g, 2, &s, &err) == 0) {
		struct session_result r = { .out = calloc(p->count + 1, sizeof(float)) };
		const int32_t labels[2] = { 0, 0 };
		int rc;

		x = calloc(2 * graph_input_floats(g), sizeof(*x));
		rc = session_backward(s, p, x, labels, 2, SESSION_SQUARE_SUM, &r);
		cr_assert(rc == 0 || rc == EXP_ENONFINITE);
		free(r.out);
		free(x);
	}
	session_free(s);
	params_free(p);
	graph_unref(g);
}

Test(hostile, flipped_bytes, .timeout = 120)
{
	enum { ROUNDS = 1500 };
	struct rng r;

	rng_init(&r, 11, "flips");
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		struct golden_model m;
		struct buf copy = { 0 };

		golden_open(&m, models[i]);
		for (int round = 0; round < ROUNDS; round++) {
			copy.size = 0;
			buf_add(&copy, m.onnx.data, m.onnx.size);
			for (uint32_t k = 1 + rng_below(&r, 3); k > 0; k--)
				copy.data[rng_below(&r, (uint32_t)copy.size)] = (char)rng_u32(&r);
			try_damaged(&copy, m.row_floats);
		}
		buf_fini(&copy);
		golden_close(&m);
	}
}

/* Messages inside messages: graph, node, attribute, graph, … */
Test(hostile, nested_bomb)
{
	static const unsigned fields[] = { 6, 5, 1 };
	struct exp_error err = { 0 };
	struct buf inner = { 0 };

	for (size_t depth = 0; inner.size < 30000; depth++) {
		struct buf outer = { 0 };

		wire_bytes(&outer, depth ? fields[depth % 3] : 7, inner.data, inner.size);
		buf_fini(&inner);
		inner = outer;
	}
	cr_assert_eq(load(inner.data, inner.size, &err), EXP_EPARSE);
	buf_fini(&inner);
	for (size_t depth = 0; inner.size < 3000; depth++) {
		struct buf outer = { 0 };

		wire_bytes(&outer, fields[depth % 3], inner.data, inner.size);
		buf_fini(&inner);
		inner = outer;
		if (depth % 3 != 2)
			continue;
		outer = (struct buf){ 0 };
		wire_bytes(&outer, 7, inner.data, inner.size);
		cr_assert_neq(load(outer.data, outer.size, &err), 0);
		if (depth > 30)
			cr_assert_not_null(strstr(err.message, "nests deeper"), "%s", err.message);
		buf_fini(&outer);
	}
	buf_fini(&inner);
}

/* Two bytes on the wire that cost hundreds in memory. */
Test(hostile, many_tiny_messages)
{
	enum { COUNT = 1 << 20 };
	struct exp_error err = { 0 };
	struct buf graph = { 0 }, file = { 0 };

	for (int i = 0; i < COUNT; i++)
		wire_bytes(&graph, 1, "", 0);
	wire_bytes(&file, 7, graph.data, graph.size);
	cr_assert_eq(load(file.data, file.size, &err), EXP_ELIMIT, "%s", err.message);
	buf_fini(&graph);
	buf_fini(&file);
}

Test(hostile, graph_or_data_given_twice)
{
	struct exp_error err = { 0 };
	struct buf file = { 0 };

	model_text_write("input x 3\nparam w 3 4\nMatMul x,w -> y", &file);
	cr_assert_eq(load(file.data, file.size, &err), 0);
	wire_bytes(&file, 7, "", 0);
	cr_assert_eq(load(file.data, file.size, &err), EXP_EPARSE);
	cr_assert_not_null(strstr(err.message, "twice"), "%s", err.message);
	buf_fini(&file);
}

Test(hostile, not_onnx)
{
	struct exp_error err = { 0 };

	cr_assert_eq(load("", 0, &err), EXP_EPARSE);
	cr_assert_eq(load("PK\3\4 a zip file, say a PyTorch checkpoint", 40, &err), EXP_EPARSE);
	cr_assert_eq(load("\x08\x07", 2, &err), EXP_EPARSE);
	cr_assert_not_null(strstr(err.message, "no graph"));
}

Test(hostile, opsets)
{
	model_text_refused("opset 0\ninput x 3\nparam w 3 4\nMatMul x,w -> y", EXP_EUNSUPPORTED,
			   WORDS("opset 0", "9 to 17"));
	model_text_refused("opset 5\ninput x 3\nRelu x -> y", EXP_EUNSUPPORTED, WORDS("Relu", "opset 5", "9 to 17"));
	model_text_refused("opset 8\ninput x 3\nErf x -> y", EXP_EUNSUPPORTED, WORDS("Erf", "opset 8"));
	model_text_refused("opset 6\ninput x 3 4\nparam w 3\nAdd x,w -> y axis=1 broadcast=1", EXP_EUNSUPPORTED,
			   WORDS("Add", "axis 1"));
	model_text_refused("opset 9\ninput x 3 4\nparam w 4\nAdd x,w -> y broadcast=1", EXP_EUNSUPPORTED,
			   WORDS("\"broadcast\"", "attribute"));
	model_text_refused("opset 6\ninput x 3\nparam s 3\nBatchNormalization x,s,s,s,s -> y", EXP_EUNSUPPORTED,
			   WORDS("evaluation mode"));
	model_text_refused("opset 6\ninput x 4 4\nparam w 4\nPRelu x,w -> y", EXP_EUNSUPPORTED, WORDS("channels"));
	graph_unref(model_text_load("opset 6\ninput x 3\nparam w 3\nAdd x,w -> y axis=1 broadcast=1"));
	model_text_refused("opset 18\ninput x 3\nparam w 3 4\nMatMul x,w -> y", EXP_EUNSUPPORTED, WORDS("opset 18"));
}

Test(hostile, operators_and_attributes)
{
	model_text_refused("input x 3\nFrobnicate x -> y", EXP_EUNSUPPORTED, WORDS("Frobnicate", "\"y\"", "node 0"));
	model_text_refused("input x 3\nparam w 3 4\nGemm x,w -> y gamma=2", EXP_EUNSUPPORTED, WORDS("Gemm", "gamma"));
	model_text_refused("input x 3\nparam w 3 4\nGemm x,w -> y =2", EXP_EUNSUPPORTED, WORDS("attribute \"\""));
	model_text_refused("input x 3\nparam w 3 4\nGemm x,w -> y alp=2", EXP_EUNSUPPORTED, WORDS("\"alp\""));
	model_text_refused("input x 3\nparam w 3 4\nGemm x,w -> y alpha=2", EXP_EPARSE, WORDS("alpha", "type"));
	model_text_refused("input x 3\nparam w 3 4\nGemm x -> y", EXP_ESHAPE, WORDS("inputs"));
	model_text_refused("input x 3\nparam w 3 4\nGemm x,_ -> y", EXP_ESHAPE, WORDS("missing"));
	model_text_refused("input x 3\nparam w 3 4\nMatMul w,x -> y", EXP_ESHAPE, WORDS("MatMul", "do not fit"));
	model_text_refused("input x 3\nSoftmax x -> y axis=0", EXP_EUNSUPPORTED, WORDS("mixes samples"));
	model_text_refused("input x 2 3\nparam w 3 4\nMatMul x,w -> h\nSoftmax h -> y axis=1", EXP_EUNSUPPORTED,
			   WORDS("terminal Softmax"));
	model_text_refused("input x 3\nparam s 3\nparam m 3\nBatchNormalization x,s,s,m,m -> y training_mode=1",
			   EXP_EUNSUPPORTED, WORDS("evaluation mode"));
	model_text_refused("input x 3\nparam w 3 4\nnumber r 0.5\nbools t 1\nMatMul x,w -> h\nDropout h,r,t -> y",
			   EXP_EUNSUPPORTED, WORDS("evaluation mode"));
}

Test(hostile, shapes)
{
	model_text_refused("input x 3\nparam w 4 4\nMatMul x,w -> y", EXP_ESHAPE, WORDS("[N, 3]", "[4, 4]"));
	model_text_refused("input x 3\nparam b 4\nAdd x,b -> y", EXP_ESHAPE, WORDS("[N, 3]", "[4]"));
	model_text_refused("input x 3\nparam b 2 3\nAdd x,b -> y", EXP_ESHAPE, WORDS("[2, 3]"));
	model_text_refused("input x 3 4\nints s 5 -1\nReshape x,s -> y", EXP_ESHAPE, WORDS("cannot be reshaped"));
	model_text_refused("input x 3 4\nints s -1 5\nReshape x,s -> y", EXP_ESHAPE, WORDS("cannot be reshaped"));
	model_text_refused("input x 3 4\nints s -1 -1\nReshape x,s -> y", EXP_ESHAPE, WORDS("-1"));
	model_text_refused("input x 3 4\nints s -1 -7\nReshape x,s -> y", EXP_ESHAPE, WORDS("-7"));
	model_text_refused("input x 3 4\nTranspose x -> y perm=[1,0,1]", EXP_ESHAPE, WORDS("perm"));
	model_text_refused("input x 1 4 4\nparam w 2 1 5 5\nConv x,w -> h\nFlatten h -> y", EXP_ESHAPE,
			   WORDS("window of 5"));
	model_text_refused("input x 3 4 4\nparam w 2 2 3 3\nConv x,w -> h\nFlatten h -> y", EXP_ESHAPE,
			   WORDS("groups"));
	model_text_refused("input x 2 4 4\nparam w 2 2 3 3\nConv x,w -> h strides=[0,1]\nFlatten h -> y", EXP_ESHAPE,
			   WORDS("strides"));
	model_text_refused("input x 2 4 4\nAveragePool x -> h kernel_shape=[2,2] pads=[2,2,0,0]\nFlatten h -> y",
			   EXP_EUNSUPPORTED, WORDS("padding"));
	model_text_refused("input x 3\nparam w 3 4\nMatMul x,w -> h\nparam v 3 4\nIdentity v -> y", EXP_ESHAPE,
			   WORDS("does not depend"));
}

Test(hostile, sizes)
{
	model_text_refused("input x 4 2\nTranspose x -> t perm=[1,0,2]\nints s 0\nints e 0\nSlice t,s,e,s -> y",
			   EXP_ESHAPE, WORDS("class scores are expected"));
	model_text_refused("input x 100000 100000\nIdentity x -> y", EXP_ELIMIT, WORDS("more than"));
	model_text_refused("input x 4294967296 4294967296\nIdentity x -> y", EXP_ELIMIT, WORDS("more than"));
	model_text_refused("input x 1 4 4\nAveragePool x -> h kernel_shape=[1,1] auto_pad=NOTSET\nints p 0 0 99999 "
			   "99999 0 0 99999 99999\n"
			   "Pad h,p -> y",
			   EXP_ELIMIT, WORDS("more than"));
	model_text_refused(
	    "input x 1 4 4\nparam w 1 1 1 1\nConv x,w -> h pads=[99999999,99999999,99999999,99999999]\nFlatten h -> y",
	    EXP_ELIMIT, WORDS("more than"));
	model_text_refused(
	    "input x 1 4 4\nparam w 1 1 2 2\nConv x,w -> h dilations=[9223372036854775807,1]\nFlatten h -> y",
	    EXP_ESHAPE, WORDS("dilations"));
	model_text_refused("input x 3\nparam w 0\nAdd x,w -> y", EXP_ESHAPE, WORDS("empty"));
}

Test(hostile, references)
{
	model_text_refused("input x 3\nAdd x,nowhere -> y", EXP_EPARSE, WORDS("nowhere", "Add"));
	model_text_refused("input x 3\nAdd x,z -> y\nAdd x,y -> z", EXP_EPARSE, WORDS("\"z\""));
	model_text_refused("input x 3\nAdd x,y -> y", EXP_EPARSE, WORDS("\"y\""));
	model_text_refused("input x 3\nRelu x -> y\nTanh x -> y", EXP_EPARSE, WORDS("twice"));
	model_text_refused("input x 3\nRelu x -> x", EXP_EPARSE, WORDS("twice"));
	model_text_refused("input x 3\ninput z =2 3\nAdd x,z -> y", EXP_ESHAPE, WORDS("first dimension"));
	model_text_refused("param w 3\nRelu w -> y", EXP_EUNSUPPORTED, WORDS("no input"));
	model_text_refused("input x 3\nparam w 3 4\nints s 1 2\nMatMul x,w -> h\nAdd h,s -> y", EXP_EUNSUPPORTED,
			   WORDS("integer"));
}

/* Writes the tensor's message by hand behind a sound graph's nodes. */
static void refuse_tensor(struct buf *tensor, int code, const char *word)
{
	struct exp_error err = { 0 };
	struct buf file = { 0 }, graph = { 0 }, opset = { 0 }, node = { 0 }, input = { 0 }, output = { 0 };

	wire_bytes(&node, 1, "x", 1);
	wire_bytes(&node, 1, "w", 1);
	wire_bytes(&node, 2, "y", 1);
	wire_bytes(&node, 4, "MatMul", 6);
	wire_bytes(&graph, 1, node.data, node.size);
	wire_bytes(tensor, 8, "w", 1);
	wire_bytes(&graph, 5, tensor->data, tensor->size);
	wire_bytes(&input, 1, "x", 1);
	wire_bytes(&input, 2, "\x0a\x0d\x08\x01\x12\x09\x0a\x03\x12\x01n\x0a\x02\x08\x03", 15);
	wire_bytes(&graph, 11, input.data, input.size);
	wire_bytes(&output, 1, "y", 1);
	wire_bytes(&graph, 12, output.data, output.size);
	wire_bytes(&file, 7, graph.data, graph.size);
	wire_key(&opset, 2, 0);
	wire_varint(&opset, 13);
	wire_bytes(&file, 8, opset.data, opset.size);
	cr_assert_eq(load(file.data, file.size, &err), code, "%s", err.message);
	if (word)
		cr_assert_not_null(strstr(err.message, word), "%s", err.message);
	buf_fini(&file), buf_fini(&graph), buf_fini(&opset), buf_fini(&node), buf_fini(&input), buf_fini(&output);
	buf_fini(tensor);
}

static void start_tensor(struct buf *t, uint64_t rows, uint64_t columns, uint64_t type)
{
	wire_key(t, 1, 0);
	wire_varint(t, rows);
	wire_key(t, 1, 0);
	wire_varint(t, columns);
	wire_key(t, 2, 0);
	wire_varint(t, type);
}

Test(hostile, tensors)
{
	static const float six[6] = { 1, 2, 3, 4, 5, 6 };
	static const uint32_t nan_bits[6] = { 0, 0, 0, 0x7fc00000, 0, 0 };
	struct buf t = { 0 }, location = { 0 };

	start_tensor(&t, 3, 2, 1);
	wire_bytes(&t, 9, six, sizeof(six));
	refuse_tensor(&t, 0, NULL);
	start_tensor(&t, 3, 2, 1);
	wire_bytes(&t, 9, nan_bits, sizeof(nan_bits));
	refuse_tensor(&t, EXP_ENONFINITE, "\"w\"");
	start_tensor(&t, 3, 2, 1);
	wire_bytes(&t, 9, six, sizeof(six) - 4);
	refuse_tensor(&t, EXP_ESHAPE, "6 elements and data for 5");
	start_tensor(&t, 3, 2, 1);
	wire_bytes(&t, 9, six, sizeof(six) - 1);
	refuse_tensor(&t, EXP_ESHAPE, "23 bytes");
	start_tensor(&t, 3, 2, 1);
	wire_bytes(&t, 9, six, sizeof(six));
	wire_bytes(&t, 4, six, sizeof(six));
	refuse_tensor(&t, EXP_EPARSE, "twice");
	start_tensor(&t, 3, 2, 11);
	wire_bytes(&t, 9, six, sizeof(six));
	refuse_tensor(&t, EXP_ESHAPE, "6 elements and data for 3");
	start_tensor(&t, 3, 2, 10);
	wire_bytes(&t, 9, six, 12);
	refuse_tensor(&t, EXP_EUNSUPPORTED, "type that is not supported");
	start_tensor(&t, (uint64_t)1 << 62, (uint64_t)1 << 62, 1);
	refuse_tensor(&t, EXP_ELIMIT, "\"w\"");
	start_tensor(&t, (uint64_t)-3, 2, 1);
	refuse_tensor(&t, EXP_ESHAPE, "-3");
	start_tensor(&t, 3, 2, 1);
	wire_bytes(&location, 1, "location", 8);
	wire_bytes(&location, 2, "../../etc/passwd", 16);
	wire_bytes(&t, 13, location.data, location.size);
	buf_fini(&location);
	wire_key(&t, 14, 0);
	wire_varint(&t, 1);
	refuse_tensor(&t, EXP_EUNSUPPORTED, "another file");
}

/* Every allocation fails once; nothing leaks or crashes, and a later try succeeds. */
Test(hostile, failing_allocations)
{
	struct golden_model m;
	struct exp_error err = { 0 };
	int rc = EXP_EMEMORY;

	golden_open(&m, "residual");
	for (long n = 1; rc == EXP_EMEMORY; n++) {
		struct graph *g = NULL;
		struct session *s = NULL;
		struct params *p = NULL;

		cr_assert_lt(n, 1000);
		mem_fail_at(n);
		rc = graph_load(m.onnx.data, m.onnx.size, &g, &err);
		if (rc == 0)
			rc = graph_initial_params(g, &p);
		if (rc == 0)
			rc = session_new(g, 4, &s, &err);
		session_free(s);
		params_free(p);
		graph_unref(g);
		if (n < 10)
			cr_assert_eq(rc, EXP_EMEMORY);
	}
	cr_assert_eq(rc, 0);
	mem_fail_at(0);
	golden_close(&m);
}

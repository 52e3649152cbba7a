/*
 * Small files that ask for much: sizes, counts and steps at the edges of their types. Each is refused with a message
 * that names the node, before memory is taken by its measure; the address space is limited meanwhile.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/plan.h"
#include "model_text.h"

/* More than any of these needs, less than any of them would take: known values may fill 256 MiB. */
#define ADDRESS_SPACE ((rlim_t)3 << 30)

#define HUGE  "1099511627776"        /* 2^40 */
#define LAST  "9223372036854775807"  /* 2^63 - 1 */
#define FIRST "-9223372036854775808" /* -2^63 */

#define VECTOR "input x 4\n"
#define MATRIX "input x 3 4\n"
#define SERIES "input x 2 9\n"
#define IMAGE  "input x 2 9 9\n"

static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	const struct rlimit limit = { ADDRESS_SPACE, ADDRESS_SPACE };

	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
#endif
}

TestSuite(bombs, .init = limit_memory, .timeout = 60);

struct bomb {
	const char *text;
	const char *says; /* a word of the message */
};

static void check_refusal(const char *text, int rc, const struct exp_error *err, const char *says)
{
	cr_expect(rc == EXP_ESHAPE || rc == EXP_ELIMIT || rc == EXP_EUNSUPPORTED || rc == EXP_EPARSE ||
		      rc == EXP_ENONFINITE,
		  "%s\nis %s: %s", text, rc ? error_slug(rc) : "accepted", err->message);
	if (rc)
		cr_expect_not_null(strstr(err->message, says), "%s\n\"%s\" does not say \"%s\"", text, err->message,
				   says);
}

static void refused_with_samples(const struct bomb *b)
{
	struct exp_error err = { 0 };
	struct graph *g = NULL;
	struct buf file = { 0 };

	model_text_write(b->text, &file);
	check_refusal(b->text, graph_load(file.data, file.size, &g, &err), &err, b->says);
	graph_unref(g);
	buf_fini(&file);
}

/* As a test case is: the first dimension is a number like any other. */
static void refused_whole(const struct bomb *b)
{
	const struct plan_options options = { .kind = PLAN_FORWARD };
	const char *input = strstr(b->text, "input x ") + strlen("input x ");
	struct buf text = { 0 }, file = { 0 };
	struct exp_error err = { 0 };
	struct graph *g = NULL;
	struct plan p;
	int rc;

	buf_format(&text, "%.*s=2 %s", (int)(input - b->text), b->text, input);
	model_text_write(text.data, &file);
	rc = graph_load_whole(file.data, file.size, NULL, 0, &g, &err);
	if (rc == 0) {
		rc = plan_init(&p, g, &options, &err);
		if (rc == 0)
			plan_fini(&p);
	}
	cr_expect(rc < 0, "%s\nis accepted whole", text.data);
	graph_unref(g);
	buf_fini(&file);
	buf_fini(&text);
}

static void refused(const struct bomb *b)
{
	refused_with_samples(b);
	refused_whole(b);
}

#define REFUSED(...)                                                                                                   \
	do {                                                                                                           \
		static const struct bomb bombs_[] = { __VA_ARGS__ };                                                   \
                                                                                                                       \
		for (size_t i_ = 0; i_ < sizeof(bombs_) / sizeof(bombs_[0]); i_++)                                     \
			refused(&bombs_[i_]);                                                                          \
	} while (0)

Test(bombs, tensors_made_from_their_shape)
{
	REFUSED({ VECTOR "ints s " HUGE " 4\nConstantOfShape s -> c\nAdd x,c -> y\n", "ConstantOfShape" },
		{ VECTOR "ints s " HUGE " " HUGE " 0\nConstantOfShape s -> c\nAdd x,c -> y\n", "ConstantOfShape" },
		{ VECTOR "ints s 1073741824\nConstantOfShape s -> c\nAdd x,c -> y\n", "ConstantOfShape" },
		{ VECTOR "ints s -4\nConstantOfShape s -> c\nAdd x,c -> y\n", "ConstantOfShape" },
		{ VECTOR "ints s 1 1 1 1 1 1 1 1 4\nConstantOfShape s -> c\nAdd x,c -> y\n", "ConstantOfShape" },
		{ VECTOR "number c 1\nints s 65536 65536\nExpand c,s -> d\nAdd x,d -> y\n", "Expand" },
		{ VECTOR "ints s " LAST " 2 1 4\nExpand x,s -> y\n", "Expand" },
		{ VECTOR "ints s -1 -1\nExpand x,s -> y\n", "Expand" },
		{ VECTOR
		  "param w 4\nints s 1048576 1048576\nints q 1 4\nReshape w,q -> v\nTile v,s -> z\nAdd x,z -> y\n",
		  "Tile" },
		{ VECTOR "ints s 1 " LAST "\nTile x,s -> y\n", "Tile" },
		{ VECTOR "ints s 1 -2\nTile x,s -> y\n", "Tile" },
		{ VECTOR "int a 0\nint b " LAST "\nint c 1\nRange a,b,c -> r\nShape x -> s\nGather r,s -> y\n",
		  "Range" },
		{ VECTOR "int a " FIRST "\nint b " LAST "\nint c 1\nRange a,b,c -> r\nCast r -> f to=1\nAdd x,f -> y\n",
		  "Range" },
		{ VECTOR "int a 0\nint b 4\nint c 0\nRange a,b,c -> r\nCast r -> f to=1\nAdd x,f -> y\n", "Range" },
		{ VECTOR "number a 0\nnumber b 4\nnumber c 1e-30\nRange a,b,c -> r\nAdd x,r -> y\n", "Range" },
		{ VECTOR "number a 0\nnumber b inf\nnumber c 1\nRange a,b,c -> r\nAdd x,r -> y\n", "\"b\"" },
		{ VECTOR "number a nan\nnumber b 4\nnumber c 1\nRange a,b,c -> r\nAdd x,r -> y\n", "\"a\"" });
}

/* Doubling what is known forty times. */
Test(bombs, doubling)
{
	for (size_t kind = 0; kind < 2; kind++) {
		struct bomb b = { .says = kind ? "Tile" : "Concat" };
		struct buf text = { 0 };

		buf_add_text(&text, VECTOR "numbers a0 1 2 3 4\n");
		for (int i = 0; i < 40; i++) {
			if (kind)
				buf_format(&text, "ints s%d 2\nTile a%d,s%d -> a%d\n", i, i, i, i + 1);
			else
				buf_format(&text, "Concat a%d,a%d -> a%d axis=0\n", i, i, i + 1);
		}
		buf_add_text(&text, "ReduceMax a40 -> m\nAdd x,m -> y\n");
		b.text = text.data;
		refused(&b);
		buf_fini(&text);
	}
}

Test(bombs, reshapes)
{
	REFUSED({ VECTOR "ints s " HUGE " " HUGE "\nReshape x,s -> y\n", "Reshape" },
		{ VECTOR "ints s -1 -1\nReshape x,s -> y\n", "Reshape" },
		{ VECTOR "ints s 0 0 0\nReshape x,s -> y\n", "Reshape" },
		{ VECTOR "ints s -1 " LAST "\nReshape x,s -> y\n", "Reshape" },
		{ VECTOR "ints s -2 4\nReshape x,s -> y\n", "Reshape" },
		{ VECTOR "ints s -1 0 3\nReshape x,s -> y\n", "Reshape" },
		{ VECTOR "ints s -1 1 1 1 1 1 1 1 4\nReshape x,s -> y\n", "Reshape" },
		{ MATRIX "ints a " HUGE "\nUnsqueeze x,a -> y\n", "Unsqueeze" },
		{ MATRIX "ints a 1 1\nUnsqueeze x,a -> y\n", "Unsqueeze" },
		{ MATRIX "ints a 1 2 3 4 5 6 7 8\nUnsqueeze x,a -> y\n", "Unsqueeze" },
		{ MATRIX "ints a " FIRST "\nSqueeze x,a -> y\n", "Squeeze" },
		{ MATRIX "ints a 1\nSqueeze x,a -> y\n", "Squeeze" },
		{ MATRIX "Flatten x -> y axis=" LAST "\n", "Flatten" },
		{ MATRIX "Transpose x -> y perm=[0,1,1]\n", "Transpose" },
		{ MATRIX "Transpose x -> y perm=[0,1," HUGE "]\n", "Transpose" },
		{ MATRIX "Transpose x -> y perm=[0,1]\n", "Transpose" });
}

Test(bombs, cuts_and_joins)
{
	REFUSED({ MATRIX "ints s 1 " HUGE "\nSplit x,s -> a,b axis=1\nAdd a,b -> y\n", "Split" },
		{ MATRIX "ints s 1 1\nSplit x,s -> a,b axis=1\nAdd a,b -> y\n", "Split" },
		{ MATRIX "ints s 4 -1\nSplit x,s -> a,b axis=1\nAdd a,b -> y\n", "Split" },
		{ MATRIX "ints s " LAST " " LAST " 5\nSplit x,s -> a,b,c axis=1\nAdd a,b -> y\n", "Split" },
		{ MATRIX "Split x -> a,b axis=" FIRST "\nAdd a,b -> y\n", "Split" },
		{ MATRIX "Concat x,x -> y axis=3\n", "Concat" },
		{ MATRIX "Concat x,x -> y axis=" FIRST "\n", "Concat" },
		{ MATRIX "param w 3\nConcat x,w -> y axis=1\n", "Concat" },
		{ MATRIX "ints s 0\nints e 2\nints a " HUGE "\nSlice x,s,e,a -> y\n", "Slice" },
		{ MATRIX "ints s 0\nints e 2\nints a 1\nints t 0\nSlice x,s,e,a,t -> y\n", "Slice" },
		{ MATRIX "ints s 0 0\nints e 2\nints a 1\nSlice x,s,e,a -> y\n", "Slice" },
		{ MATRIX "ints s 0 0\nints e 2 2\nints a 1 1\nSlice x,s,e,a -> y\n", "Slice" },
		{ MATRIX "ints p 0 0 " HUGE " 0 0 0\nPad x,p -> y\n", "Pad" },
		{ MATRIX "ints p 0 0 " LAST " 0 0 " LAST "\nPad x,p -> y\n", "Pad" },
		{ MATRIX "ints p 0 0 " FIRST " 0 0 0\nPad x,p -> y\n", "Pad" },
		{ MATRIX "ints p 0 0 -9 0 0 0\nPad x,p -> y\n", "Pad" },
		{ MATRIX "ints p 0 0 1\nPad x,p -> y\n", "Pad" });
}

Test(bombs, looked_up)
{
	REFUSED({ MATRIX "ints i 4\nGather x,i -> y axis=2\n", "Gather" },
		{ MATRIX "ints i " FIRST "\nGather x,i -> y axis=2\n", "Gather" },
		{ MATRIX "ints i 0\nGather x,i -> y axis=" HUGE "\n", "Gather" },
		{ "input x 3\nparam w 3 2\nints i " LAST "\nGather w,i -> v axis=0\nSqueeze v -> u\nparam k 2 3\n"
		  "MatMul k,u -> m\nAdd x,m -> y\n",
		  "Gather" },
		{ MATRIX "int d " HUGE "\nnumbers v 0 1\nCast x -> i to=7\nOneHot i,d,v -> y\n", "OneHot" },
		{ MATRIX "int d -3\nnumbers v 0 1\nCast x -> i to=7\nOneHot i,d,v -> y\n", "OneHot" });
}

Test(bombs, windows)
{
	REFUSED({ IMAGE "param w 4 2 3 3\nConv x,w -> y pads=[" HUGE ",0,0,0]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y pads=[" LAST ",0," LAST ",0]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y pads=[-9,0,0,0]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y pads=[1,1]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y strides=[0,1]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y strides=[-1,1]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y dilations=[" HUGE ",1]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y dilations=[" LAST ",1]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y dilations=[0,1]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y kernel_shape=[9,9]\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y group=0\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y group=-2\n", "Conv" },
		{ IMAGE "param w 4 2 3 3\nConv x,w -> y group=" LAST "\n", "Conv" },
		{ IMAGE "param w 4 2 11 11\nConv x,w -> y\n", "Conv" },
		{ SERIES "param w 4 2 3\nConv x,w -> y auto_pad=SAME_UPPER dilations=[" HUGE "]\n", "Conv" },
		{ IMAGE "param w 2 4 3 3\nConvTranspose x,w -> y strides=[" HUGE ",1]\n", "ConvTranspose" },
		{ IMAGE "param w 2 4 3 3\nConvTranspose x,w -> y output_padding=[" LAST ",0]\n", "ConvTranspose" },
		{ IMAGE "param w 2 4 3 3\nConvTranspose x,w -> y output_shape=[" HUGE "," HUGE "]\n", "ConvTranspose" },
		{ IMAGE "param w 2 4 3 3\nConvTranspose x,w -> y dilations=[" HUGE ",1]\n", "ConvTranspose" },
		{ IMAGE "MaxPool x -> y kernel_shape=[" HUGE "," HUGE "]\n", "MaxPool" },
		{ IMAGE "MaxPool x -> y kernel_shape=[0,2]\n", "MaxPool" },
		{ IMAGE "MaxPool x -> y kernel_shape=[2,2] strides=[" FIRST ",1]\n", "MaxPool" },
		{ IMAGE "MaxPool x -> y kernel_shape=[2,2] pads=[" HUGE ",0,0,0]\n", "MaxPool" },
		{ IMAGE "MaxPool x -> y kernel_shape=[2]\n", "MaxPool" },
		{ IMAGE "AveragePool x -> y kernel_shape=[" LAST ",2] auto_pad=SAME_LOWER\n", "AveragePool" });
}

Test(bombs, resizes)
{
	REFUSED({ IMAGE "numbers s 1 1 1e9 1e9\nResize x,_,s -> y\n", "Resize" },
		{ IMAGE "numbers s 1 1 inf 1\nResize x,_,s -> y\n", "\"s\"" },
		{ IMAGE "numbers s 1 1 nan 1\nResize x,_,s -> y\n", "\"s\"" },
		{ IMAGE "numbers s 1 1 -2 1\nResize x,_,s -> y\n", "Resize" },
		{ IMAGE "numbers s 1 1 2\nResize x,_,s -> y\n", "Resize" },
		{ IMAGE "ints s 2 2 " HUGE " " HUGE "\nResize x,_,_,s -> y\n", "Resize" },
		{ IMAGE "ints s 2 2 -1 4\nResize x,_,_,s -> y\n", "Resize" });
}

Test(bombs, recurrences_and_equations)
{
	REFUSED({ "input x 3 4\nTranspose x -> t perm=[1,0,2]\nparam w 1 8 4\nparam r 1 8 2\nLSTM t,w,r -> s "
		  "hidden_size=" HUGE "\nTranspose s -> y perm=[2,0,1,3]\n",
		  "LSTM" },
		{ "input x 3 4\nTranspose x -> t perm=[1,0,2]\nparam w 1 8 4\nparam r 1 8 2\nLSTM t,w,r -> s "
		  "hidden_size=-2\nTranspose s -> y perm=[2,0,1,3]\n",
		  "LSTM" },
		{ "input x 3 4\nTranspose x -> t perm=[1,0,2]\nparam w 1 6 4\nparam r 1 6 "
		  "3\nGRU t,w,r -> s "
		  "hidden_size=2\nTranspose s -> y perm=[2,0,1,3]\n",
		  "GRU" },
		{ MATRIX "param w 4 5\nEinsum x,w -> y equation=abc,cd->abdz\n", "Einsum" },
		{ MATRIX "param w 4 5\nEinsum x,w -> y equation=abc,bd->ad\n", "Einsum" },
		{ MATRIX "param w 4 5\nEinsum x,w -> y equation=->->\n", "Einsum" },
		{ MATRIX "Softmax x -> y axis=" FIRST "\n", "Softmax" },
		{ MATRIX "ints a " HUGE "\nReduceSum x,a -> y\n", "ReduceSum" },
		{ MATRIX "ReduceMean x -> y axes=[" FIRST "]\n", "ReduceMean" },
		{ MATRIX "ArgMax x -> y axis=" LAST "\n", "ArgMax" },
		{ MATRIX "int k " LAST "\nTrilu x,k -> y upper=7\nCast y -> z to=" HUGE "\n", "Cast" });
}

/* Depth is no trap: twenty thousand operators in a row load, and in about as many steps. */
Test(bombs, long_chains)
{
	enum { LENGTH = 20000 };
	struct buf text = { 0 };

	buf_add_text(&text, VECTOR "param w 4\nMul x,w -> a0\n");
	for (int i = 0; i < LENGTH; i++)
		buf_format(&text, "%s a%d -> a%d\n", i % 2 ? "Relu" : "Identity", i, i + 1);
	graph_unref(model_text_load(text.data));
	buf_fini(&text);
}

/* Nothing is prepared row by row: this took oneDNN minutes. */
Test(bombs, padding_takes_no_time, .timeout = 20)
{
	graph_unref(model_text_load("input x 3 9\nparam w 4 3 3\nConv x,w -> k pads=[2,4194304]\n"
				    "GlobalAveragePool k -> q\nFlatten q -> y\n"));
}

/* Weights that the shape says are there, but are not. */
Test(bombs, shapes_beyond_their_data)
{
	static const struct {
		size_t rank;
		uint64_t dims[2];
	} rows[] = { { 1, { (uint64_t)1 << 40 } }, { 2, { 0, INT64_MAX } }, { 1, { UINT64_MAX } }, { 1, { 2 } } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf tensor = { 0 }, graph = { 0 }, file = { 0 }, opset = { 0 };
		struct exp_error err = { 0 };
		struct graph *g = NULL;

		for (size_t k = 0; k < rows[i].rank; k++) {
			wire_key(&tensor, 1, 0);
			wire_varint(&tensor, rows[i].dims[k]);
		}
		wire_key(&tensor, 2, 0);
		wire_varint(&tensor, 1);
		wire_bytes(&tensor, 8, "w", 1);
		wire_bytes(&tensor, 9, "1234", 4);
		wire_bytes(&graph, 5, tensor.data, tensor.size);
		wire_key(&opset, 2, 0);
		wire_varint(&opset, 13);
		wire_bytes(&file, 7, graph.data, graph.size);
		wire_bytes(&file, 8, opset.data, opset.size);
		cr_expect_neq(graph_load(file.data, file.size, &g, &err), 0);
		cr_expect(err.code == EXP_ELIMIT || err.code == EXP_ESHAPE, "%s", err.message);
		cr_expect_not_null(strstr(err.message, "\"w\""), "%s", err.message);
		buf_fini(&tensor);
		buf_fini(&graph);
		buf_fini(&opset);
		buf_fini(&file);
	}
}

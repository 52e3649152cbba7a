/* Reports on files: counts that can be worked out by hand, and everything that is not supported at once. */
#include "engine/describe.h"

#include <criterion/criterion.h>
#include <string.h>

#include "model_text.h"

static void open_text(const char *text, size_t batch, struct description *d)
{
	struct exp_error err = { 0 };
	struct buf file = { 0 };

	model_text_write(text, &file);
	cr_assert_eq(describe(file.data, file.size, batch, NULL, d, &err), 0, "%s", err.message);
	buf_fini(&file);
}

Test(describe, what_a_pass_costs)
{
	/* 3x3 over 8x8 without padding: 36 places. */
	enum { CONV = 2 * 36 * 4 * 2 * 9, GEMM = 2 * 144 * 5 };
	struct description d;

	open_text(
	    "input x 2 8 8\nparam w 4 2 3 3\nparam b 4\nConv x,w,b -> c\nFlatten c -> f\nparam v 5 144\nGemm f,v -> y "
	    "transB=1\n",
	    32, &d);
	cr_assert_not_null(d.graph, "%s", d.refusal.message);
	cr_expect(d.cost.forward_flops >= CONV + GEMM && d.cost.forward_flops < (CONV + GEMM) * 11 / 10, "%zu",
		  (size_t)d.cost.forward_flops);
	/* The image needs no gradient: once for the first layer, twice for the second. */
	cr_expect(d.cost.backward_flops >= CONV + 2 * GEMM && d.cost.backward_flops < (CONV + 2 * GEMM) * 11 / 10,
		  "%zu", (size_t)d.cost.backward_flops);
	cr_expect_eq(d.cost.batch, 32);
	cr_expect(d.cost.shard >= 1 && d.cost.shard <= 32);
	cr_expect(d.cost.forward_memory >= d.cost.shard * (144 + 5) * sizeof(float));
	cr_expect_gt(d.cost.backward_memory, d.cost.forward_memory);
	cr_assert_eq(d.weight_count, 3);
	cr_expect_str_eq(d.weights[0].name, "w");
	cr_expect_eq(d.weights[0].parameter->count, 72);
	cr_expect_eq(d.gap_count, 0);
	description_fini(&d);
}

Test(describe, operators_are_counted)
{
	struct description d;

	open_text("input x 4\nTanh x -> a\nRelu a -> b\nTanh b -> y\n", 1, &d);
	cr_assert_eq(d.operator_count, 2);
	cr_expect_str_eq(d.operators[0].op_type, "Relu");
	cr_expect_eq(d.operators[0].count, 1);
	cr_expect_str_eq(d.operators[1].op_type, "Tanh");
	cr_expect_eq(d.operators[1].count, 2);
	cr_assert_eq(d.file.input_count, 1);
	cr_expect_str_eq(d.file.inputs[0].name, "x");
	cr_expect_str_eq(d.file.inputs[0].type, "float");
	cr_expect_eq(d.file.inputs[0].rank, 2);
	cr_expect_str_eq(d.file.inputs[0].dims[0].symbol, "n");
	cr_expect_eq(d.file.inputs[0].dims[1].number, 4);
	cr_expect_eq(d.file.opset, 13);
	description_fini(&d);
}

Test(describe, all_that_is_not_supported)
{
	static const struct {
		const char *node, *attribute;
	} wanted[] = { { "a", NULL }, { "b", "strange" }, { "c", "odd" }, { "c", "odder" }, { "d", NULL } };
	struct description d;

	open_text("input x 4\nparam w 4\nFrobnicate x -> a\nTanh a -> b strange=1\nAdd b,w -> c odd=1 odder=2\n"
		  "Frobnicate c -> d\nRelu d -> y\n",
		  1, &d);
	cr_expect_null(d.graph);
	cr_expect_eq(d.refusal.code, EXP_EUNSUPPORTED);
	cr_expect_not_null(strstr(d.refusal.message, "Frobnicate"));
	cr_assert_eq(d.gap_count, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < d.gap_count; i++) {
		cr_expect_str_eq(d.gaps[i].node->name, wanted[i].node);
		cr_expect_eq(d.gaps[i].attribute != NULL, wanted[i].attribute != NULL);
		if (d.gaps[i].attribute)
			cr_expect_str_eq(d.gaps[i].attribute, wanted[i].attribute);
	}
	cr_assert_eq(d.weight_count, 1, "weights of a refused file are shown as well");
	cr_expect_str_eq(d.weights[0].name, "w");
	cr_expect_null(d.weights[0].parameter);
	cr_expect_eq(d.cost.forward_flops, 0);
	description_fini(&d);
}

Test(describe, names_in_pytorch)
{
	struct buf names = { 0 };
	struct description d;

	open_text("input x 4\nparam onnx::MatMul_1 4 4\nparam a.bias 4\nparam onnx::MatMul_3 4 4\n"
		  "Identity a.bias -> b.bias\nIdentity onnx::MatMul_1 -> onnx::MatMul_2\n"
		  "MatMul x,onnx::MatMul_1 -> /a/MatMul\nAdd a.bias,/a/MatMul -> /a/Add\n"
		  "MatMul /a/Add,onnx::MatMul_2 -> /b/MatMul\nAdd b.bias,/b/MatMul -> /b/Add\n"
		  "MatMul /b/Add,onnx::MatMul_3 -> /c/MatMul\n",
		  1, &d);
	cr_assert_eq(d.weight_count, 3, "%s", d.refusal.message);
	for (size_t i = 0; i < d.weight_count; i++) {
		describe_torch_names(&d.weights[i], &names);
		buf_add_text(&names, "\n");
	}
	cr_expect_not_null(strstr(names.data, "a.weight, b.weight (transposed)\n"), "%s", names.data);
	cr_expect_not_null(strstr(names.data, "probably c.weight (transposed)\n"), "%s", names.data);
	cr_expect_not_null(strstr(names.data, "b.bias\n"), "%s", names.data);
	cr_expect_null(strstr(names.data, "a.bias"), "the file's own name: %s", names.data);
	buf_fini(&names);
	description_fini(&d);
}

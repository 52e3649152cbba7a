/* Names of weights that PyTorch's exporter has changed: of real exports, and of small graphs that show one rule each.
 */
#include "engine/torch_names.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "model_text.h"

enum { LIMIT = 1 << 20 };

struct expected {
	const char *initializer;
	const char *name; /* NULL: none */
	enum torch_form form;
	bool guess;
	const char *also;    /* the second name, or NULL */
	const char *copy_of; /* or NULL */
};

static void check_one(const char *model, const struct onnx_inventory *v, const struct torch_weight *weights,
		      const struct expected *e)
{
	for (size_t i = 0; i < v->initializer_count; i++) {
		const struct torch_weight *w = &weights[i];

		if (strcmp(v->initializers[i].name, e->initializer) != 0)
			continue;
		if (e->name)
			cr_expect_str_eq(w->names[0].name, e->name, "%s: %s", model, e->initializer);
		else
			cr_expect_null(w->names[0].name, "%s: %s", model, e->initializer);
		cr_expect_eq(w->names[0].form, e->form, "%s: %s", model, e->initializer);
		cr_expect_eq(w->names[0].guess, e->guess, "%s: %s", model, e->initializer);
		cr_expect_eq(w->count > 1, e->also != NULL, "%s: %s", model, e->initializer);
		if (e->also && w->count > 1)
			cr_expect_str_eq(w->names[1].name, e->also);
		cr_expect_eq(w->copy_of != NULL, e->copy_of != NULL, "%s: %s", model, e->initializer);
		if (e->copy_of && w->copy_of)
			cr_expect_str_eq(w->copy_of, e->copy_of);
		return;
	}
	cr_expect_fail("%s has no %s", model, e->initializer);
}

static void check(const char *model, const struct buf *file, const struct expected *rows, size_t count)
{
	struct exp_error err = { 0 };
	struct onnx_inventory v;
	struct torch_weight *weights;

	cr_assert_eq(onnx_inventory_init(&v, file->data, file->size, &err), 0, "%s", err.message);
	cr_assert_eq(torch_names_find(&v, file->data, &weights, &err), 0, "%s", err.message);
	for (size_t i = 0; i < count; i++)
		check_one(model, &v, weights, &rows[i]);
	onnx_inventory_fini(&v);
}

#define CHECK_TEXT(text, ...)                                                                                          \
	do {                                                                                                           \
		const struct expected rows_[] = { __VA_ARGS__ };                                                       \
		struct buf file_ = { 0 };                                                                              \
                                                                                                                       \
		model_text_write(text, &file_);                                                                        \
		check("text", &file_, rows_, sizeof(rows_) / sizeof(rows_[0]));                                        \
		buf_fini(&file_);                                                                                      \
	} while (0)

Test(torch_names, exports)
{
	static const struct {
		const char *model;
		struct expected row;
	} rows[] = {
		{ "bert", { .initializer = "onnx::MatMul_337", "layers.0.query.weight", TORCH_TRANSPOSED } },
		{ "bert", { .initializer = "onnx::MatMul_361", "layers.1.wide.weight", TORCH_TRANSPOSED } },
		{ "encoder_layers",
		  { .initializer = "onnx::MatMul_304",
		    "encoder.layers.1.self_attn.in_proj_weight",
		    TORCH_TRANSPOSED } },
		{ "gpt_untied",
		  { .initializer = "onnx::MatMul_569",
		    "head.weight",
		    TORCH_TRANSPOSED,
		    true,
		    .copy_of = "wte.weight" } },
		{ "lstm_deep", { .initializer = "onnx::LSTM_396", "lstm.weight_ih_l1", TORCH_GATES, true } },
		{ "lstm_deep",
		  { .initializer = "onnx::LSTM_352", "lstm.bias_ih_l0 and lstm.bias_hh_l0", TORCH_GATES, true } },
		{ "mobilenet", { .initializer = "onnx::Conv_113", "features.4.block.7.weight", TORCH_FOLDED, true } },
		{ "resnet", { .initializer = "onnx::Conv_79", "layer2.downsample.0.bias", TORCH_FOLDED, true } },
		{ "resnet_merged", { .initializer = "bn1.weight", "bn1.weight", .also = "layer1.bn2.weight" } },
		{ "unet", { .initializer = "onnx::Mul_67", "norm1.weight", TORCH_RESHAPED, true } },
		{ "unet", { .initializer = "onnx::PRelu_69", "slope.weight", TORCH_RESHAPED, true } },
		{ "vit", { .initializer = "onnx::MatMul_228", "blocks.0.mlp.2.weight", TORCH_TRANSPOSED } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exp_error err = { 0 };
		struct buf file = { 0 };
		char path[512];

		snprintf(path, sizeof(path), GOLDEN "/engine/models/%s.onnx", rows[i].model);
		cr_assert_eq(file_read(path, LIMIT, &file, &err), 0, "%s", err.message);
		check(rows[i].model, &file, &rows[i].row, 1);
		buf_fini(&file);
	}
}

/* The bias knows better than the scope, which leaves out a ModuleDict and numbers a second call. */
Test(torch_names, the_bias_comes_first)
{
	CHECK_TEXT("input x 4\nparam onnx::MatMul_1 4 4\nparam a.items.q.bias 4\n"
		   "MatMul x,onnx::MatMul_1 -> /a/q_1/MatMul\nAdd a.items.q.bias,/a/q_1/MatMul -> /a/q_1/Add\n",
		   { .initializer = "onnx::MatMul_1", "a.items.q.weight", TORCH_TRANSPOSED });
}

Test(torch_names, scopes_repeat_their_parents)
{
	CHECK_TEXT(
	    "input x 4\nparam onnx::MatMul_1 4 4\nparam 2 4 4\nparam onnx::MatMul_3 4 4\nparam onnx::MatMul_4 4 4\n"
	    "MatMul x,onnx::MatMul_1 -> /seq/seq.0/net/net.1/net.1.0/MatMul\n"
	    "MatMul /seq/seq.0/net/net.1/net.1.0/MatMul,2 -> /blocks.0.1/MatMul\n"
	    "MatMul /blocks.0.1/MatMul,onnx::MatMul_3 -> /net/netting/MatMul\n"
	    "MatMul /net/netting/MatMul,onnx::MatMul_4 -> /MatMul\n",
	    { .initializer = "onnx::MatMul_1", "seq.0.net.1.0.weight", TORCH_TRANSPOSED, true },
	    { .initializer = "2", "blocks.0.1.weight", TORCH_TRANSPOSED, true },
	    { .initializer = "onnx::MatMul_3", "net.netting.weight", TORCH_TRANSPOSED, true },
	    { .initializer = "onnx::MatMul_4", NULL, TORCH_TRANSPOSED });
}

Test(torch_names, attention_without_biases)
{
	CHECK_TEXT("input x 3 4\nparam onnx::MatMul_1 4 12\nparam onnx::MatMul_2 4 4\n"
		   "MatMul x,onnx::MatMul_1 -> /attn/MatMul\nSoftmax /attn/MatMul -> /attn/Softmax\n"
		   "MatMul /attn/Softmax,onnx::MatMul_2 -> /attn/MatMul_3\n",
		   { .initializer = "onnx::MatMul_1", "attn.in_proj_weight", TORCH_TRANSPOSED, true },
		   { .initializer = "onnx::MatMul_2", "attn.out_proj.weight", TORCH_TRANSPOSED, true });
}

Test(torch_names, merged_weights_keep_all_names)
{
	CHECK_TEXT("input x 4\nparam onnx::MatMul_1 4 4\nparam a.bias 4\n"
		   "Identity a.bias -> b.bias\nIdentity onnx::MatMul_1 -> onnx::MatMul_2\n"
		   "MatMul x,onnx::MatMul_1 -> /a/MatMul\nAdd a.bias,/a/MatMul -> /a/Add\n"
		   "MatMul /a/Add,onnx::MatMul_2 -> /b/MatMul\nAdd b.bias,/b/MatMul -> /b/Add\n",
		   { .initializer = "onnx::MatMul_1", "a.weight", TORCH_TRANSPOSED, .also = "b.weight" },
		   { .initializer = "a.bias", "a.bias", .also = "b.bias" });
}

Test(torch_names, what_is_not_used_keeps_what_it_has)
{
	CHECK_TEXT("input x 4\nparam w 4\nparam onnx::Loop_7 4\nparam onnx::Add_9 4\nAdd x,w -> y\n",
		   { .initializer = "w", "w", TORCH_KEPT }, { .initializer = "onnx::Loop_7", NULL, TORCH_KEPT },
		   { .initializer = "onnx::Add_9", NULL, TORCH_KEPT });
}

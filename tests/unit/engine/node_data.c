/*
 * The ONNX project's own tests of single operators (Debian: libonnx-testdata), for the operators that there are. The
 * first input is taken as rows, the others become initializers. Skipped where the package is not installed.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/onnx.pb-c.h"
#include "engine/session.h"

#define FOLDER "/usr/share/libonnx-testdata/data/node/"

enum { LIMIT = 1 << 24 };

static const char *const cases[] = {
	"test_add_bcast",
	"test_averagepool_1d_default",
	"test_averagepool_2d_ceil",
	"test_averagepool_2d_default",
	"test_averagepool_2d_pads",
	"test_averagepool_2d_pads_count_include_pad",
	"test_averagepool_2d_precomputed_pads",
	"test_averagepool_2d_precomputed_pads_count_include_pad",
	"test_averagepool_2d_precomputed_same_upper",
	"test_averagepool_2d_precomputed_strides",
	"test_averagepool_2d_same_lower",
	"test_averagepool_2d_same_upper",
	"test_averagepool_2d_strides",
	"test_basic_conv_with_padding",
	"test_basic_conv_without_padding",
	"test_batchnorm_epsilon",
	"test_batchnorm_example",
	"test_constant_pad",
	"test_conv_with_autopad_same",
	"test_conv_with_strides_and_asymmetric_padding",
	"test_conv_with_strides_no_padding",
	"test_conv_with_strides_padding",
	"test_div_bcast",
	"test_dropout_default",
	"test_dropout_default_mask",
	"test_dropout_default_mask_ratio",
	"test_dropout_default_old",
	"test_dropout_default_ratio",
	"test_dropout_random_old",
	"test_flatten_axis1",
	"test_flatten_default_axis",
	"test_flatten_negative_axis3",
	"test_gemm_alpha",
	"test_gemm_beta",
	"test_gemm_default_no_bias",
	"test_gemm_default_scalar_bias",
	"test_gemm_default_single_elem_vector_bias",
	"test_gemm_default_vector_bias",
	"test_gemm_default_zero_bias",
	"test_gemm_transposeB",
	"test_identity",
	"test_logsoftmax_example_1",
	"test_logsoftmax_large_number",
	"test_matmul_2d",
	"test_maxpool_1d_default",
	"test_maxpool_2d_ceil",
	"test_maxpool_2d_default",
	"test_maxpool_2d_dilations",
	"test_maxpool_2d_pads",
	"test_maxpool_2d_precomputed_pads",
	"test_maxpool_2d_precomputed_same_upper",
	"test_maxpool_2d_precomputed_strides",
	"test_maxpool_2d_same_lower",
	"test_maxpool_2d_same_upper",
	"test_maxpool_2d_strides",
	"test_maxpool_with_argmax_2d_precomputed_pads",
	"test_maxpool_with_argmax_2d_precomputed_strides",
	"test_mul_bcast",
	"test_relu",
	"test_reshape_extended_dims",
	"test_reshape_negative_dim",
	"test_reshape_reduced_dims",
	"test_reshape_reordered_last_dims",
	"test_reshape_zero_and_negative_dim",
	"test_reshape_zero_dim",
	"test_sigmoid",
	"test_sigmoid_example",
	"test_softmax_example",
	"test_softmax_large_number",
	"test_squeeze_negative_axes",
	"test_sub_bcast",
	"test_tanh",
	"test_tanh_example",
	"test_transpose_all_permutations_0",
	"test_transpose_all_permutations_1",
	"test_unsqueeze_axis_1",
	"test_unsqueeze_axis_2",
	"test_unsqueeze_axis_3",
	"test_unsqueeze_negative_axes",
	"test_unsqueeze_three_axes",
	"test_unsqueeze_two_axes",
	"test_unsqueeze_unsorted_axes",
};

static bool read_part(const char *name, const char *part, struct buf *out)
{
	char path[512];

	snprintf(path, sizeof(path), FOLDER "%s/%s", name, part);
	return file_read(path, LIMIT, out, NULL) == 0;
}

static Onnx__TensorProto *read_tensor(const char *name, const char *kind, size_t i)
{
	Onnx__TensorProto *t = NULL;
	struct buf b = { 0 };
	char part[64];

	snprintf(part, sizeof(part), "test_data_set_0/%s_%zu.pb", kind, i);
	if (read_part(name, part, &b))
		t = onnx__tensor_proto__unpack(NULL, b.size, (const uint8_t *)b.data);
	buf_fini(&b);
	return t;
}

static size_t elements(const Onnx__TensorProto *t)
{
	size_t count = 1;

	for (size_t i = 0; i < t->n_dims; i++)
		count *= (size_t)t->dims[i];
	return count;
}

/* The model with every input but the first as an initializer. */
static struct graph *load_case(const char *name, struct exp_error *err)
{
	struct buf b = { 0 };
	Onnx__ModelProto *model;
	Onnx__GraphProto *g;
	struct graph *graph = NULL;
	uint8_t *packed;

	cr_assert(read_part(name, "model.onnx", &b), "%s", name);
	model = onnx__model_proto__unpack(NULL, b.size, (const uint8_t *)b.data);
	buf_fini(&b);
	cr_assert_not_null(model, "%s", name);
	g = model->graph;
	g->initializer = calloc(g->n_input, sizeof(g->initializer[0]));
	for (size_t i = 1; i < g->n_input; i++) {
		Onnx__TensorProto *t = read_tensor(name, "input", i);

		cr_assert_not_null(t);
		free(t->name);
		t->name = strdup(g->input[i]->name);
		g->initializer[g->n_initializer++] = t;
	}
	packed = malloc(onnx__model_proto__get_packed_size(model));
	if (graph_load(packed, onnx__model_proto__pack(model, packed), &graph, err))
		graph = NULL;
	free(packed);
	onnx__model_proto__free_unpacked(model, NULL);
	return graph;
}

static void compare(const char *name, const float *got, const Onnx__TensorProto *want)
{
	for (size_t i = 0; i < elements(want); i++) {
		float w;

		memcpy(&w, want->raw_data.data + i * sizeof(w), sizeof(w));
		cr_expect(fabsf(got[i] - w) <= 1e-3f * fabsf(w) + 1e-6f, "%s: [%zu] is %g, not %g", name, i,
			  (double)got[i], (double)w);
	}
}

static void run_case(const char *name)
{
	struct exp_error err = { 0 };
	Onnx__TensorProto *input = read_tensor(name, "input", 0), *output = read_tensor(name, "output", 0);
	struct graph *g = load_case(name, &err);
	struct session *s = NULL;
	struct params *p = NULL;
	float *x, *y;

	cr_assert(g && input && output, "%s: %s", name, err.message);
	x = malloc(input->raw_data.len);
	memcpy(x, input->raw_data.data, input->raw_data.len);
	y = calloc(elements(output), sizeof(*y));
	cr_assert_eq(session_new(g, (size_t)input->dims[0], &s, &err), 0, "%s: %s", name, err.message);
	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(graph_classes(g) * (size_t)input->dims[0], elements(output), "%s", name);
	cr_assert_eq(session_forward(s, p, x, (size_t)input->dims[0], y), 0);
	compare(name, y, output);
	free(x);
	free(y);
	session_free(s);
	params_free(p);
	graph_unref(g);
	onnx__tensor_proto__free_unpacked(input, NULL);
	onnx__tensor_proto__free_unpacked(output, NULL);
}

Test(node_data, operators)
{
	if (access(FOLDER, R_OK) != 0)
		cr_skip_test("libonnx-testdata is not installed");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(cases[i]);
}

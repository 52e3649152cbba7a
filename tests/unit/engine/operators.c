/*
 * Every operator inside a small model: each parameter's gradient against central differences of the loss (parameters in
 * front of the operator try its input gradient), squares and norms against one backward pass for each sample.
 *
 * To add an operator, add a model here that uses it behind a parameter, with every attribute that changes its
 * arithmetic.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "engine/session.h"
#include "model_text.h"

enum { ROWS = 5 };

#define IMAGE "input x 2 6 5\nparam w0 4 2 1 1\nparam b0 4\nConv x,w0,b0 -> h\n"

static const char *const models[] = {
	/* dense layers */
	"input x 6\nparam w 4 6\nparam b 4\nGemm x,w,b -> y transB=1",
	"input x 6\nparam w 6 4\nparam b 1 4\nGemm x,w,b -> y alpha=0.5 beta=-1.5",
	"input x 6\nparam w 6 4\nparam b 1\nGemm x,w,b -> y alpha=2.0",
	"input x 6\nparam v 6 6\nparam w 6 4\nMatMul x,v -> h\nGemm h,w -> y",
	"input x 6\nparam v 6 4\nparam w 6 4\nMatMul x,v -> h\nGemm x,w,h -> y beta=0.5",
	"input x 6\npositive p 1 3\nparam q 3 6\nparam w 4 6\nGemm p,q -> r transA=1 transB=1\nparam s 1 3\nparam t 3 "
	"6\n"
	"Gemm s,t -> u\nMul x,u -> h\nGemm h,w -> y transB=1",
	"input x 3 4\nparam w 4 5\nparam v 15 3\nMatMul x,w -> h\nTanh h -> t\nFlatten t -> f\nMatMul t,u -> k\n"
	"param u 5 2\nparam z 6 3\nFlatten k -> l\nMatMul f,v -> m\nMatMul l,z -> n\nAdd m,n -> y",
	"input x 3 4\nints merge -1 4\nints split -1 15\nparam w 4 5\nparam b 5\nparam v 15 3\nReshape x,merge -> s\n"
	"Gemm s,w,b -> h beta=0.5\nReshape h,split -> f\nGemm f,v -> y",
	/* element by element */
	"input x 6\nparam w 6 4\nparam b 4\nMatMul x,w -> h\nAdd h,b -> y",
	"input x 6\nparam w 6 4\nparam b 4\nMatMul x,w -> h\nSub b,h -> y",
	"input x 2 3 4\nparam a 2 3 4\nparam b 3 1\nparam c 2 1 4\npositive d 1 4\nMul x,a -> p\nAdd p,b -> q\nMul c,q "
	"-> r\n"
	"Div r,d -> s\nSub s,a -> t\nparam z 4\nMul t,z -> u\nFlatten u -> y",
	"input x 6\nparam w 6 4\nparam v 6 4\nMatMul x,w -> h\nMatMul x,v -> k\nMul h,k -> m\nSub m,h -> n\nAdd n,k -> "
	"y",
	"input x 6\nparam w 6 4\nMatMul x,w -> h\nMul h,h -> y",
	"input x 6\nparam w 6 4\nparam v 6 4\nnumber two 2.5\nMatMul x,w -> h\nMatMul x,v -> k\nMul k,k -> s\nAdd "
	"s,two -> p\nDiv h,p -> y",
	"input x 3 4\nparam w 4 4\nparam s 1\nparam v 12 3\nMatMul x,w -> h\nMul h,s -> k\nFlatten k -> f\nMatMul f,v "
	"-> y",
	"input x 2 4\nparam w 4 4\nparam u 4 1\nMatMul x,w -> h\nMatMul x,u -> g\nMul g,h -> k\nFlatten k -> y",
	"input x 6\nparam w 6 8\nparam v 8 4\nMatMul x,w -> h\nRelu h -> r\nMatMul r,v -> y",
	"input x 6\nparam w 6 8\nparam v 8 4\nMatMul x,w -> h\nSigmoid h -> r\nMatMul r,v -> y",
	"input x 6\nparam w 6 8\nparam v 8 4\nMatMul x,w -> h\nTanh h -> r\nMatMul r,v -> y",
	/* softmax in the middle and at the end, both meanings of axis */
	"input x 2 3\nparam w 3 5\nparam v 10 4\nMatMul x,w -> h\nSoftmax h -> s axis=2\nFlatten s -> f\nMatMul f,v -> "
	"y",
	"input x 2 3\nparam w 3 5\nparam v 10 4\nMatMul x,w -> h\nLogSoftmax h -> s axis=1\nFlatten s -> f\nMatMul f,v "
	"-> y",
	"opset 11\ninput x 2 3\nparam w 3 5\nparam v 10 4\nMatMul x,w -> h\nSoftmax h -> s\nFlatten s -> f\nMatMul f,v "
	"-> y",
	"input x 6\nparam w 6 4\nMatMul x,w -> h\nSoftmax h -> y",
	"input x 6\nparam w 6 4\nMatMul x,w -> h\nLogSoftmax h -> k\nIdentity k -> y",
	/* views, and what exporters write around them */
	"input x 2 3\nparam w 3 4\nparam v 8 3\nMatMul x,w -> h\nints a 1\nUnsqueeze h,a -> u\nSqueeze u,a -> "
	"q\nDropout q -> d\n"
	"Shape d -> s\nint zero 0\nGather s,zero -> n\nints first 0\nUnsqueeze n,first -> m\nints rest -1\nConcat "
	"m,rest -> t axis=0\n"
	"Reshape d,t -> f\nIdentity f -> i\nMatMul i,v -> y",
	"opset 11\ninput x =1 2 3\nparam w 3 4\nparam v 8 3\nMatMul x,w -> h\nUnsqueeze h -> u axes=[1]\nSqueeze u -> "
	"q axes=[1]\nints t 1 8\n"
	"Reshape q,t -> f\nMatMul f,v -> y",
	"input x 2 3 4\nparam w 4 4\nparam v 24 3\nMatMul x,w -> h\nTranspose h -> t perm=[0,3,1,2]\nFlatten t -> "
	"f\nMatMul f,v -> y",
	/* weights that are used twice or by way of others */
	"input x 4\nparam w 4 4\nMatMul x,w -> h\nTanh h -> t\nMatMul t,w -> y",
	"input x 4\nparam w 3 4\nparam b 3\nTranspose w -> v perm=[1,0]\nMatMul x,v -> h\nAdd h,b -> k\nAdd k,b -> y",
	"input x 4\nparam w 3 4\npositive g 3 1\nMul w,g -> v\nSigmoid v -> u\nGemm x,u -> h transB=1\nGemm x,w -> k "
	"transB=1\nAdd h,k -> y",
	"input x 4\nparam w 12\nints s 4 3\nReshape w,s -> v\nMatMul x,v -> y",
	"input x 4\nconstant w 3 4\nconstant b 3\nGemm x,w,b -> y transB=1",
	/* convolutions */
	"input x 2 6 5\nparam w 4 2 3 3\nparam b 4\nConv x,w,b -> h\nFlatten h -> y",
	IMAGE "param w 4 4 3 2\nparam b 4\nConv h,w,b -> k pads=[1,0,2,1] strides=[2,1]\nFlatten k -> y",
	IMAGE "param w 6 2 3 3\nparam b 6\nConv h,w,b -> k group=2 dilations=[2,1] pads=[2,1,2,1]\nFlatten k -> y",
	IMAGE "param w 4 1 2 3\nConv h,w -> k group=4 auto_pad=SAME_UPPER strides=[2,2]\nFlatten k -> y",
	IMAGE "param w 3 4 2 2\nConv h,w -> k auto_pad=SAME_LOWER kernel_shape=[2,2]\nFlatten k -> y",
	IMAGE "param w 3 4 3 3\nConv h,w -> k auto_pad=VALID strides=[3,2]\nFlatten k -> y",
	IMAGE "param w 3 2 1 1\nparam b 3\nConv x,w,b -> k strides=[2,2]\nparam u 3 4 1 1\nConv h,u -> l "
	      "strides=[2,2]\nAdd k,l -> m\n"
	      "Flatten m -> y",
	"input x 3 9\nparam v 3 3 1\nparam w 4 3 3\nparam b 4\nConv x,v -> h\nConv h,w,b -> k pads=[2,1] strides=[2] "
	"dilations=[2]\nFlatten k -> y",
	"input x 2 4 4\nparam w 2 2 3 3\nConv x,w -> h pads=[1,1,1,1]\nTanh h -> t\nConv t,w -> k\nFlatten k -> y",
	/* normalisation and pools */
	IMAGE "positive s 4\nparam b 4\nparam m 4\npositive v 4\nBatchNormalization h,s,b,m,v -> k "
	      "epsilon=0.1\nFlatten k -> y",
	"input x 6\nparam w 6 4\npositive s 4\nparam b 4\nparam m 4\npositive v 4\nMatMul x,w -> h\nBatchNormalization "
	"h,s,b,m,v -> y",
	IMAGE "MaxPool h -> k kernel_shape=[2,2] strides=[2,2]\nFlatten k -> y",
	IMAGE
	"MaxPool h -> k kernel_shape=[3,2] pads=[1,1,1,0] strides=[2,1] dilations=[1,2] ceil_mode=1\nFlatten k -> y",
	IMAGE "AveragePool h -> k kernel_shape=[2,2] strides=[2,2]\nFlatten k -> y",
	IMAGE "AveragePool h -> k kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2] ceil_mode=1\nFlatten k -> y",
	IMAGE "AveragePool h -> k kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2] ceil_mode=1 "
	      "count_include_pad=1\nFlatten k -> y",
	IMAGE "GlobalAveragePool h -> k\nFlatten k -> y",
	IMAGE "ints p 0 1 2 0 0 0 1 1\nPad h,p -> k\nFlatten k -> f\nparam z 270 3\nMatMul f,z -> y",
	"input x 3 8\nparam v 3 3 1\nConv x,v -> h\nMaxPool h -> k kernel_shape=[3] strides=[2]\nAveragePool k -> l "
	"kernel_shape=[2]\nFlatten l -> y",
};

enum { MODELS = sizeof(models) / sizeof(models[0]) };

struct fixture {
	struct graph *graph;
	struct params *params;
	struct session *session;
	float *inputs;
	int32_t labels[ROWS];
	size_t floats; /* of all parameters */
};

static void set_up(struct fixture *f, const char *model)
{
	struct exp_error err = { 0 };
	struct rng rng;
	size_t row;

	f->graph = model_text_load(model);
	cr_assert_eq(graph_initial_params(f->graph, &f->params), 0);
	cr_assert_eq(session_new(f->graph, ROWS + 1, &f->session, &err), 0, "%s", err.message);
	f->floats = graph_parameter_floats(f->graph);
	cr_assert_gt(f->floats, 0);
	row = graph_input_floats(f->graph);
	f->inputs = calloc(ROWS * row, sizeof(*f->inputs));
	rng_init(&rng, 3, "operators");
	for (size_t i = 0; i < ROWS * row; i++)
		f->inputs[i] = (float)rng_normal(&rng);
	for (size_t i = 0; i < ROWS; i++)
		f->labels[i] = (int32_t)rng_below(&rng, (uint32_t)graph_classes(f->graph));
}

static void tear_down(struct fixture *f)
{
	free(f->inputs);
	session_free(f->session);
	params_free(f->params);
	graph_unref(f->graph);
}

static double summed_loss(struct fixture *f)
{
	size_t classes = graph_classes(f->graph);
	float *log_probs = calloc(ROWS * classes, sizeof(*log_probs));
	double loss = 0.0;

	cr_assert_eq(session_log_probs(f->session, f->params, f->inputs, ROWS, log_probs), 0);
	for (size_t i = 0; i < ROWS; i++)
		loss -= (double)log_probs[i * classes + (size_t)f->labels[i]];
	free(log_probs);
	return loss;
}

static void backward(struct fixture *f, size_t first, size_t n, enum session_reduce kind, float *out, double *dots)
{
	struct session_result r = { .out = out, .dots = dots };
	size_t row = graph_input_floats(f->graph);

	cr_assert_eq(session_backward(f->session, f->params, f->inputs + first * row, f->labels + first, n, kind, &r),
		     0);
}

/* Tests run in processes of their own, to which a number travels but not a pointer. */
static struct criterion_test_params model_numbers(void)
{
	static size_t numbers[MODELS];

	for (size_t i = 0; i < MODELS; i++)
		numbers[i] = i;
	return cr_make_param_array(size_t, numbers, MODELS);
}

ParameterizedTestParameters(operators, gradients)
{
	return model_numbers();
}

/* Fourth-order central differences. */
static double difference(struct fixture *f, size_t i, double h)
{
	float value = f->params->values[i];
	double loss[4];

	for (int k = 0; k < 4; k++) {
		f->params->values[i] = value + (float)(h * (k < 2 ? k - 2 : k - 1));
		loss[k] = summed_loss(f);
	}
	f->params->values[i] = value;
	return (8.0 * (loss[2] - loss[1]) - (loss[3] - loss[0])) / (12.0 * h);
}

/* A wide step keeps fp32's noise down; a narrow one does not reach across the kinks of Relu and MaxPool. */
#define WIDE   (1.0 / 64.0)
#define NARROW (1.0 / 1024.0)

static bool agrees(struct fixture *f, size_t i, double gradient, double tolerance)
{
	return fabs(difference(f, i, WIDE) - gradient) < tolerance ||
	       fabs(difference(f, i, NARROW) - gradient) < tolerance;
}

ParameterizedTest(const size_t *number, operators, gradients)
{
	const char *model = models[*number];
	struct fixture f;
	float *sum;
	double scale = 0.0;

	set_up(&f, model);
	sum = calloc(f.floats, sizeof(*sum));
	backward(&f, 0, ROWS, SESSION_SUM, sum, NULL);
	for (size_t i = 0; i < f.floats; i++)
		scale = fmax(scale, fabs((double)sum[i]));
	cr_assert_gt(scale, 1e-3, "the model has no gradient:\n%s", model);
	for (size_t i = 0; i < f.floats; i++)
		cr_assert(agrees(&f, i, (double)sum[i], 3e-3 * scale),
			  "parameter %zu: gradient %g, differences %g and %g in\n%s", i, (double)sum[i],
			  difference(&f, i, WIDE), difference(&f, i, NARROW), model);
	free(sum);
	tear_down(&f);
}

ParameterizedTestParameters(operators, per_sample)
{
	return model_numbers();
}

/* The definition: one sample at a time, its whole gradient squared. */
static void square_by_definition(struct fixture *f, double *squares, double *norms)
{
	float *one = calloc(f->floats, sizeof(*one));

	for (size_t n = 0; n < ROWS; n++) {
		for (size_t i = 0; i < f->floats; i++)
			one[i] = 0.0f;
		backward(f, n, 1, SESSION_SUM, one, NULL);
		for (size_t i = 0; i < f->floats; i++) {
			squares[i] += (double)one[i] * (double)one[i];
			norms[n] += (double)one[i] * (double)one[i];
		}
	}
	free(one);
}

ParameterizedTest(const size_t *number, operators, per_sample)
{
	const char *model = models[*number];
	struct fixture f;
	double *squares, norms[ROWS] = { 0 }, dots[ROWS], largest = 0.0;
	float *out;

	set_up(&f, model);
	squares = calloc(f.floats, sizeof(*squares));
	out = calloc(f.floats, sizeof(*out));
	square_by_definition(&f, squares, norms);
	backward(&f, 0, ROWS, SESSION_SQUARE_SUM, out, NULL);
	backward(&f, 0, ROWS, SESSION_NORM, NULL, dots);
	for (size_t i = 0; i < f.floats; i++)
		largest = fmax(largest, squares[i]);
	for (size_t i = 0; i < f.floats; i++)
		cr_assert(fabs((double)out[i] - squares[i]) < 1e-5 * (squares[i] + largest),
			  "square %zu: %g, by definition %g in\n%s", i, (double)out[i], squares[i], model);
	for (size_t n = 0; n < ROWS; n++)
		cr_assert(fabs(dots[n] - norms[n]) < 1e-5 * norms[n], "norm %zu: %g, by definition %g in\n%s", n,
			  dots[n], norms[n], model);
	free(squares);
	free(out);
	tear_down(&f);
}

/* Of equal inputs the first in the window gets the gradient, as in PyTorch. */
Test(operators, max_pool_gives_once)
{
	struct graph *g = model_text_load("input x 2 2 2\nparam w 2 2 2\nMul x,w -> h\n"
					  "MaxPool h -> k kernel_shape=[2,2]\nFlatten k -> y");
	static const float want[8] = { -0.5f, 0, 0, 0, 0.5f, 0, 0, 0 };
	float ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, sum[8] = { 0 };
	struct session_result r = { .out = sum };
	struct exp_error err = { 0 };
	struct session *s;
	struct params *p;
	int32_t label = 0;

	cr_assert_eq(session_new(g, 1, &s, &err), 0, "%s", err.message);
	cr_assert_eq(params_new(g, &p), 0);
	for (size_t i = 0; i < 8; i++)
		p->values[i] = 1.0f;
	cr_assert_eq(session_backward(s, p, ones, &label, 1, SESSION_SUM, &r), 0);
	for (size_t i = 0; i < 8; i++)
		cr_assert_float_eq(sum[i], want[i], 1e-6f, "%zu: %g", i, (double)sum[i]);
	session_free(s);
	params_free(p);
	graph_unref(g);
}

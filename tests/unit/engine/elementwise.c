/*
 * What element-wise operators, reductions and norms compute, beside their definitions; what they make of integers,
 * truth values, NaNs and bad shapes. Their gradients: operators.c.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/session.h"
#include "model_text.h"

/* y [outputs] of the model for one row x. */
static void run(const char *model, const float *x, float *y)
{
	struct graph *g = model_text_load(model);
	struct exp_error err = { 0 };
	struct params *p = NULL;
	struct session *s = NULL;

	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(session_new(g, 1, &s, &err), 0, "%s", err.message);
	cr_assert_eq(session_forward(s, p, x, 1, y), 0);
	session_free(s);
	params_free(p);
	graph_unref(g);
}

/* ---- functions of one number ---- */

static double leaky_relu(double x)
{
	return x < 0 ? 0.2 * x : x;
}

static double elu(double x)
{
	return x < 0 ? 0.4 * expm1(x) : x;
}

static double selu(double x)
{
	return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
}

static double celu(double x)
{
	return fmax(0, x) + fmin(0, 0.7 * expm1(x / 0.7));
}

static double thresholded_relu(double x)
{
	return x > 0.3 ? x : 0;
}

static double hard_sigmoid(double x)
{
	return fmax(0, fmin(1, 0.3 * x + 0.4));
}

static double hard_swish(double x)
{
	return x * fmax(0, fmin(1, x / 6 + 0.5));
}

static double relu(double x)
{
	return fmax(0, x);
}

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static double softplus(double x)
{
	return log1p(exp(x));
}

static double softsign(double x)
{
	return x / (1 + fabs(x));
}

static double reciprocal(double x)
{
	return 1 / x;
}

static double negative(double x)
{
	return -x;
}

static double sign(double x)
{
	return (x > 0) - (x < 0);
}

static double clip(double x)
{
	return fmax(-0.5, fmin(0.7, x));
}

struct function {
	const char *node; /* of "x" */
	double (*exact)(double);
	double low, high; /* where it is tried */
};

static const struct function functions[] = {
	{ "Relu x -> y", relu, -4, 4 },
	{ "LeakyRelu x -> y alpha=0.2", leaky_relu, -4, 4 },
	{ "Elu x -> y alpha=0.4", elu, -20, 4 },
	{ "Selu x -> y", selu, -20, 4 },
	{ "Celu x -> y alpha=0.7", celu, -20, 4 },
	{ "ThresholdedRelu x -> y alpha=0.3", thresholded_relu, -4, 4 },
	{ "Sigmoid x -> y", sigmoid, -80, 80 },
	{ "HardSigmoid x -> y alpha=0.3 beta=0.4", hard_sigmoid, -4, 4 },
	{ "HardSwish x -> y", hard_swish, -5, 5 },
	{ "Tanh x -> y", tanh, -12, 12 },
	{ "Erf x -> y", erf, -5, 5 },
	{ "Softplus x -> y", softplus, -80, 80 },
	{ "Softsign x -> y", softsign, -50, 50 },
	{ "Sqrt x -> y", sqrt, 0, 50 },
	{ "Exp x -> y", exp, -80, 80 },
	{ "Log x -> y", log, 1e-3, 50 },
	{ "Neg x -> y", negative, -4, 4 },
	{ "Abs x -> y", fabs, -4, 4 },
	{ "Reciprocal x -> y", reciprocal, 0.1, 4 },
	{ "Sin x -> y", sin, -4, 4 },
	{ "Cos x -> y", cos, -4, 4 },
	{ "Tan x -> y", tan, -1.5, 1.5 },
	{ "Asin x -> y", asin, -1, 1 },
	{ "Acos x -> y", acos, -1, 1 },
	{ "Atan x -> y", atan, -9, 9 },
	{ "Sinh x -> y", sinh, -9, 9 },
	{ "Cosh x -> y", cosh, -9, 9 },
	{ "Asinh x -> y", asinh, -9, 9 },
	{ "Acosh x -> y", acosh, 1, 9 },
	{ "Atanh x -> y", atanh, -0.99, 0.99 },
	{ "Floor x -> y", floor, -4, 4 },
	{ "Ceil x -> y", ceil, -4, 4 },
	{ "Round x -> y", rint, -4, 4 },
	{ "Sign x -> y", sign, -4, 4 },
	{ "number a -0.5\nnumber b 0.7\nClip x,a,b -> y", clip, -4, 4 },
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]), POINTS = 129 };

Test(elementwise, functions_of_one_number)
{
	for (size_t f = 0; f < FUNCTIONS; f++) {
		const struct function *c = &functions[f];
		float x[POINTS], y[POINTS];
		char model[256];

		snprintf(model, sizeof(model), "opset 14\ninput x %d\n%s", POINTS, c->node);
		for (size_t i = 0; i < POINTS; i++)
			x[i] = (float)(c->low + (c->high - c->low) * (double)i / (POINTS - 1));
		run(model, x, y);
		for (size_t i = 0; i < POINTS; i++) {
			double want = c->exact((double)x[i]);

			cr_assert(fabs((double)y[i] - want) <= 1e-7 + 1e-6 * fabs(want), "%s at %g: %.9g, not %.9g",
				  c->node, (double)x[i], (double)y[i], want);
		}
	}
}

/* What has gone wrong before must not look right afterwards. */
Test(elementwise, nans_stay)
{
	static const char *const nodes[] = { "number b 0\nMax x,b -> y",        "number b 0\nMin b,x -> y",
					     "ReduceMax x -> y axes=[1]",       "ReduceMin x -> y axes=[1]",
					     "ReduceLogSumExp x -> y axes=[1]", "Softmax x -> s\nIdentity s -> y" };

	for (size_t f = 0; f < FUNCTIONS + sizeof(nodes) / sizeof(nodes[0]); f++) {
		const char *node = f < FUNCTIONS ? functions[f].node : nodes[f - FUNCTIONS];
		float x[2] = { NAN, NAN }, y[2] = { 0 };
		char model[256];

		snprintf(model, sizeof(model), "opset 14\ninput x 2\n%s", node);
		run(model, x, y);
		cr_assert(isnan(y[0]), "%s: %g", node, (double)y[0]);
	}
}

/* ---- integers, truth values, edges ---- */

struct example {
	const char *model; /* of x [4] */
	float x[4], y[4];
};

#define INTEGERS "input x 4\nints a -7 7 -7 7\nints b 3 -3 -3 3\n"
#define SHOWN    "\nCast c -> f to=1\nMul x,f -> y"

static const struct example examples[] = {
	{ INTEGERS "Add a,b -> c" SHOWN, { 1, 1, 1, 1 }, { -4, 4, -10, 10 } },
	{ INTEGERS "Sub a,b -> c" SHOWN, { 1, 1, 1, 1 }, { -10, 10, -4, 4 } },
	{ INTEGERS "Mul a,b -> c" SHOWN, { 1, 1, 1, 1 }, { -21, -21, 21, 21 } },
	{ INTEGERS "Div a,b -> c" SHOWN, { 1, 1, 1, 1 }, { -2, -2, 2, 2 } },
	{ INTEGERS "Mod a,b -> c" SHOWN, { 1, 1, 1, 1 }, { 2, -2, -1, 1 } },
	{ INTEGERS "Mod a,b -> c fmod=1" SHOWN, { 1, 1, 1, 1 }, { -1, 1, -1, 1 } },
	{ INTEGERS "Pow a,b -> c" SHOWN, { 1, 1, 1, 1 }, { -343, 0, 0, 343 } },
	{ INTEGERS "Max a,b -> c" SHOWN, { 1, 1, 1, 1 }, { 3, 7, -3, 7 } },
	{ INTEGERS "Min a,b -> c" SHOWN, { 1, 1, 1, 1 }, { -7, -3, -7, 3 } },
	{ INTEGERS "Abs a -> c" SHOWN, { 1, 1, 1, 1 }, { 7, 7, 7, 7 } },
	{ INTEGERS "Sign b -> c" SHOWN, { 1, 1, 1, 1 }, { 1, -1, -1, 1 } },
	{ INTEGERS "int z 0\nDiv a,z -> c" SHOWN, { 1, 1, 1, 1 }, { 0, 0, 0, 0 } },
	{ INTEGERS "int z 0\nMod a,z -> c" SHOWN, { 1, 1, 1, 1 }, { 0, 0, 0, 0 } },
	{ INTEGERS "ReduceProd a -> c keepdims=1" SHOWN, { 1, 1, 1, 1 }, { 2401, 2401, 2401, 2401 } },
	{ INTEGERS "ReduceMax b -> c" SHOWN, { 1, 1, 1, 1 }, { 3, 3, 3, 3 } },
	{ INTEGERS "ReduceMean a -> c" SHOWN, { 1, 1, 1, 1 }, { 0, 0, 0, 0 } },
	{ INTEGERS "Greater a,b -> c" SHOWN, { 1, 1, 1, 1 }, { 0, 1, 0, 1 } },
	{ INTEGERS "LessOrEqual a,b -> p\nEqual a,a -> q\nXor p,q -> c" SHOWN, { 1, 1, 1, 1 }, { 0, 1, 0, 1 } },
	{ "input x 4\nints a 300 -1 255 128\nCast a -> c to=2" SHOWN, { 1, 1, 1, 1 }, { 44, 255, 255, 128 } },
	{ "input x 4\nints a 300 -1 255 128\nCast a -> c to=3" SHOWN, { 1, 1, 1, 1 }, { 44, -1, -1, -128 } },
	{ "input x 4\nints a 200 -1 0 1\nCast a -> b to=2\nAdd b,b -> c" SHOWN, { 1, 1, 1, 1 }, { 144, 254, 0, 2 } },
	{ "input x 4\nnumbers a 1.9 -1.9 1e30 0.0\nCast a -> c to=6" SHOWN, { 1, 1, 1, 1 }, { 1, -1, -1, 0 } },
	{ "input x 4\nCast x -> b to=9\nNot b -> c\nCast c -> y to=1", { 0, 1, NAN, -0.5f }, { 1, 0, 0, 0 } },
	{ "input x 4\nIsNaN x -> c\nCast c -> y to=1", { 0, NAN, INFINITY, -NAN }, { 0, 1, 0, 1 } },
	{ "input x 4\nIsInf x -> c detect_negative=0\nCast c -> y to=1",
	  { 0, NAN, INFINITY, -INFINITY },
	  { 0, 0, 1, 0 } },
	{ "input x 4\nnumber e 0.0\nPow x,e -> y", { 0, NAN, 2, -3 }, { 1, 1, 1, 1 } },
	{ "input x 4\nnumber e 3.0\nPow x,e -> y", { 0, 1, 2, -3 }, { 0, 1, 8, -27 } },
	{ "opset 10\ninput x 4\nnumber e 3.0\nMod x,e -> y fmod=1", { 5, -5, 2, -3 }, { 2, -2, 2, 0 } },
	{ "input x 4\nHardmax x -> y", { 1, 3, 3, -3 }, { 0, 1, 0, 0 } },
	{ "input x 4\nArgMax x -> i axis=1 keepdims=1\nCast i -> f to=1\nSub x,x -> z\nAdd z,f -> y",
	  { 1, 3, 3, -3 },
	  { 1, 1, 1, 1 } },
	{ "input x 4\nArgMax x -> i axis=-1 select_last_index=1\nCast i -> f to=1\nSub x,x -> z\nAdd z,f -> y",
	  { 1, 3, 3, -3 },
	  { 2, 2, 2, 2 } },
	{ "input x 4\nMean x,x -> y", { 1, 3, 3, -3 }, { 1, 3, 3, -3 } },
	{ "input x 4\nSum x,x,x -> y", { 1, 3, 3, -3 }, { 3, 9, 9, -9 } },
	{ "input x 4\nReduceLogSumExp x -> m axes=[1]\nSub x,x -> z\nAdd z,m -> y",
	  { 1000, -1000, -1000, -1000 },
	  { 1000, 1000, 1000, 1000 } },
};

Test(elementwise, examples)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const struct example *e = &examples[i];
		float y[4];

		run(e->model, e->x, y);
		for (size_t k = 0; k < 4; k++)
			cr_assert_float_eq(y[k], e->y[k], 1e-6, "element %zu is %g, not %g in\n%s", k, (double)y[k],
					   (double)e->y[k], e->model);
	}
}

/* ---- refusals ---- */

struct refusal {
	const char *model;
	int code;
	const char *words[3];
};

#define INPUT "input x 3 4\nparam w 3 4\nMul x,w -> h\n"

static const struct refusal refusals[] = {
	{ INPUT "ReduceMean h -> y axes=[0]", EXP_EUNSUPPORTED, { "mixes samples", "[N, 3, 4]" } },
	{ INPUT "ReduceMax h -> m\nMul h,m -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "ArgMax h -> i\nCast i -> y to=1", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "Softmax h -> s axis=0\nMul s,h -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "Transpose h -> t perm=[1,0,2]\nAdd h,t -> y", EXP_ESHAPE, { "do not broadcast" } },
	{ "input x 3 3\nparam w 3 3\nMul x,w -> h\nTranspose h -> t perm=[1,0,2]\nparam v 3 1 3\nMul t,v -> u\nAdd "
	  "h,u -> y",
	  EXP_ESHAPE,
	  { "do not broadcast" } },
	{ INPUT "ReduceMean h -> y axes=[3]", EXP_ESHAPE, { "axis 3" } },
	{ INPUT "Softmax h -> y axis=-4", EXP_ESHAPE, { "axis -4" } },
	{ INPUT "param a 2 4\nMul h,a -> y", EXP_ESHAPE, { "[N, 3, 4] and [2, 4]" } },
	{ INPUT "param s 2 1 3 4\nPRelu h,s -> y", EXP_ESHAPE, { "slope" } },
	{ INPUT "Max h,x,b -> y\nparam b 5", EXP_ESHAPE, { "do not broadcast" } },
	{ INPUT "number e 3.0\nMod h,e -> y", EXP_EUNSUPPORTED, { "fmod" } },
	{ INPUT "And h,h -> y", EXP_EUNSUPPORTED, { "does not take fp32" } },
	{ INPUT "int i 2\nAdd h,i -> y", EXP_EUNSUPPORTED, { "integer", "fp32" } },
	{ INPUT "bools m 1 0 1 0\nPow h,m -> y", EXP_EUNSUPPORTED, { "boolean" } },
	{ INPUT "Where h,h,h -> y", EXP_EUNSUPPORTED, { "fp32", "boolean" } },
	{ INPUT "Cast h -> y to=10", EXP_EUNSUPPORTED, { "type" } },
	{ INPUT "Cast h -> y to=-4", EXP_EUNSUPPORTED, { "type" } },
	{ INPUT "numbers a 0.5 0.7\nClip h,a -> y", EXP_ESHAPE, { "bound" } },
	{ INPUT "Not h -> y", EXP_EUNSUPPORTED, { "fp32", "boolean" } },
	{ "opset 17\n" INPUT "param s 3\nLayerNormalization h,s -> y", EXP_ESHAPE, { "Scale", "[3]" } },
	{ "opset 17\n" INPUT "param s 4\nLayerNormalization h,s -> y,m", EXP_EUNSUPPORTED, { "means and deviations" } },
	{ "opset 17\n" INPUT "param s 3 4\nLayerNormalization h,s -> y axis=0", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "param s 4\nparam b 3\nInstanceNormalization h,s,b -> y", EXP_ESHAPE, { "scale", "3 channels" } },
	{ INPUT "param s 3\nparam b 3\nparam m 3\nparam v 4\nBatchNormalization h,s,b,m,v -> y",
	  EXP_ESHAPE,
	  { "var", "3 channels" } },
	{ "opset 14\n" INPUT
	  "param s 3\nparam b 3\nparam m 3\nparam v 3\nBatchNormalization h,s,b,m,v -> y training_mode=1",
	  EXP_EUNSUPPORTED,
	  { "evaluation mode" } },
	{ INPUT "Transpose h -> t perm=[1,0,2]\nparam s 4\nparam b 4\nInstanceNormalization t,s,b -> y",
	  EXP_ESHAPE,
	  { "channels" } },
};

Test(elementwise, refusals)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const char *words[4] = { refusals[i].words[0], refusals[i].words[1], refusals[i].words[2], NULL };

		model_text_refused(refusals[i].model, refusals[i].code, words);
	}
}

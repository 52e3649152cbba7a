/* Vectorised functions against libm in double, over every exponent, and against themselves one number at a time. */
#include "engine/kernels_math.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { STRIDE = 8209 }; /* prime: every exponent is met with half a thousand mantissas and both signs */

static double sigmoid(double x)
{
	return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double softplus(double x)
{
	return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double gelu(double x)
{
	return x * erfc(-x * M_SQRT1_2) / 2;
}

static double gelu_tanh(double x)
{
	return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/* Units in the last place between got and want; huge where only one is a NaN or an infinity. */
static double distance(float got, double want)
{
	float rounded = (float)want;
	int exponent;

	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got) ? 0 : 1e9;
	if (isinf(rounded) || isinf(got))
		return rounded == got ? 0 : fabs(want) > 3.40282e38 && fabsf(got) > 3.40282e38f ? 1 : 1e9;
	frexp(want, &exponent);
	return fabs((double)got - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

struct function {
	const char *name;
	float (*one)(float);
	double (*exact)(double);
	double ulps;
};

#define ONE(name)                                                                                                      \
	static float one_##name(float x)                                                                               \
	{                                                                                                              \
		return math_##name(x);                                                                                 \
	}

ONE(exp)
ONE(expm1)
ONE(log)
ONE(tanh)
ONE(erf)
ONE(sigmoid)
ONE(softplus)
ONE(gelu)
ONE(gelu_tanh)

static const struct function functions[] = {
	{ "exp", one_exp, exp, 1 },
	{ "expm1", one_expm1, expm1, 2 },
	{ "log", one_log, log, 1 },
	{ "tanh", one_tanh, tanh, 1.5 },
	{ "erf", one_erf, erf, 2 },
	{ "sigmoid", one_sigmoid, sigmoid, 2.5 },
	{ "softplus", one_softplus, softplus, 3 },
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

Test(kernels_math, are_right_to_the_last_places)
{
	for (size_t f = 0; f < FUNCTIONS; f++) {
		for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += STRIDE) {
			float x = math_from_bits((uint32_t)bits), y = functions[f].one(x);
			double off = distance(y, functions[f].exact((double)x));

			cr_assert(off <= functions[f].ulps, "%s(%.9g) is %.9g, %g ulps off", functions[f].name,
				  (double)x, (double)y, off);
		}
	}
}

Test(kernels_math, are_right_at_the_edges)
{
	static const float edges[] = { 0.0f,      -0.0f,       INFINITY,    -INFINITY, NAN,       1e-45f,    -1e-45f,
				       1.17e-38f, 1.1755e-38f, 3.4e38f,     -3.4e38f,  88.72283f, 88.72284f, -87.33655f,
				       -103.972f, -103.973f,   -104.0f,     0.625f,    0.93f,     4.0f,      9.02f,
				       -17.0f,    -25.0f,      0.70710677f, 1.4142135f };

	for (size_t f = 0; f < FUNCTIONS; f++) {
		for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
			float y = functions[f].one(edges[i]);
			double exact = functions[f].exact((double)edges[i]);

			cr_assert(distance(y, exact) <= functions[f].ulps, "%s(%g) is %g", functions[f].name,
				  (double)edges[i], (double)y);
			cr_assert(isnan(y) || exact != 0 || !signbit(y) == !signbit(exact), "%s(%g) is %g",
				  functions[f].name, (double)edges[i], (double)y);
		}
	}
}

/* 1 + erf loses digits where it is small, here as everywhere: what counts is the error beside x. */
Test(kernels_math, gelu_follows_its_definition)
{
	for (float x = -30; x < 30; x += 0.00137f) {
		double h = 1e-4, at = (double)x;

		cr_assert_float_eq(math_rough_erf(x), erf(at), 4e-7, "erf(%g)", at);
		cr_assert_float_eq(math_rough_tanh(x), tanh(at), 4e-7, "tanh(%g)", at);
		cr_assert_float_eq(math_gelu(x), gelu(at), 3e-7 * fmax(1, fabs(at)), "gelu(%g)", at);
		cr_assert_float_eq(math_gelu_tanh(x), gelu_tanh(at), 3e-7 * fmax(1, fabs(at)), "gelu_tanh(%g)", at);
		cr_assert_float_eq(math_gelu_slope(x), (gelu(at + h) - gelu(at - h)) / (2 * h), 1e-6);
		cr_assert_float_eq(math_gelu_tanh_slope(x), (gelu_tanh(at + h) - gelu_tanh(at - h)) / (2 * h), 4e-6);
	}
}

Test(kernels_math, gelu_is_right_at_the_edges)
{
	cr_assert(math_gelu(0.0f) == 0 && math_gelu_tanh(0.0f) == 0 && math_gelu(20) == 20 && math_gelu(-20) == 0);
	cr_assert(math_gelu(INFINITY) == INFINITY && math_gelu_tanh(INFINITY) == INFINITY);
	cr_assert(isnan(math_gelu(NAN)) && isnan(math_gelu_tanh(NAN)) && isnan(math_gelu_slope(NAN)));
}

static void same(const char *name, void (*array)(float *restrict, const float *restrict, size_t), float (*one)(float))
{
	enum { MOST = 131 };
	float x[MOST] = { 0 }, y[MOST];

	for (size_t n = 0; n < MOST; n++) {
		for (size_t i = 0; i < n; i++)
			x[i] = (float)((int)((i * 7919 + n * 104729) % 4001) - 2000) * 0.0123f;
		array(y, x, n);
		for (size_t i = 0; i < n; i++)
			cr_assert(math_bits(y[i]) == math_bits(one(x[i])) || (isnan(y[i]) && isnan(one(x[i]))),
				  "%s: element %zu of %zu", name, i, n);
	}
}

/* Here a function is compiled for the plainest machine, in the arrays for the one that the test runs on. */
Test(kernels_math, give_the_same_bits_at_any_width)
{
	same("exp", kernel_exp, one_exp);
	same("log", kernel_log, one_log);
	same("tanh", kernel_tanh, one_tanh);
	same("erf", kernel_erf, one_erf);
	same("sigmoid", kernel_sigmoid, one_sigmoid);
	same("softplus", kernel_softplus, one_softplus);
	same("gelu", kernel_gelu, one_gelu);
	same("gelu_tanh", kernel_gelu_tanh, one_gelu_tanh);
}

Test(kernels_math, gelu_gradients_are_the_slope_times_what_comes_down)
{
	float x[37], dy[37], dx[37];

	for (size_t i = 0; i < 37; i++) {
		x[i] = (float)i * 0.31f - 5;
		dy[i] = 2 - (float)i * 0.1f;
	}
	kernel_gelu_gradient(dx, dy, x, 37);
	for (size_t i = 0; i < 37; i++)
		cr_assert_eq(dx[i], dy[i] * math_gelu_slope(x[i]));
	kernel_gelu_tanh_gradient(dx, dy, x, 37);
	for (size_t i = 0; i < 37; i++)
		cr_assert_eq(dx[i], dy[i] * math_gelu_tanh_slope(x[i]));
}

/*
 * kernels_math.h: exp, log, tanh and their kin as arithmetic without branches, which a compiler vectorises inside any
 * loop marked KERNEL (engine/kernels.h). Sums, products and quotients in a fixed order, never fused: the same bits on
 * every machine and at any vector width, for one number as for a million.
 *
 * Accuracy, in units in the last place over every fp32 number: exp and log 1, tanh 1.5, erf and expm1 2, sigmoid 2.5,
 * softplus 3. Right at both zeros, at infinities, where the result overflows or is subnormal; a NaN gives a NaN.
 *
 * Each reduces its argument (Cody and Waite, "Software Manual for the Elementary Functions", 1980) and evaluates a
 * polynomial whose coefficients are the minimax ones among fp32 numbers (Brisebarre and Chevillard, "Efficient
 * polynomial L-approximations", ARITH 2007: Sollya's fpminimax).
 * Threads: any.
 */
#ifndef ENGINE_KERNELS_MATH_H
#define ENGINE_KERNELS_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "engine/kernels.h"

KERNEL_INLINE float math_from_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

KERNEL_INLINE uint32_t math_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/* yes where condition is 1, no where it is 0. A ?: would do, but compilers make branches of some. */
KERNEL_INLINE float math_select(int condition, float yes, float no)
{
	uint32_t mask = -(uint32_t)condition;

	return math_from_bits((math_bits(yes) & mask) | (math_bits(no) & ~mask));
}

KERNEL_INLINE float math_abs(float x)
{
	return math_from_bits(math_bits(x) & 0x7fffffffu);
}

/* |x| with the sign of s. */
KERNEL_INLINE float math_with_sign(float x, float s)
{
	return math_from_bits((math_bits(x) & 0x7fffffffu) | (math_bits(s) & 0x80000000u));
}

/* ---- exp ---- */

/* ln 2 in two parts: the first has so few bits that its products with exponents are exact. */
#define MATH_LN2_HIGH 0.693359375f
#define MATH_LN2_LOW  -2.12194440e-4f

/* e^x = 2^power e^rest, |rest| <= ln 2 / 2; 2^power = low * high, neither of which overflows where the product does. */
struct math_exponent {
	float rest, low, high;
};

/* For x from -104 to 89, or NaN. */
KERNEL_INLINE struct math_exponent math_split_exponent(float x)
{
	const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number, found in the lowest bits */
	float shifted = x * 1.44269504f + magic, power = shifted - magic;
	int32_t k = (int32_t)(math_bits(shifted) - math_bits(magic)), half = k >> 1;

	return (struct math_exponent){
		.rest = x - power * MATH_LN2_HIGH - power * MATH_LN2_LOW,
		.low = math_from_bits((uint32_t)(half + 127) << 23),
		.high = math_from_bits((uint32_t)(k - half + 127) << 23),
	};
}

/* e^r - 1 for |r| <= ln 2 / 2. */
KERNEL_INLINE float math_expm1_core(float r)
{
	float q = 1.37450220e-3f;

	q = q * r + 8.36895034e-3f;
	q = q * r + 4.16696519e-2f;
	q = q * r + 0.166665182f;
	q = q * r + 0.499999881f;
	return q * r * r + r;
}

/* e^x */
KERNEL_INLINE float math_exp(float x)
{
	float top = math_select(x > 89.0f, 89.0f, x);
	struct math_exponent e = math_split_exponent(math_select(top < -104.0f, -104.0f, top));
	/* A result of 0 is made with a 0: rounding down to it would cost a processor hundreds of cycles. */
	float high = math_select(x < -103.972084f, 0.0f, e.high);

	return (1.0f + math_expm1_core(e.rest)) * e.low * high;
}

/* e^x for x from -87 to 88, or NaN: 2^power needs no halves. */
KERNEL_INLINE float math_exp_within(float x)
{
	const float magic = 12582912.0f; /* see above */
	float shifted = x * 1.44269504f + magic, power = shifted - magic;
	float rest = x - power * MATH_LN2_HIGH - power * MATH_LN2_LOW;

	return (1.0f + math_expm1_core(rest)) * math_from_bits((math_bits(shifted) + 127) << 23);
}

/* e^x - 1 */
KERNEL_INLINE float math_expm1(float x)
{
	float top = math_select(x > 89.0f, 89.0f, x);
	struct math_exponent e = math_split_exponent(math_select(top < -25.0f, -25.0f, top));
	float half = e.low * (e.high * 0.5f); /* of 2^power, which may overflow */
	float y = (math_expm1_core(e.rest) * half + (half - 0.5f)) * 2.0f;

	return math_select(math_abs(x) < 1e-8f, x, y);
}

/* 1 / (1 + e^-x), from the side on which the exponential cannot overflow. */
KERNEL_INLINE float math_sigmoid(float x)
{
	float e = math_exp(-math_abs(x));

	return math_select(x < 0.0f, e, 1.0f) / (1.0f + e);
}

KERNEL_INLINE float math_tanh(float x)
{
	float a = math_abs(x), z = x * x, q = -5.70009183e-3f, near, far;

	q = q * z + 2.06341185e-2f;
	q = q * z - 5.37379384e-2f;
	q = q * z + 0.133314162f;
	q = q * z - 0.333332807f;
	near = q * z * a + a;
	far = math_select(a > 10.0f, 10.0f, a);
	far = 1.0f - 2.0f / (math_exp_within(far + far) + 1.0f);
	return math_with_sign(math_select(a < 0.625f, near, far), x);
}

/* ---- log ---- */

/* ln x; NaN below 0. */
KERNEL_INLINE float math_log(float x)
{
	const uint32_t root_half = 0x3f3504f3u; /* sqrt(1/2) */
	float subnormal = (float)(x < 1.17549435e-38f);
	uint32_t above = math_bits(x * (1.0f + subnormal * 33554431.0f)) - root_half; /* 2^25 - 1 */
	float k = (float)((int32_t)above >> 23) - 25.0f * subnormal;
	float f = math_from_bits((above & 0x007fffffu) + root_half) - 1.0f, square = f * f;
	float q = -7.23589957e-2f, y;

	q = q * f + 0.125378415f;
	q = q * f - 0.132199138f;
	q = q * f + 0.142442435f;
	q = q * f - 0.166208908f;
	q = q * f + 0.199986681f;
	q = q * f - 0.250008434f;
	q = q * f + 0.333333790f;
	y = q * f * square + k * MATH_LN2_LOW - 0.5f * square;
	y = y + f + k * MATH_LN2_HIGH;
	y = math_select(x < INFINITY, y, x);
	y = math_select(x == 0.0f, -INFINITY, y);
	return math_select(x < 0.0f, NAN, y);
}

/* ln(1 + x) for x from 0 to 1, as 2 artanh(x / (2 + x)). */
KERNEL_INLINE float math_log1p_unit(float x)
{
	float s = x / (2.0f + x), z = s * s, q = 0.280075967f;

	q = q * z + 0.280029178f;
	q = q * z + 0.400214404f;
	q = q * z + 0.666664183f;
	return q * z * s + 2.0f * s;
}

/* ln(1 + e^x) */
KERNEL_INLINE float math_softplus(float x)
{
	return math_select(x > 0.0f, x, 0.0f) + math_log1p_unit(math_exp(-math_abs(x)));
}

/* ---- erf ---- */

KERNEL_INLINE float math_erf(float x)
{
	float a = math_abs(x), z = x * x, q = 8.29301280e-5f, p = 1.22957432e-3f, near, far;

	q = q * z - 8.12318700e-4f;
	q = q * z + 5.19914785e-3f;
	q = q * z - 2.68585328e-2f;
	q = q * z + 0.112836763f;
	q = q * z - 0.376126319f;
	q = q * z + 0.128379166f;
	near = q * a + a;
	a = math_select(a > 4.0f, 4.0f, a);
	p = p * a - 1.54065033e-2f;
	p = p * a + 9.05813575e-2f;
	p = p * a + 0.651542485f;
	p = p * a + 1.11961794f;
	p = p * a + 2.04055035e-3f;
	far = 1.0f - math_exp_within(-p);
	return math_with_sign(math_select(math_abs(x) < 0.93f, near, far), x);
}

/* ---- Gelu (Hendrycks and Gimpel, 2016) ---- */

/*
 * erf and tanh to 4e-7, for sums with 1 that lose more: quotients of polynomials in x^2, fitted by weighted least
 * squares, up to where they round to 1.
 */
KERNEL_INLINE float math_rough_erf(float x)
{
	float a = math_abs(x), z = a * a, zz = z * z, p, q, y;

	p = ((2.32574052e-6f * z + 3.24370136e-4f) * zz + (4.30434616e-3f * z + 6.01255409e-2f)) * zz +
	    (0.217287943f * z + 1.28520656f);
	q = ((4.32845154e-5f * z + 1.32700312e-3f) * zz + (1.70807168e-2f * z + 0.130132452f)) * zz +
	    (0.572227299f * z + 1.13898468f);
	y = a * (p / q);
	return math_with_sign(math_select((y > 1.0f) | (a > 3.92f), 1.0f, y), x);
}

KERNEL_INLINE float math_rough_tanh(float x)
{
	float a = math_abs(x), z = a * a, zz = z * z, p, q, y;

	p = (1.58203690e-8f * zz + (2.44502626e-5f * z + 4.15053777e-3f)) * zz + (0.158938617f * z + 1.18791103f);
	q = (9.21997184e-7f * zz + (3.89991561e-4f * z + 3.07322908e-2f)) * zz + (0.554908752f * z + 1.18791103f);
	y = a * (p / q);
	return math_with_sign(math_select((y > 1.0f) | (a > 9.02f), 1.0f, y), x);
}

/* x P(X <= x) for a normal X. */
KERNEL_INLINE float math_gelu(float x)
{
	return 0.5f * x * (1.0f + math_rough_erf(x * 0.707106781f));
}

KERNEL_INLINE float math_gelu_slope(float x)
{
	return 0.5f * (1.0f + math_rough_erf(x * 0.707106781f)) + x * 0.398942280f * math_exp(-0.5f * x * x);
}

/* Its approximation x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3). */
KERNEL_INLINE float math_gelu_tanh(float x)
{
	return 0.5f * x * (1.0f + math_rough_tanh(0.797884561f * (x + 0.044715f * (x * x * x))));
}

KERNEL_INLINE float math_gelu_tanh_slope(float x)
{
	float square = x * x, t = math_rough_tanh(0.797884561f * (x + 0.044715f * (square * x)));

	return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * (0.797884561f * (1.0f + 0.134145f * square));
}

/* ---- over arrays that do not overlap ---- */

void kernel_exp(float *restrict y, const float *restrict x, size_t n);
void kernel_log(float *restrict y, const float *restrict x, size_t n);
void kernel_tanh(float *restrict y, const float *restrict x, size_t n);
void kernel_erf(float *restrict y, const float *restrict x, size_t n);
void kernel_sigmoid(float *restrict y, const float *restrict x, size_t n);
void kernel_softplus(float *restrict y, const float *restrict x, size_t n);
void kernel_gelu(float *restrict y, const float *restrict x, size_t n);
void kernel_gelu_tanh(float *restrict y, const float *restrict x, size_t n);

/* dx = dy f'(x) */
void kernel_gelu_gradient(float *restrict dx, const float *restrict dy, const float *restrict x, size_t n);
void kernel_gelu_tanh_gradient(float *restrict dx, const float *restrict dy, const float *restrict x, size_t n);

#endif

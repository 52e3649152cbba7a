#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>

Test(rng, is_a_function_of_seed_and_purpose)
{
	struct rng a, b, c, d;

	rng_init(&a, 1, "x");
	rng_init(&b, 1, "x");
	rng_init(&c, 1, "y");
	rng_init(&d, 2, "x");
	for (int i = 0; i < 1000; i++) {
		uint64_t value = rng_u64(&a);

		cr_assert_eq(value, rng_u64(&b));
		cr_assert_neq(value, rng_u64(&c));
		cr_assert_neq(value, rng_u64(&d));
	}
}

Test(rng, moments_are_right)
{
	double sum = 0, squares = 0, uniform = 0;
	int n = 200000;
	struct rng r;

	rng_init(&r, 42, "moments");
	for (int i = 0; i < n; i++) {
		double x = rng_normal(&r);

		sum += x;
		squares += x * x;
		uniform += rng_uniform(&r);
	}
	cr_assert_float_eq(sum / n, 0, 0.01);
	cr_assert_float_eq(squares / n, 1, 0.02);
	cr_assert_float_eq(uniform / n, 0.5, 0.005);
}

Test(rng, shuffle_is_a_permutation_and_below_is_unbiased)
{
	size_t index[50], seen[50] = { 0 }, counts[3] = { 0 };
	struct rng r;

	rng_init(&r, 7, "shuffle");
	for (size_t i = 0; i < 50; i++)
		index[i] = i;
	rng_shuffle(&r, index, 50);
	for (size_t i = 0; i < 50; i++)
		seen[index[i]]++;
	for (size_t i = 0; i < 50; i++)
		cr_assert_eq(seen[i], 1);
	for (int i = 0; i < 30000; i++)
		counts[rng_below(&r, 3)]++;
	for (int i = 0; i < 3; i++)
		cr_assert(fabs((double)counts[i] - 10000) < 400);
}

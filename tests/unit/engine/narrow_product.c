/* Narrow products at every level of vectors against plain sums in double precision. */
#include "engine/narrow_product.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/narrow_product_internal.h"

static float *numbers(struct rng *r, size_t count)
{
	float *x = mem_try_aligned(count + 1, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = (float)rng_normal(r);
	return x;
}

static void check(struct rng *r, struct narrow_product p)
{
	float *left = numbers(r, p.rows * p.depth), *right = numbers(r, p.depth * p.columns + NARROW_PRODUCT_SLACK);
	float *bias = numbers(r, p.rows), *to = numbers(r, p.rows * p.columns + 1);
	float behind = to[p.rows * p.columns];

	for (size_t i = 0; i < NARROW_PRODUCT_SLACK; i++)
		right[p.depth * p.columns + i] = NAN;
	p.left = left;
	p.right = right;
	p.to = to;
	p.bias = rng_below(r, 2) ? bias : NULL;
	narrow_product_run(&p);
	for (size_t i = 0; i < p.rows * p.columns; i++) {
		double want = p.bias ? (double)bias[i / p.columns] : 0.0;

		for (size_t d = 0; d < p.depth; d++)
			want +=
			    (double)left[i / p.columns * p.depth + d] * (double)right[d * p.columns + i % p.columns];
		cr_assert(fabs((double)to[i] - want) < 1e-6 * (1.0 + (double)p.depth),
			  "%s, %zu of %zu x %zu: %g, not %g", narrow_kernels()->name, i, p.rows, p.columns,
			  (double)to[i], want);
	}
	cr_expect_eq(to[p.rows * p.columns], behind);
	mem_free(left), mem_free(right), mem_free(bias), mem_free(to);
}

static void check_level(const struct narrow_kernels *kernels)
{
	struct rng r;

	narrow_kernels_force(kernels);
	rng_init(&r, 1, "products");
	for (size_t columns = 1; columns <= NARROW_PRODUCT_COLUMNS; columns++)
		check(&r, (struct narrow_product){ .rows = NARROW_MAX_ROWS + rng_below(&r, 30),
						   .columns = columns,
						   .depth = 1 + rng_below(&r, 50) });
	narrow_kernels_force(NULL);
}

Test(narrow_product, avx512)
{
	if (!narrow_kernels_avx512 || narrow_kernels() != narrow_kernels_avx512)
		cr_skip_test("the machine has no AVX-512");
	check_level(narrow_kernels_avx512);
}

Test(narrow_product, avx2)
{
	if (!narrow_kernels())
		cr_skip_test("the machine has no AVX2");
	check_level(narrow_kernels_avx2);
}

Test(narrow_product, serves_many_rows_of_few_columns)
{
	cr_expect_not(narrow_product_serves(NARROW_MAX_ROWS - 1, 1));
	cr_expect_not(narrow_product_serves(1000, NARROW_PRODUCT_COLUMNS + 1));
	cr_expect_eq(narrow_product_serves(NARROW_MAX_ROWS, NARROW_PRODUCT_COLUMNS), narrow_kernels() != NULL);
}

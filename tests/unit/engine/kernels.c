/* Fast paths against the plain loops of engine/kernels_ref.h, over shapes drawn from a fixed seed. */
#include "engine/kernels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/kernels_ref.h"

enum { ROUNDS = 60 };

static float *numbers(struct rng *r, size_t count)
{
	float *x = mem_try_aligned(count + 1, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = (float)rng_normal(r);
	return x;
}

static void compare(const char *what, const float *got, const float *want, size_t count)
{
	double largest = 1e-6;

	for (size_t i = 0; i < count; i++)
		largest = fmax(largest, fabs((double)want[i]));
	for (size_t i = 0; i < count; i++)
		cr_assert(fabs((double)got[i] - (double)want[i]) < 2e-5 * largest, "%s: [%zu] is %g, not %g", what, i,
			  (double)got[i], (double)want[i]);
}

static size_t draw(struct rng *r, uint32_t least, uint32_t most)
{
	return least + rng_below(r, most - least + 1);
}

Test(kernels, products)
{
	struct rng r;

	rng_init(&r, 1, "products");
	blas_use_one_thread();
	for (int round = 0; round < ROUNDS; round++) {
		struct blas_product p = { .m = draw(&r, 1, 70), .n = draw(&r, 1, 70), .k = draw(&r, 1, 70) };
		float *a = numbers(&r, 140 * 140), *b = numbers(&r, 140 * 140), *c = numbers(&r, 140 * 140),
		      *d = mem_alloc(140 * 140 * 4);

		if (round % 3 == 0)
			*(round % 2 ? &p.m : &p.n) = 1;
		p.a = a, p.b = b;
		p.trans_a = rng_below(&r, 2), p.trans_b = rng_below(&r, 2);
		p.alpha = (float)rng_normal(&r), p.beta = rng_below(&r, 2) ? 1.0f : 0.0f;
		p.ldc = p.n + draw(&r, 0, 5);
		p.lda = rng_below(&r, 2) ? 0 : 140;
		if (p.beta == 0.0f)
			c[0] = NAN;
		for (size_t i = 0; i < 140 * 140; i++)
			d[i] = c[i];
		p.c = c;
		blas_multiply(&p);
		p.c = d;
		kernels_ref_multiply(&p);
		compare("product", c, d, 140 * 140);
		mem_free(a), mem_free(b), mem_free(c), mem_free(d);
	}
}

static struct window draw_window(struct rng *r)
{
	struct window w = { .pixels = 1, .taps = 1, .positions = 1 };

	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		size_t span;

		w.in[d] = draw(r, 3, 9), w.kernel[d] = draw(r, 1, 3), w.stride[d] = draw(r, 1, 3),
		w.dilation[d] = draw(r, 1, 2);
		w.pad[d] = draw(r, 0, 3), w.pad_end[d] = draw(r, 2, 3);
		span = (w.kernel[d] - 1) * w.dilation[d] + 1;
		w.out[d] = (w.in[d] + w.pad[d] + w.pad_end[d] - span) / w.stride[d] + 1;
		w.pixels *= w.in[d], w.taps *= w.kernel[d], w.positions *= w.out[d];
	}
	return w;
}

static void check_conv(struct rng *r)
{
	struct window w = draw_window(r);
	struct arena arena = { 0 };
	struct kernels_ref_conv c = { .w = &w, .channels = draw(r, 1, 4), .filters = draw(r, 1, 5) };
	size_t depth = c.channels * w.taps, pixels = c.channels * w.pixels, outputs = c.filters * w.positions;
	float *image = numbers(r, pixels), *weight = numbers(r, c.filters * depth), *dy = numbers(r, outputs);
	float *columns = numbers(r, depth * w.positions);
	size_t most = outputs + pixels + c.filters * depth;
	float *fast = numbers(r, most), *plain = numbers(r, most);

	cr_assert_eq(window_prepare(&w, &arena, NULL), 0);
	window_gather(&w, image, c.channels, columns);
	blas_multiply(&(struct blas_product){
	    .a = weight, .b = columns, .c = fast, .m = c.filters, .n = w.positions, .k = depth, .alpha = 1.0f });
	kernels_ref_conv(&c, image, weight, plain);
	compare("convolution", fast, plain, outputs);
	blas_multiply(&(struct blas_product){ .a = dy,
					      .b = columns,
					      .c = fast,
					      .m = c.filters,
					      .n = depth,
					      .k = w.positions,
					      .trans_b = true,
					      .alpha = 1.0f });
	kernels_ref_conv_weight_gradient(&c, image, dy, plain);
	compare("weight gradient", fast, plain, c.filters * depth);
	blas_multiply(&(struct blas_product){ .a = weight,
					      .b = dy,
					      .c = columns,
					      .m = depth,
					      .n = w.positions,
					      .k = c.filters,
					      .trans_a = true,
					      .alpha = 1.0f });
	window_scatter(&w, columns, c.channels, fast);
	kernels_ref_conv_input_gradient(&c, weight, dy, plain);
	compare("input gradient", fast, plain, pixels);
	arena_fini(&arena);
	mem_free(image), mem_free(weight), mem_free(dy), mem_free(columns), mem_free(fast), mem_free(plain);
}

Test(kernels, windows)
{
	struct rng r;

	rng_init(&r, 3, "windows");
	for (int round = 0; round < ROUNDS; round++)
		check_conv(&r);
}

Test(kernels, sums_and_checks)
{
	float x[37];
	double sum = 0.0, squares = 0.0;

	for (size_t i = 0; i < 37; i++) {
		x[i] = (float)i * 0.25f - 3.0f;
		sum += (double)x[i];
		squares += (double)x[i] * (double)x[i];
	}
	cr_assert_float_eq(kernel_sum(x, 37), sum, 1e-12);
	cr_assert_float_eq(kernel_sum_squares(x, 37), squares, 1e-12);
	cr_assert(kernel_all_finite(x, 37));
	for (size_t i = 0; i < 37; i++) {
		float kept = x[i];

		x[i] = i % 2 ? NAN : -INFINITY;
		cr_assert(!kernel_all_finite(x, 37), "place %zu", i);
		x[i] = kept;
	}
}

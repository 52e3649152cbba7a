/* Winograd's convolution at every level of vectors against plain loops in double precision. */
#include "engine/winograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/winograd_internal.h"

enum { GUARD = 32 }; /* floats behind every buffer that must stay as they are */

struct fixture {
	struct winograd w;
	bool transposed;
	size_t inputs, outputs; /* floats */
	float *from, *weight, *bias, *scratch, *to;
};

static float *numbers(struct rng *r, size_t count)
{
	float *x = mem_try_aligned(count + GUARD, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = (float)rng_normal(r);
	for (size_t i = 0; i < GUARD; i++)
		x[count + i] = 1e9f;
	return x;
}

static bool is_guarded(const float *x, size_t count)
{
	for (size_t i = 0; i < GUARD; i++)
		if (x[count + i] != 1e9f)
			return false;
	return true;
}

static bool setup(struct fixture *f, struct rng *r, const struct winograd *shape)
{
	*f = (struct fixture){ .w = *shape, .transposed = rng_below(r, 2) };
	if (!winograd_init(&f->w))
		return false;
	f->inputs = shape->images * shape->channels * shape->in[0] * shape->in[1];
	f->outputs = shape->images * shape->filters * shape->out[0] * shape->out[1];
	f->from = numbers(r, f->inputs);
	f->weight = numbers(r, shape->channels * shape->filters * 9);
	f->bias = numbers(r, shape->filters);
	f->scratch = numbers(r, f->w.scratch);
	f->to = numbers(r, f->outputs);
	return true;
}

static void teardown(struct fixture *f)
{
	mem_free(f->from);
	mem_free(f->weight);
	mem_free(f->bias);
	mem_free(f->scratch);
	mem_free(f->to);
}

/* One output by definition. */
static double plain(const struct fixture *f, size_t n, size_t m, size_t at)
{
	const struct winograd *w = &f->w;
	double sum = 0.0;

	for (size_t c = 0; c < w->channels; c++) {
		const float *image = f->from + (n * w->channels + c) * w->in[0] * w->in[1];
		const float *taps = f->weight + 9 * (f->transposed ? c * w->filters + m : m * w->channels + c);

		for (size_t k = 0; k < 9; k++) {
			size_t y = at / w->out[1] + k / 3 - w->pad[0], x = at % w->out[1] + k % 3 - w->pad[1];

			if (y < w->in[0] && x < w->in[1])
				sum += (double)taps[f->transposed ? 8 - k : k] * (double)image[y * w->in[1] + x];
		}
	}
	return sum;
}

static void check(struct fixture *f, bool with_bias)
{
	const struct winograd *w = &f->w;
	struct winograd_buffers b = { .from = f->from,
				      .weight = f->weight,
				      .transposed = f->transposed,
				      .bias = with_bias ? f->bias : NULL,
				      .to = f->to,
				      .scratch = f->scratch };
	size_t size = w->out[0] * w->out[1];

	winograd_run(w, &b);
	for (size_t i = 0; i < f->outputs; i++) {
		size_t m = i / size % w->filters, n = i / size / w->filters;
		double want = plain(f, n, m, i % size) + (with_bias ? (double)f->bias[m] : 0.0);

		cr_assert(fabs((double)f->to[i] - want) < 4e-5 * sqrt((double)w->channels),
			  "%s: image %zu, filter %zu, %zu: %g, not %g", w->kernels->name, n, m, i % size,
			  (double)f->to[i], want);
	}
	cr_assert(is_guarded(f->to, f->outputs) && is_guarded(f->scratch, w->scratch));
}

static struct winograd draw_shape(struct rng *r)
{
	struct winograd w = { .images = 1 + rng_below(r, 9),
			      .channels = 1 + rng_below(r, 20),
			      .filters = 1 + rng_below(r, 20) };

	for (size_t d = 0; d < 2; d++) {
		w.in[d] = 3 + rng_below(r, 20);
		w.pad[d] = rng_below(r, 3);
		w.out[d] = w.in[d] + w.pad[d] + rng_below(r, 3) - 2;
	}
	return w;
}

static void check_level(const struct winograd_kernels *kernels)
{
	struct rng r;

	winograd_kernels_force(kernels);
	rng_init(&r, 1, "shapes");
	for (int round = 0; round < 60; round++) {
		struct winograd shape = draw_shape(&r);
		struct fixture f;

		if (!setup(&f, &r, &shape))
			cr_skip_test("the machine has no vectors for it");
		check(&f, rng_below(&r, 2));
		teardown(&f);
	}
	winograd_kernels_force(NULL);
}

Test(winograd, avx512)
{
	if (winograd_kernels() != winograd_kernels_avx512)
		cr_skip_test("the machine has no AVX-512");
	check_level(winograd_kernels_avx512);
}

Test(winograd, avx2)
{
	if (!winograd_kernels())
		cr_skip_test("the machine has no AVX2");
	check_level(winograd_kernels_avx2);
}

/* Whole tiles, side by side and not; several chunks; more channels than are multiplied at once. */
Test(winograd, large_shapes)
{
	static const struct winograd shapes[] = {
		{ .images = 2, .channels = 20, .filters = 30, .in = { 32, 32 } },
		{ .images = 9, .channels = 16, .filters = 24, .in = { 8, 8 } },
		{ .images = 40, .channels = 8, .filters = 10, .in = { 4, 4 } },
		{ .images = 3, .channels = 300, .filters = 17, .in = { 8, 4 } },
		{ .images = 1, .channels = 2, .filters = 3, .in = { 130, 65 } },
	};
	struct rng r;

	rng_init(&r, 2, "shapes");
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct winograd shape = shapes[i];
		struct fixture f;

		for (size_t d = 0; d < 2; d++) {
			shape.pad[d] = 1;
			shape.out[d] = shape.in[d];
		}
		if (!setup(&f, &r, &shape))
			cr_skip_test("the machine has no vectors for it");
		check(&f, true);
		teardown(&f);
	}
}

/* The same bits whatever was in the buffers before. */
Test(winograd, repeats)
{
	struct winograd shape = {
		.images = 3, .channels = 40, .filters = 12, .in = { 9, 9 }, .out = { 9, 9 }, .pad = { 1, 1 }
	};
	struct fixture f;
	struct rng r;
	float *first;

	rng_init(&r, 3, "shapes");
	if (!setup(&f, &r, &shape))
		cr_skip_test("the machine has no vectors for it");
	check(&f, true);
	first = numbers(&r, f.outputs);
	memcpy(first, f.to, f.outputs * sizeof(*first));
	for (size_t i = 0; i < f.w.scratch; i++)
		f.scratch[i] = NAN;
	check(&f, true);
	cr_expect_arr_eq(f.to, first, f.outputs * sizeof(*first));
	mem_free(first);
	teardown(&f);
}

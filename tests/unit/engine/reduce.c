/* Every kind of reduction against gradients formed one by one in double, over shapes drawn from a fixed seed. */
#include "engine/reduce.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/mem.h"
#include "engine/blas.h"
#include "plain_gradients.h"

static void run_factors(struct reduce *r, const void *of)
{
	reduce_add_factors(r, of);
}

static void run_conv(struct reduce *r, const void *of)
{
	reduce_add_conv(r, of);
}

/* All samples, and a window of them. */
static void check_windows(struct rng *rng, const struct trial *t)
{
	size_t first = draw(rng, 0, (uint32_t)t->samples - 1);

	check_trial(rng, t, 0, t->samples);
	check_trial(rng, t, first, draw(rng, 1, (uint32_t)(t->samples - first)));
}

static void check_factors(struct rng *rng, const struct reduce_factors *f)
{
	struct trial t = { .of = f, .gradient = factors_gradient, .run = run_factors, .name = "matrix" };

	t.samples = f->samples;
	t.floats = f->at + f->rows * (f->ld ? f->ld : f->cols);
	t.scratch = reduce_scratch_factors(f);
	check_windows(rng, &t);
}

static void check_matrices(const char *purpose, uint32_t most_positions)
{
	struct rng r;

	blas_use_one_thread();
	rng_init(&r, 1, purpose);
	for (int round = 0; round < 80; round++) {
		float *data[2];
		struct reduce_factors f = draw_factors(&r, most_positions, 40, data);

		check_factors(&r, &f);
		mem_free(data[0]), mem_free(data[1]);
	}
}

Test(reduce, many_positions)
{
	check_matrices("many positions", 30);
}

Test(reduce, one_position)
{
	check_matrices("one position", 1);
}

/* More samples than are squared together. */
Test(reduce, blocks)
{
	struct rng r;
	float *left, *right;
	struct reduce_factors f = { .samples = 30, .outer = 1, .positions = 1, .rows = 4000, .cols = 3, .scale = 2.0f };

	blas_use_one_thread();
	rng_init(&r, 2, "blocks");
	f.left = draw_side(&r, &f, f.rows, &left);
	f.right = draw_side(&r, &f, f.cols, &right);
	check_factors(&r, &f);
	mem_free(left), mem_free(right);
}

static void check_convs(const char *purpose, const uint32_t most[3], uint32_t most_kernel)
{
	struct rng r;

	blas_use_one_thread();
	rng_init(&r, 3, purpose);
	for (int round = 0; round < 20; round++) {
		struct reduce_conv c = draw_conv(&r, most, round % 5 ? 3 : most_kernel);
		struct trial t = { .of = &c, .gradient = conv_gradient, .run = run_conv, .name = purpose };
		float *data[2];

		fill_conv(&r, &c, data);
		t.samples = c.samples;
		t.floats = c.filters * (c.channels / c.groups) * c.kernel[0] * c.kernel[1];
		t.scratch = reduce_scratch_conv(&c);
		check_windows(&r, &t);
		mem_free(data[0]), mem_free(data[1]);
	}
}

Test(reduce, convolutions)
{
	check_convs("convolutions", (const uint32_t[]){ 3, 12, 7 }, 3);
}

Test(reduce, depthwise)
{
	check_convs("depthwise", (const uint32_t[]){ 20, 1, 3 }, 11);
}

/* ---- Kronecker factors ---- */

static float side_at(const struct reduce_factors *f, const struct reduce_side *s, size_t place, size_t element)
{
	size_t t = place % f->positions, o = place / f->positions % f->outer, n = place / f->positions / f->outer;

	return s->data[n * s->sample + o * s->outer + t * s->position + element * s->element];
}

static void check_moment(const struct reduce_factors *f, const struct reduce_side *s, size_t width, float scale,
			 const float *got)
{
	for (size_t i = 0; i < width; i++) {
		for (size_t j = 0; j < width; j++) {
			double want = 1.0, size = 1.0;

			for (size_t p = 0; p < f->samples * f->outer * f->positions; p++) {
				double x = (double)side_at(f, s, p, i) * (double)side_at(f, s, p, j);

				want += (double)scale * x;
				size += fabs((double)scale * x);
			}
			cr_assert(fabs((double)got[i * width + j] - want) < 1e-5 * size, "[%zu, %zu] is %g, not %g", i,
				  j, (double)got[i * width + j], want);
		}
	}
}

static float *ones(size_t count)
{
	float *x = mem_try_alloc(count, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = 1.0f;
	return x;
}

Test(reduce, moments)
{
	struct rng r;

	blas_use_one_thread();
	rng_init(&r, 4, "moments");
	for (int round = 0; round < 40; round++) {
		float *data[2];
		struct reduce_factors f = draw_factors(&r, round % 2 ? 20 : 1, 20, data);
		struct reduce to = { .kind = REDUCE_MOMENTS, .samples = f.samples };

		to.scratch = scratch_of(reduce_scratch_factors(&f));
		to.left = ones(f.rows * f.rows), to.right = round % 3 ? ones(f.cols * f.cols) : NULL;
		reduce_add_factors(&to, &f);
		check_moment(&f, &f.left, f.rows, f.scale * f.scale, to.left);
		if (to.right)
			check_moment(&f, &f.right, f.cols, 1.0f, to.right);
		check_guard(to.scratch, reduce_scratch_factors(&f));
		mem_free(to.left), mem_free(to.right), mem_free(to.scratch), mem_free(data[0]), mem_free(data[1]);
	}
}

/* A column met by the weights (channel, 0, 0), (channel, 0, 1) … of a 1-D kernel of 2 taps, padded by 1 in front. */
Test(reduce, moments_of_a_convolution)
{
	static const float image[] = { 1.0f, 2.0f, 3.0f }, dy[] = { 1.0f, -1.0f, 2.0f, 0.5f, 0.0f, 4.0f };
	float left[4] = { 0 }, right[4] = { 0 };
	struct reduce_conv c = { .image = image,
				 .out_grads = dy,
				 .samples = 1,
				 .channels = 1,
				 .filters = 2,
				 .groups = 1,
				 .in = { 1, 3 },
				 .out = { 1, 3 },
				 .kernel = { 1, 2 },
				 .stride = { 1, 1 },
				 .dilation = { 1, 1 },
				 .pad = { 0, 1 } };
	struct reduce r = { .kind = REDUCE_MOMENTS, .samples = 1, .left = left, .right = right };

	blas_use_one_thread();
	r.scratch = scratch_of(reduce_scratch_conv(&c));
	reduce_add_conv(&r, &c);
	/* columns: (0, 1), (1, 2), (2, 3) */
	cr_assert(right[0] == 5.0f && right[1] == 8.0f && right[2] == 8.0f && right[3] == 14.0f);
	cr_assert(left[0] == 6.0f && left[1] == 8.5f && left[2] == 8.5f && left[3] == 16.25f);
	mem_free(r.scratch);
}

/* ---- rows ---- */

Test(reduce, rows)
{
	static const float rows[] = { 9.0f, 9.0f, 9.0f, 1.0f, -2.0f, 3.0f, 0.5f, 4.0f, -1.0f };
	static const float direction[] = { 100.0f, 1.0f, 2.0f, -1.0f };
	const float *directions[] = { direction };
	float out[8];
	double dots[2];
	struct reduce_rows f = { .rows = rows, .samples = 3, .count = 3, .scale = -2.0f, .at = 1 };
	struct reduce r = { .floats = 4, .first = 1, .samples = 2, .out = out, .dots = dots };

	r.directions = directions, r.direction_count = 1;
	for (int kind = REDUCE_SUM; kind <= REDUCE_MOMENTS; kind++) {
		for (size_t i = 0; i < 8; i++)
			out[i] = 10.0f;
		dots[0] = dots[1] = 1.0;
		r.kind = (enum reduce_kind)kind;
		reduce_add_rows(&r, &f);
		cr_assert(out[0] == 10.0f && (kind == REDUCE_ROWS || out[4] == 10.0f));
		if (kind == REDUCE_SUM)
			cr_assert(out[1] == 7.0f && out[2] == 6.0f && out[3] == 6.0f);
		else if (kind == REDUCE_SQUARE_SUM)
			cr_assert(out[1] == 15.0f && out[2] == 90.0f && out[3] == 50.0f);
		else if (kind == REDUCE_NORM)
			cr_assert(dots[0] == 57.0 && dots[1] == 70.0);
		else if (kind == REDUCE_DOT)
			cr_assert(dots[0] == 13.0 && dots[1] == -18.0);
		else if (kind == REDUCE_ROWS)
			cr_assert(out[1] == 8.0f && out[2] == 14.0f && out[3] == 4.0f && out[5] == 9.0f &&
				  out[6] == 2.0f && out[7] == 12.0f);
	}
}

/* Tiles of every vector level against gradients formed one by one in double, over shapes drawn from a fixed seed. */
#include "engine/square_product.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/square_product_internal.h"

enum { MOST_SAMPLES = 70, MOST_DIRECTIONS = 11 };
#define GUARD 12345.0f

static float *numbers(struct rng *r, size_t count)
{
	float *x = mem_try_aligned(count + 1, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = (float)rng_normal(r);
	return x;
}

/* Not a number anywhere, and one more float that nobody may touch. */
static float *scratch_of(size_t count)
{
	float *x = mem_try_aligned(count + 1, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = NAN;
	x[count] = GUARD;
	return x;
}

static size_t draw(struct rng *r, uint32_t least, uint32_t most)
{
	return least + rng_below(r, most - least + 1);
}

/* ---- the definition ---- */

/* gradient [floats] of sample n, in double */
typedef void gradient_function(const void *of, size_t n, double *gradient);

static void factors_gradient(const void *of, size_t n, double *gradient)
{
	const struct reduce_factors *f = of;
	size_t ld = f->ld ? f->ld : f->cols;

	for (size_t o = 0; o < f->outer; o++)
		for (size_t t = 0; t < f->positions; t++)
			for (size_t i = 0; i < f->rows; i++)
				for (size_t j = 0; j < f->cols; j++) {
					const struct reduce_side *l = &f->left, *r = &f->right;
					float a =
					    l->data[n * l->sample + o * l->outer + t * l->position + i * l->element];
					float b =
					    r->data[n * r->sample + o * r->outer + t * r->position + j * r->element];

					gradient[f->at + i * ld + j] += (double)f->scale * (double)a * (double)b;
				}
}

/* The pixel that a tap of an output reads, or NULL in the padding. */
static const float *pixel(const struct reduce_conv *c, const float *plane, size_t y, size_t x, size_t tap)
{
	size_t row = y * c->stride[0] + tap / c->kernel[1] * c->dilation[0];
	size_t column = x * c->stride[1] + tap % c->kernel[1] * c->dilation[1];

	if (row < c->pad[0] || column < c->pad[1] || row - c->pad[0] >= c->in[0] || column - c->pad[1] >= c->in[1])
		return NULL;
	return plane + (row - c->pad[0]) * c->in[1] + column - c->pad[1];
}

static double conv_entry(const struct reduce_conv *c, size_t n, size_t filter, size_t channel, size_t tap)
{
	size_t group = filter / (c->filters / c->groups);
	const float *plane =
	    c->image + (n * c->channels + group * (c->channels / c->groups) + channel) * c->in[0] * c->in[1];
	const float *dy = c->out_grads + (n * c->filters + filter) * c->out[0] * c->out[1];
	double sum = 0.0;

	for (size_t y = 0; y < c->out[0]; y++) {
		for (size_t x = 0; x < c->out[1]; x++) {
			const float *at = pixel(c, plane, y, x, tap);

			sum += at ? (double)*at * (double)dy[y * c->out[1] + x] : 0.0;
		}
	}
	return sum;
}

static void conv_gradient(const void *of, size_t n, double *gradient)
{
	const struct reduce_conv *c = of;
	size_t channels = c->channels / c->groups, taps = c->kernel[0] * c->kernel[1];

	for (size_t i = 0; i < c->filters * channels * taps; i++)
		gradient[i] = conv_entry(c, n, i / (channels * taps), i / taps % channels, i % taps);
}

/* ---- one reduction, done and defined ---- */

struct trial {
	const void *of;
	gradient_function *gradient;
	size_t samples, floats, scratch;
};

static size_t results(const struct trial *t, const struct reduce *r)
{
	switch (r->kind) {
	case REDUCE_ROWS:
		return t->samples * t->floats;
	case REDUCE_NORM:
		return t->samples;
	case REDUCE_DOT:
		return t->samples * r->direction_count;
	default:
		return t->floats;
	}
}

static void define(const struct trial *t, const struct reduce *r, double *want)
{
	double *g = mem_try_alloc(t->floats, sizeof(*g));

	for (size_t n = 0; n < t->samples; n++) {
		memset(g, 0, t->floats * sizeof(*g));
		t->gradient(t->of, n, g);
		for (size_t i = 0; i < t->floats; i++) {
			if (r->kind == REDUCE_SUM)
				want[i] += g[i];
			else if (r->kind == REDUCE_SQUARE_SUM)
				want[i] += g[i] * g[i];
			else if (r->kind == REDUCE_NORM)
				want[n] += g[i] * g[i];
			else if (r->kind == REDUCE_ROWS)
				want[n * t->floats + i] += g[i];
			for (size_t k = 0; r->kind == REDUCE_DOT && k < r->direction_count; k++)
				want[n * r->direction_count + k] += g[i] * (double)r->directions[k][i];
		}
	}
	mem_free(g);
}

static void run(const struct trial *t, const struct reduce *r)
{
	if (t->gradient == conv_gradient)
		square_product_add_conv(r, t->of);
	else
		square_product_add(r, t->of);
}

static void compare(const struct trial *t, const struct reduce *r, const double *want)
{
	double largest = 1e-3;
	size_t count = results(t, r);

	for (size_t i = 0; i < count; i++)
		largest = fmax(largest, fabs(want[i]));
	for (size_t i = 0; i < count; i++) {
		double got = r->dots ? r->dots[i] : (double)r->out[i];

		cr_assert(fabs(got - want[i]) < 2e-5 * largest, "%s, kind %d: [%zu] of %zu is %g, not %g",
			  tile_kernels()->name, (int)r->kind, i, count, got, want[i]);
	}
}

static void check_kind(struct rng *rng, const struct trial *t, enum reduce_kind kind, const float *const *directions)
{
	struct reduce r = { .kind = kind, .floats = t->floats, .directions = directions };
	size_t count;
	double *want;

	r.direction_count = kind == REDUCE_DOT ? draw(rng, 1, MOST_DIRECTIONS) : 0;
	count = results(t, &r);
	want = mem_try_alloc(count, sizeof(*want));
	r.scratch = scratch_of(t->scratch);
	if (kind == REDUCE_NORM || kind == REDUCE_DOT)
		r.dots = mem_try_alloc(count, sizeof(*r.dots));
	else
		r.out = mem_try_alloc(count, sizeof(*r.out));
	/* What is there is added to. */
	for (size_t i = 0; i < count; i++) {
		want[i] = (double)(i % 5);
		if (r.out)
			r.out[i] = (float)(i % 5);
		else
			r.dots[i] = (double)(i % 5);
	}
	define(t, &r, want);
	run(t, &r);
	compare(t, &r, want);
	cr_assert(r.scratch[t->scratch] == GUARD, "wrote behind its scratch");
	mem_free(want), mem_free(r.out), mem_free(r.dots), mem_free(r.scratch);
}

/* All kinds at all levels that the machine has. */
static void check(struct rng *rng, const struct trial *t)
{
	float *directions[MOST_DIRECTIONS];

	for (size_t k = 0; k < MOST_DIRECTIONS; k++)
		directions[k] = numbers(rng, t->floats);
	for (int level = 0; level < TILE_LEVELS; level++) {
		const struct tile_kernels *k = tile_kernels_at((enum tile_level)level);

		if (!k)
			continue;
		tile_kernels_force(k);
		for (int kind = REDUCE_SUM; kind <= REDUCE_ROWS; kind++)
			check_kind(rng, t, (enum reduce_kind)kind, (const float *const *)directions);
	}
	tile_kernels_force(NULL);
	for (size_t k = 0; k < MOST_DIRECTIONS; k++)
		mem_free(directions[k]);
}

/* ---- matrices ---- */

/* Samples, outer runs and positions in one of the layouts that operators have; count: of all elements. */
static struct reduce_side draw_side(struct rng *r, const struct reduce_factors *f, size_t width, float **data)
{
	struct reduce_side s = { 0 };
	size_t n = f->samples, t = f->positions, gap = draw(r, 0, 3);

	switch (rng_below(r, 4)) {
	case 0: /* [N, outer, T, width], rows further apart */
		s = (struct reduce_side){ NULL, f->outer * t * (width + gap), t * (width + gap), width + gap, 1 };
		break;
	case 1: /* [N, outer, width, T] */
		s = (struct reduce_side){ NULL, f->outer * t * width, t * width, 1, t };
		break;
	case 2: /* [outer, T, N, width] */
		s = (struct reduce_side){ NULL, width, t * n * width, n * width, 1 };
		break;
	default: /* [outer, width, N, T], neither side by side when N > 1 */
		s = (struct reduce_side){ NULL, t, width * n * t, 1, n * t };
		break;
	}
	s.data = *data = numbers(r, n * f->outer * t * (width + gap));
	return s;
}

static void check_factors(struct rng *rng, uint32_t most_positions, uint32_t most_width)
{
	struct reduce_factors f = { .samples = draw(rng, 1, 6), .outer = draw(rng, 1, 3) };
	float *left, *right;
	struct trial t = { .of = &f, .gradient = factors_gradient };

	f.positions = draw(rng, 1, most_positions);
	f.rows = draw(rng, 1, most_width), f.cols = draw(rng, 1, most_width);
	f.scale = (float)rng_normal(rng);
	f.at = draw(rng, 0, 9), f.ld = rng_below(rng, 2) ? 0 : f.cols + draw(rng, 0, 5);
	f.left = draw_side(rng, &f, f.rows, &left);
	f.right = draw_side(rng, &f, f.cols, &right);
	t.samples = f.samples;
	t.floats = f.at + f.rows * (f.ld ? f.ld : f.cols);
	t.scratch = square_product_scratch(&f);
	check(rng, &t);
	mem_free(left), mem_free(right);
}

Test(square_product, matrices)
{
	struct rng r;

	rng_init(&r, 1, "matrices");
	for (int round = 0; round < 40; round++)
		check_factors(&r, 40, round % 4 ? 30 : 120);
}

/* More samples than are packed together. */
Test(square_product, blocks)
{
	struct rng r;
	float *left, *right;
	struct reduce_factors f = { .samples = MOST_SAMPLES, .outer = 1, .positions = 40, .rows = 9, .cols = 19 };
	struct trial t = { .of = &f, .gradient = factors_gradient, .samples = f.samples, .floats = 9 * 19 };

	rng_init(&r, 2, "blocks");
	cr_assert_lt(tile_block(f.samples, f.positions), f.samples);
	f.scale = 0.5f;
	f.left = draw_side(&r, &f, f.rows, &left);
	f.right = draw_side(&r, &f, f.cols, &right);
	t.scratch = square_product_scratch(&f);
	check(&r, &t);
	mem_free(left), mem_free(right);
}

/* ---- convolutions ---- */

static void check_conv(struct rng *rng, struct reduce_conv *c)
{
	float *image = numbers(rng, c->samples * c->channels * c->in[0] * c->in[1]), *dy;
	struct trial t = { .of = c, .gradient = conv_gradient, .samples = c->samples };

	dy = numbers(rng, c->samples * c->filters * c->out[0] * c->out[1]);
	c->image = image, c->out_grads = dy;
	t.floats = c->filters * (c->channels / c->groups) * c->kernel[0] * c->kernel[1];
	t.scratch = square_product_conv_scratch(c);
	check(rng, &t);
	mem_free(image), mem_free(dy);
}

/* Pads at the end are what is left. */
static void draw_window(struct rng *r, struct reduce_conv *c, uint32_t most_kernel)
{
	for (size_t d = 0; d < 2; d++) {
		size_t span;

		c->in[d] = draw(r, 3, 12), c->kernel[d] = draw(r, 1, most_kernel);
		c->stride[d] = draw(r, 1, 3), c->dilation[d] = draw(r, 1, 2), c->pad[d] = draw(r, 0, 3);
		span = (c->kernel[d] - 1) * c->dilation[d] + 1;
		c->out[d] = (c->in[d] + c->pad[d] + (span > c->in[d] ? span - c->in[d] : 2) - span) / c->stride[d] + 1;
	}
}

static void check_convs(const char *purpose, uint32_t most_groups, uint32_t most_channels, uint32_t most_filters)
{
	struct rng r;

	rng_init(&r, 3, purpose);
	for (int round = 0; round < 25; round++) {
		struct reduce_conv c = { .samples = draw(&r, 1, 4), .groups = draw(&r, 1, most_groups) };

		c.channels = c.groups * draw(&r, 1, most_channels);
		c.filters = c.groups * draw(&r, 1, most_filters);
		draw_window(&r, &c, round % 5 ? 3 : 5);
		check_conv(&r, &c);
	}
}

Test(square_product, convolutions)
{
	check_convs("convolutions", 1, 40, 20);
}

Test(square_product, few_channels)
{
	check_convs("few channels", 3, 4, 12);
}

Test(square_product, grouped)
{
	check_convs("grouped", 4, 20, 9);
}

Test(square_product, depthwise)
{
	check_convs("depthwise", 40, 1, 3);
}

/* An image so large that its lines are taken in chunks. */
Test(square_product, chunks)
{
	struct rng r;
	struct reduce_conv c = { .samples = 2,
				 .channels = 8,
				 .filters = 3,
				 .groups = 1,
				 .in = { 53, 47 },
				 .out = { 53, 47 },
				 .kernel = { 3, 3 },
				 .stride = { 1, 1 },
				 .dilation = { 1, 1 },
				 .pad = { 1, 1 } };

	rng_init(&r, 4, "chunks");
	check_conv(&r, &c);
}

/* The same bits for a batch and for its parts, as long as the parts are blocks. */
Test(square_product, same_bits)
{
	struct rng r;
	struct reduce_factors f = { .samples = 32, .outer = 1, .positions = 64, .rows = 24, .cols = 50, .scale = 1.0f };
	struct reduce once = { .kind = REDUCE_SQUARE_SUM, .floats = 24 * 50 }, parts = once;
	size_t block = tile_block(f.samples, f.positions);
	float *left, *right;

	rng_init(&r, 5, "bits");
	f.left = (struct reduce_side){ left = numbers(&r, 32 * 64 * 24), 64 * 24, 0, 24, 1 };
	f.right = (struct reduce_side){ right = numbers(&r, 32 * 64 * 50), 64 * 50, 0, 50, 1 };
	once.scratch = parts.scratch = scratch_of(square_product_scratch(&f));
	once.out = mem_alloc(24 * 50 * sizeof(float)), parts.out = mem_alloc(24 * 50 * sizeof(float));
	square_product_add(&once, &f);
	cr_assert(block < 32 && 32 % block == 0);
	f.samples = block;
	for (size_t n = 0; n < 32; n += block) {
		square_product_add(&parts, &f);
		f.left.data += block * f.left.sample, f.right.data += block * f.right.sample;
	}
	cr_assert_arr_eq(once.out, parts.out, 24 * 50 * sizeof(float));
	mem_free(left), mem_free(right), mem_free(once.scratch), mem_free(once.out), mem_free(parts.out);
}

/* Tiles of every vector level against gradients formed one by one in double, over shapes drawn from a fixed seed. */
#include "engine/square_product.h"

#include <criterion/criterion.h>

#include "base/mem.h"
#include "engine/square_product_internal.h"
#include "engine/square_product_winograd.h"
#include "plain_gradients.h"

static void run_factors(struct reduce *r, const void *of)
{
	square_product_add(r, of);
}

static void run_conv(struct reduce *r, const void *of)
{
	square_product_add_conv(r, of);
}

/* All kinds at all levels that the machine has. */
static void check_levels(struct rng *rng, struct trial *t, size_t samples)
{
	for (int level = 0; level < TILE_LEVELS; level++) {
		const struct tile_kernels *k = tile_kernels_at((enum tile_level)level);

		if (!k)
			continue;
		tile_kernels_force(k);
		t->name = k->name;
		check_trial(rng, t, 0, samples);
	}
	tile_kernels_force(NULL);
}

static void check_factors(struct rng *rng, const struct reduce_factors *f)
{
	struct trial t = { .of = f, .gradient = factors_gradient, .run = run_factors };

	t.floats = f->at + f->rows * (f->ld ? f->ld : f->cols);
	t.scratch = square_product_scratch(f);
	check_levels(rng, &t, f->samples);
}

Test(square_product, matrices)
{
	struct rng r;

	rng_init(&r, 1, "matrices");
	for (int round = 0; round < 40; round++) {
		float *data[2];
		struct reduce_factors f = draw_factors(&r, 40, round % 4 ? 30 : 120, data);

		check_factors(&r, &f);
		mem_free(data[0]), mem_free(data[1]);
	}
}

/* More samples than are packed together. */
Test(square_product, blocks)
{
	struct rng r;
	float *left, *right;
	struct reduce_factors f = { .samples = 70, .outer = 1, .positions = 40, .rows = 9, .cols = 19, .scale = 0.5f };

	rng_init(&r, 2, "blocks");
	cr_assert_lt(tile_block(f.samples, f.positions, 1), f.samples);
	f.left = draw_side(&r, &f, f.rows, &left);
	f.right = draw_side(&r, &f, f.cols, &right);
	check_factors(&r, &f);
	mem_free(left), mem_free(right);
}

/* ---- convolutions ---- */

static void check_conv(struct rng *rng, struct reduce_conv *c)
{
	struct trial t = { .of = c, .gradient = conv_gradient, .run = run_conv };
	float *data[2];

	fill_conv(rng, c, data);
	t.floats = c->filters * (c->channels / c->groups) * c->kernel[0] * c->kernel[1];
	t.scratch = square_product_conv_scratch(c);
	check_levels(rng, &t, c->samples);
	mem_free(data[0]), mem_free(data[1]);
}

/* most: groups, channels and filters of a group */
static void check_convs(const char *purpose, const uint32_t most[3])
{
	struct rng r;

	rng_init(&r, 3, purpose);
	for (int round = 0; round < 25; round++) {
		struct reduce_conv c = draw_conv(&r, most, round % 5 ? 3 : 5);

		check_conv(&r, &c);
	}
}

Test(square_product, convolutions)
{
	check_convs("convolutions", (const uint32_t[]){ 1, 40, 20 });
}

Test(square_product, few_channels)
{
	check_convs("few channels", (const uint32_t[]){ 3, 4, 12 });
}

Test(square_product, grouped)
{
	check_convs("grouped", (const uint32_t[]){ 4, 20, 9 });
}

/* Tiles at the image's edge, whole and in part, padded and not. */
Test(square_product, winograd)
{
	struct rng r;

	rng_init(&r, 6, "winograd");
	for (int round = 0; round < 6; round++) {
		struct reduce_conv c = { .samples = draw(&r, 1, 3), .groups = draw(&r, 1, 2), .kernel = { 3, 3 } };

		c.channels = c.groups * draw(&r, 16, 35), c.filters = c.groups * draw(&r, 16, 27);
		for (size_t d = 0; d < 2; d++) {
			c.in[d] = draw(&r, 14, 19), c.pad[d] = draw(&r, 0, 2);
			c.stride[d] = c.dilation[d] = 1;
			c.out[d] = c.in[d] + 2 * c.pad[d] - 2;
		}
		cr_assert(winograd_serves(&c));
		check_conv(&r, &c);
	}
}

/* Images so large that their lines are taken in chunks: by taps, and by columns. */
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
	c.channels = 4, c.filters = 6, c.groups = 2;
	check_conv(&r, &c);
}

/* The same bits for a batch and for its parts, as long as the parts are blocks. */
Test(square_product, same_bits)
{
	struct rng r;
	struct reduce_factors f = { .samples = 32, .outer = 1, .positions = 64, .rows = 24, .cols = 50, .scale = 1.0f };
	struct reduce once = { .kind = REDUCE_SQUARE_SUM, .floats = 24 * 50 }, parts = once;
	size_t block = tile_block(f.samples, f.positions, 1);
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

/* Convolutions of one to three dimensions against plain loops in double precision, over shapes from a fixed seed. */
#include "engine/convolution.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

struct fixture {
	struct arena arena;
	struct convolution c;
	struct convolution_samples samples;
	size_t pixels, outputs, weights; /* floats of all images, of the weight */
	float *image, *weight, *bias, *out, *scratch, *got;
	double *want;
};

static size_t draw(struct rng *r, uint32_t least, uint32_t most)
{
	return least + rng_below(r, most - least + 1);
}

static float *numbers(struct rng *r, size_t count)
{
	float *x = mem_try_aligned(count + 1, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = (float)rng_normal(r);
	return x;
}

static void setup(struct fixture *f, struct rng *r, const struct convolution *shape)
{
	struct convolution *c = &f->c;

	*f = (struct fixture){ .c = *shape, .samples = { 1, shape->images, 1 } };
	for (size_t d = 0; d < WINDOW_DIMS; d++)
		c->w.out[d] =
		    (c->w.in[d] + c->w.pad[d] + c->w.pad_end[d] - (c->w.kernel[d] - 1) * c->w.dilation[d] - 1) /
			c->w.stride[d] +
		    1;
	cr_assert_eq(window_prepare(&c->w, &f->arena, NULL), 0);
	cr_assert_eq(convolution_init(c, NULL), 0);
	f->pixels = c->images * c->channels * c->w.pixels;
	f->outputs = c->images * c->filters * c->w.positions;
	f->weights = c->filters * c->depth;
	f->image = numbers(r, f->pixels);
	f->weight = numbers(r, f->weights);
	f->bias = numbers(r, c->filters);
	f->out = numbers(r, f->outputs);
	f->scratch = numbers(r, c->scratch);
	f->got = numbers(r, f->pixels + f->outputs + f->weights * c->images);
	f->want = mem_alloc((f->pixels + f->outputs + f->weights * c->images + 1) * sizeof(*f->want));
}

static void teardown(struct fixture *f)
{
	convolution_fini(&f->c);
	arena_fini(&f->arena);
	mem_free(f->image);
	mem_free(f->weight);
	mem_free(f->bias);
	mem_free(f->out);
	mem_free(f->scratch);
	mem_free(f->got);
	mem_free(f->want);
}

/* ---- the plain loop ---- */

enum wanted { OUT, IMAGE, WEIGHT };

/* One multiplication of the sum, and what it adds to. */
struct term {
	size_t image, weight, out;
};

static void add(struct fixture *f, enum wanted wanted, const struct term *t, size_t sample)
{
	double image = (double)f->image[t->image], weight = (double)f->weight[t->weight], out = (double)f->out[t->out];

	if (wanted == OUT)
		f->want[t->out] += image * weight;
	else if (wanted == IMAGE)
		f->want[t->image] += out * weight;
	else
		f->want[sample * f->weights + t->weight] += image * out;
}

/* Row-major index of the pixel that a tap meets at an output, or SIZE_MAX. */
static size_t pixel_of(const struct window *w, size_t tap, size_t out)
{
	size_t at = 0, step = 1;

	for (size_t d = WINDOW_DIMS; d-- > 0; tap /= w->kernel[d], out /= w->out[d], step *= w->in[d]) {
		size_t i = out % w->out[d] * w->stride[d] + tap % w->kernel[d] * w->dilation[d] - w->pad[d];

		if (i >= w->in[d])
			return SIZE_MAX;
		at += i * step;
	}
	return at;
}

static void plain_loop(struct fixture *f, enum wanted wanted)
{
	const struct convolution *c = &f->c;
	size_t channels = c->channels / c->groups, filters = c->filters / c->groups;

	memset(f->want, 0, (f->pixels + f->outputs + f->weights * c->images) * sizeof(*f->want));
	for (size_t i = 0; i < f->outputs * channels * c->w.taps; i++) {
		size_t tap = i % c->w.taps, d = i / c->w.taps % channels, out = i / c->w.taps / channels;
		size_t m = out / c->w.positions % c->filters, b = out / c->w.positions / c->filters;
		size_t pixel = pixel_of(&c->w, tap, out % c->w.positions), channel = m / filters * channels + d;
		struct term t = { (b * c->channels + channel) * c->w.pixels + pixel, m * c->depth + d * c->w.taps + tap,
				  out };

		if (pixel != SIZE_MAX)
			add(f, wanted, &t, b / f->samples.after % f->samples.samples);
	}
}

static void compare(const struct fixture *f, const char *what, size_t count)
{
	double largest = 1e-6;

	for (size_t i = 0; i < count; i++)
		largest = fmax(largest, fabs(f->want[i]));
	for (size_t i = 0; i < count; i++)
		cr_assert(fabs((double)f->got[i] - f->want[i]) < 2e-5 * largest, "%s: [%zu] is %g, not %g", what, i,
			  (double)f->got[i], f->want[i]);
}

/* ---- forward and backward ---- */

static void check_passes(struct fixture *f)
{
	const struct convolution *c = &f->c;
	struct convolution_operands with = { .weight = f->weight, .scratch = f->scratch };

	plain_loop(f, OUT);
	convolution_forward(c, &with, f->image, f->got);
	compare(f, "without bias", f->outputs);
	if (c->has_bias) {
		with.bias = f->bias;
		for (size_t i = 0; i < f->outputs; i++)
			f->want[i] += (double)f->bias[i / c->w.positions % c->filters];
		convolution_forward(c, &with, f->image, f->got);
		compare(f, "with bias", f->outputs);
	}
	plain_loop(f, IMAGE);
	convolution_backward(c, &with, f->out, f->got);
	compare(f, "backward", f->pixels);
}

/* ---- reductions ---- */

static void run_reduction(struct fixture *f, struct reduce *r, struct rng *rng)
{
	size_t own;
	int rc = convolution_own_scratch(&f->c, &f->samples, &own, NULL);
	struct convolution_factors factors = { .samples = &f->samples, .image = f->image, .out = f->out };

	cr_assert_eq(rc, 0);
	factors.scratch = numbers(rng, own);
	r->floats = f->weights;
	r->scratch = numbers(rng, convolution_reduce_scratch(&f->c, &f->samples));
	convolution_reduce_weight(&f->c, &factors, r);
	mem_free(factors.scratch);
	mem_free(r->scratch);
}

/* Each sample's gradient, or its square, added up. */
static void fold(struct fixture *f, bool squared)
{
	for (size_t i = 0; i < f->weights; i++) {
		double sum = 0.0;

		for (size_t n = 0; n < f->samples.samples; n++) {
			double g = f->want[n * f->weights + i];

			sum += squared ? g * g : g;
		}
		f->want[i] = sum;
	}
}

static void check_sums(struct fixture *f, enum reduce_kind kind, struct rng *rng)
{
	struct reduce r = { .kind = kind, .samples = f->samples.samples, .out = f->got };

	plain_loop(f, WEIGHT);
	fold(f, kind == REDUCE_SQUARE_SUM);
	memset(f->got, 0, f->weights * sizeof(*f->got));
	run_reduction(f, &r, rng);
	compare(f, "sum of gradients", f->weights);
}

/* Of a run of samples that is not all. */
static void check_rows(struct fixture *f, struct rng *rng)
{
	size_t first = f->samples.samples / 2, run = f->samples.samples - first;
	struct reduce r = { .kind = REDUCE_ROWS, .first = first, .samples = run, .out = f->got };

	plain_loop(f, WEIGHT);
	memmove(f->want, f->want + first * f->weights, run * f->weights * sizeof(*f->want));
	memset(f->got, 0, run * f->weights * sizeof(*f->got));
	run_reduction(f, &r, rng);
	compare(f, "rows", run * f->weights);
}

static void check_norms(struct fixture *f, struct rng *rng)
{
	size_t samples = f->samples.samples;
	double *norms = mem_alloc(samples * sizeof(*norms));
	struct reduce r = { .kind = REDUCE_NORM, .samples = samples, .dots = norms };

	plain_loop(f, WEIGHT);
	run_reduction(f, &r, rng);
	for (size_t n = 0; n < samples; n++) {
		double want = 0.0;

		for (size_t i = 0; i < f->weights; i++)
			want += f->want[n * f->weights + i] * f->want[n * f->weights + i];
		cr_assert(fabs(norms[n] - want) <= 1e-4 * want, "norm %zu is %g, not %g", n, norms[n], want);
	}
	mem_free(norms);
}

static void check_bias(struct fixture *f, struct rng *rng)
{
	size_t filters = f->c.filters, samples = f->samples.samples;
	struct reduce r = { .kind = REDUCE_ROWS, .samples = samples, .floats = filters, .out = f->got };
	struct convolution_planes planes = { .samples = &f->samples,
					     .data = f->out,
					     .channels = filters,
					     .size = f->c.w.positions,
					     .scratch = numbers(rng, samples * filters) };

	memset(f->want, 0, samples * filters * sizeof(*f->want));
	memset(f->got, 0, samples * filters * sizeof(*f->got));
	for (size_t i = 0; i < f->outputs; i++) {
		size_t plane = i / f->c.w.positions, n = plane / filters / f->samples.after % samples;

		f->want[n * filters + plane % filters] += (double)f->out[i];
	}
	convolution_reduce_bias(&planes, &r);
	compare(f, "bias", samples * filters);
	mem_free(planes.scratch);
}

static void check_all(struct fixture *f, struct rng *r)
{
	check_passes(f);
	check_sums(f, REDUCE_SUM, r);
	check_sums(f, REDUCE_SQUARE_SUM, r);
	check_rows(f, r);
	check_norms(f, r);
	check_bias(f, r);
}

/* ---- shapes ---- */

/* Of that many spatial dimensions. */
static struct convolution draw_shape(struct rng *r, size_t dims)
{
	size_t groups = rng_below(r, 3) == 0 ? draw(r, 2, 3) : 1;
	struct convolution c = { .images = 4,
				 .channels = groups * draw(r, 1, 5),
				 .filters = groups * draw(r, 1, 5),
				 .groups = groups,
				 .has_bias = rng_below(r, 2) };

	for (size_t d = 0; d < WINDOW_DIMS; d++) {
		bool used = d >= WINDOW_DIMS - dims;

		c.w.kernel[d] = used ? draw(r, 1, 3) : 1;
		c.w.stride[d] = used ? draw(r, 1, 2) : 1;
		c.w.dilation[d] = used ? draw(r, 1, 2) : 1;
		c.w.in[d] = used ? (c.w.kernel[d] - 1) * c.w.dilation[d] + draw(r, 1, 5) : 1;
		c.w.pad[d] = used ? draw(r, 0, 2) : 0;
		c.w.pad_end[d] = used ? draw(r, 0, 2) : 0;
	}
	return c;
}

Test(convolution, drawn_shapes)
{
	struct rng r;

	rng_init(&r, 1, "shapes");
	for (size_t round = 0; round < 60; round++) {
		struct convolution shape = draw_shape(&r, round % WINDOW_DIMS + 1);
		struct fixture f;

		setup(&f, &r, &shape);
		check_all(&f, &r);
		teardown(&f);
	}
}

/* Images that belong to one sample, next to each other or apart: frames of a film. */
Test(convolution, several_images_a_sample)
{
	static const struct convolution_samples layouts[] = { { 1, 2, 2 }, { 2, 2, 1 }, { 1, 1, 4 } };
	struct rng r;

	rng_init(&r, 2, "shapes");
	for (size_t round = 0; round < 12; round++) {
		struct convolution shape = draw_shape(&r, 2);
		struct fixture f;

		setup(&f, &r, &shape);
		f.samples = layouts[round % 3];
		check_all(&f, &r);
		teardown(&f);
	}
}

/* Shapes with a path of their own: no taps but one; one channel a group, once or twice; enough for Winograd; few
 * outputs, with and without columns; wider padding than a window. */
Test(convolution, special_shapes)
{
	static const struct convolution shapes[] = {
		{ .channels = 5, .filters = 7, .groups = 1, .w = { .kernel = { 1, 1, 1 } } },
		{ .channels = 6, .filters = 6, .groups = 6, .w = { .kernel = { 1, 3, 3 } } },
		{ .channels = 16, .filters = 32, .groups = 16, .w = { .kernel = { 1, 3, 3 } } },
		{ .channels = 32, .filters = 32, .groups = 1, .w = { .kernel = { 1, 3, 3 } } },
		{ .channels = 8,
		  .filters = 8,
		  .groups = 1,
		  .w = { .kernel = { 1, 3, 3 }, .in = { 1, 16, 16 }, .pad_end = { 0, 6, 5 } } },
		{ .images = 1,
		  .channels = 9,
		  .filters = 33,
		  .groups = 1,
		  .w = { .kernel = { 1, 3, 3 }, .in = { 1, 5, 6 } } },
		{ .images = 2,
		  .channels = 9,
		  .filters = 16,
		  .groups = 1,
		  .w = { .kernel = { 1, 1, 1 }, .in = { 1, 5, 6 } } },
	};
	struct rng r;

	rng_init(&r, 3, "shapes");
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct convolution shape = shapes[i];
		struct fixture f;

		shape.images = shape.images ? shape.images : 4;
		shape.has_bias = true;
		for (size_t d = 0; d < WINDOW_DIMS; d++) {
			shape.w.stride[d] = shape.w.dilation[d] = 1;
			if (!shape.w.in[d])
				shape.w.in[d] = d == 0 ? 1 : 14;
			shape.w.pad[d] = shape.w.kernel[d] / 2;
			shape.w.pad_end[d] += shape.w.kernel[d] / 2;
		}
		setup(&f, &r, &shape);
		check_all(&f, &r);
		teardown(&f);
	}
}

/* oneDNN's convolutions against plain loops in double precision, over shapes drawn from a fixed seed. */
#include "engine/dnnl_conv.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"

/* 3 x 3, steps of one, padding of one. */
static struct dnnl_conv_shape same_shape(size_t samples, size_t channels, size_t filters, size_t side)
{
	return (struct dnnl_conv_shape){ .samples = samples,
					 .channels = channels,
					 .filters = filters,
					 .groups = 1,
					 .in = { side, side },
					 .out = { side, side },
					 .kernel = { 3, 3 },
					 .stride = { 1, 1 },
					 .dilation = { 1, 1 },
					 .pad = { 1, 1 },
					 .bias = true };
}

#ifndef EXPUNGE_ONEDNN

Test(dnnl_conv, refuses_without_onednn)
{
	struct dnnl_conv_shape s = same_shape(1, 16, 16, 8);
	struct dnnl_conv *conv = NULL;
	struct exp_error err = { 0 };

	cr_expect_eq(dnnl_conv_new(&s, DNNL_CONV_FORWARD, &conv, &err), EXP_EUNSUPPORTED);
	cr_expect_str_eq(err.message, "built without oneDNN");
}

#else

/* A convolution and its buffers. */
struct fixture {
	struct dnnl_conv_shape s;
	struct dnnl_conv *conv;
	size_t images, outputs; /* floats */
	float *image, *weight, *bias, *output;
	float *prepared, *scratch;
	struct dnnl_conv_buffers buffers;
};

static float *numbers(struct rng *r, size_t count)
{
	float *x = mem_try_aligned(count, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = (float)rng_normal(r);
	return x;
}

/* EXP_EUNSUPPORTED: oneDNN has no code of its own for the shape. */
static int setup(struct fixture *f, struct rng *r, const struct dnnl_conv_shape *s, enum dnnl_conv_direction direction)
{
	bool forward = direction == DNNL_CONV_FORWARD;
	int rc;

	*f = (struct fixture){ .s = *s };
	rc = dnnl_conv_new(s, direction, &f->conv, NULL);
	if (rc)
		return rc;
	f->images = s->samples * s->channels * s->in[0] * s->in[1];
	f->outputs = s->samples * s->filters * s->out[0] * s->out[1];
	f->image = numbers(r, f->images);
	f->output = numbers(r, f->outputs);
	f->weight = numbers(r, s->filters * s->channels / s->groups * s->kernel[0] * s->kernel[1]);
	f->bias = numbers(r, s->filters);
	f->prepared = numbers(r, dnnl_conv_prepared(f->conv));
	f->scratch = numbers(r, dnnl_conv_scratch(f->conv));
	f->buffers = (struct dnnl_conv_buffers){ .from = forward ? f->image : f->output,
						 .prepared = f->prepared,
						 .bias = forward && s->bias ? f->bias : NULL,
						 .to = forward ? f->output : f->image,
						 .scratch = f->scratch };
	dnnl_conv_prepare(f->conv, f->weight, f->prepared);
	return 0;
}

static void teardown(struct fixture *f)
{
	dnnl_conv_free(f->conv);
	mem_free(f->image);
	mem_free(f->output);
	mem_free(f->weight);
	mem_free(f->bias);
	mem_free(f->prepared);
	mem_free(f->scratch);
}

/* ---- the plain loop ---- */

/* Adds to sums what the products of sample n, filter m and output o give, to that output or to the inputs it reads. */
static void visit_output(const struct fixture *f, bool forward, size_t n, size_t m, size_t o, double *sums)
{
	const struct dnnl_conv_shape *s = &f->s;
	size_t depth = s->channels / s->groups, first = m / (s->filters / s->groups) * depth;
	size_t taps = s->kernel[0] * s->kernel[1], pixels = s->in[0] * s->in[1];
	size_t at = (n * s->filters + m) * s->out[0] * s->out[1] + o;

	for (size_t i = 0; i < depth * taps; i++) {
		size_t y = o / s->out[1] * s->stride[0] + i % taps / s->kernel[1] * s->dilation[0] - s->pad[0];
		size_t x = o % s->out[1] * s->stride[1] + i % s->kernel[1] * s->dilation[1] - s->pad[1];
		size_t pixel = (n * s->channels + first + i / taps) * pixels + y * s->in[1] + x;
		double w = (double)f->weight[m * depth * taps + i];

		if (y >= s->in[0] || x >= s->in[1])
			continue;
		if (forward)
			sums[at] += w * (double)f->image[pixel];
		else
			sums[pixel] += w * (double)f->output[at];
	}
}

static double *plain_loop(const struct fixture *f, enum dnnl_conv_direction direction)
{
	bool forward = direction == DNNL_CONV_FORWARD;
	double *sums = mem_alloc((forward ? f->outputs : f->images) * sizeof(*sums));
	size_t positions = f->s.out[0] * f->s.out[1];

	for (size_t n = 0; n < f->s.samples; n++)
		for (size_t m = 0; m < f->s.filters; m++)
			for (size_t o = 0; o < positions; o++) {
				if (f->buffers.bias)
					sums[(n * f->s.filters + m) * positions + o] += (double)f->bias[m];
				visit_output(f, forward, n, m, o, sums);
			}
	return sums;
}

static void compare(const struct fixture *f, enum dnnl_conv_direction direction)
{
	size_t count = direction == DNNL_CONV_FORWARD ? f->outputs : f->images;
	double *want = plain_loop(f, direction), largest = 1e-6;

	for (size_t i = 0; i < count; i++)
		largest = fmax(largest, fabs(want[i]));
	dnnl_conv_run(f->conv, &f->buffers);
	for (size_t i = 0; i < count; i++)
		cr_assert(fabs((double)f->buffers.to[i] - want[i]) < 2e-5 * largest, "%s: [%zu] is %g, not %g",
			  dnnl_conv_kind(f->conv), i, (double)f->buffers.to[i], want[i]);
	mem_free(want);
}

/* ---- shapes ---- */

static size_t draw(struct rng *r, uint32_t least, uint32_t most)
{
	return least + rng_below(r, most - least + 1);
}

static struct dnnl_conv_shape draw_shape(struct rng *r)
{
	size_t groups = rng_below(r, 3) == 0 ? draw(r, 2, 4) : 1;
	struct dnnl_conv_shape s = { .samples = draw(r, 1, 5),
				     .channels = groups * draw(r, 1, 20),
				     .filters = groups * draw(r, 1, 20),
				     .groups = groups,
				     .bias = rng_below(r, 2) };

	for (size_t d = 0; d < 2; d++) {
		size_t reach, padded;

		s.kernel[d] = draw(r, 1, 4);
		s.stride[d] = draw(r, 1, 3);
		s.dilation[d] = draw(r, 1, 2);
		s.pad[d] = rng_below(r, (uint32_t)s.kernel[d]);
		reach = (s.kernel[d] - 1) * s.dilation[d] + 1;
		s.in[d] = reach + draw(r, 0, 9);
		padded = s.in[d] + s.pad[d] + rng_below(r, (uint32_t)s.kernel[d]);
		s.out[d] = (padded - reach) / s.stride[d] + 1;
	}
	return s;
}

static void hold(struct rng *r, const struct dnnl_conv_shape *s, unsigned *held)
{
	for (int direction = DNNL_CONV_FORWARD; direction <= DNNL_CONV_INPUT_GRADIENT; direction++) {
		struct fixture f;
		int rc = setup(&f, r, s, direction);

		cr_assert(rc == 0 || rc == EXP_EUNSUPPORTED);
		if (rc)
			continue;
		compare(&f, direction);
		teardown(&f);
		(*held)++;
	}
}

Test(dnnl_conv, drawn_shapes)
{
	unsigned held = 0;
	struct rng r;

	rng_init(&r, 1, "shapes");
	for (int round = 0; round < 80; round++) {
		struct dnnl_conv_shape s = draw_shape(&r);

		hold(&r, &s, &held);
	}
	cr_expect(held > 60, "oneDNN took %u of 160", held);
}

Test(dnnl_conv, depthwise_and_series)
{
	struct dnnl_conv_shape depthwise = same_shape(3, 24, 24, 9), series = same_shape(2, 16, 24, 1);
	unsigned held = 0;
	struct rng r;

	rng_init(&r, 2, "shapes");
	depthwise.groups = 24;
	series.in[1] = series.out[1] = 40;
	series.kernel[0] = 1;
	series.pad[0] = 0;
	hold(&r, &depthwise, &held);
	hold(&r, &series, &held);
	cr_expect_eq(held, 4);
}

static size_t count_threads(void)
{
	DIR *folder = opendir("/proc/self/task");
	size_t count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* The build runs this with OMP_NUM_THREADS=4. */
Test(dnnl_conv, starts_no_thread)
{
	struct dnnl_conv_shape s = same_shape(16, 64, 64, 16);
	size_t before = count_threads();
	struct fixture f;
	struct rng r;

	rng_init(&r, 4, "threads");
	cr_assert_str_eq(getenv("OMP_NUM_THREADS"), "4");
	cr_assert_eq(setup(&f, &r, &s, DNNL_CONV_FORWARD), 0);
	dnnl_conv_run(f.conv, &f.buffers);
	cr_expect_eq(count_threads(), before);
	teardown(&f);
}

static void run_many(void *arg)
{
	struct fixture *f = arg;

	for (int i = 0; i < 20; i++)
		dnnl_conv_run(f->conv, &f->buffers);
}

/* Several threads at one convolution: the same bits as one. */
Test(dnnl_conv, shared_between_threads)
{
	enum { THREADS = 3 };
	struct dnnl_conv_shape s = same_shape(4, 16, 16, 9);
	struct fixture f, copies[THREADS];
	struct thread threads[THREADS] = { 0 };
	struct rng r;

	rng_init(&r, 5, "threads");
	cr_assert_eq(setup(&f, &r, &s, DNNL_CONV_FORWARD), 0);
	for (size_t i = 0; i < THREADS; i++) {
		copies[i] = f;
		copies[i].buffers.to = numbers(&r, f.outputs);
		copies[i].buffers.scratch = numbers(&r, dnnl_conv_scratch(f.conv));
		cr_assert_eq(thread_start(&threads[i], "conv", run_many, &copies[i]), 0);
	}
	run_many(&f);
	for (size_t i = 0; i < THREADS; i++) {
		thread_join(&threads[i]);
		cr_expect_arr_eq(copies[i].buffers.to, f.buffers.to, f.outputs * sizeof(float));
		mem_free(copies[i].buffers.to);
		mem_free(copies[i].buffers.scratch);
	}
	teardown(&f);
}

Test(dnnl_conv, says_what_it_is)
{
	struct buf text = { 0 };

	dnnl_conv_config(&text);
	cr_expect(strncmp((const char *)text.data, "oneDNN 2.", 9) == 0, "%s", (const char *)text.data);
	buf_fini(&text);
}

#endif

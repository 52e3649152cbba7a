#include "plain_gradients.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#define GUARD 12345.0f

/* ---- what is drawn ---- */

float *numbers(struct rng *r, size_t count)
{
	float *x = mem_try_aligned(count + 1, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = (float)rng_normal(r);
	return x;
}

float *scratch_of(size_t count)
{
	float *x = mem_try_aligned(count + 1, sizeof(*x));

	for (size_t i = 0; i < count; i++)
		x[i] = NAN;
	x[count] = GUARD;
	return x;
}

void check_guard(const float *scratch, size_t count)
{
	cr_assert(scratch[count] == GUARD, "wrote behind its scratch");
}

size_t draw(struct rng *r, uint32_t least, uint32_t most)
{
	return least + rng_below(r, most - least + 1);
}

/* Samples, outer runs and positions in one of the layouts that operators have. */
struct reduce_side draw_side(struct rng *r, const struct reduce_factors *f, size_t width, float **data)
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
	default: /* [outer, width, N, T], no two elements of a sample side by side when N and T exceed 1 */
		s = (struct reduce_side){ NULL, t, width * n * t, 1, n * t };
		break;
	}
	s.data = *data = numbers(r, n * f->outer * t * (width + gap));
	return s;
}

struct reduce_factors draw_factors(struct rng *r, uint32_t most_positions, uint32_t most_width, float *data[2])
{
	struct reduce_factors f = { .samples = draw(r, 1, 6), .outer = most_positions > 1 ? draw(r, 1, 3) : 1 };

	f.positions = draw(r, 1, most_positions);
	f.rows = draw(r, 1, most_width), f.cols = draw(r, 1, most_width);
	f.scale = (float)rng_normal(r);
	f.at = draw(r, 0, 9), f.ld = rng_below(r, 2) ? 0 : f.cols + draw(r, 0, 5);
	f.left = draw_side(r, &f, f.rows, &data[0]);
	f.right = draw_side(r, &f, f.cols, &data[1]);
	return f;
}

struct reduce_conv draw_conv(struct rng *r, const uint32_t most[3], uint32_t most_kernel)
{
	struct reduce_conv c = { .samples = draw(r, 1, 4), .groups = draw(r, 1, most[0]) };

	c.channels = c.groups * draw(r, 1, most[1]);
	c.filters = c.groups * draw(r, 1, most[2]);
	for (size_t d = 0; d < 2; d++) {
		size_t span;

		c.in[d] = draw(r, 3, 12), c.kernel[d] = draw(r, 1, most_kernel);
		c.stride[d] = draw(r, 1, 3), c.dilation[d] = draw(r, 1, 2), c.pad[d] = draw(r, 0, 3);
		span = (c.kernel[d] - 1) * c.dilation[d] + 1;
		/* Pads at the end are what is left. */
		c.out[d] = (c.in[d] + c.pad[d] + (span > c.in[d] ? span - c.in[d] : 2) - span) / c.stride[d] + 1;
	}
	return c;
}

void fill_conv(struct rng *r, struct reduce_conv *c, float *data[2])
{
	c->image = data[0] = numbers(r, c->samples * c->channels * c->in[0] * c->in[1]);
	c->out_grads = data[1] = numbers(r, c->samples * c->filters * c->out[0] * c->out[1]);
}

/* ---- gradients ---- */

static double element_of(const struct reduce_side *s, const size_t at[3], size_t element)
{
	return (double)s->data[at[0] * s->sample + at[1] * s->outer + at[2] * s->position + element * s->element];
}

void factors_gradient(const void *of, size_t n, double *gradient)
{
	const struct reduce_factors *f = of;
	size_t ld = f->ld ? f->ld : f->cols;

	for (size_t t = 0; t < f->outer * f->positions; t++) {
		const size_t at[3] = { n, t / f->positions, t % f->positions };

		for (size_t i = 0; i < f->rows; i++)
			for (size_t j = 0; j < f->cols; j++)
				gradient[f->at + i * ld + j] +=
				    (double)f->scale * element_of(&f->left, at, i) * element_of(&f->right, at, j);
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

void conv_gradient(const void *of, size_t n, double *gradient)
{
	const struct reduce_conv *c = of;
	size_t channels = c->channels / c->groups, taps = c->kernel[0] * c->kernel[1];

	for (size_t i = 0; i < c->filters * channels * taps; i++)
		gradient[i] = conv_entry(c, n, i / (channels * taps), i / taps % channels, i % taps);
}

/* ---- one reduction, done and defined ---- */

static size_t results(const struct trial *t, const struct reduce *r)
{
	switch (r->kind) {
	case REDUCE_ROWS:
		return r->samples * t->floats;
	case REDUCE_NORM:
		return r->samples;
	case REDUCE_DOT:
		return r->samples * r->direction_count;
	default:
		return t->floats;
	}
}

static void fold(const struct reduce *r, const double *g, size_t n, double *want)
{
	for (size_t i = 0; i < r->floats; i++) {
		if (r->kind == REDUCE_SUM)
			want[i] += g[i];
		else if (r->kind == REDUCE_SQUARE_SUM)
			want[i] += g[i] * g[i];
		else if (r->kind == REDUCE_NORM)
			want[n] += g[i] * g[i];
		else if (r->kind == REDUCE_ROWS)
			want[n * r->floats + i] += g[i];
		for (size_t k = 0; r->kind == REDUCE_DOT && k < r->direction_count; k++)
			want[n * r->direction_count + k] += g[i] * (double)r->directions[k][i];
	}
}

static void define(const struct trial *t, const struct reduce *r, double *want)
{
	double *g = mem_try_alloc(t->floats, sizeof(*g));

	for (size_t n = 0; n < r->samples; n++) {
		memset(g, 0, t->floats * sizeof(*g));
		t->gradient(t->of, r->first + n, g);
		fold(r, g, n, want);
	}
	mem_free(g);
}

static void compare(const struct trial *t, const struct reduce *r, const double *want)
{
	double largest = 1e-3;
	size_t count = results(t, r);

	for (size_t i = 0; i < count; i++)
		largest = fmax(largest, fabs(want[i]));
	for (size_t i = 0; i < count; i++) {
		double got = r->dots ? r->dots[i] : (double)r->out[i];

		cr_assert(fabs(got - want[i]) < 2e-5 * largest, "%s, kind %d: [%zu] of %zu is %g, not %g", t->name,
			  (int)r->kind, i, count, got, want[i]);
	}
}

static void check_kind(const struct trial *t, struct reduce *r)
{
	size_t count = results(t, r);
	double *want = mem_try_alloc(count, sizeof(*want));

	r->scratch = scratch_of(t->scratch);
	if (r->kind == REDUCE_NORM || r->kind == REDUCE_DOT)
		r->dots = mem_try_alloc(count, sizeof(*r->dots));
	else
		r->out = mem_try_alloc(count, sizeof(*r->out));
	for (size_t i = 0; i < count; i++) {
		want[i] = (double)(i % 5);
		if (r->out)
			r->out[i] = (float)(i % 5);
		else
			r->dots[i] = (double)(i % 5);
	}
	define(t, r, want);
	t->run(r, t->of);
	compare(t, r, want);
	check_guard(r->scratch, t->scratch);
	mem_free(want), mem_free(r->out), mem_free(r->dots), mem_free(r->scratch);
}

void check_trial(struct rng *rng, const struct trial *t, size_t first, size_t samples)
{
	float *directions[MOST_DIRECTIONS];

	for (size_t k = 0; k < MOST_DIRECTIONS; k++)
		directions[k] = numbers(rng, t->floats);
	for (int kind = REDUCE_SUM; kind <= REDUCE_ROWS; kind++) {
		struct reduce r = { .kind = (enum reduce_kind)kind,
				    .floats = t->floats,
				    .first = first,
				    .samples = samples,
				    .directions = (const float *const *)directions };

		r.direction_count = kind == REDUCE_DOT ? draw(rng, 1, MOST_DIRECTIONS) : 0;
		check_kind(t, &r);
	}
	for (size_t k = 0; k < MOST_DIRECTIONS; k++)
		mem_free(directions[k]);
}

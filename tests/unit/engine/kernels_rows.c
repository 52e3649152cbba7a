/* Softmax and normalisation along any dimension, against their definitions in double. */
#include "engine/kernels_rows.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/rng.h"

enum { MOST = 3 * 70 * 140 };

struct arrays {
	float x[MOST], d[MOST], y[MOST], out[MOST];
	double probability[MOST];
};

static struct arrays *new_arrays(void)
{
	struct arrays *a = mem_alloc(sizeof(*a));
	struct rng r;

	cr_assert_eq(crypto_init(), 0);
	rng_init(&r, 5, "rows");
	for (size_t i = 0; i < MOST; i++) {
		a->x[i] = 3 * (float)rng_normal(&r);
		a->d[i] = (float)rng_normal(&r);
	}
	return a;
}

static const struct kernel_axis shapes[] = { { 1, 1, 1 },  { 3, 2, 1 },    { 3, 16, 1 },   { 2, 33, 1 },
					     { 2, 70, 1 }, { 1, 3, 2 },    { 2, 5, 63 },   { 2, 5, 64 },
					     { 1, 7, 65 }, { 3, 70, 140 }, { 70, 140, 3 }, { 140, 1, 70 } };

#define FOR_EACH_LINE(a, start)                                                                                        \
	for (size_t o = 0; o < (a).outer; o++)                                                                         \
		for (size_t i = 0, start = o * (a).size * (a).inner; i < (a).inner; i++, start++)

/* e^(x - max) / sum, in double */
static void set_probabilities(struct arrays *s, struct kernel_axis a)
{
	FOR_EACH_LINE(a, start)
	{
		double sum = 0;

		for (size_t k = 0; k < a.size; k++)
			sum += exp((double)s->x[start + k * a.inner]);
		for (size_t k = 0; k < a.size; k++)
			s->probability[start + k * a.inner] = exp((double)s->x[start + k * a.inner]) / sum;
	}
}

static void close_to(const char *what, float got, double want)
{
	cr_assert(fabs((double)got - want) <= 1e-6 * fmax(1, fabs(want)), "%s is %.9g, not %.9g", what, (double)got,
		  want);
}

static void check_softmax(struct arrays *s, struct kernel_axis a)
{
	kernel_softmax(s->y, s->x, a);
	kernel_softmax_gradient(s->out, s->d, s->y, a);
	FOR_EACH_LINE(a, start)
	{
		double dot = 0;

		for (size_t k = 0; k < a.size; k++)
			dot += s->probability[start + k * a.inner] * (double)s->d[start + k * a.inner];
		for (size_t k = 0, p = start; k < a.size; k++, p += a.inner) {
			close_to("softmax", s->y[p], s->probability[p]);
			close_to("its gradient", s->out[p], s->probability[p] * ((double)s->d[p] - dot));
		}
	}
}

static void check_log_softmax(struct arrays *s, struct kernel_axis a)
{
	kernel_log_softmax(s->y, s->x, a);
	kernel_log_softmax_gradient(s->out, s->d, s->y, a);
	FOR_EACH_LINE(a, start)
	{
		double sum = 0;

		for (size_t k = 0; k < a.size; k++)
			sum += (double)s->d[start + k * a.inner];
		for (size_t k = 0, p = start; k < a.size; k++, p += a.inner) {
			close_to("log softmax", s->y[p], log(s->probability[p]));
			cr_assert_float_eq(s->out[p], (double)s->d[p] - s->probability[p] * sum, 1e-5);
		}
	}
	kernel_log_softmax_tangent(s->out, s->d, s->y, a);
	FOR_EACH_LINE(a, start)
	{
		double dot = 0;

		for (size_t k = 0; k < a.size; k++)
			dot += s->probability[start + k * a.inner] * (double)s->d[start + k * a.inner];
		for (size_t k = 0, p = start; k < a.size; k++, p += a.inner)
			close_to("its tangent", s->out[p], (double)s->d[p] - dot);
	}
}

Test(kernels_rows, softmax_follows_its_definition)
{
	struct arrays *s = new_arrays();

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		set_probabilities(s, shapes[i]);
		check_softmax(s, shapes[i]);
		check_log_softmax(s, shapes[i]);
	}
	mem_free(s);
}

Test(kernels_rows, softmax_is_stable)
{
	float x[] = { 3e38f, -3e38f, 1e4f, 0, -INFINITY, -1e9f }, y[6];

	kernel_softmax(y, x, (struct kernel_axis){ 1, 6, 1 });
	cr_assert(y[0] == 1 && y[1] == 0 && y[2] == 0 && y[4] == 0);
	kernel_softmax(y, x + 2, (struct kernel_axis){ 2, 2, 1 });
	cr_assert(y[0] == 1 && y[1] == 0 && y[2] == 0 && y[3] == 1, "a masked entry has no weight");
	x[3] = NAN;
	kernel_softmax(y, x, (struct kernel_axis){ 2, 3, 1 });
	cr_assert(y[0] == 1 && isnan(y[3]) && isnan(y[4]), "a NaN is noticed");
	kernel_log_softmax(y, x, (struct kernel_axis){ 1, 2, 3 });
	cr_assert(isnan(y[0]) && isnan(y[3]) && y[1] == 0 && y[4] == -INFINITY);
}

Test(kernels_rows, largest_and_smallest)
{
	struct arrays *s = new_arrays();

	cr_assert(kernel_max(s->x, 0) == -INFINITY && kernel_min(s->x, 0) == INFINITY);
	for (size_t n = 1; n < 70; n++) {
		float largest = s->x[0], least = s->x[0];

		for (size_t i = 1; i < n; i++) {
			largest = fmaxf(largest, s->x[i]);
			least = fminf(least, s->x[i]);
		}
		cr_assert(kernel_max(s->x, n) == largest && kernel_min(s->x, n) == least);
		s->y[n - 1] = n % 2 ? NAN : -NAN;
		cr_assert(isnan(kernel_max(s->y, n)) && isnan(kernel_min(s->y, n)));
	}
	mem_free(s);
}

Test(kernels_rows, axis_sums)
{
	struct arrays *s = new_arrays();

	for (size_t n = 0; n < sizeof(shapes) / sizeof(shapes[0]); n++) {
		struct kernel_axis a = shapes[n];

		kernel_axis_sums(s->y, s->x, a);
		FOR_EACH_LINE(a, start)
		{
			double sum = 0;

			for (size_t k = 0; k < a.size; k++)
				sum += (double)s->x[start + k * a.inner];
			cr_assert_eq(s->y[o * a.inner + i], (float)sum);
		}
	}
	mem_free(s);
}

/* ---- normalisation ---- */

struct moments {
	double mean, inverse;
};

static struct moments moments(const float *x, size_t n, double epsilon)
{
	double mean = 0, variance = 0;

	for (size_t i = 0; i < n; i++)
		mean += (double)x[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
	return (struct moments){ mean, 1 / sqrt(variance + epsilon) };
}

static void check_norm(struct arrays *s, size_t rows, size_t n, bool plain)
{
	float *mean = s->y, *inverse = s->y + rows, *y = s->y + 2 * rows, *dx = s->out, scale_gradient[200];
	const float *scale = s->x + MOST - n, *shift = s->x + MOST - 2 * n;
	struct kernel_norm k = { .rows = rows, .n = n, .x = s->x, .mean = mean, .inverse = inverse };

	if (!plain)
		k.scale = scale, k.shift = shift;
	kernel_moments(mean, inverse, s->x, (const size_t[]){ rows, n }, 1e-5f);
	kernel_normalise(&k, y);
	kernel_normalise_gradient(&k, s->d, dx);
	kernel_normalise_scale_gradient(&k, s->d, scale_gradient);
	memset(s->probability, 0, n * sizeof(*s->probability));
	for (size_t r = 0; r < rows; r++) {
		const float *x = s->x + r * n, *d = s->d + r * n;
		struct moments m = moments(x, n, 1e-5);
		double g_mean = 0, product = 0;

		for (size_t i = 0; i < n; i++) {
			double h = ((double)x[i] - m.mean) * m.inverse,
			       g = (double)d[i] * (plain ? 1 : (double)scale[i]);

			close_to("y", y[r * n + i],
				 h * (plain ? 1 : (double)scale[i]) + (plain ? 0 : (double)shift[i]));
			s->probability[i] += (double)d[i] * h;
			g_mean += g / (double)n, product += g * h / (double)n;
		}
		for (size_t i = 0; i < n; i++) {
			double h = ((double)x[i] - m.mean) * m.inverse,
			       g = (double)d[i] * (plain ? 1 : (double)scale[i]);

			cr_assert_float_eq(dx[r * n + i], m.inverse * (g - g_mean - h * product),
					   2e-6 * m.inverse * 10);
		}
	}
	for (size_t i = 0; i < n; i++)
		cr_assert_float_eq(scale_gradient[i], s->probability[i], 1e-4);
}

Test(kernels_rows, normalisation_follows_its_definition)
{
	static const size_t sizes[] = { 2, 3, 15, 16, 17, 48, 65, 192 };
	struct arrays *s = new_arrays();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_norm(s, 1, sizes[i], true);
		check_norm(s, 7, sizes[i], false);
	}
	mem_free(s);
}

Test(kernels_rows, a_large_mean_costs_the_variance_nothing)
{
	float x[64], mean, inverse;

	for (size_t i = 0; i < 64; i++)
		x[i] = 1e6f + (float)(i % 2);
	kernel_moments(&mean, &inverse, x, (const size_t[]){ 1, 64 }, 0);
	cr_assert_eq(mean, 1e6f + 0.5f);
	cr_assert_eq(inverse, 2);
	for (size_t i = 0; i < 64; i++)
		x[i] = 1e6f;
	kernel_moments(&mean, &inverse, x, (const size_t[]){ 1, 64 }, 0.25f);
	cr_assert_eq(inverse, 2);
}

/* Intervals against published values, brute force and simulated coverage. */
#include "verify/interval.h"

#include <criterion/criterion.h>
#include <math.h>

#include "base/digest.h"
#include "base/rng.h"

static struct rng stream(const char *purpose)
{
	struct rng rng;

	cr_assert_eq(crypto_init(), 0);
	rng_init(&rng, 5, purpose);
	return rng;
}

Test(interval, normal_quantiles_of_the_tables)
{
	cr_assert_float_eq(normal_quantile(0.975), 1.959963984540054, 1e-9);
	cr_assert_float_eq(normal_quantile(0.95), 1.6448536269514722, 1e-9);
	cr_assert_float_eq(normal_quantile(0.5), 0, 1e-9);
	cr_assert_float_eq(normal_quantile(0.001), -3.090232306167813, 1e-9);
}

Test(interval, binomial_tails_by_counting)
{
	cr_assert_float_eq(binomial_tail(2, 3, 0.5), 0.5, 1e-12);
	cr_assert_float_eq(binomial_tail(5, 5, 0.1), 1e-5, 1e-15);
	cr_assert_float_eq(binomial_tail(1, 4, 0.25), 1 - pow(0.75, 4), 1e-12);
	cr_assert_eq(binomial_tail(0, 4, 0.25), 1);
	cr_assert_eq(binomial_tail(1, 4, 0), 0);
	cr_assert_eq(binomial_tail(4, 4, 1), 1);
}

/* Closed forms at the ends: 0 of n has the upper bound 1 - (a/2)^(1/n); n of n mirrors it. */
Test(interval, clopper_pearson_at_its_ends)
{
	struct interval none = interval_binomial(0, 10, 0.95), all = interval_binomial(10, 10, 0.95);

	cr_assert_eq(none.low, 0);
	cr_assert_float_eq(none.high, 1 - pow(0.025, 0.1), 1e-9);
	cr_assert_eq(all.high, 1);
	cr_assert_float_eq(all.low, pow(0.025, 0.1), 1e-9);
	cr_assert_eq(interval_binomial(0, 0, 0.95).high, 1);
}

/* The defining property: at the bounds the tails are exactly 2.5 %. */
Test(interval, clopper_pearson_solves_its_tails)
{
	struct interval i = interval_binomial(7, 20, 0.95);

	cr_assert_float_eq(binomial_tail(7, 20, i.low), 0.025, 1e-9);
	cr_assert_float_eq(1 - binomial_tail(8, 20, i.high), 0.025, 1e-9);
	cr_assert_eq(i.estimate, 0.35);
}

Test(interval, paired_change_by_hand)
{
	struct interval i = interval_paired(5, 15, 200, 0.95);
	double width = 1.959963984540054 * sqrt(20 - 100 / 200.0) / 200 + 1 / 200.0;

	cr_assert_float_eq(i.estimate, -0.05, 1e-12);
	cr_assert_float_eq(i.low, -0.05 - width, 1e-9);
	cr_assert_float_eq(i.high, -0.05 + width, 1e-9);
	cr_assert_eq(interval_paired(0, 0, 0, 0.95).low, -1);
	cr_assert_eq(interval_paired(0, 3, 3, 0.95).low, -1, "cut at the possible");
}

Test(interval, paired_change_covers_the_truth)
{
	struct rng rng = stream("paired");
	int covered = 0;

	for (int run = 0; run < 1000; run++) {
		size_t gained = 0, lost = 0;

		for (int i = 0; i < 150; i++) {
			double u = rng_uniform(&rng);

			gained += u < 0.06;
			lost += u >= 0.06 && u < 0.16;
		}
		struct interval c = interval_paired(gained, lost, 150, 0.95);

		covered += c.low <= -0.04 && c.high >= -0.04;
	}
	cr_assert_geq(covered, 940);
	cr_assert_leq(covered, 995);
}

/* Every pair compared, and DeLong's variance from its definition. */
static void brute_force(const double *x, size_t n, const double *y, size_t m, double *auc, double *variance)
{
	double s10 = 0, s01 = 0;

	*auc = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			*auc += (x[i] > y[k]) + 0.5 * (x[i] == y[k]);
	*auc /= (double)(n * m);
	for (size_t i = 0; i < n; i++) {
		double v = 0;

		for (size_t k = 0; k < m; k++)
			v += (x[i] > y[k]) + 0.5 * (x[i] == y[k]);
		s10 += pow(v / (double)m - *auc, 2);
	}
	for (size_t k = 0; k < m; k++) {
		double v = 0;

		for (size_t i = 0; i < n; i++)
			v += (x[i] > y[k]) + 0.5 * (x[i] == y[k]);
		s01 += pow(v / (double)n - *auc, 2);
	}
	*variance = s10 / (double)(n - 1) / (double)n + s01 / (double)(m - 1) / (double)m;
}

Test(interval, delong_equals_brute_force_ties_included)
{
	struct rng rng = stream("delong");
	double x[25], y[40], auc, variance, logit, width;
	struct interval i;

	for (int k = 0; k < 25; k++)
		x[k] = round(2 * rng_normal(&rng) + 1);
	for (int k = 0; k < 40; k++)
		y[k] = round(2 * rng_normal(&rng));
	brute_force(x, 25, y, 40, &auc, &variance);
	cr_assert_eq(interval_auc(x, 25, y, 40, 0.95, &i), 0);
	logit = log(auc / (1 - auc));
	width = 1.959963984540054 * sqrt(variance) / (auc * (1 - auc));
	cr_assert_float_eq(i.estimate, auc, 1e-12);
	cr_assert_float_eq(i.low, 1 / (1 + exp(-(logit - width))), 1e-9);
	cr_assert_float_eq(i.high, 1 / (1 + exp(-(logit + width))), 1e-9);
}

/* For normal scores one apart the area is Phi(1/sqrt 2). */
Test(interval, delong_covers_the_truth)
{
	struct rng rng = stream("coverage");
	double truth = 0.5 * erfc(-0.5), x[30], y[60];
	int covered = 0;

	for (int run = 0; run < 1000; run++) {
		struct interval i;

		for (int k = 0; k < 30; k++)
			x[k] = rng_normal(&rng) + 1;
		for (int k = 0; k < 60; k++)
			y[k] = rng_normal(&rng);
		cr_assert_eq(interval_auc(x, 30, y, 60, 0.95, &i), 0);
		covered += i.low <= truth && truth <= i.high;
	}
	cr_assert_geq(covered, 925);
	cr_assert_leq(covered, 980);
}

Test(interval, perfect_separation_is_not_certainty)
{
	double x[] = { 5, 6, 7, 8 }, y[] = { 1, 2, 3, 4, 4.5 };
	struct interval i;

	cr_assert_eq(interval_auc(x, 4, y, 5, 0.95, &i), 0);
	cr_assert_eq(i.estimate, 1);
	cr_assert_float_eq(i.low, pow(0.025, 0.25), 1e-9);
	cr_assert_eq(i.high, 1);
	cr_assert_eq(interval_auc(x, 1, y, 5, 0.95, &i), EXP_EINVAL);
}

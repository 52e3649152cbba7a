#include "verify/interval.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

double normal_quantile(double p)
{
	double low = -40, high = 40;

	for (int i = 0; i < 200; i++) {
		double x = (low + high) / 2;

		if (0.5 * erfc(-x / sqrt(2)) < p)
			low = x;
		else
			high = x;
	}
	return (low + high) / 2;
}

double binomial_tail(size_t k, size_t n, double p)
{
	double sum = 0;

	if (k == 0)
		return 1;
	if (p <= 0 || k > n)
		return 0;
	if (p >= 1)
		return 1;
	for (size_t i = k; i <= n; i++)
		sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) +
			   (double)i * log(p) + (double)(n - i) * log1p(-p));
	return sum < 1 ? sum : 1;
}

/* The p at which P(X >= k) equals tail; it rises in p. */
static double solve_tail(size_t k, size_t n, double tail)
{
	double low = 0, high = 1;

	for (int i = 0; i < 60; i++) {
		double p = (low + high) / 2;

		if (binomial_tail(k, n, p) < tail)
			low = p;
		else
			high = p;
	}
	return (low + high) / 2;
}

struct interval interval_binomial(size_t k, size_t n, double confidence)
{
	double side = (1 - confidence) / 2;
	struct interval out = { 0, 0, 1 };

	if (n == 0)
		return out;
	out.estimate = (double)k / (double)n;
	out.low = k ? solve_tail(k, n, side) : 0;
	out.high = k < n ? solve_tail(k + 1, n, 1 - side) : 1;
	return out;
}

struct interval interval_paired(size_t gained, size_t lost, size_t n, double confidence)
{
	struct interval out = { 0, -1, 1 };
	double b = (double)gained, c = (double)lost, rows = (double)n, width;

	if (n == 0)
		return out;
	out.estimate = (b - c) / rows;
	width = normal_quantile((1 + confidence) / 2) * sqrt(b + c - (b - c) * (b - c) / rows) / rows + 1 / rows;
	out.low = fmax(-1, out.estimate - width);
	out.high = fmin(1, out.estimate + width);
	return out;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How many of sorted [n] lie below x, those equal counting one half. */
static double count_below(const double *sorted, size_t n, double x)
{
	size_t ends[2];

	for (int strict = 0; strict < 2; strict++) {
		size_t low = 0, high = n;

		while (low < high) {
			size_t middle = (low + high) / 2;

			if (strict ? sorted[middle] <= x : sorted[middle] < x)
				low = middle + 1;
			else
				high = middle;
		}
		ends[strict] = low;
	}
	return ((double)ends[0] + (double)ends[1]) / 2;
}

/* Mean and variance of DeLong's structural components: for each x the share of others [m] that lie below. */
static void components(const double *x, size_t n, const double *sorted_others, size_t m, double *mean, double *variance)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		double share = count_below(sorted_others, m, x[i]) / (double)m;

		sum += share;
		squares += share * share;
	}
	*mean = sum / (double)n;
	*variance = fmax(0, squares - sum * *mean) / (double)(n - 1);
}

static double logistic(double x)
{
	return 1 / (1 + exp(-x));
}

static struct interval delong_interval(double auc, double variance, size_t least, double confidence)
{
	struct interval out = { auc, 0, 1 };
	double width, logit;

	if (variance <= 0 || auc <= 0 || auc >= 1) {
		out = interval_binomial((size_t)lround(auc * (double)least), least, confidence);
		out.estimate = auc;
		return out;
	}
	logit = log(auc / (1 - auc));
	width = normal_quantile((1 + confidence) / 2) * sqrt(variance) / (auc * (1 - auc));
	out.low = logistic(logit - width);
	out.high = logistic(logit + width);
	return out;
}

int interval_auc(const double *positives, size_t n, const double *negatives, size_t m, double confidence,
		 struct interval *out)
{
	double auc, below, s10, s01, *sorted;

	if (n < 2 || m < 2)
		return EXP_EINVAL;
	sorted = mem_try_alloc(n > m ? n : m, sizeof(*sorted));
	if (!sorted)
		return EXP_EMEMORY;
	for (size_t i = 0; i < m; i++)
		sorted[i] = negatives[i];
	qsort(sorted, m, sizeof(*sorted), by_value);
	components(positives, n, sorted, m, &auc, &s10);
	for (size_t i = 0; i < n; i++)
		sorted[i] = positives[i];
	qsort(sorted, n, sizeof(*sorted), by_value);
	components(negatives, m, sorted, n, &below, &s01);
	mem_free(sorted);
	*out = delong_interval(auc, s10 / (double)n + s01 / (double)m, n < m ? n : m, confidence);
	return 0;
}

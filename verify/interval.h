/*
 * interval.h: the statistics that stand on their own: distribution functions, intervals, the area under the ROC curve.
 */
#ifndef VERIFY_INTERVAL_H
#define VERIFY_INTERVAL_H

#include <stddef.h>

#include "base/error.h"

struct interval {
	double estimate, low, high;
};

/* The standard normal's quantile at p in (0, 1), by bisection on erfc. */
double normal_quantile(double p);

/* P(X >= k) for X binomial with n trials of probability p, summed term by term. */
double binomial_tail(size_t k, size_t n, double p);

/* Clopper and Pearson's exact interval for k of n at the given confidence (0.95). n = 0 gives [0, 1]. */
struct interval interval_binomial(size_t k, size_t n, double confidence);

/* The change of a share over n paired observations of which gained went from wrong to right and lost the other way:
 * Wald's interval for paired proportions with continuity correction 1/n, cut at ±1. n = 0 gives [-1, 1]. */
struct interval interval_paired(size_t gained, size_t lost, size_t n, double confidence);

/*
 * The area under the ROC curve for positives above negatives, ties counting one half, with DeLong's variance (DeLong,
 * DeLong and Clarke-Pearson, Biometrics 1988) on the logit scale. Where that variance is 0 (perfect separation) the
 * interval is Clopper and Pearson's for min(positives, negatives) comparisons. EXP_EINVAL: fewer than 2 of either.
 * EXP_EMEMORY.
 */
EXP_NODISCARD int interval_auc(const double *positives, size_t n, const double *negatives, size_t m, double confidence,
			       struct interval *out);

#endif

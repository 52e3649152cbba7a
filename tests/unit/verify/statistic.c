/* Statistics of one row against their definitions, where floating point would fail them. */
#include "verify/statistic.h"

#include <criterion/criterion.h>
#include <math.h>

Test(statistic, confidence_is_the_logit_of_two_classes)
{
	float log_probs[] = { logf(0.2f), logf(0.8f) };

	cr_assert_float_eq(statistic_confidence(log_probs, 2, 1), log(0.8 / 0.2), 1e-6);
	cr_assert_float_eq(statistic_confidence(log_probs, 2, 0), log(0.2 / 0.8), 1e-6);
}

Test(statistic, confidence_sums_the_others)
{
	float log_probs[] = { logf(0.5f), logf(0.3f), logf(0.2f) };

	cr_assert_float_eq(statistic_confidence(log_probs, 3, 1), log(0.3 / 0.7), 1e-6);
}

/* 1 - p_y is 0 in floating point here; the sum of the others is not. */
Test(statistic, confidence_of_a_row_fitted_beyond_float)
{
	float log_probs[] = { -40, 0, -41 };

	cr_assert_float_eq(statistic_confidence(log_probs, 3, 1), 40 - log(1 + exp(-1)), 1e-5);
}

Test(statistic, confidence_stays_finite)
{
	float log_probs[] = { -INFINITY, 0 };

	cr_assert_eq(statistic_confidence(log_probs, 2, 1), 80);
	cr_assert_eq(statistic_confidence(log_probs, 2, 0), -80);
}

Test(statistic, small_gradients_read_as_members)
{
	cr_assert_float_eq(statistic_gradient(exp(2)), -1, 1e-12);
	cr_assert_gt(statistic_gradient(1e-6), statistic_gradient(1));
	cr_assert(isfinite(statistic_gradient(0)));
}

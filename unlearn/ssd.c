#include "unlearn/ssd.h"

#include <math.h>
#include <string.h>

#include "engine/kernels_math.h"

double ssd_alpha_ceiling(const struct importance *all, const struct importance *forget)
{
	return (double)all->rows / (double)forget->rows;
}

struct block {
	const float *all, *forget; /* importances over all rows and over the forget rows */
	size_t count;
};

struct rule {
	double scale, alpha, lambda; /* scale = N / n */
};

/* yes where condition is 1, no where it is 0, without a branch that would keep the loop from being vectorised. */
KERNEL_INLINE double pick(uint64_t condition, double yes, double no)
{
	uint64_t mask = -condition, a, b;

	memcpy(&a, &yes, sizeof(a));
	memcpy(&b, &no, sizeof(b));
	a = (a & mask) | (b & ~mask);
	memcpy(&yes, &a, sizeof(yes));
	return yes;
}

/* The larger of top and the bits of an importance: finite numbers that are not negative lie below all others. */
KERNEL_INLINE uint32_t raise_top(uint32_t top, float importance)
{
	uint32_t bits = math_bits(importance + 0.0f); /* -0 is 0 */

	return bits > top ? bits : top;
}

/*
 * One pass, bound by memory: 12 bytes read and 4 written a parameter. The condition is written as a product,
 * F N/n > alpha O, so that no ratio decides where O is 0. false when an importance is negative or not finite.
 */
KERNEL static bool dampen(const struct rule *rule, float *restrict theta, const struct block *b, uint64_t *selected)
{
	const double scale = rule->scale, alpha = rule->alpha, lambda = rule->lambda;
	const float *restrict o = b->all, *restrict f = b->forget;
	uint64_t count = 0;
	uint32_t top = 0;

	for (size_t i = 0; i < b->count; i++) {
		double forget = scale * (double)f[i], all = (double)o[i], beta = lambda * all / forget;
		uint64_t chosen = forget > alpha * all, shrinks = beta < 1;

		top = raise_top(raise_top(top, f[i]), o[i]);
		theta[i] = (float)((double)theta[i] * pick(chosen & shrinks, beta, 1));
		count += chosen;
	}
	*selected = count;
	return top <= math_bits(3.4e38f);
}

int ssd_dampen(struct params *p, const struct importance *all, const struct importance *forget, double alpha,
	       double lambda, uint64_t *selected)
{
	struct rule rule = { .alpha = alpha, .lambda = lambda };
	uint64_t count;

	rule.scale = all->rows && forget->rows ? ssd_alpha_ceiling(all, forget) : 0;
	if (!(alpha > 0) || !(lambda > 0) || rule.scale <= 0)
		return EXP_EINVAL;
	if (p->count != all->sum->count || p->count != forget->sum->count)
		return EXP_EINVAL;
	/* Above the ceiling nothing can be selected but for rounding: the two sums were added up in different orders.
	 */
	if (alpha >= rule.scale)
		rule.alpha = (double)INFINITY;
	if (!dampen(&rule, p->values, &(struct block){ all->sum->values, forget->sum->values, p->count }, &count))
		return EXP_ENONFINITE;
	if (selected)
		*selected = count;
	return 0;
}

static int run(const struct method_input *in, struct params *p, struct method_report *report, struct exp_error *err)
{
	struct importance own = { 0 };
	const struct importance *forget = in->forget_importance;
	double alpha = in->parameters[SSD_ALPHA], lambda = in->parameters[SSD_LAMBDA];
	int rc = 0;

	if (!forget) {
		rc = importance_compute(in->session, p, in->forget, in->progress, &own, err);
		if (rc)
			return rc;
		forget = &own;
	}
	rc = ssd_dampen(p, in->importance, forget, alpha, lambda, &report->edited);
	if (rc)
		rc = error_set(err, rc, "the importances do not fit the model or hold numbers that are not finite");
	importance_fini(&own);
	return rc;
}

static const struct method_parameter parameters[] = {
	[SSD_ALPHA] = { "alpha", "importance ratio above which a weight is dampened; below rows/forget rows", 0, 1e-9,
			1e12, true },
	[SSD_LAMBDA] = { "lambda", "a selected weight is multiplied by lambda / ratio, at most 1", 1, 1e-9, 1e6,
			 false },
};

const struct method ssd_method = {
	.name = "ssd",
	.version = 1,
	.class = METHOD_APPROXIMATE,
	.needs = METHOD_NEEDS_FORGET | METHOD_NEEDS_IMPORTANCE,
	.parameters = parameters,
	.parameter_count = sizeof(parameters) / sizeof(parameters[0]),
	.run = run,
};

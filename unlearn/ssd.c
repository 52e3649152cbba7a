#include "unlearn/ssd.h"

#include <math.h>

static bool is_sane(const struct importance *i)
{
	bool sane = true;

	for (size_t k = 0; k < i->sum->count; k++)
		sane &= i->sum->values[k] >= 0 && i->sum->values[k] <= 3.4e38f;
	return sane;
}

double ssd_alpha_ceiling(const struct importance *all, const struct importance *forget)
{
	return (double)all->rows / (double)forget->rows;
}

/* Written as a product, F N/n > alpha O, so that no ratio is formed where O is 0. */
static uint64_t dampen(float *theta, const float *o, const float *f, size_t count, const double factors[3])
{
	const double scale = factors[0], alpha = factors[1], lambda = factors[2];
	uint64_t selected = 0;

	for (size_t i = 0; i < count; i++) {
		double forget = scale * (double)f[i], all = (double)o[i];
		bool chosen = forget > alpha * all;
		double beta = chosen ? lambda * all / forget : 1;

		theta[i] = (float)(theta[i] * (beta < 1 ? beta : 1));
		selected += chosen;
	}
	return selected;
}

int ssd_dampen(struct params *p, const struct importance *all, const struct importance *forget, double alpha,
	       double lambda, uint64_t *selected)
{
	const double factors[] = { all->rows && forget->rows ? ssd_alpha_ceiling(all, forget) : 0, alpha, lambda };
	uint64_t count = 0;

	if (!(alpha > 0) || !(lambda > 0) || factors[0] <= 0)
		return EXP_EINVAL;
	if (p->count != all->sum->count || p->count != forget->sum->count)
		return EXP_EINVAL;
	if (!is_sane(all) || !is_sane(forget))
		return EXP_ENONFINITE;
	/* Above the ceiling nothing can be selected but for rounding: the two sums were added up in different orders.
	 */
	if (alpha < factors[0])
		count = dampen(p->values, all->sum->values, forget->sum->values, p->count, factors);
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

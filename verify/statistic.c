#include "verify/statistic.h"

#include <math.h>

static const double CONFIDENCE_BOUND = 80;
static const double SQUARED_NORM_FLOOR = 1e-40;

const char *const statistic_names[STATISTICS + 1] = { "confidence", "gradient", "neighbours", "finetuned", NULL };

/* ln(1 - p_y) as the log-sum of the others: 1 - p_y itself is 0 in floating point for a well-fitted row. */
double statistic_confidence(const float *log_probs, size_t classes, int32_t label)
{
	double largest = -INFINITY, sum = 0, phi;

	for (size_t c = 0; c < classes; c++)
		if (c != (size_t)label && log_probs[c] > largest)
			largest = (double)log_probs[c];
	if (largest == -INFINITY)
		return CONFIDENCE_BOUND;
	for (size_t c = 0; c < classes; c++)
		if (c != (size_t)label)
			sum += exp((double)log_probs[c] - largest);
	phi = (double)log_probs[label] - largest - log(sum);
	return fmin(fmax(phi, -CONFIDENCE_BOUND), CONFIDENCE_BOUND);
}

double statistic_gradient(double squared_norm)
{
	return -0.5 * log(fmax(squared_norm, SQUARED_NORM_FLOOR));
}

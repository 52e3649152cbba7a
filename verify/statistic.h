/*
 * statistic.h: what is measured of one row under one model. Every statistic is signed so that more means "more like a
 * row that was trained on".
 *
 *   confidence   ln p_y - ln(1 - p_y), 1 - p_y as the sum of the other classes (Carlini et al., IEEE S&P 2022)
 *   gradient     -ln of the L2 norm of the row's gradient by the parameters
 *   neighbours   mean confidence over K fixed Gaussian perturbations of the input, scaled by each feature's spread
 *   finetuned    confidence after a short fine-tune of the model on rows that stay (what relearns quickly was not gone)
 */
#ifndef VERIFY_STATISTIC_H
#define VERIFY_STATISTIC_H

#include <stddef.h>
#include <stdint.h>

enum statistic {
	STATISTIC_CONFIDENCE,
	STATISTIC_GRADIENT,
	STATISTIC_NEIGHBOURS,
	STATISTIC_FINETUNED,
	STATISTICS,
};

extern const char *const statistic_names[STATISTICS + 1]; /* NULL-terminated */

/* From log-probabilities [classes]; within ±80, so that it stays finite where the others' sum underflows. */
double statistic_confidence(const float *log_probs, size_t classes, int32_t label);

/* From the squared norm; a norm of zero reads as 1e-20. */
double statistic_gradient(double squared_norm);

#endif

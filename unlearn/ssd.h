/*
 * ssd.h: Selective Synaptic Dampening (Foster, Schoepf and Brintrup, "Fast Machine Unlearning Without Retraining
 * Through Selective Synaptic Dampening", AAAI 2024), with exact per-sample importances.
 *
 *   ratio[i] = (F[i] / n) / (O[i] / N)      F over the n forget rows, O over all N training rows, these n included
 *   selected   when ratio > alpha, strictly
 *   beta     = min(lambda / ratio, 1)       no weight ever grows
 *   theta[i] *= beta                        for selected i
 *
 * With O including F the ratio never exceeds N/n: alpha >= N/n selects nothing. O = 0 with F > 0 gives beta = 0; 0/0 is
 * not selected. The published method squares batch-mean gradients, which inflates the ratio by batch/n for a person
 * with fewer rows than a batch; sums of per-sample squares do not. No randomness: the same inputs give the same bits.
 */
#ifndef UNLEARN_SSD_H
#define UNLEARN_SSD_H

#include "unlearn/method.h"

enum ssd_parameter { SSD_ALPHA, SSD_LAMBDA };

/*
 * Dampens p in place; *selected (may be NULL) receives the parameters whose ratio exceeds alpha. EXP_EINVAL: alpha <=
 * 0, lambda <= 0, an importance without rows, blocks of different models; p is untouched. EXP_ENONFINITE: an importance
 * is not finite or is negative; p is then unspecified, as in method_run.
 */
EXP_NODISCARD int ssd_dampen(struct params *p, const struct importance *all, const struct importance *forget,
			     double alpha, double lambda, uint64_t *selected);

/* The largest alpha that can select anything, N/n. */
double ssd_alpha_ceiling(const struct importance *all, const struct importance *forget);

extern const struct method ssd_method;

#endif

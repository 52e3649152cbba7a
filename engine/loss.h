/*
 * loss.h: log-softmax and cross-entropy.
 *
 * log p_k = x_k - max x - log sum_j exp(x_j - max x): stable for any finite scores. The gradient of the cross-entropy
 * of label t with respect to score k is p_k - [k = t].
 * Threads: any.
 */
#ifndef ENGINE_LOSS_H
#define ENGINE_LOSS_H

#include <stddef.h>
#include <stdint.h>

/* y [n] = log-softmax of x [n]; y may be x. */
void loss_log_softmax(float *y, const float *x, size_t n);

/* log_probs, grads [rows, classes]; grads = exp(log_probs) - one-hot of labels. Labels are in range. */
void loss_gradient(float *grads, const float *log_probs, const int32_t *labels, size_t rows, size_t classes);

#endif

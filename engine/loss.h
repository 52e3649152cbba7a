/*
 * loss.h: what is differentiated: a number for each sample, made from the model's outputs, with its gradient by them.
 *
 * A sample's outputs are [positions, classes]: positions is 1 for a classifier, T for a sequence. With x the scores at
 * a position, p = softmax(x):
 *
 *   LOSS_CROSS_ENTROPY   mean over the positions whose label is not LOSS_NO_LABEL of -sum_k q_k log p_k, where q is
 *                        1 - s + s/K at the label and s/K elsewhere, s the label smoothing (torch.nn.CrossEntropyLoss);
 *                        a sample without any label: 0
 *   LOSS_KL              mean over positions of sum_k t_k (log t_k - log p_k), targets t sum to one
 *   LOSS_SQUARED_ERROR   mean over all outputs of (y - t)^2
 *   LOSS_BINARY          mean over all outputs of the binary cross-entropy of sigmoid(y) with targets in 0 … 1, stable
 *                        for any finite y (torch.nn.BCEWithLogitsLoss)
 *   LOSS_SQUARED_NORM    sum over all outputs of y^2 / 2
 *   LOSS_UPSTREAM        sum over all outputs of y u: its gradient is u itself, so backward carries any cotangent
 *
 * The first two read scores as logits (before a terminal Softmax or LogSoftmax); the others take the graph's own
 * output. coefficients, when given, multiply each sample's value and gradient: weights, signs (ascent), the derivative
 * of an outer function. Threads: any. Nothing is allocated.
 */
#ifndef ENGINE_LOSS_H
#define ENGINE_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { LOSS_NO_LABEL = -100 };

enum loss_kind {
	LOSS_CROSS_ENTROPY,
	LOSS_KL,
	LOSS_SQUARED_ERROR,
	LOSS_BINARY,
	LOSS_SQUARED_NORM,
	LOSS_UPSTREAM,
};

struct loss {
	enum loss_kind kind;
	float smoothing;           /* CROSS_ENTROPY: 0 … 1 */
	const int32_t *labels;     /* CROSS_ENTROPY: [samples, positions] */
	const float *targets;      /* KL, SQUARED_ERROR, BINARY; UPSTREAM: [samples, positions, classes] */
	const float *coefficients; /* [samples], or NULL for ones */
	bool logits;               /* UPSTREAM: u is a cotangent of the logits, not of the graph's own output */
};

/* A run of samples. */
struct loss_batch {
	size_t samples, positions, classes;
	const float *scores; /* [samples, positions, classes] */
	float *log_probs;    /* the same, written by CROSS_ENTROPY and KL, which need it; else NULL */
	float *values;       /* [samples], written */
	float *grads;        /* [samples, positions, classes], written, or NULL; may be scores */
};

/* True when the loss reads logits, false when it takes the graph's own output. */
bool loss_reads_logits(const struct loss *l);

/* The same loss for samples first …: its pointers moved on. */
struct loss loss_from(const struct loss *l, size_t first, size_t positions, size_t classes);

/* EXP_ERANGE (a label outside 0 … classes-1; LOSS_NO_LABEL is one only where there are several positions), EXP_EINVAL
 * (no labels or targets, smoothing outside 0 … 1). */
EXP_NODISCARD int loss_check(const struct loss *l, size_t samples, size_t positions, size_t classes);

void loss_evaluate(const struct loss *l, const struct loss_batch *b);

/* out [samples, positions, classes] = H v for the Hessian H of each sample's loss by its scores: positive semi-definite
 * for every kind (UPSTREAM: zero). b->scores as above; v and out may be the same. For Gauss-Newton products. */
void loss_hessian_product(const struct loss *l, const struct loss_batch *b, const float *v, float *out);

/* y [n] = log-softmax of x [n], stable for any finite scores. They do not overlap. */
void loss_log_softmax(float *y, const float *x, size_t n);

#endif

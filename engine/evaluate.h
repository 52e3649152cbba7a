/*
 * evaluate.h: a model's behaviour on rows, without gradients except where a score needs them.
 */
#ifndef ENGINE_EVALUATE_H
#define ENGINE_EVALUATE_H

#include "engine/importance.h"
#include "engine/session.h"

/* What is wanted; NULL leaves it out. All in the order of the source's rows. */
struct evaluation {
	float *log_probs;       /* [rows, positions, classes] */
	float *losses;          /* [rows], cross-entropy, nats; of a sequence the mean over its labels */
	int32_t *predictions;   /* [rows, positions], argmax class */
	int32_t *labels;        /* [rows, positions], as the source gave them */
	double *gradient_norms; /* [rows], squared L2 norm of the gradient by the parameters; costs a backward pass */
};

EXP_NODISCARD int evaluate(struct session *s, const struct params *p, const struct source *source,
			   struct evaluation *out, struct exp_error *err);

/* Share of labels that are the argmax, LOSS_NO_LABEL left out; NaN when there is none. */
EXP_NODISCARD int evaluate_accuracy(struct session *s, const struct params *p, const struct source *source,
				    double *accuracy, struct exp_error *err);

#endif

#include "engine/loss.h"

#include <math.h>
#include <string.h>

#include "engine/kernels_math.h"
#include "engine/kernels_rows.h"

static bool takes_softmax(const struct loss *l)
{
	return l->kind == LOSS_CROSS_ENTROPY || l->kind == LOSS_KL;
}

bool loss_reads_logits(const struct loss *l)
{
	return takes_softmax(l) || (l->kind == LOSS_UPSTREAM && l->logits);
}

struct loss loss_from(const struct loss *l, size_t first, size_t positions, size_t classes)
{
	struct loss from = *l;

	if (from.labels)
		from.labels += first * positions;
	if (from.targets)
		from.targets += first * positions * classes;
	if (from.coefficients)
		from.coefficients += first;
	return from;
}

int loss_check(const struct loss *l, size_t samples, size_t positions, size_t classes)
{
	if (l->kind == LOSS_SQUARED_NORM)
		return 0;
	if (l->kind != LOSS_CROSS_ENTROPY)
		return l->targets ? 0 : EXP_EINVAL;
	if (!l->labels || !(l->smoothing >= 0.0f && l->smoothing <= 1.0f))
		return EXP_EINVAL;
	for (size_t i = 0; i < samples * positions; i++)
		if ((l->labels[i] < 0 || (size_t)l->labels[i] >= classes) &&
		    (positions == 1 || l->labels[i] != LOSS_NO_LABEL))
			return EXP_ERANGE;
	return 0;
}

void loss_log_softmax(float *y, const float *x, size_t n)
{
	kernel_log_softmax(y, x, (struct kernel_axis){ 1, n, 1 });
}

/* ---- one position ---- */

struct place {
	const struct loss *l;
	const float *x; /* [classes] */
	const float *t; /* [classes], or NULL */
	int32_t label;
	size_t classes;
	float scale;      /* of value and gradient */
	float *log_probs; /* [classes] */
	float *grad;      /* [classes], or NULL; may be x */
};

static double cross_entropy(const struct place *p)
{
	float even = p->l->smoothing / (float)p->classes;
	double value = 0.0;

	if (p->l->smoothing > 0.0f)
		for (size_t k = 0; k < p->classes; k++)
			value -= (double)even * (double)p->log_probs[k];
	value -= (1.0 - (double)p->l->smoothing) * (double)p->log_probs[p->label];
	if (!p->grad)
		return value;
	kernel_exp(p->grad, p->log_probs, p->classes);
	if (p->l->smoothing > 0.0f)
		for (size_t k = 0; k < p->classes; k++)
			p->grad[k] -= even;
	p->grad[p->label] -= 1.0f - p->l->smoothing;
	return value;
}

static double divergence(const struct place *p)
{
	double value = 0.0;

	for (size_t k = 0; k < p->classes; k++)
		if (p->t[k] > 0.0f)
			value += (double)p->t[k] * (log((double)p->t[k]) - (double)p->log_probs[k]);
	if (!p->grad)
		return value;
	kernel_exp(p->grad, p->log_probs, p->classes);
	for (size_t k = 0; k < p->classes; k++)
		p->grad[k] -= p->t[k];
	return value;
}

static double by_element(const struct place *p)
{
	double value = 0.0;

	for (size_t k = 0; k < p->classes; k++) {
		float x = p->x[k], t = p->t ? p->t[k] : 0.0f, g;

		switch (p->l->kind) {
		case LOSS_SQUARED_ERROR:
			value += (double)(x - t) * (double)(x - t);
			g = 2.0f * (x - t);
			break;
		case LOSS_BINARY:
			value += (double)(fmaxf(x, 0.0f) - x * t) + log1p(exp(-fabs((double)x)));
			g = 1.0f / (1.0f + expf(-x)) - t;
			break;
		case LOSS_SQUARED_NORM:
			value += (double)x * (double)x / 2.0;
			g = x;
			break;
		default:
			value += (double)x * (double)t;
			g = t;
		}
		if (p->grad)
			p->grad[k] = g;
	}
	return value;
}

static double at_position(const struct place *p)
{
	if (takes_softmax(p->l))
		loss_log_softmax(p->log_probs, p->x, p->classes);
	if (p->l->kind == LOSS_CROSS_ENTROPY && p->label == LOSS_NO_LABEL) {
		if (p->grad)
			memset(p->grad, 0, p->classes * sizeof(*p->grad));
		return 0.0;
	}
	if (p->l->kind == LOSS_CROSS_ENTROPY)
		return cross_entropy(p);
	return p->l->kind == LOSS_KL ? divergence(p) : by_element(p);
}

/* ---- one sample ---- */

/* Over how much a sample's loss is a mean. */
static size_t divisor(const struct loss *l, const struct loss_batch *b, size_t n)
{
	size_t labelled = 0;

	switch (l->kind) {
	case LOSS_CROSS_ENTROPY:
		for (size_t t = 0; t < b->positions; t++)
			labelled += l->labels[n * b->positions + t] != LOSS_NO_LABEL;
		return labelled ? labelled : 1;
	case LOSS_KL:
		return b->positions;
	case LOSS_SQUARED_ERROR:
	case LOSS_BINARY:
		return b->positions * b->classes;
	case LOSS_SQUARED_NORM:
	case LOSS_UPSTREAM:
		break;
	}
	return 1;
}

static float scale_of(const struct loss *l, const struct loss_batch *b, size_t n)
{
	return (l->coefficients ? l->coefficients[n] : 1.0f) / (float)divisor(l, b, n);
}

static void evaluate_sample(const struct loss *l, const struct loss_batch *b, size_t n)
{
	float scale = scale_of(l, b, n);
	double value = 0.0;

	for (size_t t = 0; t < b->positions; t++) {
		size_t at = (n * b->positions + t) * b->classes;
		struct place p = { .l = l,
				   .x = b->scores + at,
				   .t = l->targets ? l->targets + at : NULL,
				   .label = l->labels ? l->labels[n * b->positions + t] : 0,
				   .classes = b->classes,
				   .log_probs = b->log_probs ? b->log_probs + at : NULL,
				   .grad = b->grads ? b->grads + at : NULL };

		value += at_position(&p);
		for (size_t k = 0; p.grad && scale != 1.0f && k < b->classes; k++)
			p.grad[k] *= scale;
	}
	b->values[n] = (float)(value * (double)scale);
}

void loss_evaluate(const struct loss *l, const struct loss_batch *b)
{
	for (size_t n = 0; n < b->samples; n++)
		evaluate_sample(l, b, n);
}

/* ---- second derivatives ---- */

/* (diag(p) - p p^T) v with p = softmax(x) */
static void softmax_product(const float *x, const float *v, float *out, size_t classes)
{
	float top = x[0];
	double sum = 0.0, mean = 0.0;

	for (size_t k = 1; k < classes; k++)
		top = fmaxf(top, x[k]);
	for (size_t k = 0; k < classes; k++)
		sum += exp((double)x[k] - (double)top);
	for (size_t k = 0; k < classes; k++)
		mean += exp((double)x[k] - (double)top) / sum * (double)v[k];
	for (size_t k = 0; k < classes; k++)
		out[k] = (float)(exp((double)x[k] - (double)top) / sum * ((double)v[k] - mean));
}

static void element_product(const struct loss *l, const float *x, const float *v, float *out, size_t classes)
{
	for (size_t k = 0; k < classes; k++) {
		float s = 1.0f / (1.0f + expf(-x[k]));

		out[k] = l->kind == LOSS_SQUARED_ERROR  ? 2.0f * v[k]
			 : l->kind == LOSS_BINARY       ? s * (1.0f - s) * v[k]
			 : l->kind == LOSS_SQUARED_NORM ? v[k]
							: 0.0f;
	}
}

void loss_hessian_product(const struct loss *l, const struct loss_batch *b, const float *v, float *out)
{
	for (size_t n = 0; n < b->samples; n++)
		for (size_t t = 0; t < b->positions; t++) {
			size_t place = n * b->positions + t, at = place * b->classes;
			bool none = l->kind == LOSS_CROSS_ENTROPY && l->labels[place] == LOSS_NO_LABEL;
			float scale = none ? 0.0f : scale_of(l, b, n);

			if (takes_softmax(l))
				softmax_product(b->scores + at, v + at, out + at, b->classes);
			else
				element_product(l, b->scores + at, v + at, out + at, b->classes);
			for (size_t k = 0; k < b->classes; k++)
				out[at + k] *= scale;
		}
}

/* Losses: values against their formulas, gradients against differences of values, Hessians against differences of
 * gradients. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/loss.h"

enum { SAMPLES = 4, POSITIONS = 3, CLASSES = 5, EACH = POSITIONS * CLASSES, ALL = SAMPLES * EACH };

struct fixture {
	float scores[ALL], targets[ALL], coefficients[SAMPLES], log_probs[ALL], grads[ALL], values[SAMPLES];
	int32_t labels[SAMPLES * POSITIONS];
	struct loss loss;
	struct loss_batch batch;
};

static void set_up(struct fixture *f, enum loss_kind kind, float smoothing)
{
	struct rng rng;

	rng_init(&rng, 11, "loss");
	for (size_t i = 0; i < ALL; i++) {
		f->scores[i] = (float)rng_normal(&rng);
		f->targets[i] = (float)(kind == LOSS_KL || kind == LOSS_BINARY ? rng_uniform(&rng) : rng_normal(&rng));
	}
	for (size_t i = 0; kind == LOSS_KL && i < ALL; i += CLASSES) {
		float sum = 0.0f;

		for (size_t k = 0; k < CLASSES; k++)
			sum += f->targets[i + k];
		for (size_t k = 0; k < CLASSES; k++)
			f->targets[i + k] /= sum;
	}
	for (size_t i = 0; i < SAMPLES * POSITIONS; i++)
		f->labels[i] = (int32_t)rng_below(&rng, CLASSES);
	f->labels[1] = f->labels[2] = LOSS_NO_LABEL;
	for (size_t t = 0; t < POSITIONS; t++)
		f->labels[3 * POSITIONS + t] = LOSS_NO_LABEL;
	for (size_t i = 0; i < SAMPLES; i++)
		f->coefficients[i] = (float)i - 1.5f;
	f->loss = (struct loss){ .kind = kind,
				 .smoothing = smoothing,
				 .labels = f->labels,
				 .targets = f->targets,
				 .coefficients = f->coefficients };
	f->batch = (struct loss_batch){ .samples = SAMPLES,
					.positions = POSITIONS,
					.classes = CLASSES,
					.scores = f->scores,
					.log_probs = f->log_probs,
					.values = f->values,
					.grads = f->grads };
}

struct item {
	enum loss_kind kind;
	float smoothing;
};

ParameterizedTestParameters(loss, derivatives)
{
	static struct item items[] = {
		{ LOSS_CROSS_ENTROPY, 0.0f }, { LOSS_CROSS_ENTROPY, 0.2f }, { LOSS_KL, 0.0f },
		{ LOSS_SQUARED_ERROR, 0.0f }, { LOSS_BINARY, 0.0f },        { LOSS_SQUARED_NORM, 0.0f },
		{ LOSS_UPSTREAM, 0.0f },
	};

	return cr_make_param_array(struct item, items, sizeof(items) / sizeof(items[0]));
}

ParameterizedTest(const struct item *item, loss, derivatives)
{
	float grads[ALL], v[ALL], product[ALL];
	const float h = 1.0f / 256.0f;
	struct fixture f;
	struct rng rng;

	set_up(&f, item->kind, item->smoothing);
	cr_assert_eq(loss_check(&f.loss, SAMPLES, POSITIONS, CLASSES), 0);
	loss_evaluate(&f.loss, &f.batch);
	memcpy(grads, f.grads, sizeof(grads));
	rng_init(&rng, 13, "loss");
	for (size_t i = 0; i < ALL; i++)
		v[i] = (float)rng_normal(&rng);
	loss_hessian_product(&f.loss, &f.batch, v, product);
	for (size_t i = 0; i < ALL; i++) {
		float kept = f.scores[i];
		double values[2];

		for (int k = 0; k < 2; k++) {
			f.scores[i] = kept + (k ? h : -h);
			loss_evaluate(&f.loss, &f.batch);
			values[k] = (double)f.values[i / EACH];
		}
		f.scores[i] = kept;
		cr_assert_float_eq(grads[i], (values[1] - values[0]) / (2.0 * (double)h), 2e-3, "gradient %zu", i);
	}
	for (size_t i = 0; i < ALL; i++)
		f.scores[i] += h * v[i];
	loss_evaluate(&f.loss, &f.batch);
	for (size_t i = 0; i < ALL; i++)
		cr_assert_float_eq((f.grads[i] - grads[i]) / h, product[i], 1e-2, "Hessian %zu: %g, %g", i,
				   (double)((f.grads[i] - grads[i]) / h), (double)product[i]);
}

Test(loss, cross_entropy_is_the_mean_over_labels)
{
	struct fixture f;
	double want = 0.0;

	set_up(&f, LOSS_CROSS_ENTROPY, 0.0f);
	loss_evaluate(&f.loss, &f.batch);
	want = -(double)f.log_probs[f.labels[0]] * -1.5;
	cr_assert_float_eq(f.values[0], want, 1e-6, "one label of three: %g, %g", (double)f.values[0], want);
	cr_assert_eq(f.values[3], 0.0f, "a sample without labels");
	for (size_t i = 0; i < EACH; i++)
		cr_assert_eq(f.grads[3 * EACH + i], 0.0f);
}

Test(loss, refuses_what_is_missing_or_out_of_range)
{
	struct fixture f;

	set_up(&f, LOSS_CROSS_ENTROPY, 0.0f);
	f.labels[4] = CLASSES;
	cr_assert_eq(loss_check(&f.loss, SAMPLES, POSITIONS, CLASSES), EXP_ERANGE);
	f.labels[4] = -1;
	cr_assert_eq(loss_check(&f.loss, SAMPLES, POSITIONS, CLASSES), EXP_ERANGE);
	f.labels[4] = LOSS_NO_LABEL;
	cr_assert_eq(loss_check(&f.loss, SAMPLES * POSITIONS, 1, CLASSES), EXP_ERANGE, "a classifier needs a label");
	f.loss.labels = NULL;
	cr_assert_eq(loss_check(&f.loss, SAMPLES, POSITIONS, CLASSES), EXP_EINVAL);
	f.loss.kind = LOSS_KL;
	f.loss.targets = NULL;
	cr_assert_eq(loss_check(&f.loss, SAMPLES, POSITIONS, CLASSES), EXP_EINVAL);
}

Test(loss, log_softmax_is_stable)
{
	const float far[] = { 1000.0f, 0.0f, -1000.0f }, near[] = { 1e4f, 1e4f };
	float y[3];

	loss_log_softmax(y, far, 3);
	cr_assert(y[0] == 0.0f && y[1] == -1000.0f && y[2] == -2000.0f);
	loss_log_softmax(y, near, 2);
	cr_assert_float_eq(y[0], -0.6931472f, 1e-6f);
}

/*
 * SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss: minus the logarithm of the probability of the label, of scores
 * [N, C, d …] or of log-probabilities themselves, each times its label's weight. Reduced over places, or not.
 *
 * Sums over samples have no place in a model that is run for samples: there the reduction must be "none". A label that
 * is no class gives NaN, so that the caller's check for finite results reports it.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels_rows.h"
#include "engine/op.h"

enum { SCORES, LABELS, WEIGHTS };
enum { LOG_PROBABILITIES, LOGITS }; /* variants: what input 0 holds */
enum { NONE, SUM, MEAN };

struct loss_node {
	struct kernel_axis axis; /* of input 0, along the classes */
	size_t places;           /* labels */
	int reduction;
	bool ignores;
	int64_t ignore_index;
};

/* ---- infer ---- */

static int read_attributes(const struct op_build *b, struct loss_node *c, struct exp_error *err)
{
	static const char *const names[] = { [NONE] = "none", [SUM] = "sum", [MEAN] = "mean" };
	const char *reduction = "mean";
	int rc = op_get_string(b, "reduction", &reduction, err);

	c->ignores = op_get(b, "ignore_index") != NULL;
	if (!rc)
		rc = op_get_int(b, "ignore_index", &c->ignore_index, err);
	if (rc)
		return rc;
	while (c->reduction <= MEAN && strcmp(names[c->reduction], reduction) != 0)
		c->reduction++;
	if (c->reduction > MEAN)
		return error_set(err, EXP_EUNSUPPORTED, "the reduction \"%.32s\" is not known", reduction);
	return 0;
}

static int check_inputs(const struct op_build *b, struct exp_error *err)
{
	const struct shape *x = &b->inputs[SCORES]->shape;
	struct shape labels = { .rank = x->rank - 1, .dims = { x->dims[0] } };
	char text[SHAPE_TEXT];
	int rc = op_need_float(b, SCORES, err);

	if (!rc)
		rc = op_need(b, LABELS, TENSOR_I64, err);
	if (!rc && op_has(b, WEIGHTS))
		rc = op_need_float(b, WEIGHTS, err);
	if (rc)
		return rc;
	if (x->rank < 2 || x->dims[1] == 0)
		return error_set(err, EXP_ESHAPE, "its scores are %s; [N, C, ...] is expected",
				 op_format(b, SCORES, text));
	memcpy(labels.dims + 1, x->dims + 2, (x->rank - 2) * sizeof(x->dims[0]));
	if (!shape_equal(&labels, &b->inputs[LABELS]->shape))
		return error_set(err, EXP_ESHAPE, "its labels are %s, which does not fit scores over %zu classes",
				 op_format(b, LABELS, text), x->dims[1]);
	if (op_has(b, WEIGHTS) && (b->inputs[WEIGHTS]->count != x->dims[1] || b->inputs[WEIGHTS]->batched))
		return error_set(err, EXP_ESHAPE, "its weights are %s; one for each of %zu classes is expected",
				 op_format(b, WEIGHTS, text), x->dims[1]);
	return 0;
}

/* Output 0 has the labels' shape, without the dimension of the classes. */
static int place_samples(struct op_build *b, const struct loss_node *c, struct exp_error *err)
{
	const struct op_value *x = b->inputs[SCORES], *labels = b->inputs[LABELS];
	struct op_samples at = { 0 }, other = { 0 };
	int rc = 0;

	if (!x->batched && !labels->batched)
		return 0;
	if (c->reduction != NONE)
		return error_set(err, EXP_EUNSUPPORTED,
				 "it mixes samples: with reduction \"none\" each sample has a loss of its own");
	if (x->batched != labels->batched || (rc = op_keep_apart(b, SCORES, 1, err)) ||
	    (rc = op_find_samples(b, x, &at, err)) || (rc = op_find_samples(b, labels, &other, err)))
		return rc ? rc : error_set(err, EXP_EUNSUPPORTED, "its scores and labels are not of the same samples");
	at.axis -= at.axis > 1;
	if (at.axis != other.axis || at.before != other.before)
		return error_set(err, EXP_EUNSUPPORTED, "its scores and labels hold the samples on other dimensions");
	op_put_samples(b, b->outputs[0], &at);
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct loss_node *c = b->config;
	const struct shape *x = &b->inputs[SCORES]->shape;
	int rc;

	if ((rc = read_attributes(b, c, err)) || (rc = check_inputs(b, err)))
		return rc;
	c->axis = (struct kernel_axis){ x->dims[0], x->dims[1], shape_span(x, 2, x->rank) };
	c->places = c->axis.outer * c->axis.inner;
	if (c->reduction == NONE)
		b->outputs[0]->shape = b->inputs[LABELS]->shape;
	if (op_wants(b, 1))
		op_copy(b, 1, SCORES);
	if (b->op->variant == LOGITS)
		b->scratch = 2 * b->inputs[SCORES]->count;
	return place_samples(b, c, err);
}

/* ---- run ---- */

/* The entry of input 0 that place p's label names, and its weight: 0 when it is ignored, NaN when it is no class. */
static size_t entry_of(const struct op_run *r, size_t p, float *weight)
{
	const struct loss_node *c = r->config;
	int64_t label = r->in[LABELS].i[p];
	size_t inner = c->axis.inner, first = p / inner * c->axis.size * inner + p % inner;

	*weight = 0;
	if (c->ignores && label == c->ignore_index)
		return first;
	*weight = NAN;
	if (label < 0 || (uint64_t)label >= c->axis.size)
		return first;
	*weight = r->in_count > WEIGHTS && r->in[WEIGHTS].value ? r->in[WEIGHTS].f[label] : 1;
	return first + (size_t)label * inner;
}

/* What the sum over places is multiplied by. */
static double share(const struct op_run *r)
{
	const struct loss_node *c = r->config;
	double weights = 0;
	float weight;

	for (size_t p = 0; c->reduction == MEAN && p < c->places; p++) {
		(void)entry_of(r, p, &weight);
		weights += (double)weight;
	}
	return c->reduction == MEAN ? 1 / weights : 1;
}

/* to: output 0, or its tangent, from log-probabilities y or theirs. */
static void pick(const struct op_run *r, const float *y, float *to)
{
	const struct loss_node *c = r->config;
	double sum = 0;

	for (size_t p = 0; p < c->places; p++) {
		float weight;
		size_t entry = entry_of(r, p, &weight);
		float loss = weight == 0 ? 0 : -weight * y[entry];

		sum += (double)loss;
		if (c->reduction == NONE)
			to[p] = loss;
	}
	if (c->reduction != NONE)
		*to = (float)(sum * share(r));
}

/* grad += the gradient by the log-probabilities that output 0's gives. */
static void unpick(const struct op_run *r, const float *out_grad, float *grad)
{
	const struct loss_node *c = r->config;
	double scale = share(r);

	for (size_t p = 0; p < c->places; p++) {
		float weight;
		size_t entry = entry_of(r, p, &weight);

		grad[entry] -= (float)((double)(weight * out_grad[c->reduction == NONE ? p : 0]) * scale);
	}
}

static void forward_nll(const struct op_run *r)
{
	pick(r, r->in[SCORES].f, r->out[0].f);
}

static void backward_nll(const struct op_run *r)
{
	float *grad = r->in[SCORES].grad;

	if (!grad)
		return;
	memset(grad, 0, r->in[SCORES].value->count * sizeof(float));
	if (r->out[0].grad)
		unpick(r, r->out[0].grad, grad);
}

static void tangent_nll(const struct op_run *r)
{
	if (r->in[SCORES].tangent)
		pick(r, r->in[SCORES].tangent, r->out[0].tangent);
	else
		memset(r->out[0].tangent, 0, r->out[0].value->count * sizeof(float));
}

static void forward_sce(const struct op_run *r)
{
	const struct loss_node *c = r->config;
	float *y = r->out_count > 1 && r->out[1].f ? r->out[1].f : r->scratch;

	kernel_log_softmax(y, r->in[SCORES].f, c->axis);
	pick(r, y, r->out[0].f);
}

static void backward_sce(const struct op_run *r)
{
	const struct loss_node *c = r->config;
	size_t count = r->in[SCORES].value->count;
	float *y = r->scratch, *dy = y + count;
	const float *given = r->out_count > 1 ? r->out[1].grad : NULL;

	if (!r->in[SCORES].grad)
		return;
	kernel_log_softmax(y, r->in[SCORES].f, c->axis);
	if (given)
		memcpy(dy, given, count * sizeof(float));
	else
		memset(dy, 0, count * sizeof(float));
	if (r->out[0].grad)
		unpick(r, r->out[0].grad, dy);
	kernel_log_softmax_gradient(r->in[SCORES].grad, dy, y, c->axis);
}

static void tangent_sce(const struct op_run *r)
{
	const struct loss_node *c = r->config;
	size_t count = r->in[SCORES].value->count;
	float *y = r->scratch, *ty = y + count;

	kernel_log_softmax(y, r->in[SCORES].f, c->axis);
	if (r->in[SCORES].tangent)
		kernel_log_softmax_tangent(ty, r->in[SCORES].tangent, y, c->axis);
	else
		memset(ty, 0, count * sizeof(float));
	pick(r, ty, r->out[0].tangent);
	if (r->out_count > 1 && r->out[1].tangent)
		memcpy(r->out[1].tangent, ty, count * sizeof(float));
}

const struct op op_negative_log_likelihood_loss = {
	.name = "NegativeLogLikelihoodLoss",
	.min_inputs = 2,
	.max_inputs = 3,
	.attributes = "ignore_index reduction",
	.fixed = 1u << WEIGHTS,
	.indices = 1u << WEIGHTS,
	.config_size = sizeof(struct loss_node),
	.variant = LOG_PROBABILITIES,
	.infer = infer,
	.forward = forward_nll,
	.backward = backward_nll,
	.tangent = tangent_nll,
};

const struct op op_softmax_cross_entropy_loss = {
	.name = "SoftmaxCrossEntropyLoss",
	.min_inputs = 2,
	.max_inputs = 3,
	.max_outputs = 2,
	.attributes = "ignore_index reduction",
	.fixed = 1u << WEIGHTS,
	.indices = 1u << WEIGHTS,
	.config_size = sizeof(struct loss_node),
	.variant = LOGITS,
	.infer = infer,
	.forward = forward_sce,
	.backward = backward_sce,
	.tangent = tangent_sce,
};

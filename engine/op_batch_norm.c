/*
 * BatchNormalization with its stored statistics: Y = a (X - mean) + bias, a = scale / sqrt(variance + epsilon), for
 * each channel.
 *
 *   dX = a dY        dscale = sum dY (X - mean) / sqrt(variance + epsilon)        dbias = sum dY
 *
 * The sums run over one sample's positions, so they are that sample's own gradients.
 */
#include <math.h>

#include "engine/kernels.h"
#include "engine/op.h"

enum { X, SCALE, BIAS, MEAN, VARIANCE };

struct batch_norm {
	size_t outer, channels, inner; /* of one row */
	float epsilon;
};

static int check_vectors(const struct op_build *b, size_t channels, struct exp_error *err)
{
	static const char *const names[] = { "X", "scale", "B", "mean", "var" };
	char text[SHAPE_TEXT];

	for (size_t i = SCALE; i <= VARIANCE; i++) {
		const struct op_value *v = b->inputs[i];
		int rc = op_need_float(b, i, err);

		if (rc)
			return rc;
		if (v->batched || v->shape.rank != 1 || v->shape.dims[0] != channels)
			return error_set(err, EXP_ESHAPE, "%s %s does not fit %zu channels", names[i],
					 shape_format(&v->shape, v->batched, text), channels);
		if (i >= MEAN && !v->constant)
			return error_set(err, EXP_EUNSUPPORTED,
					 "its stored statistics must be initializers with no other use");
	}
	return 0;
}

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct batch_norm *c = b->config;
	const struct op_value *x = b->inputs[X];
	int64_t training = 0;
	int rc;

	(void)op;
	c->epsilon = 1e-5f;
	if ((rc = op_need_float(b, X, err)) || (rc = op_get_float(b, "epsilon", &c->epsilon, err)) ||
	    (rc = op_get_int(b, "training_mode", &training, err)))
		return rc;
	if (training)
		return error_set(err, EXP_EUNSUPPORTED,
				 "training mode is not supported: export the model in evaluation mode");
	if (!x->batched || x->shape.rank < 2)
		return error_set(err, EXP_EUNSUPPORTED, "the input must be rows with channels [N, C, …]");
	c->outer = x->shape.dims[0];
	c->channels = x->shape.dims[1];
	c->inner = shape_span(&x->shape, 2, x->shape.rank);
	rc = check_vectors(b, c->channels, err);
	if (rc)
		return rc;
	b->output->shape = x->shape;
	b->scratch_per_row = c->channels;
	b->flops_per_row = 2 * (uint64_t)shape_count(&x->shape);
	op_set_role(b, SCALE, GRAPH_ROLE_SCALE, 0);
	op_set_role(b, BIAS, GRAPH_ROLE_SHIFT, 0);
	return 0;
}

static float inverse_deviation(const struct op_run *r, size_t channel)
{
	const struct batch_norm *c = r->config;

	return 1.0f / sqrtf(r->in[VARIANCE].data[channel] + c->epsilon);
}

KERNEL static void shift_line(float *restrict y, const float *restrict x, float a, float mean, float bias, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = a * (x[i] - mean) + bias;
}

KERNEL static void scale_line(float *restrict y, const float *restrict x, float a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = a * x[i];
}

static void forward(const struct op_run *r)
{
	const struct batch_norm *c = r->config;

	for (size_t k = 0; k < c->channels; k++) {
		float a = r->in[SCALE].data[k] * inverse_deviation(r, k);

		for (size_t n = 0; n < r->rows * c->outer; n++) {
			size_t at = (n * c->channels + k) * c->inner;

			shift_line(r->out->data + at, r->in[X].data + at, a, r->in[MEAN].data[k], r->in[BIAS].data[k],
				   c->inner);
		}
	}
}

static void input_gradient(const struct op_run *r)
{
	const struct batch_norm *c = r->config;

	for (size_t k = 0; k < c->channels; k++) {
		float a = r->in[SCALE].data[k] * inverse_deviation(r, k);

		for (size_t n = 0; n < r->rows * c->outer; n++) {
			size_t at = (n * c->channels + k) * c->inner;

			scale_line(r->in[X].grad + at, r->out->grad + at, a, c->inner);
		}
	}
}

/* One sample's gradients of scale (or bias) for all channels. */
static void channel_gradients(const struct op_run *r, size_t n, bool of_scale, float *out)
{
	const struct batch_norm *c = r->config;

	for (size_t k = 0; k < c->channels; k++) {
		float mean = r->in[MEAN].data[k], inverse = inverse_deviation(r, k);
		double sum = 0.0;

		for (size_t o = 0; o < c->outer; o++) {
			size_t at = ((n * c->outer + o) * c->channels + k) * c->inner;
			const float *dy = r->out->grad + at, *x = r->in[X].data + at;

			for (size_t i = 0; of_scale && i < c->inner; i++)
				sum += (double)dy[i] * (double)((x[i] - mean) * inverse);
			if (!of_scale)
				sum += kernel_sum(dy, c->inner);
		}
		out[k] = (float)sum;
	}
}

static void backward(const struct op_run *r)
{
	const struct batch_norm *c = r->config;

	if (r->in[X].grad)
		input_gradient(r);
	for (size_t i = SCALE; i <= BIAS; i++) {
		if (!r->in[i].reduce)
			continue;
		for (size_t n = 0; n < r->rows; n++)
			channel_gradients(r, n, i == SCALE, r->scratch + n * c->channels);
		reduce_add_rows(r->in[i].reduce,
				&(struct reduce_rows){
				    .rows = r->scratch, .samples = r->rows, .count = c->channels, .scale = 1.0f });
	}
}

const struct op op_batch_normalization = {
	.name = "BatchNormalization",
	.min_inputs = 5,
	.max_inputs = 5,
	.attributes = "epsilon momentum training_mode spatial",
	.flags = OP_STATISTICS,
	.fixed = 1u << MEAN | 1u << VARIANCE,
	.weights = 1u << SCALE | 1u << BIAS,
	.config_size = sizeof(struct batch_norm),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

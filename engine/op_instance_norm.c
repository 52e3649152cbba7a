/*
 * InstanceNormalization (Ulyanov, Vedaldi and Lempitsky, 2016): Y = scale h + B with h = (X - mean) / sqrt(variance +
 * epsilon), mean and variance those of each channel of each sample, X [N, C, …]. GroupNorm is exported as this between
 * two Reshapes.
 *
 *   dX = scale (dY - mean(dY) - h mean(dY h)) / sqrt(variance + epsilon)        dscale = sum dY h        dB = sum dY
 */
#include <string.h>

#include "engine/kernels.h"
#include "engine/kernels_rows.h"
#include "engine/op.h"

enum { X, SCALE, BIAS };

struct instance_norm {
	size_t count, channels, inner; /* X is [count, channels, inner] */
	size_t samples, after;         /* of X[i, …] the sample is i / after % samples */
	float epsilon;
};

/* ---- shapes ---- */

static int check_vectors(const struct op_build *b, size_t channels, struct exp_error *err)
{
	char text[SHAPE_TEXT];

	for (size_t i = SCALE; i <= BIAS; i++) {
		const struct op_value *v = b->inputs[i];
		int rc = op_need_float(b, i, err);

		if (rc)
			return rc;
		if (v->batched || v->shape.rank != 1 || v->shape.dims[0] != channels)
			return error_set(err, EXP_ESHAPE, "%s %s does not fit %zu channels", i == SCALE ? "scale" : "B",
					 op_format(b, i, text), channels);
	}
	return 0;
}

static int find_samples(const struct op_build *b, struct instance_norm *c, struct exp_error *err)
{
	struct op_samples at;
	int rc;

	c->samples = 1;
	c->after = c->count ? c->count : 1;
	if (!b->inputs[X]->batched)
		return 0;
	rc = op_find_samples(b, b->inputs[X], &at, err);
	if (rc)
		return rc;
	if (at.axis != 0)
		return error_set(err, EXP_EUNSUPPORTED, "the samples must be on the first dimension");
	c->samples = b->samples;
	c->after = at.after;
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct instance_norm *c = b->config;
	const struct shape *x = &b->inputs[X]->shape;
	int rc;

	c->epsilon = 1e-5f;
	if ((rc = op_need_float(b, X, err)) || (rc = op_get_float(b, "epsilon", &c->epsilon, err)))
		return rc;
	if (x->rank < 2)
		return error_set(err, EXP_ESHAPE, "the input must have channels: [N, C, …]");
	c->count = x->dims[0];
	c->channels = x->dims[1];
	c->inner = shape_span(x, 2, x->rank);
	if ((rc = check_vectors(b, c->channels, err)) || (rc = find_samples(b, c, err)))
		return rc;
	op_copy(b, 0, X);
	b->scratch = (2 * c->count + c->samples) * c->channels;
	b->flops = 8 * (uint64_t)b->inputs[X]->count;
	op_set_role(b, SCALE, GRAPH_ROLE_SCALE, 0);
	op_set_role(b, BIAS, GRAPH_ROLE_SHIFT, 0);
	return 0;
}

/* ---- running ---- */

/* Every channel of every instance is a row; means and deviations in scratch. */
static struct kernel_norm open_rows(const struct op_run *r)
{
	const struct instance_norm *c = r->config;
	size_t rows = c->count * c->channels;
	float *mean = r->scratch, *inverse = r->scratch + rows;

	kernel_moments(mean, inverse, r->in[X].f, (const size_t[]){ rows, c->inner }, c->epsilon);
	return (struct kernel_norm){ .rows = rows, .n = c->inner, .x = r->in[X].f, .mean = mean, .inverse = inverse };
}

/* y = a y + b (x - mean) inverse + d, row by row */
KERNEL static void finish_row(float *restrict y, const float *restrict x, const float factors[3],
			      const float moments[2], size_t n)
{
	float a = factors[0], b = factors[1] * moments[1], d = factors[2], mean = moments[0];

	for (size_t i = 0; i < n; i++)
		y[i] = a * y[i] + b * (x[i] - mean) + d;
}

KERNEL static void forward_row(float *restrict y, const float *restrict x, float slope, float mean, float shift,
			       size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = slope * (x[i] - mean) + shift;
}

static void forward(const struct op_run *r)
{
	const struct instance_norm *c = r->config;
	struct kernel_norm k = open_rows(r);

	for (size_t row = 0; row < k.rows; row++) {
		size_t channel = row % c->channels;

		forward_row(r->out->f + row * k.n, k.x + row * k.n, r->in[SCALE].f[channel] * k.inverse[row],
			    k.mean[row], r->in[BIAS].f[channel], k.n);
	}
}

/* Y' = scale h' + scale' h + B', h' by X' as dX by dY. */
static void tangent(const struct op_run *r)
{
	const struct instance_norm *c = r->config;
	struct kernel_norm k = open_rows(r);

	if (r->in[X].tangent)
		kernel_normalise_gradient(&k, r->in[X].tangent, r->out->tangent);
	else
		memset(r->out->tangent, 0, k.rows * k.n * sizeof(float));
	for (size_t row = 0; row < k.rows; row++) {
		size_t channel = row % c->channels;
		float factors[] = { r->in[SCALE].f[channel],
				    r->in[SCALE].tangent ? r->in[SCALE].tangent[channel] : 0.0f,
				    r->in[BIAS].tangent ? r->in[BIAS].tangent[channel] : 0.0f };

		finish_row(r->out->tangent + row * k.n, k.x + row * k.n, factors,
			   (const float[]){ k.mean[row], k.inverse[row] }, k.n);
	}
}

/* A row's part of dscale, or of dB. */
static float row_gradient(const struct kernel_norm *k, size_t row, const float *dy, bool by_scale)
{
	const float *x = k->x + row * k->n, *d = dy + row * k->n;
	double sum = kernel_sum(d, k->n);

	if (!by_scale)
		return (float)sum;
	return (float)((kernel_dot(d, x, k->n) - (double)k->mean[row] * sum) * (double)k->inverse[row]);
}

static void vector_gradient(const struct op_run *r, const struct kernel_norm *k, size_t i, float *rows)
{
	const struct instance_norm *c = r->config;
	const struct op_input *in = &r->in[i];

	if (!in->grad && !in->reduce)
		return;
	memset(rows, 0, c->samples * c->channels * sizeof(*rows));
	for (size_t row = 0; row < k->rows; row++) {
		size_t sample = row / c->channels / c->after % c->samples;

		rows[sample * c->channels + row % c->channels] += row_gradient(k, row, r->out->grad, i == SCALE);
	}
	if (in->grad)
		memcpy(in->grad, rows, c->channels * sizeof(*rows)); /* nothing is batched: the one sample is all */
	else
		reduce_add_rows(in->reduce,
				&(struct reduce_rows){
				    .rows = rows, .samples = c->samples, .count = c->channels, .scale = 1.0f });
}

static void backward(const struct op_run *r)
{
	const struct instance_norm *c = r->config;
	struct kernel_norm k = open_rows(r);
	float *dx = r->in[X].grad, *rows = r->scratch + 2 * k.rows;

	if (dx) {
		kernel_normalise_gradient(&k, r->out->grad, dx);
		for (size_t row = 0; row < k.rows; row++) {
			float factors[] = { r->in[SCALE].f[row % c->channels], 0.0f, 0.0f };

			finish_row(dx + row * k.n, k.x + row * k.n, factors,
				   (const float[]){ k.mean[row], k.inverse[row] }, k.n);
		}
	}
	vector_gradient(r, &k, SCALE, rows);
	vector_gradient(r, &k, BIAS, rows);
}

const struct op op_instance_normalization = {
	.name = "InstanceNormalization",
	.min_inputs = 3,
	.max_inputs = 3,
	.attributes = "epsilon",
	.config_size = sizeof(struct instance_norm),
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

/*
 * BatchNormalization (Ioffe and Szegedy, ICML 2015): Y = scale (X - mean) / sqrt(variance + epsilon) + B, for each
 * channel of X [M, C, …], with the stored statistics or, in training, the batch's own.
 *
 *   dB = sum dY        dscale = sum dY h        with h = (X - mean) / sqrt(variance + epsilon)
 *   dX = a dY                                   stored statistics, a = scale / sqrt(variance + epsilon)
 *   dX = a (dY - mean(dY) - h mean(dY h))       the batch's own
 *
 * The first two sums run over one sample's positions, so they are that sample's own gradients. In training the stored
 * statistics move to momentum s + (1 - momentum) of the batch's.
 */
#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/op.h"

enum { X, SCALE, BIAS, MEAN, VARIANCE };

struct batch_norm {
	size_t rows, channels, inner; /* X is [rows, channels, inner] */
	size_t samples, after;        /* row r belongs to sample r / after % samples */
	float epsilon, momentum;
	bool own; /* the batch's own statistics */
};

/* Scratch of a call: SCRATCH floats a channel and two more a sample, for the gradients of scale and B. */
enum { SCRATCH = 12 };

struct workspace {
	double *sums, *products, *all_sums, *all_products; /* [channels] */
	float *mean, *variance, *inverse,
	    *slope;  /* [channels]; inverse = 1 / sqrt(variance + epsilon), slope = scale inverse */
	float *rows; /* [2, samples, channels] */
};

/* ---- shapes ---- */

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
					 op_format(b, i, text), channels);
	}
	return 0;
}

static int find_samples(const struct op_build *b, struct batch_norm *c, struct exp_error *err)
{
	const struct op_value *x = b->inputs[X];
	struct op_samples at;
	int rc;

	c->samples = 1;
	c->after = c->rows ? c->rows : 1;
	if (!x->batched)
		return 0;
	rc = op_find_samples(b, x, &at, err);
	if (rc)
		return rc;
	if (at.axis != 0)
		return error_set(err, EXP_EUNSUPPORTED, "the samples must be on the first dimension");
	c->samples = b->samples;
	c->after = at.after;
	return 0;
}

/* The file's own training mode makes sense only where a graph is run whole: it has further outputs. */
static int read_mode(struct op_build *b, struct batch_norm *c, struct exp_error *err)
{
	int64_t training = 0, spatial = 1;
	int rc;

	if ((rc = op_get_float(b, "epsilon", &c->epsilon, err)) ||
	    (rc = op_get_float(b, "momentum", &c->momentum, err)) ||
	    (rc = op_get_int(b, "training_mode", &training, err)) || (rc = op_get_int(b, "spatial", &spatial, err)))
		return rc;
	for (size_t i = 1; !training && i < b->output_count; i++)
		training = op_wants(b, i);
	if (training && (b->samples || b->opset < 14))
		return error_set(err, EXP_EUNSUPPORTED,
				 "training mode is not supported: export the model in evaluation mode");
	if (!spatial)
		return error_set(err, EXP_EUNSUPPORTED, "statistics for each pixel are not supported");
	c->own = training || b->training;
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct batch_norm *c = b->config;
	const struct shape *x = &b->inputs[X]->shape;
	int rc;

	c->epsilon = 1e-5f;
	c->momentum = 0.9f;
	if ((rc = op_need_float(b, X, err)) || (rc = read_mode(b, c, err)))
		return rc;
	if (x->rank < 2)
		return error_set(err, EXP_ESHAPE, "the input must have channels: [N, C, …]");
	c->rows = x->dims[0];
	c->channels = x->dims[1];
	c->inner = shape_span(x, 2, x->rank);
	if ((rc = check_vectors(b, c->channels, err)) || (rc = find_samples(b, c, err)))
		return rc;
	op_copy(b, 0, X);
	for (size_t i = 1; i < 3; i++)
		if (op_wants(b, i))
			b->outputs[i]->shape = b->inputs[SCALE]->shape;
	b->scratch = (SCRATCH + 2 * c->samples) * c->channels;
	b->flops = 3 * (uint64_t)b->inputs[X]->count;
	op_set_role(b, SCALE, GRAPH_ROLE_SCALE, 0);
	op_set_role(b, BIAS, GRAPH_ROLE_SHIFT, 0);
	op_set_role(b, MEAN, GRAPH_ROLE_MEAN, 0);
	op_set_role(b, VARIANCE, GRAPH_ROLE_VARIANCE, 0);
	return 0;
}

/* ---- sums over the rows, for each channel ---- */

KERNEL static void add_sums(const struct batch_norm *c, double *restrict sums, const float *restrict row)
{
	if (c->inner == 1)
		for (size_t k = 0; k < c->channels; k++)
			sums[k] += (double)row[k];
	else
		for (size_t k = 0; k < c->channels; k++)
			sums[k] += kernel_inline_sum(row + k * c->inner, c->inner);
}

KERNEL static void add_products(const struct batch_norm *c, double *restrict sums, const float *restrict x_row,
				const float *restrict y_row)
{
	if (c->inner == 1)
		for (size_t k = 0; k < c->channels; k++)
			sums[k] += (double)x_row[k] * (double)y_row[k];
	else
		for (size_t k = 0; k < c->channels; k++)
			sums[k] += kernel_inline_dot(x_row + k * c->inner, y_row + k * c->inner, c->inner);
}

static void add_deviations(const struct batch_norm *c, double *sums, const float *row, const double *middle)
{
	for (size_t k = 0; k < c->channels; k++)
		sums[k] += kernel_sum_deviations(row + k * c->inner, middle[k], c->inner);
}

/* ---- statistics ---- */

static struct workspace open_workspace(const struct op_run *r)
{
	const struct batch_norm *c = r->config;
	size_t n = c->channels;
	double *doubles = (double *)(void *)r->scratch; /* aligned to a cache line */
	float *floats = r->scratch + 8 * n;

	return (struct workspace){ .sums = doubles,
				   .products = doubles + n,
				   .all_sums = doubles + 2 * n,
				   .all_products = doubles + 3 * n,
				   .mean = floats,
				   .variance = floats + n,
				   .inverse = floats + 2 * n,
				   .slope = floats + 3 * n,
				   .rows = floats + 4 * n };
}

/* The batch's own means and (biased) variances. */
static void measure(const struct batch_norm *c, const float *x, struct workspace *w)
{
	size_t row = c->channels * c->inner;
	double count = (double)(c->rows * c->inner);

	memset(w->sums, 0, c->channels * sizeof(double));
	memset(w->products, 0, c->channels * sizeof(double));
	for (size_t r = 0; r < c->rows; r++)
		add_sums(c, w->sums, x + r * row);
	for (size_t k = 0; k < c->channels; k++)
		w->sums[k] /= count;
	for (size_t r = 0; r < c->rows; r++)
		add_deviations(c, w->products, x + r * row, w->sums);
	for (size_t k = 0; k < c->channels; k++) {
		w->mean[k] = (float)w->sums[k];
		w->variance[k] = (float)(w->products[k] / count);
	}
}

static void prepare(const struct op_run *r, struct workspace *w)
{
	const struct batch_norm *c = r->config;

	if (c->own) {
		measure(c, r->in[X].f, w);
	} else {
		memcpy(w->mean, r->in[MEAN].f, c->channels * sizeof(float));
		memcpy(w->variance, r->in[VARIANCE].f, c->channels * sizeof(float));
	}
	for (size_t k = 0; k < c->channels; k++) {
		w->inverse[k] = 1.0f / sqrtf(w->variance[k] + c->epsilon);
		w->slope[k] = r->in[SCALE].f[k] * w->inverse[k];
	}
}

/* Training: what is stored follows the batch's, variances without bias; a file's own training mode keeps the bias. */
static void move_statistics(const struct op_run *r, const struct workspace *w)
{
	const struct batch_norm *c = r->config;
	float count = (float)(c->rows * c->inner), unbiased = count > 1.0f ? count / (count - 1.0f) : 1.0f;
	float keep = c->momentum, take = 1.0f - c->momentum;

	for (size_t i = 1; i < 3; i++) {
		const float *own = i == 1 ? w->mean : w->variance, *stored = r->in[MEAN + i - 1].f;
		float *moved = r->in[MEAN + i - 1].statistic, scale = i == 1 ? 1.0f : unbiased;

		for (size_t k = 0; moved && k < c->channels; k++)
			moved[k] = keep * moved[k] + take * (scale * own[k]);
		for (size_t k = 0; i < r->out_count && r->out[i].f && k < c->channels; k++)
			r->out[i].f[k] = keep * stored[k] + take * own[k];
	}
}

/* ---- lines of a channel, or whole rows where a line is one number ---- */

/* By channel: y = a x + b (z - middle) + d; b NULL: y = a x, z unread; x NULL: y = b (z - middle) + d. */
struct combination {
	const float *a, *b, *middle, *d;
};

#define COMBINE(n, k)                                                                                                  \
	if (!c.b)                                                                                                      \
		for (size_t i = 0; i < (n); i++)                                                                       \
			y[i] = c.a[k] * x[i];                                                                          \
	else if (x)                                                                                                    \
		for (size_t i = 0; i < (n); i++)                                                                       \
			y[i] = c.a[k] * x[i] + c.b[k] * (z[i] - c.middle[k]) + c.d[k];                                 \
	else                                                                                                           \
		for (size_t i = 0; i < (n); i++)                                                                       \
			y[i] = c.b[k] * (z[i] - c.middle[k]) + c.d[k];

KERNEL static void combine_row(float *restrict y, const float *restrict x, const float *restrict z,
			       const struct combination c, size_t channels){ COMBINE(channels, i) }

/* The factors of one channel do not change along its line, which the compiler cannot know. */
KERNEL static void combine_lines(float *restrict y, const float *restrict x, const float *restrict z,
				 const struct combination all, const size_t shape[2])
{
	size_t channels = shape[0], inner = shape[1];

	for (size_t k = 0; k < channels; k++, y += inner, x = x ? x + inner : NULL, z = z ? z + inner : NULL) {
		const float a = all.a ? all.a[k] : 0.0f, b = all.b ? all.b[k] : 0.0f, d = all.d ? all.d[k] : 0.0f;
		const float middle = all.middle ? all.middle[k] : 0.0f;
		const struct combination c = { &a, all.b ? &b : NULL, &middle, &d };

		COMBINE(inner, 0)
	}
}

static void combine(const struct batch_norm *b, float *y, const float *x, const float *z, struct combination c)
{
	size_t row = b->channels * b->inner;

	for (size_t r = 0; r < b->rows; r++) {
		const float *x_row = x ? x + r * row : NULL, *z_row = z ? z + r * row : NULL;

		if (b->inner == 1)
			combine_row(y + r * row, x_row, z_row, c, b->channels);
		else
			combine_lines(y + r * row, x_row, z_row, c, (const size_t[]){ b->channels, b->inner });
	}
}

/* ---- forward ---- */

static void forward(const struct op_run *r)
{
	const struct batch_norm *c = r->config;
	struct workspace w = open_workspace(r);

	prepare(r, &w);
	combine(c, r->out->f, NULL, r->in[X].f,
		(struct combination){ .b = w.slope, .middle = w.mean, .d = r->in[BIAS].f });
	if (c->own)
		move_statistics(r, &w);
}

/* Y' = slope X' + scale' h + B' */
static void tangent(const struct op_run *r)
{
	const struct batch_norm *c = r->config;
	struct workspace w = open_workspace(r);
	float *by_scale = w.variance, *shift = w.rows; /* the variance has served */

	prepare(r, &w);
	for (size_t k = 0; k < c->channels; k++) {
		float scale = r->in[SCALE].tangent ? r->in[SCALE].tangent[k] : 0.0f;

		by_scale[k] = scale * w.inverse[k];
		shift[k] = r->in[BIAS].tangent ? r->in[BIAS].tangent[k] : 0.0f;
	}
	combine(c, r->out->tangent, r->in[X].tangent, r->in[X].f,
		(struct combination){ w.slope, by_scale, w.mean, shift });
}

/* ---- backward ---- */

/* Sums of dY and of dY X over a sample's rows: the gradients of B and, brought to h, of scale. */
static void add_sample(const struct op_run *r, struct workspace *w, size_t sample)
{
	const struct batch_norm *c = r->config;
	size_t row = c->channels * c->inner, step = c->samples * c->after;

	memset(w->sums, 0, c->channels * sizeof(double));
	memset(w->products, 0, c->channels * sizeof(double));
	for (size_t first = sample * c->after; first < c->rows; first += step) {
		for (size_t i = first; i < first + c->after; i++) {
			add_sums(c, w->sums, r->out->grad + i * row);
			add_products(c, w->products, r->out->grad + i * row, r->in[X].f + i * row);
		}
	}
	for (size_t k = 0; k < c->channels; k++) {
		w->products[k] = (w->products[k] - (double)w->mean[k] * w->sums[k]) * (double)w->inverse[k];
		w->all_sums[k] += w->sums[k];
		w->all_products[k] += w->products[k];
	}
}

/* The gradients of scale and B, sample by sample, and over all of them. */
static void add_samples(const struct op_run *r, struct workspace *w)
{
	const struct batch_norm *c = r->config;

	memset(w->all_sums, 0, c->channels * sizeof(double));
	memset(w->all_products, 0, c->channels * sizeof(double));
	for (size_t n = 0; n < c->samples; n++) {
		add_sample(r, w, n);
		for (size_t k = 0; k < c->channels; k++) {
			w->rows[n * c->channels + k] = (float)w->products[k];
			w->rows[(c->samples + n) * c->channels + k] = (float)w->sums[k];
		}
	}
}

static void hand_out(const struct op_run *r, size_t i, const double *all, const float *rows)
{
	const struct batch_norm *c = r->config;

	for (size_t k = 0; r->in[i].grad && k < c->channels; k++)
		r->in[i].grad[k] = (float)all[k];
	if (r->in[i].reduce)
		reduce_add_rows(r->in[i].reduce,
				&(struct reduce_rows){
				    .rows = rows, .samples = c->samples, .count = c->channels, .scale = 1.0f });
}

/* dX = a (dY - mean(dY) - h mean(dY h)), the means over the batch. */
static void gradient_through_statistics(const struct op_run *r, struct workspace *w)
{
	const struct batch_norm *c = r->config;
	double count = (double)(c->rows * c->inner);
	float *by_x = w->rows, *shift = w->rows + c->channels;

	for (size_t k = 0; k < c->channels; k++) {
		double inverse = (double)w->inverse[k];

		by_x[k] = (float)(-(double)w->slope[k] * inverse * w->all_products[k] / count);
		shift[k] = (float)(-(double)w->slope[k] * w->all_sums[k] / count);
	}
	combine(c, r->in[X].grad, r->out->grad, r->in[X].f, (struct combination){ w->slope, by_x, w->mean, shift });
}

static void backward(const struct op_run *r)
{
	const struct batch_norm *c = r->config;
	bool by_scale = r->in[SCALE].grad || r->in[SCALE].reduce, by_bias = r->in[BIAS].grad || r->in[BIAS].reduce;
	struct workspace w = open_workspace(r);

	if (!r->out->grad)
		return;
	prepare(r, &w);
	if (by_scale || by_bias || c->own)
		add_samples(r, &w);
	hand_out(r, SCALE, w.all_products, w.rows);
	hand_out(r, BIAS, w.all_sums, w.rows + c->samples * c->channels);
	if (r->in[X].grad && c->own)
		gradient_through_statistics(r, &w);
	else if (r->in[X].grad)
		combine(c, r->in[X].grad, r->out->grad, NULL, (struct combination){ .a = w.slope });
}

const struct op op_batch_normalization = {
	.name = "BatchNormalization",
	.min_inputs = 5,
	.max_inputs = 5,
	.max_outputs = 5,
	.attributes = "epsilon momentum spatial training_mode",
	.statistics = 1u << MEAN | 1u << VARIANCE,
	.weights = 1u << SCALE | 1u << BIAS,
	.config_size = sizeof(struct batch_norm),
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

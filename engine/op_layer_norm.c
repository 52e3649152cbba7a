/*
 * LayerNormalization (Ba, Kiros and Hinton, 2016): Y = scale h + B with h = (X - mean) / sqrt(variance + epsilon), mean
 * and variance those of each row: the dimensions from axis on. Either vector may be left out where engine/fuse.h found
 * it without.
 *
 *   dX = (g - mean(g) - h mean(g h)) / sqrt(variance + epsilon), g = scale dY        dscale = sum dY h        dB = sum
 * dY
 *
 * The last two sums run over one sample's rows, so they are that sample's own gradients. Moments are formed anew in
 * backward: that is one pass over X, and nothing is kept.
 */
#include <string.h>

#include "engine/kernels.h"
#include "engine/kernels_rows.h"
#include "engine/op.h"

enum { X, SCALE, BIAS };

struct layer_norm {
	size_t rows, n;
	size_t outer, samples, inner; /* rows = outer * samples * inner */
	float epsilon;
};

/* ---- shapes ---- */

static int check_vectors(const struct op_build *b, size_t axis, struct exp_error *err)
{
	const struct shape *x = &b->inputs[X]->shape;

	for (size_t i = SCALE; i <= BIAS; i++) {
		const struct shape *s = op_has(b, i) ? &b->inputs[i]->shape : NULL;
		bool fits = !s || s->rank == x->rank - axis;
		int rc = s ? op_need_float(b, i, err) : 0;
		char text[SHAPE_TEXT];

		if (rc)
			return rc;
		for (size_t d = axis; s && fits && d < x->rank; d++)
			fits = s->dims[d - axis] == x->dims[d];
		if (!fits || (s && b->inputs[i]->batched))
			return error_set(err, EXP_ESHAPE,
					 "%s of shape %s does not fit the dimensions that are normalised",
					 i == SCALE ? "Scale" : "B", op_format(b, i, text));
	}
	return 0;
}

static int set_statistics(struct op_build *b, size_t axis, struct exp_error *err)
{
	const struct op_value *x = b->inputs[X];

	for (size_t i = 1; i <= 2; i++) {
		if (!op_wants(b, i))
			continue;
		if (x->trainable || (op_has(b, SCALE) && b->inputs[SCALE]->trainable))
			return error_set(err, EXP_EUNSUPPORTED,
					 "its means and deviations are not supported as outputs where there is a "
					 "gradient");
		op_copy(b, i, X);
		for (size_t d = axis; d < x->shape.rank; d++)
			b->outputs[i]->shape.dims[d] = 1;
	}
	return 0;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct layer_norm *c = b->config;
	const struct op_value *x = b->inputs[X];
	size_t axis;
	int rc;

	c->epsilon = 1e-5f;
	if ((rc = op_need_float(b, X, err)) || (rc = op_get_axis(b, "axis", x->shape.rank, -1, &axis, err)) ||
	    (rc = op_get_float(b, "epsilon", &c->epsilon, err)))
		return rc;
	for (size_t d = axis; rc == 0 && d < x->shape.rank; d++)
		rc = op_keep_apart(b, X, d, err);
	if (rc || (rc = check_vectors(b, axis, err)) || (rc = set_statistics(b, axis, err)))
		return rc;
	c->rows = shape_span(&x->shape, 0, axis);
	c->n = shape_span(&x->shape, axis, x->shape.rank);
	c->outer = x->batched ? x->outer : 1;
	c->samples = x->batched ? b->samples : 1;
	c->inner = x->count ? c->rows / (c->outer * c->samples) : 0;
	op_copy(b, 0, X);
	b->scratch = 2 * c->rows + (c->samples + 1) * c->n;
	b->flops = 8 * (uint64_t)x->count;
	op_set_role(b, SCALE, GRAPH_ROLE_SCALE, 0);
	op_set_role(b, BIAS, GRAPH_ROLE_SHIFT, 0);
	return 0;
}

/* ---- forward ---- */

static const float *vector(const struct op_run *r, size_t i)
{
	return i < r->in_count && r->in[i].value ? r->in[i].f : NULL;
}

/* Means and deviations in scratch; the rest of it, where given, is the caller's. */
static struct kernel_norm open_rows(const struct op_run *r, float **rest)
{
	const struct layer_norm *c = r->config;
	float *mean = r->scratch, *inverse = r->scratch + c->rows;

	kernel_moments(mean, inverse, r->in[X].f, (const size_t[]){ c->rows, c->n }, c->epsilon);
	if (rest)
		*rest = inverse + c->rows;
	return (struct kernel_norm){ .rows = c->rows,
				     .n = c->n,
				     .x = r->in[X].f,
				     .mean = mean,
				     .inverse = inverse,
				     .scale = vector(r, SCALE),
				     .shift = vector(r, BIAS) };
}

static void forward(const struct op_run *r)
{
	struct kernel_norm k = open_rows(r, NULL);

	kernel_normalise(&k, r->out->f);
	for (size_t i = 1; i <= 2 && i < r->out_count; i++)
		if (r->out[i].f)
			memcpy(r->out[i].f, i == 1 ? k.mean : k.inverse, k.rows * sizeof(float));
}

static const float *tangent_of(const struct op_run *r, size_t i)
{
	return i < r->in_count ? r->in[i].tangent : NULL;
}

/* Y' = scale h' + scale' h + B', h' by X' as dX by g. */
static void tangent(const struct op_run *r)
{
	struct kernel_norm k = open_rows(r, NULL);
	const float *scale = k.scale, *scale_tangent = tangent_of(r, SCALE), *shift_tangent = tangent_of(r, BIAS);
	float *out = r->out->tangent;

	k.scale = NULL;
	if (r->in[X].tangent)
		kernel_normalise_gradient(&k, r->in[X].tangent, out);
	else
		memset(out, 0, k.rows * k.n * sizeof(*out));
	for (size_t row = 0; row < k.rows; row++, out += k.n) {
		const float *x = k.x + row * k.n;

		for (size_t i = 0; i < k.n; i++) {
			float h = (x[i] - k.mean[row]) * k.inverse[row];

			out[i] = (scale ? scale[i] : 1.0f) * out[i] + (scale_tangent ? scale_tangent[i] * h : 0.0f) +
				 (shift_tangent ? shift_tangent[i] : 0.0f);
		}
	}
}

/* ---- backward ---- */

/* Of one sample, into out [n]; part: n floats more. */
static void sample_gradient(const struct layer_norm *c, const struct kernel_norm *k, size_t sample, const float *dy,
			    bool by_scale, float *out)
{
	float *part = out + c->n;

	memset(out, 0, c->n * sizeof(*out));
	for (size_t o = 0; o < c->outer; o++) {
		size_t row = (o * c->samples + sample) * c->inner;
		struct kernel_norm own = *k;

		own.rows = c->inner;
		own.x += row * c->n;
		own.mean += row;
		own.inverse += row;
		if (!by_scale) {
			kernel_add_column_sums(out, dy + row * c->n, c->inner, c->n);
			continue;
		}
		kernel_normalise_scale_gradient(&own, dy + row * c->n, part);
		kernel_add(out, part, c->n);
	}
}

/* Rows are filled from the first on, so that what follows one is free while it is made. */
static void vector_gradient(const struct op_run *r, const struct kernel_norm *k, size_t i, float *rows)
{
	const struct layer_norm *c = r->config;
	const struct op_input *in = &r->in[i];

	if (!in->grad && !in->reduce)
		return;
	for (size_t n = 0; n < c->samples; n++)
		sample_gradient(c, k, n, r->out->grad, i == SCALE, rows + n * c->n);
	if (in->grad)
		memcpy(in->grad, rows, c->n * sizeof(*rows)); /* nothing is batched: the one sample is all */
	else
		reduce_add_rows(in->reduce, &(struct reduce_rows){
						.rows = rows, .samples = c->samples, .count = c->n, .scale = 1.0f });
}

static void backward(const struct op_run *r)
{
	float *rows;
	struct kernel_norm k = open_rows(r, &rows);

	if (r->in[X].grad)
		kernel_normalise_gradient(&k, r->out->grad, r->in[X].grad);
	for (size_t i = SCALE; i <= BIAS; i++)
		if (vector(r, i))
			vector_gradient(r, &k, i, rows);
}

const struct op op_layer_normalization = {
	.name = "LayerNormalization",
	.min_inputs = 2,
	.max_inputs = 3,
	.max_outputs = 3,
	.attributes = "axis epsilon stash_type",
	.weights = 1u << SCALE | 1u << BIAS,
	.config_size = sizeof(struct layer_norm),
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

/*
 * Conv over one or two spatial dimensions, with groups, strides, pads and dilations.
 *
 * For each sample and group, columns [K, T] hold what each of the K = C/G * taps weights of an output channel meets at
 * each of the T positions (window.h). Then, with W_g [M/G, K]:
 *
 *   Y_g [M/G, T] = W_g columns + b          dX_g = scatter(W_g^T dY_g)
 *   dW_g [M/G, K] = dY_g columns^T          db = dY summed over T
 *
 * A window of one tap that steps by one without padding needs no columns: they are the image.
 */
#include <inttypes.h>

#include "engine/blas.h"
#include "engine/kernels.h"
#include "engine/window.h"

struct conv {
	struct window w;
	size_t groups, channels, filters; /* G, C, M */
	size_t depth, group_filters;      /* K, M/G */
	bool direct;                      /* the image is its own columns */
};

static int infer_groups(const struct op_build *b, struct conv *c, struct exp_error *err)
{
	const struct op_value *x = b->inputs[0], *w = b->inputs[1];
	char image[SHAPE_TEXT], weight[SHAPE_TEXT];
	int64_t groups = 1;
	int rc = op_get_int(b, "group", &groups, err);

	if (rc)
		return rc;
	if (w->batched || (x->shape.rank != 3 && x->shape.rank != 4) || w->shape.rank != x->shape.rank)
		return error_set(err, EXP_EUNSUPPORTED,
				 "the input %s and the weight %s are not those of a 1-D or 2-D convolution",
				 shape_format(&x->shape, x->batched, image),
				 shape_format(&w->shape, w->batched, weight));
	c->channels = x->shape.dims[1];
	c->filters = w->shape.dims[0];
	c->groups = (size_t)groups;
	if (groups < 1 || c->channels % c->groups || c->filters % c->groups ||
	    w->shape.dims[1] != c->channels / c->groups)
		return error_set(err, EXP_ESHAPE, "the input %s and the weight %s do not fit in %" PRId64 " groups",
				 shape_format(&x->shape, x->batched, image), shape_format(&w->shape, false, weight),
				 groups);
	return 0;
}

static int infer_bias(const struct op_build *b, const struct conv *c, struct exp_error *err)
{
	const struct op_value *bias = b->input_count > 2 ? b->inputs[2] : NULL;
	char text[SHAPE_TEXT];

	if (!bias)
		return 0;
	if (bias->batched || bias->shape.rank != 1 || bias->shape.dims[0] != c->filters)
		return error_set(err, EXP_ESHAPE, "the bias %s does not fit %zu filters",
				 shape_format(&bias->shape, bias->batched, text), c->filters);
	return op_need_float(b, 2, err);
}

static int infer(const struct op *op, struct op_build *b, struct exp_error *err)
{
	struct conv *c = b->config;
	const struct window *w = &c->w;
	struct shape columns;
	size_t count;
	int rc;

	(void)op;
	if ((rc = op_need_float(b, 0, err)) || (rc = op_need_float(b, 1, err)) || (rc = infer_groups(b, c, err)) ||
	    (rc = infer_bias(b, c, err)) || (rc = window_infer(b, b->inputs[1]->shape.dims + 2, &c->w, err)))
		return rc;
	c->depth = c->channels / c->groups * w->taps;
	c->group_filters = c->filters / c->groups;
	c->direct = w->taps == 1 && w->stride[0] == 1 && w->stride[1] == 1 && w->positions == w->pixels &&
		    w->pad[0] + w->pad[1] + w->pad_end[0] + w->pad_end[1] == 0;
	columns = (struct shape){ 3, { c->channels, w->taps, w->positions } };
	if (!shape_try_count(&columns, &count))
		return error_set(err, EXP_ELIMIT, "it would need more than %zu floats of scratch", SHAPE_MAX_FLOATS);
	window_output(b, w, c->filters);
	b->scratch = count;
	b->scratch_per_row = c->filters;
	b->flops_per_row = 2 * (uint64_t)c->filters * c->depth * w->positions;
	op_set_role(b, 1, GRAPH_ROLE_WEIGHT, c->depth);
	op_set_role(b, 2, GRAPH_ROLE_BIAS, c->depth);
	b->output->fan_in = c->depth;
	return 0;
}

static const float *columns_of(const struct op_run *r, const struct conv *c, size_t n)
{
	const float *image = r->in[0].data + n * r->in[0].floats;

	if (c->direct)
		return image;
	window_gather(&c->w, image, c->channels, r->scratch);
	return r->scratch;
}

static void forward_sample(const struct op_run *r, const struct conv *c, const float *bias, size_t n)
{
	const float *columns = columns_of(r, c, n);
	float *y = r->out->data + n * r->out->floats;
	size_t t = c->w.positions, part = c->group_filters;

	for (size_t m = 0; bias && m < c->filters; m++)
		for (size_t i = 0; i < t; i++)
			y[m * t + i] = bias[m];
	for (size_t g = 0; g < c->groups; g++)
		blas_multiply(&(struct blas_product){ .a = r->in[1].data + g * part * c->depth,
						      .b = columns + g * c->depth * t,
						      .c = y + g * part * t,
						      .m = part,
						      .n = t,
						      .k = c->depth,
						      .alpha = 1.0f,
						      .beta = bias ? 1.0f : 0.0f });
}

static void forward(const struct op_run *r)
{
	const struct conv *c = r->config;

	for (size_t n = 0; n < r->rows; n++)
		forward_sample(r, c, r->in_count > 2 ? r->in[2].data : NULL, n);
}

/* ---- backward ---- */

static void reduce_weight(const struct op_run *r, const struct conv *c, size_t n)
{
	const float *columns = columns_of(r, c, n), *dy = r->out->grad + n * r->out->floats;
	size_t t = c->w.positions, part = c->group_filters;

	for (size_t g = 0; g < c->groups; g++)
		reduce_add_factors(r->in[1].reduce, &(struct reduce_factors){ .activations = columns + g * c->depth * t,
									      .out_grads = dy + g * part * t,
									      .samples = 1,
									      .positions = t,
									      .in = c->depth,
									      .out = part,
									      .position_last = true,
									      .scale = 1.0f,
									      .first_sample = n,
									      .at = g * part * c->depth });
}

static void input_gradient(const struct op_run *r, const struct conv *c, size_t n)
{
	const float *dy = r->out->grad + n * r->out->floats;
	float *dx = r->in[0].grad + n * r->in[0].floats, *columns = c->direct ? dx : r->scratch;
	size_t t = c->w.positions, part = c->group_filters;

	for (size_t g = 0; g < c->groups; g++)
		blas_multiply(&(struct blas_product){ .a = r->in[1].data + g * part * c->depth,
						      .b = dy + g * part * t,
						      .c = columns + g * c->depth * t,
						      .m = c->depth,
						      .n = t,
						      .k = part,
						      .trans_a = true,
						      .alpha = 1.0f });
	if (!c->direct)
		window_scatter(&c->w, columns, c->channels, dx);
}

static void reduce_bias(const struct op_run *r, const struct conv *c)
{
	size_t t = c->w.positions, lines = r->rows * c->filters;
	float *rows = r->scratch;

	for (size_t i = 0; i < lines; i++)
		rows[i] = (float)kernel_sum(r->out->grad + i * t, t);
	reduce_add_rows(r->in[2].reduce,
			&(struct reduce_rows){ .rows = rows, .samples = r->rows, .count = c->filters, .scale = 1.0f });
}

static void backward(const struct op_run *r)
{
	const struct conv *c = r->config;

	for (size_t n = 0; n < r->rows; n++) {
		if (r->in[1].reduce)
			reduce_weight(r, c, n);
		if (r->in[0].grad)
			input_gradient(r, c, n);
	}
	if (r->in_count > 2 && r->in[2].reduce)
		reduce_bias(r, c);
}

const struct op op_conv = {
	.name = "Conv",
	.min_inputs = 2,
	.max_inputs = 3,
	.attributes = "auto_pad dilations group kernel_shape pads strides",
	.weights = 1u << 1 | 1u << 2,
	.config_size = sizeof(struct conv),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

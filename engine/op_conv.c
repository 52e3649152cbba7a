/*
 * Conv and ConvTranspose over one to three spatial dimensions, with groups, strides, pads and dilations.
 *
 * For Conv, X [B, C, …], W [M, C/G, kernel …], Y [B, M, …] are those of engine/convolution.h. ConvTranspose is the
 * transpose of the convolution whose image is its output: X [B, C, …] takes the place of that one's output, W [C, M/G,
 * kernel …] that of its weight, Y [B, M, …] that of its image.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/convolution.h"
#include "engine/kernels.h"

enum { CONV, TRANSPOSED };
enum { X, W, BIAS };

struct conv {
	struct convolution c;
	struct convolution_samples samples;
	size_t out_channels, out_size; /* planes of Y */
	size_t sums, own;              /* floats, at the start of the scratch: a bias's rows, columns */
};

static bool is_transposed(const struct op *op)
{
	return op->variant == TRANSPOSED;
}

static int infer_groups(const struct op_build *b, struct conv *c, struct exp_error *err)
{
	const struct shape *x = &b->inputs[X]->shape, *w = &b->inputs[W]->shape;
	char image[SHAPE_TEXT], weight[SHAPE_TEXT];
	size_t own, other;
	int64_t groups = 1;
	int rc = op_get_int(b, "group", &groups, err);

	if (rc)
		return rc;
	if (x->rank < 3 || w->rank != x->rank || b->inputs[W]->batched)
		return error_set(err, EXP_EUNSUPPORTED, "the input %s and the weight %s are not those of a convolution",
				 op_format(b, X, image), op_format(b, W, weight));
	own = x->dims[1];
	other = w->dims[is_transposed(b->op) ? 1 : 0];
	if (groups < 1 || (uint64_t)groups > own || own % (size_t)groups || other == 0 ||
	    (is_transposed(b->op) ? w->dims[0] != own : other % (size_t)groups || w->dims[1] != own / (size_t)groups))
		return error_set(err, EXP_ESHAPE, "the input %s and the weight %s do not fit in %" PRId64 " groups",
				 op_format(b, X, image), op_format(b, W, weight), groups);
	c->c.groups = (size_t)groups;
	c->c.channels = is_transposed(b->op) ? other * (size_t)groups : own;
	c->c.filters = is_transposed(b->op) ? own : other;
	c->out_channels = is_transposed(b->op) ? c->c.channels : c->c.filters;
	return 0;
}

static int infer_bias(const struct op_build *b, const struct conv *c, struct exp_error *err)
{
	char text[SHAPE_TEXT];

	if (!op_has(b, BIAS))
		return 0;
	if (b->inputs[BIAS]->batched || b->inputs[BIAS]->shape.rank != 1 ||
	    b->inputs[BIAS]->shape.dims[0] != c->out_channels)
		return error_set(err, EXP_ESHAPE, "the bias %s does not fit %zu filters", op_format(b, BIAS, text),
				 c->out_channels);
	return op_need_float(b, BIAS, err);
}

/* Samples are images, or runs of images. */
static int infer_samples(struct op_build *b, struct conv *c, struct exp_error *err)
{
	struct op_samples at;
	int rc;

	c->samples = (struct convolution_samples){ 1, 1, c->c.images };
	if (!b->inputs[X]->batched)
		return 0;
	if ((rc = op_find_samples(b, b->inputs[X], &at, err)) || (rc = op_keep_samples(b, 0, X, err)))
		return rc;
	if (at.axis != 0 || (at.before > 1 && at.after > 1))
		return error_set(err, EXP_EUNSUPPORTED, "its first dimension does not hold the samples");
	c->samples = (struct convolution_samples){ at.before, b->samples, at.after };
	return 0;
}

static int infer_memory(struct op_build *b, struct conv *c, struct exp_error *err)
{
	size_t reduce = convolution_reduce_scratch(&c->c, &c->samples), own;
	int rc = convolution_own_scratch(&c->c, &c->samples, &own, err);

	c->sums = (c->samples.samples * c->out_channels + 15) / 16 * 16;
	c->own = (own + 15) / 16 * 16;
	b->scratch = c->sums + c->own + c->c.scratch;
	/* A weight without samples gets its gradient by a reduction of our own. */
	if (!b->inputs[X]->batched && b->scratch < c->sums + c->own + reduce)
		b->scratch = c->sums + c->own + reduce;
	b->reduce_scratch = reduce;
	return rc;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct conv *c = b->config;
	struct window *w = &c->c.w;
	bool transposed = is_transposed(b->op);
	const size_t *kernel;
	int rc;

	if ((rc = op_need_float(b, X, err)) || (rc = op_need_float(b, W, err)) || (rc = infer_groups(b, c, err)) ||
	    (rc = infer_bias(b, c, err)))
		return rc;
	kernel = b->inputs[W]->shape.dims + 2;
	rc = transposed ? window_infer_transposed(b, kernel, w, err) : window_infer(b, kernel, w, err);
	if (rc)
		return rc;
	window_output(b, 0, c->out_channels, transposed ? w->in : w->out);
	c->out_size = transposed ? w->pixels : w->positions;
	c->c.images = b->inputs[X]->shape.dims[0];
	c->c.has_bias = !transposed && op_has(b, BIAS);
	if ((rc = infer_samples(b, c, err)) || (rc = convolution_init(&c->c, err)))
		return rc;
	rc = infer_memory(b, c, err);
	if (rc) {
		convolution_fini(&c->c);
		return rc;
	}
	b->flops = 2 * (uint64_t)c->c.images * c->c.filters * c->c.depth * w->positions;
	op_set_role(b, W, GRAPH_ROLE_WEIGHT, c->c.depth);
	op_set_role(b, BIAS, GRAPH_ROLE_BIAS, c->c.depth);
	b->outputs[0]->fan_in = c->c.depth;
	return 0;
}

static void release(void *config)
{
	struct conv *c = config;

	convolution_fini(&c->c);
}

static struct convolution_operands operands(const struct op_run *r, const struct conv *c)
{
	return (struct convolution_operands){ .weight = r->in[W].f,
					      .bias = r->in_count > BIAS ? r->in[BIAS].f : NULL,
					      .scratch = r->scratch + c->sums + c->own };
}

KERNEL static void add_bias(const struct conv *c, const float *bias, float *y)
{
	for (size_t i = 0; i < c->c.images * c->out_channels; i++)
		for (size_t k = 0; k < c->out_size; k++)
			y[i * c->out_size + k] += bias[i % c->out_channels];
}

static void forward(const struct op_run *r)
{
	const struct conv *c = r->config;
	struct convolution_operands with = operands(r, c);

	if (!is_transposed(r->op)) {
		convolution_forward(&c->c, &with, r->in[X].f, r->out->f);
		return;
	}
	convolution_backward(&c->c, &with, r->in[X].f, r->out->f);
	if (with.bias)
		add_bias(c, with.bias, r->out->f);
}

/* ---- backward ---- */

static void weight_gradient(const struct op_run *r, const struct conv *c)
{
	bool transposed = is_transposed(r->op);
	const struct convolution_factors f = { .samples = &c->samples,
					       .image = transposed ? r->out->grad : r->in[X].f,
					       .out = transposed ? r->in[X].f : r->out->grad,
					       .scratch = r->scratch + c->sums };
	struct reduce sum = { .kind = REDUCE_SUM,
			      .samples = 1,
			      .floats = c->c.filters * c->c.depth,
			      .out = r->in[W].grad,
			      .scratch = r->scratch + c->sums + c->own };

	if (r->in[W].grad)
		memset(r->in[W].grad, 0, sum.floats * sizeof(float));
	if (r->in[W].grad || r->in[W].reduce)
		convolution_reduce_weight(&c->c, &f, r->in[W].grad ? &sum : r->in[W].reduce);
}

static void bias_gradient(const struct op_run *r, const struct conv *c)
{
	const struct op_input *bias = &r->in[BIAS];
	const struct convolution_planes planes = { .samples = &c->samples,
						   .data = r->out->grad,
						   .channels = c->out_channels,
						   .size = c->out_size,
						   .scratch = r->scratch };
	struct reduce sum = { .kind = REDUCE_SUM, .samples = 1, .floats = c->out_channels, .out = bias->grad };

	if (bias->grad)
		memset(bias->grad, 0, c->out_channels * sizeof(float));
	if (bias->grad || bias->reduce)
		convolution_reduce_bias(&planes, bias->grad ? &sum : bias->reduce);
}

static void backward(const struct op_run *r)
{
	const struct conv *c = r->config;
	struct convolution_operands with = operands(r, c);

	with.bias = NULL;
	if (r->in[X].grad && is_transposed(r->op))
		convolution_forward(&c->c, &with, r->out->grad, r->in[X].grad);
	else if (r->in[X].grad)
		convolution_backward(&c->c, &with, r->out->grad, r->in[X].grad);
	weight_gradient(r, c);
	if (r->in_count > BIAS && r->in[BIAS].value)
		bias_gradient(r, c);
}

const struct op op_conv = {
	.name = "Conv",
	.min_inputs = 2,
	.max_inputs = 3,
	.attributes = "auto_pad dilations group kernel_shape pads strides",
	.flags = OP_BILINEAR,
	.weights = 1u << W | 1u << BIAS,
	.config_size = sizeof(struct conv),
	.variant = CONV,
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.release = release,
};
const struct op op_conv_transpose = {
	.name = "ConvTranspose",
	.min_inputs = 2,
	.max_inputs = 3,
	.attributes = "auto_pad dilations group kernel_shape output_padding output_shape pads strides",
	.flags = OP_BILINEAR,
	.weights = 1u << W | 1u << BIAS,
	.config_size = sizeof(struct conv),
	.variant = TRANSPOSED,
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.release = release,
};

/*
 * Convolutions: depthwise ones are reduce_depthwise.c's, all others square_product.h's. Here are their Kronecker
 * factors: sums over samples and outputs, of the output's gradient, and of columns: what all weights of a filter meet
 * at an output, a few lines of outputs at a time. The groups of a convolution share one right factor, the sum of
 * theirs.
 */
#include <string.h>

#include "base/check.h"
#include "engine/blas.h"
#include "engine/reduce.h"
#include "engine/reduce_depthwise.h"
#include "engine/square_product.h"

enum { COLUMNS = 1 << 17 }; /* floats of columns at a time, unless one line has more */

static size_t largest(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Weights of a filter. */
static size_t depth_of(const struct reduce_conv *c)
{
	return c->channels / c->groups * c->kernel[0] * c->kernel[1];
}

/* Lines of outputs whose columns are formed together. */
static size_t lines_of(const struct reduce_conv *c)
{
	size_t line = depth_of(c) * c->out[1], lines = line < COLUMNS ? COLUMNS / largest(line, 1) : 1;

	return lines < c->out[0] ? lines : c->out[0];
}

static struct reduce_factors out_grads_of(const struct reduce_conv *c)
{
	size_t outputs = c->out[0] * c->out[1];
	struct reduce_side side = { c->out_grads, c->filters * outputs, 0, 1, outputs };

	return (struct reduce_factors){ .left = side,
					.right = side,
					.samples = c->samples,
					.outer = 1,
					.positions = outputs,
					.rows = c->filters,
					.cols = c->filters,
					.scale = 1.0f };
}

size_t reduce_scratch_conv(const struct reduce_conv *c)
{
	struct reduce_factors dy = out_grads_of(c);
	size_t columns = depth_of(c) * c->out[1] * lines_of(c);

	columns = largest(columns, reduce_scratch_factors(&dy));
	return largest(columns, reduce_is_depthwise(c) ? reduce_scratch_depthwise(c) : square_product_conv_scratch(c));
}

/* to [out[1]]: what a tap meets along a line of outputs; zero in the padding. */
static void gather_line(const struct reduce_conv *c, const float *plane, size_t tap, size_t line, float *to)
{
	size_t y = line * c->stride[0] + tap / c->kernel[1] * c->dilation[0];
	size_t shift = tap % c->kernel[1] * c->dilation[1];

	if (y < c->pad[0] || y - c->pad[0] >= c->in[0]) {
		memset(to, 0, c->out[1] * sizeof(*to));
		return;
	}
	plane += (y - c->pad[0]) * c->in[1];
	for (size_t i = 0; i < c->out[1]; i++) {
		size_t x = i * c->stride[1] + shift;

		to[i] = x < c->pad[1] || x - c->pad[1] >= c->in[1] ? 0.0f : plane[x - c->pad[1]];
	}
}

/* columns [depth][lines * out[1]] of a group's image */
static void gather(const struct reduce_conv *c, const float *image, size_t first, size_t lines, float *columns)
{
	size_t taps = c->kernel[0] * c->kernel[1];

	for (size_t k = 0; k < depth_of(c); k++)
		for (size_t line = 0; line < lines; line++, columns += c->out[1])
			gather_line(c, image + k / taps * c->in[0] * c->in[1], k % taps, first + line, columns);
}

static void add_right(const struct reduce *r, const struct reduce_conv *c)
{
	size_t depth = depth_of(c), most = lines_of(c), image = c->channels / c->groups * c->in[0] * c->in[1];

	for (size_t n = 0; n < c->samples * c->groups; n++) {
		for (size_t first = 0; first < c->out[0]; first += most) {
			size_t lines = c->out[0] - first < most ? c->out[0] - first : most;

			gather(c, c->image + n * image, first, lines, r->scratch);
			blas_multiply(&(struct blas_product){ .a = r->scratch,
							      .b = r->scratch,
							      .c = r->right,
							      .m = depth,
							      .n = depth,
							      .k = lines * c->out[1],
							      .trans_b = true,
							      .alpha = 1.0f,
							      .beta = 1.0f });
		}
	}
}

static void add_left(const struct reduce *r, const struct reduce_conv *c)
{
	struct reduce_factors dy = out_grads_of(c);
	struct reduce left = *r;

	left.first = 0;
	left.right = NULL;
	reduce_add_factors(&left, &dy);
}

void reduce_add_conv(struct reduce *r, const struct reduce_conv *c)
{
	struct reduce_conv part = *c;

	exp_require(r->first + r->samples <= c->samples);
	part.image += r->first * c->channels * c->in[0] * c->in[1];
	part.out_grads += r->first * c->filters * c->out[0] * c->out[1];
	part.samples = r->samples;
	if (r->kind != REDUCE_MOMENTS && reduce_is_depthwise(c))
		reduce_add_depthwise(r, &part);
	else if (r->kind != REDUCE_MOMENTS)
		square_product_add_conv(r, &part);
	if (r->kind == REDUCE_MOMENTS && r->left)
		add_left(r, &part);
	if (r->kind == REDUCE_MOMENTS && r->right)
		add_right(r, &part);
}

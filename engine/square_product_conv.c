/*
 * Weight gradients of convolutions, in one of three ways:
 *
 *   taps       the gradient of one tap [filters, channels] is a product whose right operand is the image itself, read
 *              at the pixels that the tap meets. A tap's outputs that read padding are left out.
 *   columns    where a group has few channels (an image's three), lanes would stay empty: all taps and channels side by
 *              side are the right operand, copied out of the image.
 *   depthwise  one channel a group: lane by lane, a row of the tile and no more.
 */
#include "engine/square_product.h"

#include <string.h>

#include "engine/kernels.h"
#include "engine/square_product_internal.h"

enum {
	FEW_CHANNELS = 8,        /* a group with fewer goes by columns */
	CHUNK_FLOATS = 96 << 10, /* of the right operand's panels, that are read again for each tap */
};

static size_t taps_of(const struct reduce_conv *c)
{
	return c->kernel[0] * c->kernel[1];
}

static size_t outputs_of(const struct reduce_conv *c)
{
	return c->out[0] * c->out[1];
}

static size_t pixels_of(const struct reduce_conv *c)
{
	return c->in[0] * c->in[1];
}

static size_t padded(size_t elements, size_t width)
{
	return (elements + width - 1) / width * width;
}

/* What a convolution of one group and its operands in scratch are. */
struct conv {
	const struct reduce *r;
	const struct reduce_conv *c;
	const struct tile_kernels *kernels;
	size_t channels, filters; /* of a group */
	size_t block;
	float *left, *right;
};

static bool is_depthwise(const struct reduce_conv *c)
{
	return c->channels == c->groups && c->groups > 1;
}

static bool by_columns(const struct reduce_conv *c)
{
	return c->channels / c->groups < FEW_CHANNELS && taps_of(c) > 1;
}

/* ---- which outputs a tap reads inside the image ---- */

/* Outputs first … end-1 along dimension d. */
static void tap_range(const struct reduce_conv *c, size_t d, size_t k, size_t *first, size_t *end)
{
	size_t reach = k * c->dilation[d], pad = c->pad[d], stride = c->stride[d];

	*first = reach < pad ? (pad - reach + stride - 1) / stride : 0;
	*end = c->in[d] + pad > reach ? (c->in[d] + pad - reach - 1) / stride + 1 : 0;
	if (*end > c->out[d])
		*end = c->out[d];
	if (*end < *first)
		*end = *first;
}

static struct tile_tap tap_at(const struct reduce_conv *c, size_t tap, size_t left_column)
{
	size_t row = tap / c->kernel[1], column = tap % c->kernel[1], first, end;
	struct tile_tap t;

	tap_range(c, 0, row, &t.first_line, &t.end_line);
	tap_range(c, 1, column, &first, &end);
	t.columns = end - first;
	t.left = (ptrdiff_t)(first * left_column);
	t.right = ((ptrdiff_t)(row * c->dilation[0]) - (ptrdiff_t)c->pad[0]) * (ptrdiff_t)c->in[1] +
		  (ptrdiff_t)(first * c->stride[1] + column * c->dilation[1]) - (ptrdiff_t)c->pad[1];
	t.right *= TILE_LANES;
	return t;
}

/* ---- operands ---- */

/* Channels of samples first … first+samples-1, picture elements last, into panels. */
struct planes {
	const float *data;
	size_t sample, plane; /* floats from one to the next */
	size_t channels, pixels;
	size_t width;
};

static void pack_planes(const struct conv *v, const struct planes *p, size_t first, size_t samples, float *dst)
{
	struct tile_pack pack = { .outer_count = 1,
				  .positions = p->pixels,
				  .elements = p->channels,
				  .position = 1,
				  .element = p->plane,
				  .width = p->width,
				  .panel = samples * p->pixels * p->width };

	for (size_t n = 0; n < samples; n++) {
		pack.src = p->data + (first + n) * p->sample;
		tile_pack(v->kernels, &pack, dst + n * p->pixels * p->width);
	}
}

static struct planes out_grads(const struct conv *v, size_t group)
{
	size_t outputs = outputs_of(v->c);

	return (struct planes){ .data = v->c->out_grads + group * v->filters * outputs,
				.sample = v->c->filters * outputs,
				.plane = outputs,
				.channels = v->filters,
				.pixels = outputs,
				.width = TILE_ROWS };
}

static struct planes image(const struct conv *v, size_t group)
{
	size_t pixels = pixels_of(v->c);

	return (struct planes){ .data = v->c->image + group * v->channels * pixels,
				.sample = v->c->channels * pixels,
				.plane = pixels,
				.channels = v->channels,
				.pixels = pixels,
				.width = TILE_LANES };
}

/* What all ways have in common: the left operand is the output's gradient. */
static struct tile_product start(const struct conv *v)
{
	return (struct tile_product){ .kernels = v->kernels,
				      .reduce = v->r,
				      .scale = 1.0f,
				      .left = v->left,
				      .right = v->right,
				      .left_column = TILE_ROWS,
				      .left_sample = outputs_of(v->c) * TILE_ROWS,
				      .buffers = v->r->scratch };
}

/* ---- taps ---- */

static size_t chunk_lines(const struct reduce_conv *c)
{
	size_t line = TILE_PANELS * TILE_LANES * c->in[1] * c->stride[0];
	size_t chunks = (c->out[0] * line + CHUNK_FLOATS - 1) / CHUNK_FLOATS;

	if (taps_of(c) == 1)
		return c->out[0];
	chunks = chunks < c->out[0] ? chunks : c->out[0];
	return (c->out[0] + chunks - 1) / chunks;
}

/* Product for taps, a group of them after the other. */
static void run_taps(const struct conv *v, struct tile_product *p)
{
	const struct reduce_conv *c = v->c;
	size_t taps = taps_of(c), at = p->place.at;

	p->lines = c->out[0];
	p->chunk_lines = chunk_lines(c);
	p->left_line = c->out[1] * p->left_column;
	p->right_line = c->stride[0] * c->in[1] * TILE_LANES;
	p->right_column = c->stride[1] * TILE_LANES;
	for (size_t first = 0; first < taps; first += p->tap_count) {
		p->tap_count = taps - first < TILE_TAPS ? taps - first : TILE_TAPS;
		for (size_t k = 0; k < p->tap_count; k++)
			p->taps[k] = tap_at(c, first + k, p->left_column);
		p->place.at = at + first;
		tile_product_run(p);
	}
}

static void add_by_taps(const struct conv *v, size_t group, size_t first, size_t samples)
{
	size_t taps = taps_of(v->c), depth = v->channels * taps;
	struct planes dy = out_grads(v, group), x = image(v, group);
	struct tile_product p = start(v);

	p.first_sample = first, p.samples = samples;
	p.right_sample = x.pixels * TILE_LANES;
	p.left_panel = samples * p.left_sample, p.right_panel = samples * p.right_sample;
	p.place = (struct tile_place){ group * v->filters * depth, depth, taps, v->filters, v->channels };
	pack_planes(v, &dy, first, samples, v->left);
	pack_planes(v, &x, first, samples, v->right);
	run_taps(v, &p);
}

/* ---- columns ---- */

/* Lane by lane, what the tap of the channel meets at each output; zero in the padding. dst [outputs][TILE_LANES] */
static void gather_lane(const struct reduce_conv *c, const float *plane, size_t tap, float *dst)
{
	struct tile_tap t = tap_at(c, tap, 1);
	ptrdiff_t start = t.right / TILE_LANES;

	for (size_t line = t.first_line; line < t.end_line; line++) {
		const float *from = plane + start + (ptrdiff_t)(line * c->stride[0] * c->in[1]);
		float *to = dst + (line * c->out[1] + (size_t)t.left) * TILE_LANES;

		for (size_t x = 0; x < t.columns; x++)
			to[x * TILE_LANES] = from[x * c->stride[1]];
	}
}

static void gather_columns(const struct conv *v, size_t group, size_t first, size_t samples)
{
	struct planes x = image(v, group);
	size_t taps = taps_of(v->c), lanes = outputs_of(v->c) * TILE_LANES;

	memset(v->right, 0, samples * padded(v->channels * taps, TILE_LANES) / TILE_LANES * lanes * sizeof(float));
	for (size_t n = 0; n < samples; n++) {
		for (size_t k = 0; k < v->channels * taps; k++) {
			const float *plane = x.data + (first + n) * x.sample + k / taps * x.plane;
			float *panel = v->right + (k / TILE_LANES * samples + n) * lanes;

			gather_lane(v->c, plane, k % taps, panel + k % TILE_LANES);
		}
	}
}

static void add_by_columns(const struct conv *v, size_t group, size_t first, size_t samples)
{
	size_t outputs = outputs_of(v->c), depth = v->channels * taps_of(v->c);
	struct planes dy = out_grads(v, group);
	struct tile_product p = start(v);

	p.first_sample = first, p.samples = samples;
	p.right_sample = outputs * TILE_LANES;
	p.right_column = TILE_LANES;
	p.left_panel = samples * p.left_sample, p.right_panel = samples * p.right_sample;
	p.lines = p.chunk_lines = 1;
	p.taps[0] = (struct tile_tap){ .end_line = 1, .columns = outputs };
	p.tap_count = 1;
	p.place = (struct tile_place){ group * v->filters * depth, depth, 1, v->filters, depth };
	pack_planes(v, &dy, first, samples, v->left);
	gather_columns(v, group, first, samples);
	tile_product_run(&p);
}

/* ---- depthwise ---- */

/* The first row of a tile: each lane of the left operand times the same lane of the right one. Four running sums. */
KERNEL_INLINE void form_lanes(const struct tile_run *run, float sum[TILE_LANES])
{
	float parts[4][TILE_LANES] = { { 0 } };

	for (size_t line = 0; line < run->lines; line++) {
		const float *left = run->left + line * run->left_line, *right = run->right + line * run->right_line;
		size_t x = 0;

		for (; x + 4 <= run->columns; x += 4, left += 4 * TILE_LANES, right += 4 * run->right_column)
			for (size_t q = 0; q < 4; q++)
				for (size_t j = 0; j < TILE_LANES; j++)
					parts[q][j] += left[q * TILE_LANES + j] * right[q * run->right_column + j];
		for (; x < run->columns; x++, left += TILE_LANES, right += run->right_column)
			for (size_t j = 0; j < TILE_LANES; j++)
				parts[0][j] += left[j] * right[j];
	}
	for (size_t j = 0; j < TILE_LANES; j++)
		sum[j] = (parts[0][j] + parts[1][j]) + (parts[2][j] + parts[3][j]);
}

KERNEL static void add_lanes(const struct tile_run *run, float *target)
{
	float sum[TILE_LANES];

	form_lanes(run, sum);
	for (size_t j = 0; j < TILE_LANES; j++)
		target[j] += sum[j];
}

KERNEL static void add_square_lanes(const struct tile_run *run, float *target)
{
	float sum[TILE_LANES];

	form_lanes(run, sum);
	for (size_t j = 0; j < TILE_LANES; j++)
		target[j] += sum[j] * sum[j];
}

/* Filters channel * multiplier + m, for all channels, have one panel of lanes for each panel of channels. */
static void add_depthwise(const struct conv *v, size_t m, size_t first, size_t samples)
{
	const struct reduce_conv *c = v->c;
	size_t taps = taps_of(c), outputs = outputs_of(c), multiplier = v->filters;
	struct planes dy = out_grads(v, 0), x = image(v, 0);
	const struct tile_kernels kernels = { .add = { add_lanes }, .add_square = { add_square_lanes } };
	struct tile_product p = start(v);

	dy.data += m * outputs, dy.plane *= multiplier, dy.channels = c->channels, dy.width = TILE_LANES;
	x.channels = c->channels;
	pack_planes(v, &dy, first, samples, v->left);
	pack_planes(v, &x, first, samples, v->right);
	p.kernels = &kernels;
	p.first_sample = first, p.samples = samples;
	p.left_column = TILE_LANES;
	p.left_sample = outputs * TILE_LANES, p.right_sample = x.pixels * TILE_LANES;
	for (size_t channel = 0; channel < c->channels; channel += TILE_LANES) {
		size_t lanes = c->channels - channel < TILE_LANES ? c->channels - channel : TILE_LANES;

		p.place = (struct tile_place){ (channel * multiplier + m) * taps, 0, multiplier * taps, 1, lanes };
		run_taps(v, &p);
		p.left += samples * p.left_sample, p.right += samples * p.right_sample;
	}
}

/* ---- all of a batch ---- */

static size_t left_floats(const struct reduce_conv *c)
{
	size_t width = is_depthwise(c) ? padded(c->channels, TILE_LANES) : padded(c->filters / c->groups, TILE_ROWS);

	return padded(width * outputs_of(c), TILE_LANES);
}

static size_t right_floats(const struct reduce_conv *c)
{
	if (is_depthwise(c))
		return padded(c->channels, TILE_LANES) * pixels_of(c);
	if (by_columns(c))
		return padded(c->channels / c->groups * taps_of(c), TILE_LANES) * outputs_of(c);
	return padded(c->channels / c->groups, TILE_LANES) * pixels_of(c);
}

size_t square_product_conv_scratch(const struct reduce_conv *c)
{
	return tile_buffers(taps_of(c)) + tile_block(c->samples, outputs_of(c)) * (left_floats(c) + right_floats(c));
}

static void add_group(const struct conv *v, size_t group, size_t first, size_t samples)
{
	if (is_depthwise(v->c))
		add_depthwise(v, group, first, samples);
	else if (by_columns(v->c))
		add_by_columns(v, group, first, samples);
	else
		add_by_taps(v, group, first, samples);
}

void square_product_add_conv(const struct reduce *r, const struct reduce_conv *c)
{
	struct conv v = { .r = r,
			  .c = c,
			  .kernels = tile_kernels(),
			  .channels = c->channels / c->groups,
			  .filters = c->filters / c->groups,
			  .block = tile_block(c->samples, outputs_of(c)),
			  .left = r->scratch + tile_buffers(taps_of(c)) };
	size_t groups = is_depthwise(c) ? v.filters : c->groups;

	v.right = v.left + v.block * left_floats(c);
	for (size_t first = 0; first < c->samples; first += v.block) {
		size_t samples = c->samples - first < v.block ? c->samples - first : v.block;

		for (size_t group = 0; group < groups; group++)
			add_group(&v, group, first, samples);
	}
}

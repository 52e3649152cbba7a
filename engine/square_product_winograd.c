/*
 * Weight gradients of 3 by 3 convolutions that step by one, by Winograd's minimal filtering F(3, 4) in both dimensions
 * (Lavin and Gray, CVPR 2016, with the roles of weight and output exchanged): a tile of 4 by 4 outputs meets 6 by 6
 * pixels in 36 products for each pair of channels instead of 144.
 *
 *   dW = A^T [ sum over tiles of (G dY G^T) . (B^T X B) ] A
 *
 * The sum over tiles is, for each of the 36 points, a product of packed operands as in the direct form; the sample's
 * tile of the gradient is transformed back before it is folded. Points are 0, 1, -1, 2, -2 and infinity; rounding is
 * about ten times that of the direct sum, some 1e-6 of the largest entry.
 */
#include "engine/square_product_winograd.h"

#include <string.h>

#include "engine/kernels.h"

enum {
	TAPS = 3,
	STEP = 4, /* outputs of a tile along a dimension */
	SIDE = TAPS + STEP - 1,
	POINTS = SIDE * SIDE,
	LANES = TILE_LANES,
	OVERHEAD = 300,        /* what folding one entry costs, in multiplications */
	MOST_FLOATS = 1 << 22, /* of one sample's operands: beyond, memory is what takes the time */
};

/* Sixteen channels at any address. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef float rows __attribute__((vector_size(TILE_ROWS * sizeof(float)), aligned(sizeof(float)), may_alias));

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t padded(size_t elements, size_t width)
{
	return (elements + width - 1) / width * width;
}

static size_t tiles_along(const struct reduce_conv *c, size_t d)
{
	return (c->out[d] + STEP - 1) / STEP;
}

static size_t tiles_of(const struct reduce_conv *c)
{
	return tiles_along(c, 0) * tiles_along(c, 1);
}

/* Tiles that there is room for between one point and the next: not a power of two, or all points would compete for the
 * same few lines of the nearest cache. */
static size_t tile_room(const struct reduce_conv *c)
{
	return padded(tiles_of(c), 2) + 2;
}

/* Outputs along a dimension at which a tap reads inside the image, summed over taps. */
static size_t places_inside(const struct reduce_conv *c, size_t d)
{
	size_t sum = 0;

	for (size_t k = 0; k < TAPS; k++) {
		size_t first = k < c->pad[d] ? c->pad[d] - k : 0, end = c->in[d] + c->pad[d];

		end = least(end > k ? end - k : 0, c->out[d]);
		sum += end > first ? end - first : 0;
	}
	return sum;
}

bool winograd_serves(const struct reduce_conv *c)
{
	size_t channels = c->channels / c->groups, filters = c->filters / c->groups;

	for (size_t d = 0; d < 2; d++)
		if (c->kernel[d] != TAPS || c->stride[d] != 1 || c->dilation[d] != 1)
			return false;
	/* A tenth for the operands' transforms. */
	return channels >= LANES && filters >= LANES && POINTS * tiles_of(c) * (channels + filters) <= MOST_FLOATS &&
	       11 * (POINTS * tiles_of(c) + OVERHEAD) < 10 * places_inside(c, 0) * places_inside(c, 1);
}

/* ---- transforms, of one dimension ---- */

/* B^T d */
KERNEL_INLINE void image_points(const lanes *d, size_t step, lanes *out, size_t out_step)
{
	lanes even = d[4 * step] - 4.0f * d[2 * step], odd = d[3 * step] - 4.0f * d[step];
	lanes far = d[4 * step] - d[2 * step], near = 2.0f * (d[3 * step] - d[step]);

	out[0] = 4.0f * d[0] - 5.0f * d[2 * step] + d[4 * step];
	out[out_step] = even + odd;
	out[2 * out_step] = even - odd;
	out[3 * out_step] = far + near;
	out[4 * out_step] = far - near;
	out[5 * out_step] = 4.0f * d[step] - 5.0f * d[3 * step] + d[5 * step];
}

/* G g */
KERNEL_INLINE void grad_points(const lanes *g, size_t step, lanes *out, size_t out_step)
{
	const float sixth = 1.0f / 6.0f, part = 1.0f / 24.0f;
	lanes even = g[0] + g[2 * step], odd = g[step] + g[3 * step];
	lanes far = g[0] + 4.0f * g[2 * step], wide = 2.0f * g[step] + 8.0f * g[3 * step];

	out[0] = 0.25f * g[0];
	out[out_step] = -sixth * (even + odd);
	out[2 * out_step] = -sixth * (even - odd);
	out[3 * out_step] = part * (far + wide);
	out[4 * out_step] = part * (far - wide);
	out[5 * out_step] = g[3 * step];
}

/* A^T m */
KERNEL_INLINE void taps_of_points(const lanes *m, size_t step, lanes *out, size_t out_step)
{
	lanes even = m[step] + m[2 * step], odd = m[step] - m[2 * step];
	lanes far = m[3 * step] + m[4 * step], wide = m[3 * step] - m[4 * step];

	out[0] = m[0] + even + far;
	out[out_step] = odd + 2.0f * wide;
	out[2 * out_step] = even + 4.0f * far + m[5 * step];
}

/* ---- and of tiles ---- */

/* Pixels or outputs [height, width] of sixteen channels. */
struct picture {
	const float *data;
	size_t height, width;
};

/* Where a tile's vectors are: in the picture when it lies inside, else copied to edge, zeros around. */
struct tile_source {
	const lanes *at;
	size_t line; /* vectors */
};

KERNEL_INLINE struct tile_source tile_source(const struct picture *p, ptrdiff_t top, ptrdiff_t left, size_t side,
					     lanes *edge)
{
	const lanes *data = (const lanes *)p->data;
	ptrdiff_t height = (ptrdiff_t)p->height, width = (ptrdiff_t)p->width, reach = (ptrdiff_t)side;

	if (top >= 0 && left >= 0 && top + reach <= height && left + reach <= width)
		return (struct tile_source){ data + top * width + left, p->width };
	memset(edge, 0, side * side * sizeof(*edge));
	for (ptrdiff_t i = top < 0 ? -top : 0; i < reach && top + i < height; i++)
		for (ptrdiff_t j = left < 0 ? -left : 0; j < reach && left + j < width; j++)
			edge[i * reach + j] = data[(top + i) * width + left + j];
	return (struct tile_source){ edge, side };
}

/* out [POINTS][room][LANES] */
KERNEL static void transform_image(const struct reduce_conv *c, const float *pixels, float *out)
{
	const struct picture p = { pixels, c->in[0], c->in[1] };
	size_t tiles = tiles_of(c), room = tile_room(c), across = tiles_along(c, 1);

	for (size_t t = 0; t < tiles; t++) {
		lanes edge[POINTS], half[POINTS], points[SIDE];
		struct tile_source d = tile_source(&p, (ptrdiff_t)(t / across * STEP) - (ptrdiff_t)c->pad[0],
						   (ptrdiff_t)(t % across * STEP) - (ptrdiff_t)c->pad[1], SIDE, edge);

		for (size_t j = 0; j < SIDE; j++)
			image_points(d.at + j, d.line, half + j, SIDE);
		for (size_t i = 0; i < SIDE; i++) {
			image_points(half + i * SIDE, 1, points, 1);
#pragma GCC unroll 6
			for (size_t j = 0; j < SIDE; j++)
				*(lanes *)(out + ((i * SIDE + j) * room + t) * LANES) = points[j];
		}
	}
}

/* out [POINTS][room][TILE_ROWS] for the first eight channels, and second for the others: out when there are none */
KERNEL static void transform_grads(const struct reduce_conv *c, const float *grads, float *out, float *second)
{
	const struct picture p = { grads, c->out[0], c->out[1] };
	size_t tiles = tiles_of(c), room = tile_room(c), across = tiles_along(c, 1);

	for (size_t t = 0; t < tiles; t++) {
		lanes edge[STEP * STEP], half[SIDE * STEP], points[SIDE];
		struct tile_source g =
		    tile_source(&p, (ptrdiff_t)(t / across * STEP), (ptrdiff_t)(t % across * STEP), STEP, edge);

		for (size_t j = 0; j < STEP; j++)
			grad_points(g.at + j, g.line, half + j, STEP);
		for (size_t i = 0; i < SIDE; i++) {
			grad_points(half + i * STEP, 1, points, 1);
			for (size_t j = 0; j < SIDE; j++) {
				size_t at = ((i * SIDE + j) * room + t) * TILE_ROWS;

				*(rows *)(second + at) =
				    __builtin_shufflevector(points[j], points[j], 8, 9, 10, 11, 12, 13, 14, 15);
				*(rows *)(out + at) =
				    __builtin_shufflevector(points[j], points[j], 0, 1, 2, 3, 4, 5, 6, 7);
			}
		}
	}
}

/* gradient [TAPS * TAPS][count] of formed [POINTS][count] */
KERNEL_INLINE void transform_planes(const float *formed, size_t count, float *gradient)
{
	for (size_t at = 0; at < count; at += LANES) {
		lanes half[TAPS * SIDE], taps[TAPS];

#pragma GCC unroll 6
		for (size_t j = 0; j < SIDE; j++)
			taps_of_points((const lanes *)(formed + j * count + at), SIDE * count / LANES, half + j, SIDE);
#pragma GCC unroll 3
		for (size_t i = 0; i < TAPS; i++) {
			taps_of_points(half + i * SIDE, 1, taps, 1);
#pragma GCC unroll 3
			for (size_t k = 0; k < TAPS; k++)
				*(lanes *)(gradient + (i * TAPS + k) * count + at) = taps[k];
		}
	}
}

/* Tiles of one or two panels: with their size known, all steps are. */
KERNEL static void transform_back(const float *formed, size_t count, float *gradient)
{
	if (count == 2 * TILE_ROWS * TILE_LANES)
		transform_planes(formed, 2 * TILE_ROWS * TILE_LANES, gradient);
	else
		transform_planes(formed, count, gradient);
}

/* ---- operands ---- */

static size_t picture_floats(const struct reduce_conv *c)
{
	size_t pixels = c->in[0] * c->in[1], outputs = c->out[0] * c->out[1];

	return (pixels > outputs ? pixels : outputs) * LANES;
}

static size_t left_floats(const struct reduce_conv *c)
{
	return padded(c->filters / c->groups, TILE_ROWS) * POINTS * tile_room(c);
}

static size_t right_floats(const struct reduce_conv *c)
{
	return padded(c->channels / c->groups, TILE_LANES) * POINTS * tile_room(c);
}

static size_t block_of(const struct reduce_conv *c)
{
	return tile_block(c->samples, c->out[0] * c->out[1], TAPS * TAPS);
}

size_t winograd_scratch(const struct reduce_conv *c)
{
	return tile_buffers(TAPS * TAPS, POINTS) + picture_floats(c) +
	       block_of(c) * (padded(left_floats(c), TILE_LANES) + right_floats(c));
}

/* Sixteen channels from planes [channels, pixels], zero where there are fewer, into a picture. */
static void pack_picture(const struct tile_kernels *k, const float *planes, size_t channels, size_t pixels, float *out)
{
	tile_pack(k,
		  &(struct tile_pack){ .src = planes,
				       .outer_count = 1,
				       .positions = pixels,
				       .elements = least(channels, LANES),
				       .position = 1,
				       .element = pixels,
				       .width = LANES },
		  out);
}

/* Where the operands of a block of samples are. */
struct operands {
	const struct reduce_conv *c;
	const struct tile_kernels *kernels;
	size_t first, samples, group;
	float *picture, *left, *right;
};

static void pack_left(const struct operands *o)
{
	size_t filters = o->c->filters / o->c->groups, outputs = o->c->out[0] * o->c->out[1];
	size_t sample = POINTS * tile_room(o->c) * TILE_ROWS, panel = o->samples * sample;

	for (size_t n = 0; n < o->samples; n++) {
		const float *dy = o->c->out_grads + ((o->first + n) * o->c->filters + o->group * filters) * outputs;

		for (size_t m = 0; m < filters; m += LANES) {
			float *to = o->left + m / TILE_ROWS * panel + n * sample;

			pack_picture(o->kernels, dy + m * outputs, filters - m, outputs, o->picture);
			transform_grads(o->c, o->picture, to, filters - m > TILE_ROWS ? to + panel : to);
		}
	}
}

static void pack_right(const struct operands *o)
{
	size_t channels = o->c->channels / o->c->groups, pixels = o->c->in[0] * o->c->in[1];
	size_t sample = POINTS * tile_room(o->c) * LANES, panel = o->samples * sample;

	for (size_t n = 0; n < o->samples; n++) {
		const float *x = o->c->image + ((o->first + n) * o->c->channels + o->group * channels) * pixels;

		for (size_t m = 0; m < channels; m += LANES) {
			pack_picture(o->kernels, x + m * pixels, channels - m, pixels, o->picture);
			transform_image(o->c, o->picture, o->right + m / LANES * panel + n * sample);
		}
	}
}

static void multiply(const struct reduce *r, const struct operands *o)
{
	size_t filters = o->c->filters / o->c->groups, channels = o->c->channels / o->c->groups;
	size_t room = tile_room(o->c), depth = channels * TAPS * TAPS;
	struct tile_product p = { .kernels = o->kernels,
				  .reduce = r,
				  .scale = 1.0f,
				  .first_sample = o->first,
				  .samples = o->samples,
				  .left = o->left,
				  .right = o->right,
				  .left_sample = POINTS * room * TILE_ROWS,
				  .right_sample = POINTS * room * LANES,
				  .left_column = TILE_ROWS,
				  .right_column = LANES,
				  .lines = 1,
				  .chunk_lines = 1,
				  .run_count = POINTS,
				  .taps = TAPS * TAPS,
				  .inverse = transform_back,
				  .most_panels = 2,
				  .place = { o->group * filters * depth, depth, TAPS * TAPS, filters, channels },
				  .buffers = r->scratch };

	p.left_panel = o->samples * p.left_sample;
	p.right_panel = o->samples * p.right_sample;
	for (size_t k = 0; k < POINTS; k++)
		p.runs[k] = (struct tile_run){ .end_line = 1,
					       .columns = tiles_of(o->c),
					       .left = (ptrdiff_t)(k * room * TILE_ROWS),
					       .right = (ptrdiff_t)(k * room * LANES) };
	tile_product_run(&p);
}

void winograd_add(const struct reduce *r, const struct reduce_conv *c)
{
	size_t block = block_of(c);
	struct operands o = { .c = c, .kernels = tile_kernels() };

	o.picture = r->scratch + tile_buffers(TAPS * TAPS, POINTS);
	o.left = o.picture + picture_floats(c);
	o.right = o.left + block * padded(left_floats(c), TILE_LANES);
	for (o.first = 0; o.first < c->samples; o.first += block) {
		o.samples = least(c->samples - o.first, block);
		for (o.group = 0; o.group < c->groups; o.group++) {
			pack_left(&o);
			pack_right(&o);
			multiply(r, &o);
		}
	}
}

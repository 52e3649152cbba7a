/*
 * Weight gradients of convolutions, in one of two ways:
 *
 *   taps       the gradient of one tap [filters, channels] is a product whose right operand is the image itself, read
 *              at the pixels that the tap meets. A tap's outputs that read padding are left out.
 *   columns    where a group has few channels (an image's three), lanes would stay empty: all taps and channels side by
 *              side are the right operand, copied out of the image. Of large images, a few lines of outputs at a time
 *              into the sample's gradient, which is small.
 */
#include "engine/square_product.h"

#include <string.h>

#include "engine/kernels.h"
#include "engine/square_product_internal.h"
#include "engine/square_product_winograd.h"

enum {
	FEW_CHANNELS = 8,        /* a group with fewer goes by columns */
	CHUNK_FLOATS = 96 << 10, /* of the right operand's panels, that are read again for each tap */
	CHUNK_OUTPUTS = 1024,    /* whose columns stay in cache */
	COPIED = 8,              /* floats that are copied at once, whether a line of the kernel has as many or fewer */
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

/* A convolution, and where its operands are in scratch. */
struct conv {
	const struct reduce *r;
	const struct reduce_conv *c;
	const struct tile_kernels *kernels;
	size_t channels, filters; /* of a group */
	float *left, *right;
	float *image, *gradient; /* by columns */
};

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

static struct tile_run tap_at(const struct reduce_conv *c, size_t tap, size_t left_column)
{
	size_t row = tap / c->kernel[1], column = tap % c->kernel[1], first, end;
	struct tile_run t;

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
				      .most_panels = TILE_PANELS,
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
	for (size_t first = 0; first < taps; first += p->taps) {
		p->taps = p->run_count = taps - first < TILE_TAPS ? taps - first : TILE_TAPS;
		for (size_t k = 0; k < p->taps; k++)
			p->runs[k] = tap_at(c, first + k, p->left_column);
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

static size_t depth_of(const struct reduce_conv *c)
{
	return c->channels / c->groups * taps_of(c);
}

/* Lines of outputs that are taken together, and their outputs. */
static size_t lines_of(const struct reduce_conv *c)
{
	size_t lines = c->out[1] < CHUNK_OUTPUTS ? CHUNK_OUTPUTS / c->out[1] : 1;

	return lines < c->out[0] ? lines : c->out[0];
}

/* A group's image for some lines of outputs, with its padding. */
struct padded_image {
	size_t lines, line, plane; /* lines that outputs read; floats of a line, and of a channel */
	float *data;
};

static struct padded_image padded_image(const struct reduce_conv *c, size_t lines)
{
	struct padded_image p = { .lines = (lines - 1) * c->stride[0] + (c->kernel[0] - 1) * c->dilation[0] + 1 };

	p.line = (c->out[1] - 1) * c->stride[1] + (c->kernel[1] - 1) * c->dilation[1] + 1 + COPIED;
	p.plane = p.lines * p.line;
	return p;
}

static size_t columns_floats(const struct reduce_conv *c, size_t samples)
{
	return samples * lines_of(c) * c->out[1] * padded(depth_of(c), TILE_LANES) + TILE_LANES;
}

/* Copies what outputs from line first on read of the image. */
static void pad_image(const struct reduce_conv *c, const float *image, size_t first, const struct padded_image *p)
{
	size_t width = p->line - c->pad[1] < c->in[1] ? p->line - c->pad[1] : c->in[1];

	memset(p->data, 0, c->channels / c->groups * p->plane * sizeof(float));
	if (p->line <= c->pad[1])
		return;
	for (size_t channel = 0; channel < c->channels / c->groups; channel++, image += c->in[0] * c->in[1]) {
		for (size_t y = 0; y < p->lines; y++) {
			size_t from = first * c->stride[0] + y;

			if (from >= c->pad[0] && from - c->pad[0] < c->in[0])
				memcpy(p->data + channel * p->plane + y * p->line + c->pad[1],
				       image + (from - c->pad[0]) * c->in[1], width * sizeof(float));
		}
	}
}

/* Lines of a kernel, side by side: more is written of each than it has, and then written over. */
KERNEL_INLINE void copy_kernel(const struct reduce_conv *c, const struct padded_image *p, const float *corner,
			       float *column)
{
	size_t width = c->kernel[1], step = c->dilation[0] * p->line, channels = c->channels / c->groups;
	bool at_once = c->dilation[1] == 1 && width <= COPIED;

	for (size_t channel = 0; channel < channels; channel++, corner += p->plane) {
		const float *from = corner;

		for (size_t row = 0; row < c->kernel[0]; row++, from += step, column += width) {
			if (at_once)
				memcpy(column, from, COPIED * sizeof(*column));
			else
				for (size_t k = 0; k < width; k++)
					column[k] = from[k * c->dilation[1]];
		}
	}
}

/* columns [lines * out[1]][ld]: for each output what the weights of a filter meet, in their order. */
KERNEL static void gather_columns(const struct reduce_conv *c, const struct padded_image *p, size_t lines,
				  float *columns)
{
	size_t depth = depth_of(c), ld = padded(depth, TILE_LANES);

	for (size_t y = 0; y < lines; y++) {
		for (size_t x = 0; x < c->out[1]; x++, columns += ld) {
			copy_kernel(c, p, p->data + y * c->stride[0] * p->line + x * c->stride[1], columns);
			for (size_t k = depth; k < ld; k++)
				columns[k] = 0.0f;
		}
	}
}

/* Columns of samples first … for lines of outputs, and the product of them with what is packed on the left. */
static struct tile_product columns_product(const struct conv *v, size_t first, size_t samples, size_t line,
					   size_t lines, size_t group)
{
	size_t outputs = lines * v->c->out[1], depth = depth_of(v->c), ld = padded(depth, TILE_LANES);
	struct planes dy = out_grads(v, group), x = image(v, group);
	struct padded_image p = padded_image(v->c, lines);
	struct tile_product product = start(v);

	dy.data += line * v->c->out[1];
	dy.pixels = outputs;
	pack_planes(v, &dy, first, samples, v->left);
	p.data = v->image;
	for (size_t n = 0; n < samples; n++) {
		pad_image(v->c, x.data + (first + n) * x.sample, line, &p);
		gather_columns(v->c, &p, lines, v->right + n * outputs * ld);
	}
	product.first_sample = first, product.samples = samples;
	product.left_sample = outputs * TILE_ROWS, product.right_sample = outputs * ld;
	product.left_panel = samples * product.left_sample, product.right_panel = TILE_LANES;
	product.right_column = ld;
	product.lines = product.chunk_lines = 1;
	product.runs[0] = (struct tile_run){ .end_line = 1, .columns = outputs };
	product.run_count = product.taps = 1;
	product.place = (struct tile_place){ group * v->filters * depth, depth, 1, v->filters, depth };
	return product;
}

/* The gradient of a sample's group, chunk by chunk, then handed on as a row. */
static void add_large(const struct conv *v, size_t group, size_t sample)
{
	const struct reduce *r = v->r;
	size_t count = v->filters * depth_of(v->c), most = lines_of(v->c);
	const struct reduce sum = { .kind = REDUCE_SUM, .out = v->gradient };
	struct reduce one = *r;

	memset(v->gradient, 0, count * sizeof(float));
	for (size_t line = 0; line < v->c->out[0]; line += most) {
		size_t lines = v->c->out[0] - line < most ? v->c->out[0] - line : most;
		struct tile_product p = columns_product(v, sample, 1, line, lines, group);

		p.reduce = &sum;
		p.place.at = 0;
		tile_product_run(&p);
	}
	one.first = 0, one.samples = 1;
	if (r->kind == REDUCE_ROWS)
		one.out += sample * r->floats;
	else if (r->kind == REDUCE_NORM)
		one.dots += sample;
	else if (r->kind == REDUCE_DOT)
		one.dots += sample * r->direction_count;
	reduce_add_rows(&one,
			&(struct reduce_rows){
			    .rows = v->gradient, .samples = 1, .count = count, .scale = 1.0f, .at = group * count });
}

static void add_by_columns(const struct conv *v, size_t group, size_t first, size_t samples)
{
	if (lines_of(v->c) == v->c->out[0]) {
		struct tile_product p = columns_product(v, first, samples, 0, v->c->out[0], group);

		tile_product_run(&p);
		return;
	}
	for (size_t n = 0; n < samples; n++)
		add_large(v, group, first + n);
}

/* ---- all of a batch ---- */

/* Where the operands of a block of samples are, in floats behind the buffers of tiles. */
struct layout {
	size_t block, right, image, gradient, floats;
};

static struct layout lay_out(const struct reduce_conv *c)
{
	struct layout l = { .block = tile_block(c->samples, outputs_of(c), taps_of(c)) };
	size_t filters = padded(c->filters / c->groups, TILE_ROWS), channels = c->channels / c->groups;

	if (outputs_of(c) == 0)
		return l;
	if (!by_columns(c)) {
		l.right = padded(l.block * filters * outputs_of(c), TILE_LANES);
		l.floats = l.right + l.block * padded(channels, TILE_LANES) * pixels_of(c);
		return l;
	}
	l.right = padded(l.block * filters * lines_of(c) * c->out[1], TILE_LANES);
	l.image = padded(l.right + columns_floats(c, l.block), TILE_LANES);
	l.gradient = padded(l.image + channels * padded_image(c, lines_of(c)).plane + COPIED, TILE_LANES);
	l.floats = l.gradient + (lines_of(c) < c->out[0] ? c->filters / c->groups * depth_of(c) : 0);
	return l;
}

size_t square_product_conv_scratch(const struct reduce_conv *c)
{
	return winograd_serves(c) ? winograd_scratch(c) : tile_buffers(taps_of(c), 1) + lay_out(c).floats;
}

void square_product_add_conv(const struct reduce *r, const struct reduce_conv *c)
{
	struct layout l = lay_out(c);
	float *operands = r->scratch + tile_buffers(taps_of(c), 1);
	struct conv v = { .r = r,
			  .c = c,
			  .kernels = tile_kernels(),
			  .channels = c->channels / c->groups,
			  .filters = c->filters / c->groups,
			  .left = operands,
			  .right = operands + l.right,
			  .image = operands + l.image,
			  .gradient = operands + l.gradient };

	if (winograd_serves(c)) {
		winograd_add(r, c);
		return;
	}
	for (size_t first = 0; l.floats > 0 && first < c->samples; first += l.block) {
		size_t samples = c->samples - first < l.block ? c->samples - first : l.block;

		for (size_t group = 0; group < c->groups; group++) {
			if (by_columns(c))
				add_by_columns(&v, group, first, samples);
			else
				add_by_taps(&v, group, first, samples);
		}
	}
}

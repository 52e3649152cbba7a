#include "engine/convolution.h"

#include <string.h>

#include "base/mem.h"
#include "engine/blas.h"
#include "engine/kernels.h"
#include "engine/narrow_product.h"

enum { ALIGN_FLOATS = 16 };

/*
 * Where oneDNN does not win, measured on an AVX-512 machine with all copies between layouts: one plain product serves
 * large images whose columns are themselves, and gradients of images with few channels, which oneDNN pads to a vector.
 */
enum { MANY_POSITIONS = 256, FEW_CHANNELS = 4 };

/* See suits_winograd. */
enum { FEW_TILES = 16, FEW_IMAGES = 4, LARGE_WEIGHT = 1 << 15, MOST_PIXELS = 1 << 26 };

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t align(size_t floats)
{
	return (floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

/* ---- choosing a path ---- */

/* oneDNN's and the reductions' kind: images and series. Volumes take the other paths. */
static bool is_flat(const struct window *w)
{
	return w->in[0] == 1 && w->out[0] == 1 && w->kernel[0] == 1 && w->pad[0] == 0;
}

/* 3 taps that step by one, and what the padding leaves of them in either direction. */
static bool is_tileable(const struct window *w, size_t d)
{
	size_t padded = w->in[d] + w->pad[d], needed = w->out[d] + 2;

	return w->kernel[d] == 3 && w->stride[d] == 1 && w->dilation[d] == 1 && w->pad[d] <= 2 && needed >= padded &&
	       needed - padded <= 2;
}

/* The transform of the weights costs as much as the convolution of about 16 tiles; vectors hold as many. */
static bool suits_winograd(const struct convolution *c)
{
	const struct window *w = &c->w;
	size_t tiles = c->images * ((w->out[1] + 3) / 4) * ((w->out[2] + 3) / 4);

	return is_flat(w) && c->groups == 1 && w->pixels <= MOST_PIXELS && w->positions <= MOST_PIXELS &&
	       is_tileable(w, 1) && is_tileable(w, 2) && tiles >= FEW_TILES;
}

/* With transposed, from the output to the image: the same with flipped weights and what padding leaves of a kernel. */
static int try_winograd(const struct convolution *c, bool transposed, struct winograd **out, struct exp_error *err)
{
	const struct window *w = &c->w;
	struct winograd shape = { .images = c->images,
				  .channels = transposed ? c->filters : c->channels,
				  .filters = transposed ? c->channels : c->filters };

	for (size_t d = 0; d < 2; d++) {
		shape.in[d] = transposed ? w->out[1 + d] : w->in[1 + d];
		shape.out[d] = transposed ? w->in[1 + d] : w->out[1 + d];
		shape.pad[d] = transposed ? 2 - w->pad[1 + d] : w->pad[1 + d];
	}
	if (!suits_winograd(c) || !winograd_init(&shape))
		return 0;
	*out = mem_try_alloc(1, sizeof(**out));
	if (!*out)
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	**out = shape;
	return 0;
}

static int try_dnnl(const struct convolution *c, enum dnnl_conv_direction direction, struct dnnl_conv **out,
		    struct exp_error *err)
{
	struct dnnl_conv_shape s = { .samples = c->images,
				     .channels = c->channels,
				     .filters = c->filters,
				     .groups = c->groups,
				     .bias = c->has_bias };
	int rc;

	if (!is_flat(&c->w) || c->images * c->w.pixels * c->w.positions == 0)
		return 0;
	for (size_t d = 0; d < 2; d++) {
		s.in[d] = c->w.in[1 + d];
		s.out[d] = c->w.out[1 + d];
		s.kernel[d] = c->w.kernel[1 + d];
		s.stride[d] = c->w.stride[1 + d];
		s.dilation[d] = c->w.dilation[1 + d];
		s.pad[d] = c->w.pad[1 + d];
	}
	rc = dnnl_conv_new(&s, direction, out, err);
	return rc == EXP_EUNSUPPORTED ? 0 : rc;
}

/* Any other path would copy all of a large weight for a few outputs. */
static bool suits_narrow(const struct convolution *c)
{
	return c->groups == 1 && c->filters * c->depth >= LARGE_WEIGHT && c->images <= FEW_IMAGES &&
	       c->images * c->w.positions <= NARROW_PRODUCT_COLUMNS &&
	       narrow_product_serves(c->filters, c->w.positions);
}

static int init_path(struct convolution *c, enum dnnl_conv_direction direction, struct convolution_path *path,
		     struct exp_error *err)
{
	bool transposed = direction == DNNL_CONV_INPUT_GRADIENT;
	bool columns = transposed && c->channels <= FEW_CHANNELS ? c->w.pixels >= MANY_POSITIONS
								 : c->direct && c->w.positions >= MANY_POSITIONS;
	int rc = try_winograd(c, transposed, &path->winograd, err);

	path->narrow = !rc && !path->winograd && !transposed && suits_narrow(c);
	if (rc || path->winograd || path->narrow || columns)
		return rc;
	return try_dnnl(c, direction, &path->dnnl, err);
}

static bool is_direct(const struct window *w)
{
	bool direct = w->taps == 1;

	for (size_t d = 0; d < WINDOW_DIMS; d++)
		direct = direct && w->stride[d] == 1 && w->pad[d] == 0 && w->in[d] == w->out[d];
	return direct;
}

static bool is_plain(const struct convolution_path *p)
{
	return !p->winograd && !p->dnnl;
}

static size_t path_scratch(const struct convolution_path *p)
{
	if (p->winograd)
		return p->winograd->scratch;
	return p->dnnl ? align(dnnl_conv_prepared(p->dnnl)) + dnnl_conv_scratch(p->dnnl) : 0;
}

/* What the plain paths need for one image. */
static int count_columns(const struct convolution *c, size_t *out, struct exp_error *err)
{
	struct shape columns = { 3, { c->channels, c->w.taps, c->w.positions } };

	*out = 0;
	if ((c->direct && !c->forward.narrow) || c->depthwise || (!is_plain(&c->forward) && !is_plain(&c->backward)) ||
	    shape_try_count(&columns, out))
		return 0;
	return error_set(err, EXP_ELIMIT, "it would need more than %zu floats of scratch", SHAPE_MAX_COUNT);
}

int convolution_init(struct convolution *c, struct exp_error *err)
{
	size_t columns;
	int rc;

	c->depth = c->channels / c->groups * c->w.taps;
	c->group_filters = c->filters / c->groups;
	c->direct = is_direct(&c->w);
	c->depthwise = c->channels == c->groups && !c->direct;
	if ((rc = init_path(c, DNNL_CONV_FORWARD, &c->forward, err)) ||
	    (rc = init_path(c, DNNL_CONV_INPUT_GRADIENT, &c->backward, err)) ||
	    (rc = count_columns(c, &columns, err))) {
		convolution_fini(c);
		return rc;
	}
	columns += c->forward.narrow ? NARROW_PRODUCT_SLACK : 0;
	c->scratch = larger(columns, larger(path_scratch(&c->forward), path_scratch(&c->backward)));
	c->scratch += c->has_bias ? align(c->filters) : 0;
	return 0;
}

static void path_fini(struct convolution_path *p)
{
	mem_free(p->winograd);
	dnnl_conv_free(p->dnnl);
	*p = (struct convolution_path){ 0 };
}

void convolution_fini(struct convolution *c)
{
	path_fini(&c->forward);
	path_fini(&c->backward);
}

/* ---- taps one by one ---- */

/* out += weight * image over the tap's box */
KERNEL static void add_tap(const struct window_tap *t, float weight, const float *restrict from, float *restrict to)
{
	for (size_t z = 0; z < t->planes; z++) {
		for (size_t y = 0; y < t->rows; y++) {
			const float *x = from + t->in + z * t->in_plane + y * t->in_row;
			float *o = to + t->out + z * t->out_plane + y * t->out_row;

			if (t->in_step == 1)
				for (size_t i = 0; i < t->count; i++)
					o[i] += weight * x[i];
			else
				for (size_t i = 0; i < t->count; i++)
					o[i] += weight * x[i * t->in_step];
		}
	}
}

/* image += weight * out */
KERNEL static void add_tap_back(const struct window_tap *t, float weight, const float *restrict from,
				float *restrict to)
{
	for (size_t z = 0; z < t->planes; z++) {
		for (size_t y = 0; y < t->rows; y++) {
			const float *o = from + t->out + z * t->out_plane + y * t->out_row;
			float *x = to + t->in + z * t->in_plane + y * t->in_row;

			if (t->in_step == 1)
				for (size_t i = 0; i < t->count; i++)
					x[i] += weight * o[i];
			else
				for (size_t i = 0; i < t->count; i++)
					x[i * t->in_step] += weight * o[i];
		}
	}
}

static void fill_planes(float *planes, const float *values, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < size; k++)
			planes[i * size + k] = values ? values[i] : 0.0f;
}

static void depthwise_forward(const struct convolution *c, const struct convolution_operands *with, const float *image,
			      float *out)
{
	fill_planes(out, with->bias, c->filters, c->w.positions);
	for (size_t i = 0; i < c->filters * c->w.taps; i++) {
		struct window_tap t = window_tap(&c->w, i % c->w.taps);
		size_t filter = i / c->w.taps;

		add_tap(&t, with->weight[i], image + filter / c->group_filters * c->w.pixels,
			out + filter * c->w.positions);
	}
}

static void depthwise_backward(const struct convolution *c, const float *weight, const float *out, float *image)
{
	memset(image, 0, c->channels * c->w.pixels * sizeof(*image));
	for (size_t i = 0; i < c->filters * c->w.taps; i++) {
		struct window_tap t = window_tap(&c->w, i % c->w.taps);
		size_t filter = i / c->w.taps;

		add_tap_back(&t, weight[i], out + filter * c->w.positions,
			     image + filter / c->group_filters * c->w.pixels);
	}
}

/* ---- columns and a product ---- */

/* Y_g [M/G, T] = W_g [M/G, K] columns_g [K, T] + b */
static void columns_forward(const struct convolution *c, const struct convolution_operands *with, const float *image,
			    float *out)
{
	size_t t = c->w.positions, part = c->group_filters;
	const float *columns = c->direct ? image : with->scratch;

	if (!c->direct)
		window_gather(&c->w, image, c->channels, with->scratch);
	if (with->bias)
		fill_planes(out, with->bias, c->filters, t);
	for (size_t g = 0; g < c->groups; g++)
		blas_multiply(&(struct blas_product){ .a = with->weight + g * part * c->depth,
						      .b = columns + g * c->depth * t,
						      .c = out + g * part * t,
						      .m = part,
						      .n = t,
						      .k = c->depth,
						      .alpha = 1.0f,
						      .beta = with->bias ? 1.0f : 0.0f });
}

/* The same for few positions. The columns have room behind them. */
static void narrow_forward(const struct convolution *c, const struct convolution_operands *with, const float *image,
			   float *out)
{
	window_gather(&c->w, image, c->channels, with->scratch);
	narrow_product_run(&(struct narrow_product){ .left = with->weight,
						     .right = with->scratch,
						     .bias = with->bias,
						     .to = out,
						     .rows = c->filters,
						     .columns = c->w.positions,
						     .depth = c->depth });
}

/* dX_g = scatter(W_g^T dY_g) */
static void columns_backward(const struct convolution *c, const struct convolution_operands *with, const float *out,
			     float *image)
{
	size_t t = c->w.positions, part = c->group_filters;
	float *columns = c->direct ? image : with->scratch;

	for (size_t g = 0; g < c->groups; g++)
		blas_multiply(&(struct blas_product){ .a = with->weight + g * part * c->depth,
						      .b = out + g * part * t,
						      .c = columns + g * c->depth * t,
						      .m = c->depth,
						      .n = t,
						      .k = part,
						      .trans_a = true,
						      .alpha = 1.0f });
	if (!c->direct)
		window_scatter(&c->w, columns, c->channels, image);
}

/* ---- all of a batch ---- */

static void dnnl_run(struct dnnl_conv *d, const struct convolution_operands *with, const float *from, float *to)
{
	float *prepared = with->scratch, *scratch = prepared + align(dnnl_conv_prepared(d));

	dnnl_conv_prepare(d, with->weight, prepared);
	dnnl_conv_run(d, &(struct dnnl_conv_buffers){
			     .from = from, .prepared = prepared, .bias = with->bias, .to = to, .scratch = scratch });
}

/* oneDNN's code adds a bias or does not: zeros where it adds one and there is none. */
static void dnnl_forward(const struct convolution *c, const struct convolution_operands *with, const float *image,
			 float *out)
{
	struct convolution_operands own = *with;

	if (c->has_bias && !with->bias) {
		memset(with->scratch, 0, c->filters * sizeof(float));
		own.bias = with->scratch;
		own.scratch = with->scratch + align(c->filters);
	}
	dnnl_run(c->forward.dnnl, &own, image, out);
}

void convolution_forward(const struct convolution *c, const struct convolution_operands *with, const float *image,
			 float *out)
{
	size_t from = c->channels * c->w.pixels, to = c->filters * c->w.positions;

	if (c->forward.winograd)
		winograd_run(c->forward.winograd, &(struct winograd_buffers){ .from = image,
									      .weight = with->weight,
									      .bias = with->bias,
									      .to = out,
									      .scratch = with->scratch });
	if (c->forward.dnnl)
		dnnl_forward(c, with, image, out);
	for (size_t b = 0; is_plain(&c->forward) && b < c->images; b++) {
		if (c->forward.narrow)
			narrow_forward(c, with, image + b * from, out + b * to);
		else if (c->depthwise)
			depthwise_forward(c, with, image + b * from, out + b * to);
		else
			columns_forward(c, with, image + b * from, out + b * to);
	}
}

void convolution_backward(const struct convolution *c, const struct convolution_operands *with, const float *out,
			  float *image)
{
	size_t from = c->filters * c->w.positions, to = c->channels * c->w.pixels;
	struct convolution_operands own = { .weight = with->weight, .scratch = with->scratch };

	if (c->backward.winograd)
		winograd_run(c->backward.winograd, &(struct winograd_buffers){ .from = out,
									       .weight = with->weight,
									       .transposed = true,
									       .to = image,
									       .scratch = with->scratch });
	if (c->backward.dnnl)
		dnnl_run(c->backward.dnnl, &own, out, image);
	for (size_t b = 0; is_plain(&c->backward) && b < c->images; b++) {
		if (c->depthwise)
			depthwise_backward(c, with->weight, out + b * from, image + b * to);
		else
			columns_backward(c, &own, out + b * from, image + b * to);
	}
}

/* ---- gradients of the weight and the bias ---- */

static size_t images_of_sample(const struct convolution_samples *s)
{
	return s->before * s->after;
}

/* As engine/reduce.h has it, of that many images. */
static struct reduce_conv describe(const struct convolution *c, size_t images)
{
	struct reduce_conv r = {
		.samples = images, .channels = c->channels, .filters = c->filters, .groups = c->groups
	};

	for (size_t d = 0; d < 2; d++) {
		r.in[d] = c->w.in[1 + d];
		r.out[d] = c->w.out[1 + d];
		r.kernel[d] = c->w.kernel[1 + d];
		r.stride[d] = c->w.stride[1 + d];
		r.dilation[d] = c->w.dilation[1 + d];
		r.pad[d] = c->w.pad[1 + d];
	}
	return r;
}

/* The factors of one group for one sample: its images' columns [images, C * taps, T], one after the other. */
static struct reduce_factors describe_columns(const struct convolution *c, const struct convolution_samples *s)
{
	size_t t = c->w.positions;
	size_t step = s->before > 1 ? s->samples : 1; /* images from one of a sample's to the next */

	return (struct reduce_factors){
		.left = { .outer = step * c->filters * t, .position = 1, .element = t },
		.right = { .outer = c->channels * c->w.taps * t, .position = 1, .element = t },
		.samples = 1,
		.outer = images_of_sample(s),
		.positions = t,
		.rows = c->group_filters,
		.cols = c->depth,
		.scale = 1.0f,
	};
}

/* Whether each image is a sample, so that one call does it all. */
static bool is_simple(const struct convolution *c, const struct convolution_samples *s)
{
	return is_flat(&c->w) && images_of_sample(s) == 1;
}

size_t convolution_reduce_scratch(const struct convolution *c, const struct convolution_samples *s)
{
	struct reduce_conv images = describe(c, c->images);
	struct reduce_factors columns = describe_columns(c, s);
	size_t flat = is_flat(&c->w) ? reduce_scratch_conv(&images) : 0;

	return is_simple(c, s) ? flat : larger(flat, reduce_scratch_factors(&columns));
}

int convolution_own_scratch(const struct convolution *c, const struct convolution_samples *s, size_t *out,
			    struct exp_error *err)
{
	struct shape columns = { 4, { images_of_sample(s), c->channels, c->w.taps, c->w.positions } };

	*out = 0;
	if (is_simple(c, s) || shape_try_count(&columns, out))
		return 0;
	return error_set(err, EXP_ELIMIT, "it would need more than %zu floats of scratch", SHAPE_MAX_COUNT);
}

/* The reduction of sample n alone. */
static struct reduce only(const struct reduce *r, size_t n)
{
	struct reduce one = *r;
	size_t at = n - r->first;

	one.first = 0;
	one.samples = 1;
	if (r->kind == REDUCE_ROWS)
		one.out += at * r->floats;
	if (r->kind == REDUCE_NORM || r->kind == REDUCE_DOT)
		one.dots += at * (r->kind == REDUCE_DOT ? r->direction_count : 1);
	return one;
}

static void reduce_sample(const struct convolution *c, const struct convolution_factors *f, size_t n, struct reduce *r)
{
	const struct convolution_samples *s = f->samples;
	size_t pixels = c->channels * c->w.pixels, outputs = c->filters * c->w.positions;
	size_t columns = c->channels * c->w.taps * c->w.positions;
	size_t first = n * s->after, step = s->before > 1 ? s->samples : 1;
	struct reduce_factors all = describe_columns(c, s);

	for (size_t i = 0; i < images_of_sample(s); i++)
		window_gather(&c->w, f->image + (first + i * step) * pixels, c->channels, f->scratch + i * columns);
	for (size_t g = 0; g < c->groups; g++) {
		all.left.data = f->out + first * outputs + g * c->group_filters * c->w.positions;
		all.right.data = f->scratch + g * c->depth * c->w.positions;
		all.at = g * c->group_filters * c->depth;
		reduce_add_factors(r, &all);
	}
}

/* Where samples add up anyway, the images of a sample may be taken for samples. */
static void reduce_images(const struct convolution *c, const struct convolution_factors *f, struct reduce *r)
{
	struct reduce_conv all = describe(c, c->images);
	struct reduce images = *r;

	all.image = f->image;
	all.out_grads = f->out;
	images.first *= f->samples->after;
	images.samples *= f->samples->after;
	reduce_add_conv(&images, &all);
}

void convolution_reduce_weight(const struct convolution *c, const struct convolution_factors *f, struct reduce *r)
{
	bool adds_up = r->kind == REDUCE_SUM || r->kind == REDUCE_MOMENTS;

	if (is_simple(c, f->samples) || (is_flat(&c->w) && f->samples->before == 1 && adds_up)) {
		reduce_images(c, f, r);
		return;
	}
	for (size_t n = r->first; n < r->first + r->samples; n++) {
		struct reduce one = only(r, n);

		reduce_sample(c, f, n, &one);
	}
}

void convolution_reduce_bias(const struct convolution_planes *p, struct reduce *r)
{
	const struct convolution_samples *s = p->samples;
	struct reduce_rows rows = { .rows = p->scratch, .samples = s->samples, .count = p->channels, .scale = 1.0f };
	size_t images = s->before * s->samples * s->after;

	if (images == s->samples) {
		kernel_row_sums(p->scratch, p->data, images * p->channels, p->size);
	} else {
		memset(p->scratch, 0, s->samples * p->channels * sizeof(float));
		for (size_t i = 0; i < images * p->channels; i++) {
			size_t n = i / p->channels / s->after % s->samples;

			p->scratch[n * p->channels + i % p->channels] +=
			    (float)kernel_sum(p->data + i * p->size, p->size);
		}
	}
	reduce_add_rows(r, &rows);
}

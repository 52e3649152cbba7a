/*
 * Resize and Upsample: along each dimension whose size changes, every output is a sum of a few inputs with fixed
 * weights (nearest one, linear two, cubic four), so a tensor is resized one dimension after the other and the gradient
 * is the transpose of that.
 *
 * Coordinates and weights are those of ONNX (Resize-13), computed in fp32 as runtimes do: where a sum of roundings
 * decides between two neighbours, they agree. Outside the input its edge continues; tf_crop_and_resize puts a constant
 * there.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/op.h"

enum { UPSAMPLE, RESIZE };
enum { X, ROI, SCALES, SIZES };
enum { MOST_TAPS = 4, MOST_ALONG_ONE = 1 << 24 /* outputs along a dimension */ };

enum mode { NEAREST, LINEAR, CUBIC };
enum coordinates { HALF_PIXEL, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC, TF_HALF_PIXEL_FOR_NN, CROP_AND_RESIZE };
enum rounding { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL };

/* One output along a dimension. */
struct taps {
	size_t from[MOST_TAPS];
	float weight[MOST_TAPS];
};

/* A dimension that is resized: tensors [before, in or out, after]. */
struct pass {
	size_t before, in, out, after, count; /* count: taps of an output */
	struct taps *taps;                    /* [out] */
};

struct resize {
	enum mode mode;
	enum coordinates coordinates;
	enum rounding rounding;
	bool exclude_outside;
	float cubic, extrapolation;
	struct pass passes[GRAPH_MAX_DIMS];
	size_t pass_count, count, half; /* elements of the input; floats of one of two buffers for what lies between */
	size_t rank, out[GRAPH_MAX_DIMS];
	const bool *outside[GRAPH_MAX_DIMS]; /* [out] of a dimension: extrapolated; NULL: none is */
};

/* One dimension as the file asks for it. */
struct request {
	float scale, width; /* width: scale * in before it is rounded, or the size that was asked for */
	float roi[2];
	size_t in, out;
};

/* ---- attributes ---- */

static int choose(const struct op_build *b, const char *name, const char *const *names, size_t count, int *out,
		  struct exp_error *err)
{
	const char *value = names[*out];
	int rc = op_get_string(b, name, &value, err);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (strcmp(value, names[i]) == 0) {
			*out = (int)i;
			return 0;
		}
	}
	return rc ? rc : error_set(err, EXP_EUNSUPPORTED, "%s \"%.32s\" is not supported", name, value);
}

static int read_attributes(const struct op_build *b, struct resize *c, struct exp_error *err)
{
	static const char *const modes[] = { "nearest", "linear", "cubic" };
	static const char *const coordinates[] = { "half_pixel", "pytorch_half_pixel",   "align_corners",
						   "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize" };
	static const char *const roundings[] = { "round_prefer_floor", "round_prefer_ceil", "floor", "ceil" };
	bool old = b->op->variant == UPSAMPLE || b->opset < 11;
	int mode = NEAREST, where = old ? ASYMMETRIC : HALF_PIXEL, rounding = old ? FLOOR : PREFER_FLOOR;
	int64_t exclude = 0;
	int rc;

	c->cubic = -0.75f;
	if ((rc = choose(b, "mode", modes, 3, &mode, err)) ||
	    (rc = choose(b, "coordinate_transformation_mode", coordinates, 6, &where, err)) ||
	    (rc = choose(b, "nearest_mode", roundings, 4, &rounding, err)) ||
	    (rc = op_get_int(b, "exclude_outside", &exclude, err)) ||
	    (rc = op_get_float(b, "cubic_coeff_a", &c->cubic, err)) ||
	    (rc = op_get_float(b, "extrapolation_value", &c->extrapolation, err)))
		return rc;
	c->mode = (enum mode)mode;
	c->coordinates = (enum coordinates)where;
	c->rounding = (enum rounding)rounding;
	c->exclude_outside = exclude != 0;
	return 0;
}

/* ---- sizes ---- */

static int read_scales(const struct op_build *b, size_t rank, const float **scales, struct exp_error *err)
{
	size_t count = 0, at = b->op->variant == UPSAMPLE || b->opset < 11 ? 1 : SCALES;
	int rc = 0;

	*scales = NULL;
	if (op_get(b, "scales"))
		rc = op_get_floats(b, "scales", scales, &count, err);
	else if (op_has(b, at) && b->inputs[at]->count > 0)
		rc = op_need_floats(b, at, scales, &count, err);
	if (rc || !*scales)
		return rc;
	if (count != rank)
		return error_set(err, EXP_ESHAPE, "scales has %zu elements; %zu are expected", count, rank);
	for (size_t d = 0; d < rank; d++)
		if (!((*scales)[d] > 0.0f) || !((*scales)[d] < 1e6f))
			return error_set(err, EXP_ESHAPE, "a scale of %g is not supported", (double)(*scales)[d]);
	return 0;
}

static int read_sizes(const struct op_build *b, size_t rank, const int64_t **sizes, struct exp_error *err)
{
	size_t count = 0;
	int rc;

	*sizes = NULL;
	if (!op_has(b, SIZES) || b->inputs[SIZES]->count == 0)
		return 0;
	rc = op_need_ints(b, SIZES, sizes, NULL, &count, err);
	if (rc == 0 && count != rank)
		rc = error_set(err, EXP_ESHAPE, "sizes has %zu elements; %zu are expected", count, rank);
	return rc;
}

static int read_roi(const struct op_build *b, const struct resize *c, const float **roi, struct exp_error *err)
{
	size_t count = 0;
	int rc;

	*roi = NULL;
	if (c->coordinates != CROP_AND_RESIZE)
		return 0;
	rc = op_need_floats(b, ROI, roi, &count, err);
	if (rc == 0 && count != 2 * c->rank)
		rc = error_set(err, EXP_ESHAPE, "roi has %zu elements; %zu are expected", count, 2 * c->rank);
	return rc;
}

static int read_requests(const struct op_build *b, const struct resize *c, struct request *requests,
			 struct exp_error *err)
{
	const struct shape *x = &b->inputs[X]->shape;
	const float *scales, *roi;
	const int64_t *sizes;
	int rc;

	if ((rc = read_scales(b, c->rank, &scales, err)) || (rc = read_sizes(b, c->rank, &sizes, err)) ||
	    (rc = read_roi(b, c, &roi, err)))
		return rc;
	if (!scales && !sizes)
		return error_set(err, EXP_ESHAPE, "neither scales nor sizes are given");
	for (size_t d = 0; d < c->rank; d++) {
		struct request *q = &requests[d];
		double width = sizes ? (double)sizes[d] : floor((double)(scales[d] * (float)x->dims[d]));

		if (width < 0.0 || width > MOST_ALONG_ONE || x->dims[d] == 0)
			return error_set(err, EXP_ESHAPE, "dimension %zu of %zu cannot become %g", d, x->dims[d],
					 width);
		q->in = x->dims[d];
		q->out = (size_t)width;
		q->scale = sizes ? (float)width / (float)q->in : scales[d];
		q->width = sizes ? (float)width : scales[d] * (float)q->in;
		q->roi[0] = roi ? roi[d] : 0.0f;
		q->roi[1] = roi ? roi[c->rank + d] : 1.0f;
	}
	return 0;
}

/* ---- coordinates and weights ---- */

/* Where output o lies among the inputs. */
static float locate(const struct resize *c, const struct request *q, size_t o)
{
	float x = (float)o, last = (float)(q->in - 1), roi = q->roi[1] - q->roi[0];

	switch (c->coordinates) {
	case ALIGN_CORNERS:
		return q->width == 1.0f ? 0.0f : x * last / (q->width - 1.0f);
	case ASYMMETRIC:
		return x / q->scale;
	case TF_HALF_PIXEL_FOR_NN:
		return (x + 0.5f) / q->scale;
	case CROP_AND_RESIZE:
		return q->roi[0] * last + (q->width == 1.0f ? roi * last / 2.0f : x * roi * last / (q->width - 1.0f));
	case PYTORCH_HALF_PIXEL:
		return q->width == 1.0f ? -0.5f : (x + 0.5f) / q->scale - 0.5f;
	default:
		return (x + 0.5f) / q->scale - 0.5f;
	}
}

/* Keys' cubic convolution: weights of the inputs at -1, 0, 1 and 2 from the left neighbour. */
static void weigh_cubic(float a, float t, float weight[MOST_TAPS])
{
	float u = t + 1.0f, v = 1.0f - t, w = v + 1.0f;

	weight[0] = ((a * u - 5.0f * a) * u + 8.0f * a) * u - 4.0f * a;
	weight[1] = ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f;
	weight[2] = ((a + 2.0f) * v - (a + 3.0f)) * v * v + 1.0f;
	weight[3] = ((a * w - 5.0f * a) * w + 8.0f * a) * w - 4.0f * a;
}

/* 0: the left neighbour, 1: the right one. */
static float round_to(enum rounding rounding, float t)
{
	if (t == 0.0f)
		return 0.0f;
	switch (rounding) {
	case PREFER_FLOOR:
		return t <= 0.5f ? 0.0f : 1.0f;
	case PREFER_CEIL:
		return t < 0.5f ? 0.0f : 1.0f;
	case FLOOR:
		return 0.0f;
	default:
		return 1.0f;
	}
}

/* Returns how many taps there are; the first reads input *left, which may lie outside. */
static size_t weigh(const struct resize *c, float at, float *left, float weight[MOST_TAPS])
{
	float t;

	*left = floorf(at);
	t = at - *left;
	switch (c->mode) {
	case NEAREST:
		*left += round_to(c->rounding, t);
		weight[0] = 1.0f;
		return 1;
	case LINEAR:
		weight[0] = 1.0f - t;
		weight[1] = t;
		return 2;
	default:
		*left -= 1.0f;
		weigh_cubic(c->cubic, t, weight);
		return 4;
	}
}

/* Outside the input its edge is read, or nothing with exclude_outside: what remains is made to sum to one. */
static size_t find_taps(const struct resize *c, const struct request *q, float at, struct taps *taps)
{
	float left, sum = 0.0f, last = (float)(q->in - 1);
	size_t count = weigh(c, at, &left, taps->weight);

	for (size_t k = 0; k < count; k++) {
		float i = left + (float)k;

		if (c->exclude_outside && (i < 0.0f || i > last))
			taps->weight[k] = 0.0f;
		taps->from[k] = (size_t)(i < 0.0f ? 0.0f : i > last ? last : i);
		sum += taps->weight[k];
	}
	for (size_t k = 0; c->exclude_outside && k < count; k++)
		taps->weight[k] /= sum;
	return count;
}

static int add_pass(struct op_build *b, size_t d, const struct request *q, struct exp_error *err)
{
	struct resize *c = b->config;
	struct pass *p = &c->passes[c->pass_count++];
	bool *outside;

	p->in = q->in;
	p->out = q->out;
	p->taps = arena_try_alloc(b->arena, q->out + 1, sizeof(*p->taps));
	outside = arena_try_alloc(b->arena, q->out + 1, sizeof(*outside));
	if (!p->taps || !outside)
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	for (size_t o = 0; o < q->out; o++) {
		float at = locate(c, q, o);

		outside[o] = c->coordinates == CROP_AND_RESIZE && !(at >= 0.0f && at <= (float)(q->in - 1));
		p->count = find_taps(c, q, outside[o] ? 0.0f : at, &p->taps[o]);
		if (outside[o])
			memset(p->taps[o].weight, 0, sizeof(p->taps[o].weight));
	}
	if (c->coordinates == CROP_AND_RESIZE)
		c->outside[d] = outside;
	return 0;
}

static bool changes(const struct resize *c, const struct request *q)
{
	bool cropped = c->coordinates == CROP_AND_RESIZE && (q->roi[0] != 0.0f || q->roi[1] != 1.0f);

	return q->in != q->out || q->width != (float)q->in || cropped;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct request requests[GRAPH_MAX_DIMS];
	struct resize *c = b->config;
	struct shape between;
	size_t count;
	int rc;

	if ((rc = op_need_float(b, X, err)))
		return rc;
	between = b->inputs[X]->shape;
	c->rank = between.rank;
	c->count = shape_count(&between);
	if ((rc = read_attributes(b, c, err)) || (rc = read_requests(b, c, requests, err)))
		return rc;
	for (size_t d = 0; d < c->rank; d++) {
		c->out[d] = requests[d].out;
		if (!changes(c, &requests[d]))
			continue;
		if ((rc = op_keep_apart(b, X, d, err)) || (rc = add_pass(b, d, &requests[d], err)))
			return rc;
		between.dims[d] = c->out[d];
		if (!shape_try_count(&between, &count))
			return error_set(err, EXP_ELIMIT, "it would make more than %zu elements", SHAPE_MAX_COUNT);
		c->passes[c->pass_count - 1].before = shape_span(&between, 0, d);
		c->passes[c->pass_count - 1].after = shape_span(&between, d + 1, c->rank);
		c->half = count > c->half ? count : c->half;
		b->flops += 2 * count * c->passes[c->pass_count - 1].count;
	}
	c->half = (c->half + 15) / 16 * 16;
	b->scratch = c->pass_count > 1 ? 2 * c->half : 0;
	b->outputs[0]->shape = between;
	return op_keep_samples(b, 0, X, err);
}

/* ---- passes ---- */

/* Along the last dimension: neighbours in memory are neighbours of the sum. */
static void run_last(const struct pass *p, const float *restrict x, float *restrict y)
{
	for (size_t i = 0; i < p->before; i++, x += p->in, y += p->out) {
		for (size_t o = 0; o < p->out; o++) {
			const struct taps *taps = &p->taps[o];
			float sum = taps->weight[0] * x[taps->from[0]];

			for (size_t k = 1; k < p->count; k++)
				sum += taps->weight[k] * x[taps->from[k]];
			y[o] = sum;
		}
	}
}

static void run_last_back(const struct pass *p, const float *restrict dy, float *restrict dx)
{
	for (size_t i = 0; i < p->before; i++, dx += p->in, dy += p->out)
		for (size_t o = 0; o < p->out; o++)
			for (size_t k = 0; k < p->count; k++)
				dx[p->taps[o].from[k]] += p->taps[o].weight[k] * dy[o];
}

KERNEL static void run_inner(const struct pass *p, const float *restrict x, float *restrict y)
{
	for (size_t i = 0; i < p->before * p->out; i++, y += p->after) {
		const struct taps *taps = &p->taps[i % p->out];
		const float *from = x + i / p->out * p->in * p->after;

		for (size_t a = 0; a < p->after; a++)
			y[a] = taps->weight[0] * from[taps->from[0] * p->after + a];
		for (size_t k = 1; k < p->count; k++)
			for (size_t a = 0; a < p->after; a++)
				y[a] += taps->weight[k] * from[taps->from[k] * p->after + a];
	}
}

KERNEL static void run_inner_back(const struct pass *p, const float *restrict dy, float *restrict dx)
{
	for (size_t i = 0; i < p->before * p->out; i++, dy += p->after) {
		const struct taps *taps = &p->taps[i % p->out];
		float *to = dx + i / p->out * p->in * p->after;

		for (size_t k = 0; k < p->count; k++)
			for (size_t a = 0; a < p->after; a++)
				to[taps->from[k] * p->after + a] += taps->weight[k] * dy[a];
	}
}

static void run_pass(const struct pass *p, const float *x, float *y)
{
	if (p->after == 1)
		run_last(p, x, y);
	else
		run_inner(p, x, y);
}

/* The transpose. */
static void run_back(const struct pass *p, const float *dy, float *dx)
{
	memset(dx, 0, p->before * p->in * p->after * sizeof(*dx));
	if (p->after == 1)
		run_last_back(p, dy, dx);
	else
		run_inner_back(p, dy, dx);
}

/* Writes value over what is extrapolated. */
static void extrapolate(const struct resize *c, float value, float *y)
{
	size_t count = 1;

	for (size_t d = 0; d < c->rank; d++)
		count *= c->out[d];
	for (size_t i = 0; i < count; i++) {
		bool outside = false;

		for (size_t d = c->rank, rest = i; d-- > 0; rest /= c->out[d])
			outside = outside || (c->outside[d] && c->outside[d][rest % c->out[d]]);
		if (outside)
			y[i] = value;
	}
}

static void apply(const struct op_run *r, const float *x, float value, float *y)
{
	const struct resize *c = r->config;
	const float *from = x;

	if (c->pass_count == 0)
		memcpy(y, x, c->count * sizeof(*y));
	for (size_t i = 0; i < c->pass_count; i++) {
		float *to = i + 1 == c->pass_count ? y : r->scratch + i % 2 * c->half;

		run_pass(&c->passes[i], from, to);
		from = to;
	}
	if (c->coordinates == CROP_AND_RESIZE)
		extrapolate(c, value, y);
}

static void forward(const struct op_run *r)
{
	const struct resize *c = r->config;

	apply(r, r->in[X].f, c->extrapolation, r->out->f);
}

static void tangent(const struct op_run *r)
{
	apply(r, r->in[X].tangent, 0.0f, r->out->tangent);
}

static void backward(const struct op_run *r)
{
	const struct resize *c = r->config;
	const float *from = r->out->grad;

	if (!r->in[X].grad)
		return;
	if (c->pass_count == 0)
		memcpy(r->in[X].grad, from, c->count * sizeof(*from));
	for (size_t i = c->pass_count; i-- > 0;) {
		float *to = i == 0 ? r->in[X].grad : r->scratch + i % 2 * c->half;

		run_back(&c->passes[i], from, to);
		from = to;
	}
}

const struct op op_resize = {
	.name = "Resize",
	.min_inputs = 1,
	.max_inputs = 4,
	.attributes = "coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value mode "
		      "nearest_mode",
	.fixed = 1u << ROI | 1u << SCALES,
	.indices = 1u << ROI | 1u << SCALES,
	.config_size = sizeof(struct resize),
	.variant = RESIZE,
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};
const struct op op_upsample = {
	.name = "Upsample",
	.min_inputs = 1,
	.max_inputs = 2,
	.attributes = "mode scales",
	.fixed = 1u << 1,
	.indices = 1u << 1,
	.config_size = sizeof(struct resize),
	.variant = UPSAMPLE,
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

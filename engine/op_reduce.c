/*
 * One number made of many, along some axes: ReduceSum, ReduceMean and their kin, ArgMax and ArgMin.
 *
 * The tensor is looked at as [kept, reduced]: a matrix whose rows are what is made one. Where memory is not laid out
 * like that already, it is copied so first. With y = f(x_1 … x_n):
 *
 *   Sum       1           Max, Min      1 / ties where x_i = y      LogSum       e^-y, with y = ln sum x
 *   Mean      1 / n       Prod          the product of the others   LogSumExp    e^(x_i - y)
 *   L1        sign x_i    L2            x_i / y, 0 where y is 0     SumSquare    2 x_i
 */
#include <math.h>
#include <string.h>

#include "engine/kernels_math.h"
#include "engine/kernels_rows.h"
#include "engine/strided.h"

enum { SUM, MEAN, MAX, MIN, PROD, L1, L2, SUM_SQUARE, LOG_SUM, LOG_SUM_EXP, ARG_MAX, ARG_MIN };

struct reduction {
	size_t rows, n;
	bool direct;             /* memory is [rows, n] already */
	struct kernel_axis axis; /* memory is [outer, size, inner] with size reduced; size 0: it is not */
	struct strided to_rows;
	bool last; /* Arg…: of equal numbers the last */
};

/* ---- shapes ---- */

static int read_axes(const struct op_build *b, size_t rank, bool reduced[GRAPH_MAX_DIMS], struct exp_error *err)
{
	const int64_t *axes = NULL;
	int64_t one = 0, nothing = 0;
	size_t count = 0;
	int rc = op_get_int(b, "noop_with_empty_axes", &nothing, err);

	if (rc)
		return rc;
	if (b->op->variant >= ARG_MAX) {
		rc = op_get_int(b, "axis", &one, err);
		axes = &one;
		count = 1;
	} else if (op_has(b, 1)) {
		rc = b->inputs[1]->count ? op_need_ints(b, 1, &axes, NULL, &count, err) : 0;
	} else {
		rc = op_get_ints(b, "axes", &axes, &count, err);
	}
	for (size_t d = 0; rc == 0 && count == 0 && !nothing && d < rank; d++)
		reduced[d] = true;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		size_t axis;

		rc = op_axis(axes[i], rank, &axis, err);
		if (rc == 0)
			reduced[axis] = true;
	}
	for (size_t d = 0; rc == 0 && d < rank; d++)
		rc = reduced[d] ? op_keep_apart(b, 0, d, err) : 0;
	return rc;
}

static int set_output(struct op_build *b, const bool reduced[], struct exp_error *err)
{
	const struct op_value *x = b->inputs[0];
	struct op_value *out = b->outputs[0];
	struct op_samples at;
	int64_t keep = 1;
	size_t moved = 0;
	int rc = op_get_int(b, "keepdims", &keep, err);

	if (rc == 0 && x->batched)
		rc = op_find_samples(b, x, &at, err);
	if (rc)
		return rc;
	out->shape.rank = 0;
	for (size_t d = 0; d < x->shape.rank; d++) {
		if (!reduced[d] || keep)
			out->shape.dims[out->shape.rank++] = reduced[d] ? 1 : x->shape.dims[d];
		moved += x->batched && d < at.axis && reduced[d] && !keep;
	}
	if (x->batched) {
		at.axis -= moved;
		op_put_samples(b, out, &at);
	}
	out->type = b->op->variant >= ARG_MAX ? TENSOR_I64 : x->type;
	out->onnx_type = b->op->variant >= ARG_MAX ? 0 : x->onnx_type;
	return 0;
}

/* Is it [outer, size, inner]? */
static void find_middle(struct reduction *c, const struct shape *x, const bool reduced[])
{
	size_t first = 0, end;

	while (first < x->rank && !reduced[first])
		first++;
	for (end = first; end < x->rank && (reduced[end] || x->dims[end] == 1); end++)
		;
	for (size_t d = end; d < x->rank; d++)
		if (reduced[d])
			return;
	c->axis =
	    (struct kernel_axis){ shape_span(x, 0, first), shape_span(x, first, end), shape_span(x, end, x->rank) };
	c->direct = c->axis.inner == 1;
}

static void set_rows(struct reduction *c, const struct shape *x, const bool reduced[])
{
	size_t at[GRAPH_MAX_DIMS], step = 1;

	c->rows = c->n = 1;
	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t d = x->rank; d-- > 0;) {
			if (reduced[d] != (pass == 0))
				continue;
			at[d] = step;
			step *= x->dims[d];
			*(reduced[d] ? &c->n : &c->rows) *= x->dims[d];
		}
	}
	for (size_t d = 0; d < x->rank; d++)
		strided_push(&c->to_rows, x->dims[d], (ptrdiff_t)shape_span(x, d + 1, x->rank), (ptrdiff_t)at[d]);
	strided_merge(&c->to_rows);
	find_middle(c, x, reduced);
}

static bool takes_integers(int variant)
{
	return variant <= L1 || variant == SUM_SQUARE || variant >= ARG_MAX;
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct reduction *c = b->config;
	const struct op_value *x = b->inputs[0];
	bool reduced[GRAPH_MAX_DIMS] = { false };
	int64_t last = 0;
	int rc = x->type == TENSOR_I64 && takes_integers(b->op->variant) ? 0 : op_need_float(b, 0, err);

	if (rc || (rc = op_get_int(b, "select_last_index", &last, err)) ||
	    (rc = read_axes(b, x->shape.rank, reduced, err)) || (rc = set_output(b, reduced, err)))
		return rc;
	set_rows(c, &x->shape, reduced);
	c->last = last != 0;
	if (b->op->variant >= ARG_MAX && c->n == 0)
		return error_set(err, EXP_ESHAPE, "there is no largest of no numbers");
	/* Rows copied, slopes, tangents. */
	b->scratch = x->count * (x->trainable ? 3 : tensor_size(x->type) / sizeof(float));
	b->flops = x->count;
	return 0;
}

/* ---- values of a row ---- */

KERNEL static double sum_of_sizes(const float *x, size_t n)
{
	enum { BLOCK = 256 };
	float sizes[BLOCK];
	double sum = 0.0;

	for (size_t first = 0; first < n; first += BLOCK) {
		size_t count = n - first < BLOCK ? n - first : BLOCK;

		for (size_t i = 0; i < count; i++)
			sizes[i] = math_abs(x[first + i]);
		sum += kernel_sum(sizes, count);
	}
	return sum;
}

KERNEL static double sum_of_exponentials(const float *x, float top, size_t n)
{
	enum { BLOCK = 256 };
	float powers[BLOCK];
	double sum = 0.0;

	for (size_t first = 0; first < n; first += BLOCK) {
		size_t count = n - first < BLOCK ? n - first : BLOCK;

		for (size_t i = 0; i < count; i++)
			powers[i] = math_exp(x[first + i] - top);
		sum += kernel_sum(powers, count);
	}
	return sum;
}

static float log_sum_exp(const float *x, size_t n)
{
	float top = kernel_max(x, n);

	/* All -infinity, or a +infinity: differences from it mean nothing. */
	return isinf(top) ? top : top + (float)log(sum_of_exponentials(x, top, n));
}

static double product_of(const float *x, size_t n)
{
	double product = 1.0;

	for (size_t i = 0; i < n; i++)
		product *= (double)x[i];
	return product;
}

static float value_of(int variant, const float *x, size_t n)
{
	switch (variant) {
	case SUM:
		return (float)kernel_sum(x, n);
	case MEAN:
		return (float)(kernel_sum(x, n) / (double)n);
	case MAX:
		return kernel_max(x, n);
	case MIN:
		return kernel_min(x, n);
	case PROD:
		return (float)product_of(x, n);
	case L1:
		return (float)sum_of_sizes(x, n);
	case L2:
		return (float)sqrt(kernel_sum_squares(x, n));
	case SUM_SQUARE:
		return (float)kernel_sum_squares(x, n);
	case LOG_SUM:
		return (float)log(kernel_sum(x, n));
	default:
		return log_sum_exp(x, n);
	}
}

static int64_t value_of_integers(int variant, const int64_t *x, size_t n)
{
	uint64_t value = variant == PROD;

	if (variant == MAX || variant == MIN)
		value = (uint64_t)(n ? x[0] : 0);
	for (size_t i = 0; i < n; i++) {
		uint64_t u = (uint64_t)x[i];

		if (variant == MAX || variant == MIN)
			value = (x[i] > (int64_t)value) == (variant == MAX) ? u : value;
		else if (variant == PROD)
			value *= u;
		else
			value += variant == SUM_SQUARE ? u * u : variant == L1 && x[i] < 0 ? 0 - u : u;
	}
	return variant == MEAN && n ? (int64_t)value / (int64_t)n : (int64_t)value;
}

#define FIND(name, element)                                                                                            \
	static int64_t name(const element *x, size_t n, bool largest, bool last)                                       \
	{                                                                                                              \
		size_t best = 0;                                                                                       \
                                                                                                                       \
		for (size_t i = 1; i < n; i++) {                                                                       \
			bool better = largest ? x[i] > x[best] : x[i] < x[best];                                       \
                                                                                                                       \
			if (better || (last && x[i] == x[best]))                                                       \
				best = i;                                                                              \
		}                                                                                                      \
		return (int64_t)best;                                                                                  \
	}

FIND(find_float, float)
FIND(find_integer, int64_t)

/* ---- forward ---- */

/* x as [rows, n]; copied into scratch where it is not. */
static const void *as_rows(const struct reduction *c, enum tensor_type type, const void *x, float *scratch)
{
	if (c->direct)
		return x;
	strided_copy(&c->to_rows, tensor_size(type), scratch, x);
	return scratch;
}

static void scale(float *y, float a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] *= a;
}

static void forward_floats(const struct op_run *r, const struct reduction *c)
{
	const float *x;

	if (r->op->variant <= MEAN && c->axis.size > 0) {
		kernel_axis_sums(r->out->f, r->in->f, c->axis);
		if (r->op->variant == MEAN)
			scale(r->out->f, 1.0f / (float)c->n, c->rows);
		return;
	}
	x = as_rows(c, TENSOR_F32, r->in->data, r->scratch);
	for (size_t i = 0; i < c->rows; i++)
		r->out->f[i] = value_of(r->op->variant, x + i * c->n, c->n);
}

static void forward(const struct op_run *r)
{
	const struct reduction *c = r->config;
	const int64_t *x;

	if (r->in->value->type == TENSOR_F32) {
		forward_floats(r, c);
		return;
	}
	x = as_rows(c, TENSOR_I64, r->in->data, r->scratch);
	for (size_t i = 0; i < c->rows; i++)
		r->out->i[i] = value_of_integers(r->op->variant, x + i * c->n, c->n);
}

static void forward_index(const struct op_run *r)
{
	const struct reduction *c = r->config;
	const void *x = as_rows(c, r->in->value->type, r->in->data, r->scratch);
	bool largest = r->op->variant == ARG_MAX;

	for (size_t i = 0; i < c->rows; i++)
		r->out->i[i] = r->in->value->type == TENSOR_F32
				   ? find_float((const float *)x + i * c->n, c->n, largest, c->last)
				   : find_integer((const int64_t *)x + i * c->n, c->n, largest, c->last);
}

/* ---- slopes ---- */

static size_t count_ties(const float *x, float y, size_t n)
{
	size_t ties = 0;

	for (size_t i = 0; i < n; i++)
		ties += x[i] == y;
	return ties ? ties : 1;
}

/* Divides where it can: a 0 leaves nothing but its own slope, two leave none. */
static void product_slopes(float *restrict dx, const float *x, float d, size_t n)
{
	double product = (double)d;
	size_t zeros = 0;

	for (size_t i = 0; i < n; i++) {
		zeros += x[i] == 0.0f;
		product *= x[i] == 0.0f ? 1.0 : (double)x[i];
	}
	for (size_t i = 0; i < n; i++)
		dx[i] = zeros == 0                   ? (float)(product / (double)x[i])
			: zeros == 1 && x[i] == 0.0f ? (float)product
						     : 0.0f;
}

#define EACH(expression)                                                                                               \
	for (size_t i = 0; i < n; i++)                                                                                 \
		dx[i] = (expression);                                                                                  \
	break

/* dx [n] = d dy/dx */
KERNEL static void slopes_of(int variant, float *restrict dx, const float *x, float y, float d, size_t n)
{
	float share;

	switch (variant) {
	case SUM:
		EACH(d);
	case MEAN:
		share = d / (float)n;
		EACH(share);
	case MAX:
	case MIN:
		share = d / (float)count_ties(x, y, n);
		EACH(math_select(x[i] == y, share, 0.0f));
	case PROD:
		product_slopes(dx, x, d, n);
		break;
	case L1:
		EACH(math_select(x[i] > 0.0f, d, math_select(x[i] < 0.0f, -d, 0.0f)));
	case L2:
		share = y == 0.0f ? 0.0f : d / y;
		EACH(share * x[i]);
	case SUM_SQUARE:
		share = 2.0f * d;
		EACH(share * x[i]);
	case LOG_SUM:
		share = d * expf(-y);
		EACH(share);
	default:
		EACH(d * math_exp(x[i] - y));
	}
}

static float *write_slopes(const struct op_run *r, const float *d, float *to)
{
	const struct reduction *c = r->config;
	const float *x = as_rows(c, TENSOR_F32, r->in->data, r->scratch);

	for (size_t i = 0; i < c->rows; i++)
		slopes_of(r->op->variant, to + i * c->n, x + i * c->n, r->out->f[i], d ? d[i] : 1.0f, c->n);
	return to;
}

/* Sum and Mean, where the reduced axes lie together: every element gets the same. */
static void spread_evenly(const struct op_run *r)
{
	const struct reduction *c = r->config;
	float share = r->op->variant == MEAN ? 1.0f / (float)c->n : 1.0f, *dx = r->in->grad;
	const float *dy = r->out->grad;

	for (size_t o = 0; o < c->axis.outer; o++, dx += c->axis.size * c->axis.inner) {
		if (c->axis.inner == 1)
			for (size_t i = 0; i < c->axis.size; i++)
				dx[i] = share * dy[o];
		else
			for (size_t i = 0; i < c->axis.size; i++)
				kernel_scale(dx + i * c->axis.inner, dy + o * c->axis.inner, share, c->axis.inner);
	}
}

static void backward(const struct op_run *r)
{
	const struct reduction *c = r->config;
	struct strided back;

	if (!r->in->grad)
		return;
	if (r->op->variant <= MEAN && c->axis.size > 0) {
		spread_evenly(r);
	} else if (c->direct) {
		write_slopes(r, r->out->grad, r->in->grad);
	} else {
		back = strided_reverse(&c->to_rows);
		strided_copy(&back, sizeof(float), r->in->grad,
			     write_slopes(r, r->out->grad, r->scratch + r->in->value->count));
	}
}

static void tangent(const struct op_run *r)
{
	const struct reduction *c = r->config;
	size_t count = r->in->value->count;
	const float *slopes = write_slopes(r, NULL, r->scratch + count);
	const float *t = as_rows(c, TENSOR_F32, r->in->tangent, r->scratch + 2 * count);

	for (size_t i = 0; i < c->rows; i++)
		r->out->tangent[i] = (float)kernel_dot(slopes + i * c->n, t + i * c->n, c->n);
}

/* ---- the operators ---- */

#define REDUCTION(onnx_name, which, ...)                                                                               \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 1, .max_inputs = 2,                                                   \
		.attributes = "axes keepdims noop_with_empty_axes", .fixed = 1u << 1, .indices = 1u << 1,              \
		.config_size = sizeof(struct reduction), .variant = which, .infer = infer, .forward = forward,         \
		.backward = backward, __VA_ARGS__                                                                      \
	}
#define SMOOTH(onnx_name, which) REDUCTION(onnx_name, which, .flags = OP_READS_OUTPUT, .tangent = tangent)

#define INDEX(onnx_name, which)                                                                                        \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 1, .max_inputs = 1, .attributes = "axis keepdims select_last_index",  \
		.config_size = sizeof(struct reduction), .variant = which, .infer = infer, .forward = forward_index    \
	}

const struct op op_reduce_sum = REDUCTION("ReduceSum", SUM, .flags = OP_LINEAR);
const struct op op_reduce_mean = REDUCTION("ReduceMean", MEAN, .flags = OP_LINEAR);
const struct op op_reduce_max = SMOOTH("ReduceMax", MAX);
const struct op op_reduce_min = SMOOTH("ReduceMin", MIN);
const struct op op_reduce_prod = SMOOTH("ReduceProd", PROD);
const struct op op_reduce_l1 = SMOOTH("ReduceL1", L1);
const struct op op_reduce_l2 = SMOOTH("ReduceL2", L2);
const struct op op_reduce_sum_square = SMOOTH("ReduceSumSquare", SUM_SQUARE);
const struct op op_reduce_log_sum = SMOOTH("ReduceLogSum", LOG_SUM);
const struct op op_reduce_log_sum_exp = SMOOTH("ReduceLogSumExp", LOG_SUM_EXP);
const struct op op_arg_max = INDEX("ArgMax", ARG_MAX);
const struct op op_arg_min = INDEX("ArgMin", ARG_MIN);

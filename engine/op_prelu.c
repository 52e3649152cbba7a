/*
 * PRelu: Y = X where X >= 0, slope X elsewhere; the slope broadcasts to X.
 *
 *   dX = dY where X > 0, slope dY elsewhere        dslope = 0 where X > 0, dY X elsewhere
 */
#include "engine/elementwise.h"
#include "engine/kernels_math.h"

#define STRETCH(s_at, expression)                                                                                      \
	for (size_t i = 0; i < p->n; i++) {                                                                            \
		const float x = xs[i], s = slopes[s_at];                                                               \
                                                                                                                       \
		(void)s;                                                                                               \
		z[i] = (expression);                                                                                   \
	}

#define LOOP(name, expression)                                                                                         \
	KERNEL static void name(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,            \
				const void *config)                                                                    \
	{                                                                                                              \
		(void)config;                                                                                          \
		for (size_t r = 0; r < p->rows; r++) {                                                                 \
			const float *xs = (const float *)arrays->in[0] + p->at[0] + r * p->row[0];                     \
			const float *slopes = (const float *)arrays->in[1] + p->at[1] + r * p->row[1];                 \
			float *restrict z = (float *)arrays->out + p->out + r * p->n;                                  \
			const float *dy = arrays->dy ? arrays->dy + p->out + r * p->n : NULL;                          \
                                                                                                                       \
			(void)dy;                                                                                      \
			if (p->step[1])                                                                                \
				STRETCH(i, expression)                                                                 \
			else                                                                                           \
				STRETCH(0, expression)                                                                 \
		}                                                                                                      \
	}

LOOP(value, math_select(x < 0.0f, s *x, x))
LOOP(slope_by_x, math_select(x > 0.0f, dy[i], s *dy[i]))
LOOP(slope_by_slope, math_select(x > 0.0f, 0.0f, dy[i] * x))

static int infer(struct op_build *b, struct exp_error *err)
{
	struct elementwise *c = b->config;
	int rc;

	if ((rc = op_need_float(b, 0, err)) || (rc = op_need_float(b, 1, err)) ||
	    (rc = elementwise_init(b, 0, 2, c, err)))
		return rc;
	if (!shape_equal(&b->outputs[0]->shape, &b->inputs[0]->shape))
		return error_set(err, EXP_ESHAPE, "the slope does not broadcast to the input's shape");
	b->flops = c->count;
	return 0;
}

static void forward(const struct op_run *r)
{
	struct elementwise_arrays a = { .out = r->out->data, .in = { r->in[0].data, r->in[1].data } };

	elementwise_run(r->config, value, &a, NULL);
}

static void backward(const struct op_run *r)
{
	elementwise_backward(r->config, 0, slope_by_x, r, r->in);
	elementwise_backward(r->config, 1, slope_by_slope, r, r->in);
}

static void tangent(const struct op_run *r)
{
	elementwise_tangent(r->config, (const elementwise_loop[]){ slope_by_x, slope_by_slope }, r, r->in);
}

const struct op op_prelu = {
	.name = "PRelu",
	.min_inputs = 2,
	.max_inputs = 2,
	.weights = 1u << 1,
	.config_size = sizeof(struct elementwise),
	.infer = infer,
	.forward = forward,
	.backward = backward,
	.tangent = tangent,
};

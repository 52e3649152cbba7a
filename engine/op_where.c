/*
 * Where: Y = A where C holds, B elsewhere, with NumPy's broadcasting. Linear in A and B.
 */
#include "engine/elementwise.h"
#include "engine/kernels.h"

enum { CONDITION, A, B };

/* ---- loops ---- */

#define STRETCH(a_at, b_at)                                                                                            \
	for (size_t i = 0; i < p->n; i++)                                                                              \
		z[i] = c[i] ? a[a_at] : b[b_at];

/* A condition that does not change along the line chooses all of it. */
#define CHOOSE(element)                                                                                                \
	static void choose_##element(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,       \
				     const void *config)                                                               \
	{                                                                                                              \
		(void)config;                                                                                          \
		for (size_t r = 0; r < p->rows; r++) {                                                                 \
			const uint8_t *c = (const uint8_t *)arrays->in[CONDITION] + p->at[0] + r * p->row[0];          \
			const element *a = (const element *)arrays->in[A] + p->at[1] + r * p->row[1];                  \
			const element *b = (const element *)arrays->in[B] + p->at[2] + r * p->row[2];                  \
			element *restrict z = (element *)arrays->out + p->out + r * p->n;                              \
                                                                                                                       \
			if (!p->step[0])                                                                               \
				for (size_t i = 0; i < p->n; i++)                                                      \
					z[i] = *c ? a[i * p->step[1]] : b[i * p->step[2]];                             \
			else if (p->step[1] && p->step[2])                                                             \
				STRETCH(i, i)                                                                          \
			else if (p->step[1])                                                                           \
				STRETCH(i, 0)                                                                          \
			else                                                                                           \
				STRETCH(0, (i * p->step[2]))                                                           \
		}                                                                                                      \
	}

KERNEL CHOOSE(float) CHOOSE(int64_t) CHOOSE(uint8_t)

    /* dY where the condition is taken, 0 elsewhere. */
    KERNEL_INLINE void mask(const struct elementwise_plane *p, const struct elementwise_arrays *arrays, bool taken)
{
	for (size_t r = 0; r < p->rows; r++) {
		const uint8_t *c = (const uint8_t *)arrays->in[CONDITION] + p->at[0] + r * p->row[0];
		const float *dy = arrays->dy + p->out + r * p->n;
		float *restrict z = (float *)arrays->out + p->out + r * p->n;

		if (p->step[0])
			for (size_t i = 0; i < p->n; i++)
				z[i] = (c[i] != 0) == taken ? dy[i] : 0.0f;
		else
			for (size_t i = 0; i < p->n; i++)
				z[i] = (*c != 0) == taken ? dy[i] : 0.0f;
	}
}

KERNEL static void slope_by_a(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,
			      const void *config)
{
	(void)config;
	mask(p, arrays, true);
}

KERNEL static void slope_by_b(const struct elementwise_plane *p, const struct elementwise_arrays *arrays,
			      const void *config)
{
	(void)config;
	mask(p, arrays, false);
}

/* ---- the operator ---- */

static int infer(struct op_build *b, struct exp_error *err)
{
	struct elementwise *c = b->config;
	int rc;

	if ((rc = op_need(b, CONDITION, TENSOR_BOOL, err)) || (rc = op_need(b, B, b->inputs[A]->type, err)) ||
	    (rc = elementwise_init(b, 0, 3, c, err)))
		return rc;
	b->outputs[0]->type = b->inputs[A]->type;
	b->outputs[0]->onnx_type = b->inputs[A]->onnx_type;
	return 0;
}

static void forward(const struct op_run *r)
{
	static const elementwise_loop loops[] = { choose_float, choose_int64_t, choose_uint8_t };
	struct elementwise_arrays a = { .out = r->out->data, .in = { r->in[0].data, r->in[1].data, r->in[2].data } };

	elementwise_run(r->config, loops[r->out->value->type], &a, NULL);
}

static void backward(const struct op_run *r)
{
	elementwise_backward(r->config, A, slope_by_a, r, r->in);
	elementwise_backward(r->config, B, slope_by_b, r, r->in);
}

const struct op op_where = {
	.name = "Where",
	.min_inputs = 3,
	.max_inputs = 3,
	.flags = OP_LINEAR,
	.config_size = sizeof(struct elementwise),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};

#include "engine/kernels_ref.h"

#include <string.h>

void kernels_ref_multiply(const struct blas_product *p)
{
	size_t lda = p->lda ? p->lda : p->trans_a ? p->m : p->k;
	size_t ldb = p->ldb ? p->ldb : p->trans_b ? p->k : p->n;
	size_t ldc = p->ldc ? p->ldc : p->n;

	for (size_t i = 0; i < p->m; i++) {
		for (size_t j = 0; j < p->n; j++) {
			double sum = 0.0;

			for (size_t l = 0; l < p->k; l++)
				sum += (double)p->a[p->trans_a ? l * lda + i : i * lda + l] *
				       (double)p->b[p->trans_b ? j * ldb + l : l * ldb + j];
			sum *= (double)p->alpha;
			p->c[i * ldc + j] =
			    (float)(p->beta == 0.0f ? sum : sum + (double)p->beta * (double)p->c[i * ldc + j]);
		}
	}
}

/* ---- convolution ---- */

/* One multiplication of the sum: where it stands in image, weight and output. */
struct term {
	size_t image, weight, out;
};

/* Calls visit for every multiplication that does not meet padding. */
static void visit_terms(const struct kernels_ref_conv *c, void (*visit)(void *arg, const struct term *t), void *arg)
{
	const struct window *w = c->w;
	size_t depth = c->channels, count = c->filters * depth * w->positions * w->taps;

	for (size_t i = 0; i < count; i++) {
		size_t kx = i % w->kernel[1], ky = i / w->kernel[1] % w->kernel[0], tap = i / w->taps;
		size_t ox = tap % w->out[1], oy = tap / w->out[1] % w->out[0], d = tap / w->positions % depth;
		size_t m = tap / w->positions / depth;
		size_t y = oy * w->stride[0] + ky * w->dilation[0], x = ox * w->stride[1] + kx * w->dilation[1];
		struct term t;

		if (y < w->pad[0] || y - w->pad[0] >= w->in[0] || x < w->pad[1] || x - w->pad[1] >= w->in[1])
			continue;
		t.image = d * w->pixels + (y - w->pad[0]) * w->in[1] + x - w->pad[1];
		t.weight = ((m * depth + d) * w->kernel[0] + ky) * w->kernel[1] + kx;
		t.out = m * w->positions + oy * w->out[1] + ox;
		visit(arg, &t);
	}
}

struct arrays {
	const float *image, *weight, *dy;
	float *target;
};

static void add_output(void *arg, const struct term *t)
{
	struct arrays *a = arg;

	a->target[t->out] += a->image[t->image] * a->weight[t->weight];
}

static void add_input_gradient(void *arg, const struct term *t)
{
	struct arrays *a = arg;

	a->target[t->image] += a->dy[t->out] * a->weight[t->weight];
}

static void add_weight_gradient(void *arg, const struct term *t)
{
	struct arrays *a = arg;

	a->target[t->weight] += a->dy[t->out] * a->image[t->image];
}

void kernels_ref_conv(const struct kernels_ref_conv *c, const float *image, const float *weight, float *y)
{
	memset(y, 0, c->filters * c->w->positions * sizeof(*y));
	visit_terms(c, add_output, &(struct arrays){ .image = image, .weight = weight, .target = y });
}

void kernels_ref_conv_input_gradient(const struct kernels_ref_conv *c, const float *weight, const float *dy, float *dx)
{
	memset(dx, 0, c->channels * c->w->pixels * sizeof(*dx));
	visit_terms(c, add_input_gradient, &(struct arrays){ .weight = weight, .dy = dy, .target = dx });
}

void kernels_ref_conv_weight_gradient(const struct kernels_ref_conv *c, const float *image, const float *dy, float *dw)
{
	memset(dw, 0, c->filters * c->channels * c->w->taps * sizeof(*dw));
	visit_terms(c, add_weight_gradient, &(struct arrays){ .image = image, .dy = dy, .target = dw });
}

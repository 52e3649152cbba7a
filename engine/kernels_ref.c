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

/* The pixel that a tap meets at an output, both counted in row-major order; false: padding. */
static bool find_pixel(const struct window *w, size_t tap, size_t out, size_t *pixel)
{
	size_t at = 0, step = 1;

	for (size_t d = WINDOW_DIMS; d-- > 0; tap /= w->kernel[d], out /= w->out[d]) {
		size_t i = out % w->out[d] * w->stride[d] + tap % w->kernel[d] * w->dilation[d];

		if (i < w->pad[d] || i - w->pad[d] >= w->in[d])
			return false;
		at += (i - w->pad[d]) * step;
		step *= w->in[d];
	}
	*pixel = at;
	return true;
}

/* Calls visit for every multiplication that does not meet padding. */
static void visit_terms(const struct kernels_ref_conv *c, void (*visit)(void *arg, const struct term *t), void *arg)
{
	const struct window *w = c->w;
	size_t depth = c->channels, count = c->filters * depth * w->positions * w->taps;

	for (size_t i = 0; i < count; i++) {
		size_t tap = i % w->taps, out = i / w->taps % w->positions, d = i / w->taps / w->positions % depth;
		size_t m = i / w->taps / w->positions / depth, pixel;
		struct term t = { .weight = (m * depth + d) * w->taps + tap, .out = m * w->positions + out };

		if (!find_pixel(w, tap, out, &pixel))
			continue;
		t.image = d * w->pixels + pixel;
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

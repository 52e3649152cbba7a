/*
 * Dense layers act at one position, so the squared gradient of a sample is an outer product of squares:
 *
 *   sum_n (b_n a_n^T)^2  =  (B . B)^T (A . A)        squares taken element by element
 *
 * One matrix product replaces n rank-one updates: the exact importance costs what a training step costs. With T > 1 a
 * sample's positions add up before they are squared: each sample's gradient is formed a tile of rows at a time, and
 * squared while the tile is in cache.
 */
#include "engine/reduce.h"

#include "base/check.h"
#include "engine/blas.h"
#include "engine/kernels.h"

enum { TILE = 1 << 15 };

size_t reduce_scratch(size_t out, size_t in)
{
	return in + out > TILE ? in + out : TILE;
}

/* ---- one position ---- */

static void add_squares_dense(struct reduce *r, const struct reduce_factors *f)
{
	size_t block = r->tile_size / (f->in + f->out);

	exp_require(block > 0);
	for (size_t first = 0; first < f->samples; first += block) {
		size_t n = f->samples - first < block ? f->samples - first : block;
		float *a = r->tile, *b = r->tile + n * f->in;

		kernel_square(a, f->activations + first * f->in, n * f->in);
		kernel_square(b, f->out_grads + first * f->out, n * f->out);
		blas_multiply(&(struct blas_product){ .a = b,
						      .b = a,
						      .c = r->out + f->at,
						      .m = f->out,
						      .n = f->in,
						      .k = n,
						      .trans_a = true,
						      .alpha = f->scale * f->scale,
						      .beta = 1.0f });
	}
}

/* |b a^T|^2 = |b|^2 |a|^2 */
static void add_norms_dense(struct reduce *r, const struct reduce_factors *f)
{
	for (size_t n = 0; n < f->samples; n++)
		r->dots[f->first_sample + n] += (double)f->scale * (double)f->scale *
						kernel_sum_squares(f->activations + n * f->in, f->in) *
						kernel_sum_squares(f->out_grads + n * f->out, f->out);
}

/* ---- many positions ---- */

/* target = beta * target + scale * rows first … first+count-1 of the gradient [out, in] of sample n. */
static void form_gradient(const struct reduce_factors *f, size_t n, size_t first, size_t count, float *target,
			  float beta)
{
	struct blas_product p = {
		.c = target, .m = count, .n = f->in, .k = f->positions, .alpha = f->scale, .beta = beta
	};

	p.b = f->activations + n * f->positions * f->in;
	p.a = f->out_grads + n * f->positions * f->out;
	if (f->position_last) {
		p.a += first * f->positions;
		p.trans_b = true;
	} else {
		p.a += first;
		p.lda = f->out;
		p.trans_a = true;
	}
	blas_multiply(&p);
}

static void add_sum(struct reduce *r, const struct reduce_factors *f)
{
	struct reduce_factors all = *f;

	if (!f->position_last) {
		all.positions = f->samples * f->positions;
		all.samples = 1;
	}
	for (size_t n = 0; n < all.samples; n++)
		form_gradient(&all, n, 0, f->out, r->out + f->at, 1.0f);
}

static void add_tiled(struct reduce *r, const struct reduce_factors *f)
{
	size_t block = r->tile_size / f->in;

	exp_require(block > 0);
	for (size_t n = 0; n < f->samples; n++) {
		for (size_t first = 0; first < f->out; first += block) {
			size_t count = f->out - first < block ? f->out - first : block;

			form_gradient(f, n, first, count, r->tile, 0.0f);
			if (r->kind == REDUCE_SQUARE_SUM)
				kernel_add_squares(r->out + f->at + first * f->in, r->tile, count * f->in);
			else
				r->dots[f->first_sample + n] += kernel_sum_squares(r->tile, count * f->in);
		}
	}
}

void reduce_add_factors(struct reduce *r, const struct reduce_factors *f)
{
	if (r->kind == REDUCE_SUM)
		add_sum(r, f);
	else if (f->positions > 1)
		add_tiled(r, f);
	else if (r->kind == REDUCE_SQUARE_SUM)
		add_squares_dense(r, f);
	else
		add_norms_dense(r, f);
}

/* ---- formed gradients ---- */

void reduce_add_rows(struct reduce *r, const struct reduce_rows *f)
{
	for (size_t n = 0; n < f->samples; n++) {
		const float *row = f->rows + n * f->count;

		if (r->kind == REDUCE_SUM)
			kernel_add_scaled(r->out + f->at, row, f->scale, f->count);
		else if (r->kind == REDUCE_SQUARE_SUM)
			kernel_add_scaled_squares(r->out + f->at, row, f->scale * f->scale, f->count);
		else
			r->dots[f->first_sample + n] +=
			    (double)f->scale * (double)f->scale * kernel_sum_squares(row, f->count);
	}
}

/*
 * A matrix that acted at one position of each sample is the cheap case, since a sample's gradient is an outer product:
 *
 *   sum_n (b_n a_n^T)^2  =  (B . B)^T (A . A)        squares taken element by element
 *   |b_n a_n^T|^2        =  |b_n|^2 |a_n|^2
 *   <b_n a_n^T, D>       =  b_n^T D a_n
 *
 * One matrix product replaces n rank-one updates: the exact importance costs what a training step costs. With more
 * positions a sample's products add up before they are squared: engine/square_product.h. Plain sums do not tell samples
 * from positions and are matrix products again.
 */
#include "engine/reduce.h"

#include <string.h>

#include "base/check.h"
#include "engine/blas.h"
#include "engine/kernels.h"
#include "engine/square_product.h"

enum { BLOCK = 1 << 17 }; /* floats of squared factors at a time */

static size_t block_of(size_t samples, size_t floats)
{
	size_t block = floats < BLOCK ? BLOCK / (floats ? floats : 1) : 1;

	return block < samples ? block : samples;
}

/* ---- sums of products over samples and positions ---- */

/* An index that is summed over: count times, steps in floats on either side. */
struct level {
	size_t count, left, right;
};

static bool try_merge(struct level *levels, size_t *count)
{
	for (size_t i = 0; i < *count; i++) {
		for (size_t k = 0; k < *count; k++) {
			const struct level *inner = &levels[i], *outer = &levels[k];

			if (i == k || outer->left != inner->count * inner->left ||
			    outer->right != inner->count * inner->right)
				continue;
			levels[i].count *= outer->count;
			levels[k] = levels[--*count];
			return true;
		}
	}
	return false;
}

/* Samples, outer and positions made as few levels as their steps allow; there is at least one. */
static size_t merge_levels(const struct reduce_factors *f, struct level levels[3])
{
	const struct level all[3] = { { f->positions, f->left.position, f->right.position },
				      { f->outer, f->left.outer, f->right.outer },
				      { f->samples, f->left.sample, f->right.sample } };
	size_t count = 0;

	for (size_t i = 0; i < 3; i++)
		if (all[i].count != 1)
			levels[count++] = all[i];
	if (count == 0)
		levels[count++] = (struct level){ 1, f->rows, f->cols };
	while (try_merge(levels, &count))
		;
	return count;
}

/* A side as a matrix whose summed index has that step: stored [summed, width] or, across, [width, summed]. */
static bool as_matrix(const struct reduce_side *side, size_t width, size_t count, size_t step, bool *across, size_t *ld)
{
	size_t element = width == 1 ? 1 : side->element;

	*across = element != 1;
	*ld = *across ? element : step;
	return *across ? step == 1 && element >= count : step >= width;
}

/* Puts last a level over which both sides are matrices, the longest one. p: how they are stored. */
static bool choose_inner(const struct reduce_factors *f, struct level *levels, size_t count, struct blas_product *p)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		bool left, right;
		size_t lda, ldb;

		if (!as_matrix(&f->left, f->rows, levels[i].count, levels[i].left, &left, &lda) ||
		    !as_matrix(&f->right, f->cols, levels[i].count, levels[i].right, &right, &ldb) ||
		    (best < count && levels[i].count <= levels[best].count))
			continue;
		best = i;
		p->trans_a = !left, p->lda = lda;
		p->trans_b = right, p->ldb = ldb;
		p->k = levels[i].count;
	}
	if (best < count) {
		struct level chosen = levels[best];

		levels[best] = levels[count - 1];
		levels[count - 1] = chosen;
	}
	return best < count;
}

/* out [rows, cols], rows ld apart, += scale * the sum over all levels. False when BLAS cannot read the sides. */
static bool try_add_product(const struct reduce_factors *f, float scale, float *out, size_t ld)
{
	struct level levels[3] = { { 0 } };
	size_t count = merge_levels(f, levels);
	struct blas_product p = { .m = f->rows, .n = f->cols, .alpha = scale, .beta = 1.0f, .c = out, .ldc = ld };

	if (!choose_inner(f, levels, count, &p))
		return false;
	for (size_t i = 0; i < (count > 1 ? levels[0].count : 1); i++) {
		for (size_t k = 0; k < (count > 2 ? levels[1].count : 1); k++) {
			p.a =
			    f->left.data + (count > 1 ? i * levels[0].left : 0) + (count > 2 ? k * levels[1].left : 0);
			p.b = f->right.data + (count > 1 ? i * levels[0].right : 0) +
			      (count > 2 ? k * levels[1].right : 0);
			blas_multiply(&p);
		}
	}
	return true;
}

static void add_sum(const struct reduce *r, const struct reduce_factors *f)
{
	if (!try_add_product(f, f->scale, r->out + f->at, f->ld ? f->ld : f->cols))
		square_product_add(r, f);
}

/* ---- one position ---- */

static bool at_one_position(const struct reduce_factors *f)
{
	return f->outer * f->positions == 1;
}

static const float *element_of(const struct reduce_side *side, size_t n)
{
	return side->data + n * side->sample;
}

/* dst [count, width] = a side's elements for samples first … first+count-1, or their squares. */
static void take(const struct reduce_side *side, size_t width, size_t first, size_t count, bool squares, float *dst)
{
	for (size_t n = 0; n < count; n++) {
		const float *from = element_of(side, first + n);
		float *to = dst + n * width;

		for (size_t i = 0; side->element != 1 && i < width; i++)
			to[i] = from[i * side->element];
		if (side->element == 1 && !squares)
			memcpy(to, from, width * sizeof(*to));
		else if (squares)
			kernel_square(to, side->element == 1 ? from : to, width);
	}
}

static void add_squares(const struct reduce *r, const struct reduce_factors *f)
{
	size_t block = block_of(f->samples, f->rows + f->cols);
	float *left = r->scratch, *right = left + block * f->rows;

	for (size_t first = 0; first < f->samples; first += block) {
		size_t count = f->samples - first < block ? f->samples - first : block;

		take(&f->left, f->rows, first, count, true, left);
		take(&f->right, f->cols, first, count, true, right);
		blas_multiply(&(struct blas_product){ .a = left,
						      .b = right,
						      .c = r->out + f->at,
						      .m = f->rows,
						      .n = f->cols,
						      .k = count,
						      .trans_a = true,
						      .alpha = f->scale * f->scale,
						      .beta = 1.0f,
						      .ldc = f->ld });
	}
}

static double sum_squares(const struct reduce_side *side, size_t width, size_t n)
{
	const float *x = element_of(side, n);
	double sum = 0.0;

	if (side->element == 1)
		return kernel_sum_squares(x, width);
	for (size_t i = 0; i < width; i++)
		sum += (double)x[i * side->element] * (double)x[i * side->element];
	return sum;
}

static void add_norms(const struct reduce *r, const struct reduce_factors *f)
{
	double scale = (double)f->scale * (double)f->scale;

	for (size_t n = 0; n < f->samples; n++)
		r->dots[n] += scale * sum_squares(&f->left, f->rows, n) * sum_squares(&f->right, f->cols, n);
}

/* left [count, rows], turned [count, rows] = right D^T */
static void add_dots(const struct reduce *r, const struct reduce_factors *f)
{
	size_t block = block_of(f->samples, 2 * f->rows + f->cols);
	float *left = r->scratch, *turned = left + block * f->rows, *right = turned + block * f->rows;

	for (size_t first = 0; first < f->samples; first += block) {
		size_t count = f->samples - first < block ? f->samples - first : block;

		take(&f->left, f->rows, first, count, false, left);
		take(&f->right, f->cols, first, count, false, right);
		for (size_t k = 0; k < r->direction_count; k++) {
			blas_multiply(&(struct blas_product){ .a = right,
							      .b = r->directions[k] + f->at,
							      .c = turned,
							      .m = count,
							      .n = f->rows,
							      .k = f->cols,
							      .trans_b = true,
							      .alpha = f->scale,
							      .ldb = f->ld });
			for (size_t n = 0; n < count; n++)
				r->dots[(first + n) * r->direction_count + k] +=
				    kernel_dot(left + n * f->rows, turned + n * f->rows, f->rows);
		}
	}
}

static void add_outer_products(const struct reduce *r, const struct reduce_factors *f)
{
	size_t ld = f->ld ? f->ld : f->cols;
	float *right = r->scratch;

	for (size_t n = 0; n < f->samples; n++) {
		float *out = r->out + n * r->floats + f->at;

		take(&f->right, f->cols, n, 1, false, right);
		for (size_t i = 0; i < f->rows; i++)
			kernel_add_scaled(out + i * ld, right, f->scale * element_of(&f->left, n)[i * f->left.element],
					  f->cols);
	}
}

static void add_at_one_position(const struct reduce *r, const struct reduce_factors *f)
{
	if (r->kind == REDUCE_SQUARE_SUM)
		add_squares(r, f);
	else if (r->kind == REDUCE_NORM)
		add_norms(r, f);
	else if (r->kind == REDUCE_DOT)
		add_dots(r, f);
	else
		add_outer_products(r, f);
}

/* ---- Kronecker factors ---- */

/* out [width, width] += scale * the sum of the side's outer products with itself */
static void add_moment(const struct reduce_factors *f, const struct reduce_side *side, size_t width, float scale,
		       float *scratch, float *out)
{
	struct reduce_factors own = *f;
	struct reduce sum = { .kind = REDUCE_SUM, .out = out, .scratch = scratch };

	own.left = own.right = *side;
	own.rows = own.cols = width;
	own.scale = scale;
	own.at = own.ld = 0;
	add_sum(&sum, &own);
}

static void add_moments(const struct reduce *r, const struct reduce_factors *f)
{
	if (r->left)
		add_moment(f, &f->left, f->rows, f->scale * f->scale, r->scratch, r->left);
	if (r->right)
		add_moment(f, &f->right, f->cols, 1.0f, r->scratch, r->right);
}

/* ---- factors ---- */

static size_t largest(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* A side with itself, as add_moment hands it on. */
static size_t moment_scratch(const struct reduce_factors *f, size_t width)
{
	struct reduce_factors own = *f;

	own.rows = own.cols = width;
	return square_product_scratch(&own);
}

size_t reduce_scratch_factors(const struct reduce_factors *f)
{
	size_t width = 2 * f->rows + f->cols;
	size_t needed = largest(moment_scratch(f, f->rows), moment_scratch(f, f->cols));

	needed = largest(needed, square_product_scratch(f));
	return at_one_position(f) ? largest(needed, block_of(f->samples, width) * width) : needed;
}

/* The samples that are asked for; out and dots begin with them. */
static struct reduce_factors wanted(const struct reduce *r, const struct reduce_factors *f)
{
	struct reduce_factors part = *f;

	exp_require(r->first + r->samples <= f->samples);
	part.left.data += r->first * f->left.sample;
	part.right.data += r->first * f->right.sample;
	part.samples = r->samples;
	return part;
}

void reduce_add_factors(struct reduce *r, const struct reduce_factors *f)
{
	struct reduce_factors part = wanted(r, f);

	if (part.samples * part.outer * part.positions == 0)
		return;
	if (r->kind == REDUCE_SUM)
		add_sum(r, &part);
	else if (r->kind == REDUCE_MOMENTS)
		add_moments(r, &part);
	else if (at_one_position(&part))
		add_at_one_position(r, &part);
	else
		square_product_add(r, &part);
}

/* ---- formed gradients ---- */

static void add_row(struct reduce *r, const struct reduce_rows *f, size_t n, const float *row)
{
	double scale = (double)f->scale;

	switch (r->kind) {
	case REDUCE_SUM:
		kernel_add_scaled(r->out + f->at, row, f->scale, f->count);
		break;
	case REDUCE_SQUARE_SUM:
		kernel_add_scaled_squares(r->out + f->at, row, f->scale * f->scale, f->count);
		break;
	case REDUCE_NORM:
		r->dots[n] += scale * scale * kernel_sum_squares(row, f->count);
		break;
	case REDUCE_DOT:
		for (size_t k = 0; k < r->direction_count; k++)
			r->dots[n * r->direction_count + k] +=
			    scale * kernel_dot(row, r->directions[k] + f->at, f->count);
		break;
	case REDUCE_ROWS:
		kernel_add_scaled(r->out + n * r->floats + f->at, row, f->scale, f->count);
		break;
	case REDUCE_MOMENTS:
		break;
	}
}

void reduce_add_rows(struct reduce *r, const struct reduce_rows *f)
{
	exp_require(r->first + r->samples <= f->samples);
	for (size_t n = 0; n < r->samples; n++)
		add_row(r, f, n, f->rows + (r->first + n) * f->count);
}

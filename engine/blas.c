#include "engine/blas.h"

#include <cblas.h>
#include <limits.h>

#include "base/check.h"
#include "engine/packed_product.h"

void blas_use_one_thread(void)
{
	openblas_set_num_threads(1);
}

/* y [rows or columns of the matrix] = alpha * op(matrix) x + beta * y */
struct product_with_vector {
	const float *matrix, *x;
	float *y;
	size_t rows, columns, ld, x_step, y_step; /* rows and columns as stored */
	bool transposed;
	float alpha, beta;
};

/* What is overwritten is cleared first: BLAS may take nothing times what it finds there. */
static void multiply_vector(const struct product_with_vector *v)
{
	size_t count = v->transposed ? v->columns : v->rows;

	for (size_t i = 0; v->beta == 0.0f && i < count; i++)
		v->y[i * v->y_step] = 0.0f;
	cblas_sgemv(CblasRowMajor, v->transposed ? CblasTrans : CblasNoTrans, (int)v->rows, (int)v->columns, v->alpha,
		    v->matrix, (int)v->ld, v->x, (int)v->x_step, v->beta == 0.0f ? 1.0f : v->beta, v->y,
		    (int)v->y_step);
}

/* C has one row or one column: several times faster than as a matrix product, whose packing costs more than it. */
static void multiply_line(const struct blas_product *p, size_t lda, size_t ldb, size_t ldc)
{
	bool row = p->m == 1, trans = row ? p->trans_b : p->trans_a;
	size_t width = row ? p->n : p->m;
	struct product_with_vector v = { .matrix = row ? p->b : p->a,
					 .x = row ? p->a : p->b,
					 .y = p->c,
					 .ld = row ? ldb : lda,
					 .x_step = row ? (p->trans_a ? lda : 1) : (p->trans_b ? 1 : ldb),
					 .y_step = row ? 1 : ldc,
					 .alpha = p->alpha,
					 .beta = p->beta };

	/* B is stored [k, n] or [n, k], A [m, k] or [k, m]. */
	v.transposed = row ? !trans : trans;
	v.rows = v.transposed ? p->k : width;
	v.columns = v.transposed ? width : p->k;
	multiply_vector(&v);
}

void blas_multiply(const struct blas_product *p)
{
	size_t lda = p->lda ? p->lda : p->trans_a ? p->m : p->k;
	size_t ldb = p->ldb ? p->ldb : p->trans_b ? p->k : p->n;
	size_t ldc = p->ldc ? p->ldc : p->n;

	exp_require(p->m <= INT_MAX && p->n <= INT_MAX && p->k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX &&
		    ldc <= INT_MAX);
	if (p->m == 0 || p->n == 0)
		return;
	if ((p->m == 1 || p->n == 1) && p->k > 0) {
		multiply_line(p, lda, ldb, ldc);
		return;
	}
	if (packed_product_suits(p)) {
		packed_product_run(p, NULL, NULL);
		return;
	}
	cblas_sgemm(CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans, p->trans_b ? CblasTrans : CblasNoTrans,
		    (int)p->m, (int)p->n, (int)p->k, p->alpha, p->a, (int)lda, p->b, (int)ldb, p->beta, p->c, (int)ldc);
}

void blas_config(struct buf *out)
{
	buf_format(out, "%s, core %s", openblas_get_config(), openblas_get_corename());
}

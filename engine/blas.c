#include "engine/blas.h"

#include <cblas.h>
#include <limits.h>

#include "base/check.h"

void blas_use_one_thread(void)
{
	openblas_set_num_threads(1);
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
	cblas_sgemm(CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans, p->trans_b ? CblasTrans : CblasNoTrans,
		    (int)p->m, (int)p->n, (int)p->k, p->alpha, p->a, (int)lda, p->b, (int)ldb, p->beta, p->c, (int)ldc);
}

void blas_config(struct buf *out)
{
	buf_format(out, "%s, core %s", openblas_get_config(), openblas_get_corename());
}

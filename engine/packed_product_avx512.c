/* Tiles in AVX-512: 9 rows by 48 columns fill 27 of the 32 registers. */
#include "engine/packed_product_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define TILE   static inline __attribute__((always_inline)) TARGET

/* Of the sum: where it is in both operands. */
struct place {
	const float *left, *right;
	size_t left_row, right_panel;
	__mmask16 last;
};

TILE __m512 load(const float *from, bool masked, __mmask16 mask)
{
	return masked ? _mm512_maskz_loadu_ps(mask, from) : _mm512_loadu_ps(from);
}

/* A masked load takes one of the places of a product: only where the operand ends. */
TILE void step(const struct place *p, int rows, int panels, bool masked, __m512 sum[PRODUCT_ROWS][PRODUCT_PANELS])
{
	__m512 lanes[PRODUCT_PANELS];

#pragma GCC unroll 3
	for (int j = 0; j < panels; j++)
		lanes[j] = load(p->right + (size_t)j * p->right_panel, masked && j == panels - 1, p->last);
#pragma GCC unroll 9
	for (int i = 0; i < rows; i++) {
		__m512 one = _mm512_set1_ps(p->left[(size_t)i * p->left_row]);

#pragma GCC unroll 3
		for (int j = 0; j < panels; j++)
			sum[i][j] = _mm512_fmadd_ps(one, lanes[j], sum[i][j]);
	}
}

TILE void form(const struct product_tile *t, int rows, int panels)
{
	__m512 sum[PRODUCT_ROWS][PRODUCT_PANELS], alpha = _mm512_set1_ps(t->alpha), beta = _mm512_set1_ps(t->beta);
	__mmask16 last = (__mmask16)(0xffffu >> ((size_t)panels * PRODUCT_LANES - t->columns));
	struct place p = { t->left, t->right, t->left_row, t->right_panel, last };
	size_t left_step = t->left_step, right_step = t->right_step, start_row = t->start_row, out_row = t->out_row;
	ptrdiff_t ahead = t->ahead ? t->ahead - t->right : 0;
	const float *start = t->start;
	float *out = t->out;

	/* Where it is added to, it may be far when the sums are done. */
	if (start)
#pragma GCC unroll 9
		for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
			for (int j = 0; j < panels; j++)
				_mm_prefetch((const char *)(start + (size_t)i * start_row + j * PRODUCT_LANES),
					     _MM_HINT_T0);
#pragma GCC unroll 9
	for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
		for (int j = 0; j < panels; j++)
			sum[i][j] = _mm512_setzero_ps();
	for (size_t k = t->ahead ? t->depth : 0; k > 0; k--, p.left += left_step, p.right += PRODUCT_LANES) {
		_mm_prefetch((const char *)(p.right + ahead), _MM_HINT_T1);
		step(&p, rows, panels, false, sum);
	}
	for (size_t k = t->ahead ? 0 : t->depth - t->guarded; k > 0; k--, p.left += left_step, p.right += right_step)
		step(&p, rows, panels, false, sum);
	for (size_t k = t->guarded; k > 0; k--, p.left += left_step, p.right += right_step)
		step(&p, rows, panels, true, sum);
#pragma GCC unroll 9
	for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
		for (int j = 0; j < panels; j++)
			sum[i][j] = _mm512_mul_ps(alpha, sum[i][j]);
	if (start)
#pragma GCC unroll 9
		for (int i = 0; i < rows; i++, start += start_row)
#pragma GCC unroll 3
			for (int j = 0; j < panels; j++)
				sum[i][j] =
				    _mm512_fmadd_ps(beta, load(start + j * PRODUCT_LANES, j == panels - 1, last),
						    sum[i][j]);
#pragma GCC unroll 9
	for (int i = 0; i < rows; i++, out += out_row)
#pragma GCC unroll 3
		for (int j = 0; j < panels; j++)
			_mm512_mask_storeu_ps(out + j * PRODUCT_LANES, j == panels - 1 ? last : (__mmask16)0xffff,
					      sum[i][j]);
}

#define FORM(panels, rows)                                                                                             \
	static TARGET void form_##panels##_##rows(const struct product_tile *t)                                        \
	{                                                                                                              \
		form(t, rows, panels);                                                                                 \
	}
#define FORMS(panels)                                                                                                  \
	FORM(panels, 1)                                                                                                \
	FORM(panels, 2)                                                                                                \
	FORM(panels, 3)                                                                                                \
	FORM(panels, 4)                                                                                                \
	FORM(panels, 5)                                                                                                \
	FORM(panels, 6)                                                                                                \
	FORM(panels, 7)                                                                                                \
	FORM(panels, 8)                                                                                                \
	FORM(panels, 9)
#define ROWS(panels)                                                                                                   \
	{                                                                                                              \
		NULL, form_##panels##_1, form_##panels##_2, form_##panels##_3, form_##panels##_4, form_##panels##_5,   \
		    form_##panels##_6, form_##panels##_7, form_##panels##_8, form_##panels##_9                         \
	}

FORMS(1)
FORMS(2)
FORMS(3)

static const struct product_kernels kernels = {
	.name = "AVX-512",
	.rows = PRODUCT_ROWS,
	.panels = PRODUCT_PANELS,
	.form = { ROWS(1), ROWS(2), ROWS(3) },
};
const struct product_kernels *const product_kernels_avx512 = &kernels;
#else
const struct product_kernels *const product_kernels_avx512 = NULL;
#endif

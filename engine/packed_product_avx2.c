/* Tiles in AVX2: 6 rows by 16 columns fill 12 of the 16 registers. */
#include "engine/packed_product_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define TILE   static inline __attribute__((always_inline)) TARGET

enum { LANES = 8, ROWS = 6, PARTS = PRODUCT_LANES / LANES };

static const int32_t ones[2 * LANES] = { -1, -1, -1, -1, -1, -1, -1, -1 };

/* Whole panels are read and written without masks: these take longer here. */
TILE __m256 load(const float *from, bool whole, __m256i mask)
{
	return whole ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, mask);
}

TILE void store(float *to, bool whole, __m256i mask, __m256 x)
{
	if (whole)
		_mm256_storeu_ps(to, x);
	else
		_mm256_maskstore_ps(to, mask, x);
}

TILE void form(const struct product_tile *t, int rows, bool whole)
{
	__m256 sum[ROWS][PARTS], alpha = _mm256_set1_ps(t->alpha), beta = _mm256_set1_ps(t->beta);
	const float *left = t->left, *right = t->right, *start = t->start;
	size_t left_row = t->left_row, left_step = t->left_step, right_step = t->right_step, out_row = t->out_row;
	float *out = t->out;
	__m256i masks[PARTS];

#pragma GCC unroll 2
	for (int j = 0; j < PARTS; j++) {
		size_t columns = t->columns > (size_t)(j * LANES) ? t->columns - (size_t)(j * LANES) : 0;

		masks[j] =
		    _mm256_loadu_si256((const void *)(ones + LANES - (columns < LANES ? columns : (size_t)LANES)));
	}
#pragma GCC unroll 6
	for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
		for (int j = 0; j < PARTS; j++)
			sum[i][j] = _mm256_setzero_ps();
	for (size_t k = t->depth; k > 0; k--) {
		__m256 lanes[PARTS];

#pragma GCC unroll 2
		for (int j = 0; j < PARTS; j++)
			lanes[j] = load(right + j * LANES, whole, masks[j]);
#pragma GCC unroll 6
		for (int i = 0; i < rows; i++) {
			__m256 one = _mm256_set1_ps(left[(size_t)i * left_row]);

#pragma GCC unroll 2
			for (int j = 0; j < PARTS; j++)
				sum[i][j] = _mm256_fmadd_ps(one, lanes[j], sum[i][j]);
		}
		left += left_step;
		right += right_step;
	}
#pragma GCC unroll 6
	for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
		for (int j = 0; j < PARTS; j++)
			sum[i][j] = _mm256_mul_ps(alpha, sum[i][j]);
	if (start)
#pragma GCC unroll 6
		for (int i = 0; i < rows; i++, start += t->start_row)
#pragma GCC unroll 2
			for (int j = 0; j < PARTS; j++)
				sum[i][j] = _mm256_fmadd_ps(beta, load(start + j * LANES, whole, masks[j]), sum[i][j]);
#pragma GCC unroll 6
	for (int i = 0; i < rows; i++, out += out_row)
#pragma GCC unroll 2
		for (int j = 0; j < PARTS; j++)
			store(out + j * LANES, whole, masks[j], sum[i][j]);
}

#define FORM(rows)                                                                                                     \
	static TARGET void form_##rows(const struct product_tile *t)                                                   \
	{                                                                                                              \
		if (t->columns == PRODUCT_LANES)                                                                       \
			form(t, rows, true);                                                                           \
		else                                                                                                   \
			form(t, rows, false);                                                                          \
	}

FORM(1)
FORM(2)
FORM(3)
FORM(4)
FORM(5)
FORM(6)

static const struct product_kernels kernels = {
	.name = "AVX2",
	.rows = ROWS,
	.panels = 1,
	.form = { { NULL, form_1, form_2, form_3, form_4, form_5, form_6 } },
};
const struct product_kernels *const product_kernels_avx2 = &kernels;
#else
const struct product_kernels *const product_kernels_avx2 = NULL;
#endif

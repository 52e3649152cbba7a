/* Tiles in AVX2: a tile of 8 rows is formed in parts of 4 rows by 24 or 16 lanes, 12 or 8 of the 16 registers. */
#include "engine/square_product_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define TILE   static inline __attribute__((always_inline)) TARGET

enum { LANES = 8, ROWS = 4, MOST = 3 };

/* Rows row … row+3, lanes 8 * first … 8 * (first+count)-1 of a tile of that many panels. */
TILE void form_part(const struct tile_call *call, struct tile_part part, float *target, int panels, enum tile_mode mode,
		    int row, int first, int count)
{
	__m256 sum[ROWS][MOST];
	size_t offset[MOST];

#pragma GCC unroll 3
	for (int j = 0; j < count; j++)
		offset[j] = (size_t)((first + j) / 2) * call->right_panel + (size_t)((first + j) % 2 * LANES);
#pragma GCC unroll 4
	for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 3
		for (int j = 0; j < count; j++)
			sum[i][j] = _mm256_setzero_ps();
	for (size_t line = part.lines; line > 0; line--) {
		const float *left = part.left + row, *right = part.right;

		for (size_t column = part.columns; column > 0; column--) {
			__m256 lanes[MOST];

#pragma GCC unroll 3
			for (int j = 0; j < count; j++)
				lanes[j] = _mm256_loadu_ps(right + offset[j]);
#pragma GCC unroll 4
			for (int i = 0; i < ROWS; i++) {
				__m256 one = _mm256_set1_ps(left[i]);

#pragma GCC unroll 3
				for (int j = 0; j < count; j++)
					sum[i][j] = _mm256_fmadd_ps(one, lanes[j], sum[i][j]);
			}
			left += call->left_column;
			right += call->right_column;
		}
		part.left += call->left_line;
		part.right += call->right_line;
	}
#pragma GCC unroll 4
	for (int i = 0; i < ROWS; i++) {
#pragma GCC unroll 3
		for (int j = 0; j < count; j++) {
			float *at = target + (row + i) * panels * TILE_LANES + (first + j) * LANES;

			if (mode == TILE_SET)
				_mm256_storeu_ps(at, sum[i][j]);
			else if (mode == TILE_ADD)
				_mm256_storeu_ps(at, _mm256_add_ps(sum[i][j], _mm256_loadu_ps(at)));
			else
				_mm256_storeu_ps(at, _mm256_fmadd_ps(sum[i][j], sum[i][j], _mm256_loadu_ps(at)));
		}
	}
}

/* Two registers a panel; of three panels three at a time. */
#define FORM(name, panels, mode)                                                                                       \
	static TARGET void name##_##panels(const struct tile_call *call, float *target)                                \
	{                                                                                                              \
		const int step = (panels) == 3 ? 3 : 2;                                                                \
                                                                                                                       \
		for (size_t k = 0; k < call->count; k++, target += TILE_ROWS * TILE_LANES * (panels)) {                \
			struct tile_part part = tile_part(call, &call->runs[k]);                                       \
                                                                                                                       \
			for (int first = 0; first < 2 * (panels); first += step)                                       \
				for (int row = 0; row < TILE_ROWS; row += ROWS)                                        \
					form_part(call, part, target, panels, mode, row, first, step);                 \
		}                                                                                                      \
	}
#define FORMS(name, mode) FORM(name, 1, mode) FORM(name, 2, mode) FORM(name, 3, mode)

FORMS(set, TILE_SET)
FORMS(add, TILE_ADD)
FORMS(add_square, TILE_ADD_SQUARE)

TILE void transpose_8(float *dst, size_t width, const float *src, size_t element)
{
	__m256 a[8], b[8];

#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		a[i] = _mm256_loadu_ps(src + (size_t)i * element);
#pragma GCC unroll 4
	for (int i = 0; i < 8; i += 2) {
		b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
		b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
	}
#pragma GCC unroll 2
	for (int i = 0; i < 8; i += 4) {
		a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
		a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
		a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
		a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		_mm256_storeu_ps(dst + (size_t)i * width, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
		_mm256_storeu_ps(dst + (size_t)(i + 4) * width, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
	}
}

static TARGET void pack_columns(float *dst, size_t width, const float *src, size_t element, size_t positions)
{
	size_t t = 0;

	for (; t + 8 <= positions; t += 8)
		for (size_t j = 0; j < width; j += 8)
			transpose_8(dst + t * width + j, width, src + t + j * element, element);
	tile_kernels_plain.pack_columns(dst + t * width, width, src + t, element, positions - t);
}

static const struct tile_kernels kernels = {
	.name = "AVX2",
	.run = { { set_1, set_2, set_3 }, { add_1, add_2, add_3 }, { add_square_1, add_square_2, add_square_3 } },
	.pack_columns = pack_columns,
};
const struct tile_kernels *const tile_kernels_avx2 = &kernels;
#else
const struct tile_kernels *const tile_kernels_avx2 = NULL;
#endif

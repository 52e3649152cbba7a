/* Tiles in AVX-512: 8 rows by up to 48 lanes fill 24 of the 32 registers. */
#include "engine/square_product_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define TILE   static inline __attribute__((always_inline)) TARGET

TILE void form(const struct tile_call *call, struct tile_part part, float *target, int panels, enum tile_mode mode)
{
	__m512 sum[TILE_ROWS][TILE_PANELS];

#pragma GCC unroll 8
	for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 3
		for (int j = 0; j < panels; j++)
			sum[i][j] = _mm512_setzero_ps();
	for (size_t line = part.lines; line > 0; line--) {
		const float *left = part.left, *right = part.right;

		for (size_t column = part.columns; column > 0; column--) {
			__m512 lanes[TILE_PANELS];

#pragma GCC unroll 3
			for (int j = 0; j < panels; j++)
				lanes[j] = _mm512_loadu_ps(right + (size_t)j * call->right_panel);
#pragma GCC unroll 8
			for (int i = 0; i < TILE_ROWS; i++) {
				__m512 row = _mm512_set1_ps(left[i]);

#pragma GCC unroll 3
				for (int j = 0; j < panels; j++)
					sum[i][j] = _mm512_fmadd_ps(row, lanes[j], sum[i][j]);
			}
			left += call->left_column;
			right += call->right_column;
		}
		part.left += call->left_line;
		part.right += call->right_line;
	}
#pragma GCC unroll 8
	for (int i = 0; i < TILE_ROWS; i++) {
#pragma GCC unroll 3
		for (int j = 0; j < panels; j++) {
			float *at = target + (i * panels + j) * TILE_LANES;
			if (mode == TILE_SET)
				_mm512_storeu_ps(at, sum[i][j]);
			else if (mode == TILE_ADD)
				_mm512_storeu_ps(at, _mm512_add_ps(sum[i][j], _mm512_loadu_ps(at)));
			else
				_mm512_storeu_ps(at, _mm512_fmadd_ps(sum[i][j], sum[i][j], _mm512_loadu_ps(at)));
		}
	}
}

#define FORM(name, panels, mode)                                                                                       \
	static TARGET void name##_##panels(const struct tile_call *call, float *target)                                \
	{                                                                                                              \
		for (size_t k = 0; k < call->count; k++, target += TILE_ROWS * TILE_LANES * (panels))                  \
			form(call, tile_part(call, &call->runs[k]), target, panels, mode);                             \
	}
#define FORMS(name, mode) FORM(name, 1, mode) FORM(name, 2, mode) FORM(name, 3, mode)

FORMS(set, TILE_SET)
FORMS(add, TILE_ADD)
FORMS(add_square, TILE_ADD_SQUARE)

/* 16 by 16 floats, rows element apart, are turned into 16 rows of 16 side by side. */
TILE void transpose_16(float *dst, const float *src, size_t element)
{
	__m512 a[16], b[16];

#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		a[i] = _mm512_loadu_ps(src + (size_t)i * element);
#pragma GCC unroll 8
	for (int i = 0; i < 16; i += 2) {
		b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
		b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 16; i += 4) {
		a[i] = _mm512_shuffle_ps(b[i], b[i + 2], 0x44);
		a[i + 1] = _mm512_shuffle_ps(b[i], b[i + 2], 0xee);
		a[i + 2] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0x44);
		a[i + 3] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0xee);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		b[i] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
		b[i + 4] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xdd);
		b[i + 8] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
		b[i + 12] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xdd);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		_mm512_storeu_ps(dst + (size_t)i * 16, _mm512_shuffle_f32x4(b[i], b[i + 8], 0x88));
		_mm512_storeu_ps(dst + (size_t)(i + 4) * 16, _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0x88));
		_mm512_storeu_ps(dst + (size_t)(i + 8) * 16, _mm512_shuffle_f32x4(b[i], b[i + 8], 0xdd));
		_mm512_storeu_ps(dst + (size_t)(i + 12) * 16, _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0xdd));
	}
}

/* 8 by 8 floats, in the halves of one register each. */
TILE void transpose_8(float *dst, const float *src, size_t element)
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
		_mm256_storeu_ps(dst + (size_t)i * 8, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
		_mm256_storeu_ps(dst + (size_t)(i + 4) * 8, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
	}
}

static TARGET void pack_columns(float *dst, size_t width, const float *src, size_t element, size_t positions)
{
	size_t t = 0;

	if (width == TILE_LANES)
		for (; t + 16 <= positions; t += 16)
			transpose_16(dst + t * 16, src + t, element);
	else
		for (; t + 8 <= positions; t += 8)
			transpose_8(dst + t * 8, src + t, element);
	tile_kernels_plain.pack_columns(dst + t * width, width, src + t, element, positions - t);
}

static const struct tile_kernels kernels = {
	.name = "AVX-512",
	.run = { { set_1, set_2, set_3 }, { add_1, add_2, add_3 }, { add_square_1, add_square_2, add_square_3 } },
	.pack_columns = pack_columns,
};
const struct tile_kernels *const tile_kernels_avx512 = &kernels;
#else
const struct tile_kernels *const tile_kernels_avx512 = NULL;
#endif

/* Winograd's convolution in AVX-512: sixteen tiles a vector. */
#include "engine/winograd_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512dq")))
#define VEC    __m512
#define LANES  16
#define ROWS   8

#define V_SET(x)            _mm512_set1_ps(x)
#define V_ADD(a, b)         _mm512_add_ps(a, b)
#define V_SUB(a, b)         _mm512_sub_ps(a, b)
#define V_MUL(a, b)         _mm512_mul_ps(a, b)
#define V_FMA(a, b, c)      _mm512_fmadd_ps(a, b, c)
#define V_LOAD(p)           _mm512_loadu_ps(p)
#define V_STORE(p, v)       _mm512_store_ps(p, v)
#define V_STORE_ANY(p, v)   _mm512_storeu_ps(p, v)
#define V_UNPACK_LOW(a, b)  _mm512_unpacklo_ps(a, b)
#define V_UNPACK_HIGH(a, b) _mm512_unpackhi_ps(a, b)
#define V_LOW_HALVES(a, b)  _mm512_shuffle_ps(a, b, 0x44)
#define V_HIGH_HALVES(a, b) _mm512_shuffle_ps(a, b, 0xee)
#define V_PREFETCH(p)       _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define V_LOAD_QUADS        load_four
#define V_STORE_QUADS       store_four

static inline __attribute__((always_inline)) TARGET __m512 load_four(const float *from, const uint32_t *at)
{
	__m512 v = _mm512_castps128_ps512(_mm_loadu_ps(from + at[0]));

	v = _mm512_insertf32x4(v, _mm_loadu_ps(from + at[1]), 1);
	v = _mm512_insertf32x4(v, _mm_loadu_ps(from + at[2]), 2);
	return _mm512_insertf32x4(v, _mm_loadu_ps(from + at[3]), 3);
}

static inline __attribute__((always_inline)) TARGET void store_four(float *to, const uint32_t *at, __m512 v)
{
	_mm_storeu_ps(to + at[0], _mm512_castps512_ps128(v));
	_mm_storeu_ps(to + at[1], _mm512_extractf32x4_ps(v, 1));
	_mm_storeu_ps(to + at[2], _mm512_extractf32x4_ps(v, 2));
	_mm_storeu_ps(to + at[3], _mm512_extractf32x4_ps(v, 3));
}

#include "engine/winograd_lanes.inc"

static const struct winograd_kernels kernels = KERNELS("AVX-512");
const struct winograd_kernels *const winograd_kernels_avx512 = &kernels;
#else
const struct winograd_kernels *const winograd_kernels_avx512 = NULL;
#endif

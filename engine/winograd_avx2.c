/* Winograd's convolution in AVX2: eight tiles a vector. */
#include "engine/winograd_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define VEC    __m256
#define LANES  8
#define ROWS   6

#define V_SET(x)            _mm256_set1_ps(x)
#define V_ADD(a, b)         _mm256_add_ps(a, b)
#define V_SUB(a, b)         _mm256_sub_ps(a, b)
#define V_MUL(a, b)         _mm256_mul_ps(a, b)
#define V_FMA(a, b, c)      _mm256_fmadd_ps(a, b, c)
#define V_LOAD(p)           _mm256_loadu_ps(p)
#define V_STORE(p, v)       _mm256_store_ps(p, v)
#define V_STORE_ANY(p, v)   _mm256_storeu_ps(p, v)
#define V_UNPACK_LOW(a, b)  _mm256_unpacklo_ps(a, b)
#define V_UNPACK_HIGH(a, b) _mm256_unpackhi_ps(a, b)
#define V_LOW_HALVES(a, b)  _mm256_shuffle_ps(a, b, 0x44)
#define V_HIGH_HALVES(a, b) _mm256_shuffle_ps(a, b, 0xee)
#define V_PREFETCH(p)       _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define V_LOAD_QUADS        load_two
#define V_STORE_QUADS       store_two

static inline __attribute__((always_inline)) TARGET __m256 load_two(const float *from, const uint32_t *at)
{
	return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + at[0])), _mm_loadu_ps(from + at[1]), 1);
}

static inline __attribute__((always_inline)) TARGET void store_two(float *to, const uint32_t *at, __m256 v)
{
	_mm_storeu_ps(to + at[0], _mm256_castps256_ps128(v));
	_mm_storeu_ps(to + at[1], _mm256_extractf128_ps(v, 1));
}

#include "engine/winograd_lanes.inc"

static const struct winograd_kernels kernels = KERNELS("AVX2");
const struct winograd_kernels *const winograd_kernels_avx2 = &kernels;
#else
const struct winograd_kernels *const winograd_kernels_avx2 = NULL;
#endif

/* Narrow products in AVX2. */
#include "engine/narrow_product_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET         __attribute__((target("avx2,fma")))
#define VEC            __m256
#define LANES          8
#define V_SET(x)       _mm256_set1_ps(x)
#define V_LOAD(p)      _mm256_loadu_ps(p)
#define V_STORE(p, v)  _mm256_storeu_ps(p, v)
#define V_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)

#include "engine/narrow_product_lanes.inc"

SHAPE(wide, 3, 4)
SHAPE(middle, 6, 2)
SHAPE(slim, 10, 1)

static const struct narrow_kernels kernels = { .name = "AVX2",
					       .lanes = LANES,
					       .shapes = { { 3, 4, wide }, { 6, 2, middle }, { 10, 1, slim } } };
const struct narrow_kernels *const narrow_kernels_avx2 = &kernels;
#else
const struct narrow_kernels *const narrow_kernels_avx2 = NULL;
#endif

/* Narrow products in AVX-512. */
#include "engine/narrow_product_internal.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET         __attribute__((target("avx512f")))
#define VEC            __m512
#define LANES          16
#define V_SET(x)       _mm512_set1_ps(x)
#define V_LOAD(p)      _mm512_loadu_ps(p)
#define V_STORE(p, v)  _mm512_storeu_ps(p, v)
#define V_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)

#include "engine/narrow_product_lanes.inc"

SHAPE(wide, 6, 4)
SHAPE(middle, 12, 2)
SHAPE(slim, 14, 1)

static const struct narrow_kernels kernels = { .name = "AVX-512",
					       .lanes = LANES,
					       .shapes = { { 6, 4, wide }, { 12, 2, middle }, { 14, 1, slim } } };
const struct narrow_kernels *const narrow_kernels_avx512 = &kernels;
#else
const struct narrow_kernels *const narrow_kernels_avx512 = NULL;
#endif

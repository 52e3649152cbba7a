#include "engine/kernels_math.h"

#define APPLY(name)                                                                                                    \
	KERNEL void kernel_##name(float *restrict y, const float *restrict x, size_t n)                                \
	{                                                                                                              \
		for (size_t i = 0; i < n; i++)                                                                         \
			y[i] = math_##name(x[i]);                                                                      \
	}

APPLY(exp)
APPLY(log)
APPLY(tanh)
APPLY(erf)
APPLY(sigmoid)
APPLY(softplus)
APPLY(gelu)
APPLY(gelu_tanh)

#define APPLY_GRADIENT(name)                                                                                           \
	KERNEL void kernel_##name##_gradient(float *restrict dx, const float *restrict dy, const float *restrict x,    \
					     size_t n)                                                                 \
	{                                                                                                              \
		for (size_t i = 0; i < n; i++)                                                                         \
			dx[i] = dy[i] * math_##name##_slope(x[i]);                                                     \
	}

APPLY_GRADIENT(gelu)
APPLY_GRADIENT(gelu_tanh)

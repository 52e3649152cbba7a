/*
 * kernels_rows.h: softmax and normalisation along one dimension.
 *
 * Means, variances and the sums of exponentials are formed in double, in a fixed order of lanes: the same bits on every
 * machine (engine/kernels.h). Arrays of one call do not overlap. Threads: any.
 */
#ifndef ENGINE_KERNELS_ROWS_H
#define ENGINE_KERNELS_ROWS_H

#include <stddef.h>

/* A tensor [outer, size, inner], taken along its middle. */
struct kernel_axis {
	size_t outer, size, inner;
};

/* A NaN wins; of no numbers -infinity and infinity. */
float kernel_max(const float *x, size_t n);
float kernel_min(const float *x, size_t n);

/* y [outer, inner] = the sums of x */
void kernel_axis_sums(float *restrict y, const float *restrict x, struct kernel_axis a);

/* y = e^(x - max) / sum e^(x - max), and its logarithm. A NaN or a line of -infinity alone makes its line NaN. */
void kernel_softmax(float *restrict y, const float *restrict x, struct kernel_axis a);
void kernel_log_softmax(float *restrict y, const float *restrict x, struct kernel_axis a);

/* dx = y (dy - sum(dy y)): the Jacobian is symmetric, so this is the tangent too, with dx for dy. */
void kernel_softmax_gradient(float *restrict dx, const float *restrict dy, const float *restrict y,
			     struct kernel_axis a);
/* dx = dy - e^y sum(dy) */
void kernel_log_softmax_gradient(float *restrict dx, const float *restrict dy, const float *restrict y,
				 struct kernel_axis a);
/* ty = tx - sum(e^y tx) */
void kernel_log_softmax_tangent(float *restrict ty, const float *restrict tx, const float *restrict y,
				struct kernel_axis a);

/*
 * Layer normalisation of rows (Ba, Kiros and Hinton, 2016): y = scale h + shift with h = (x - mean) inverse,
 * inverse = 1 / sqrt(variance + epsilon), the variance that of the row's own n numbers.
 */
struct kernel_norm {
	size_t rows, n;
	const float *x;              /* [rows, n] */
	const float *mean, *inverse; /* [rows] */
	const float *scale, *shift;  /* [n]; NULL: 1 and 0 */
};

/* mean and inverse [rows] of x [rows, n], shape = { rows, n } */
void kernel_moments(float *restrict mean, float *restrict inverse, const float *restrict x, const size_t shape[2],
		    float epsilon);
void kernel_normalise(const struct kernel_norm *k, float *restrict y);
/* dx = inverse (g - mean(g) - h mean(g h)) with g = scale dy; with scale NULL the tangent of h, too. */
void kernel_normalise_gradient(const struct kernel_norm *k, const float *restrict dy, float *restrict dx);
/* dscale [n] = the sum over rows of dy h */
void kernel_normalise_scale_gradient(const struct kernel_norm *k, const float *restrict dy, float *restrict dscale);

#endif

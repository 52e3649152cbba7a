/*
 * plain_gradients.h: what reductions mean, as plain loops in double: each sample's gradient formed, then folded. Shared
 * by the tests of square_product.c and reduce.c.
 */
#ifndef TESTS_UNIT_ENGINE_PLAIN_GRADIENTS_H
#define TESTS_UNIT_ENGINE_PLAIN_GRADIENTS_H

#include "base/rng.h"
#include "engine/reduce.h"

enum { MOST_DIRECTIONS = 11 };

/* gradient [floats] of sample n, which is zero before */
typedef void gradient_function(const void *of, size_t n, double *gradient);

gradient_function factors_gradient; /* of a struct reduce_factors */
gradient_function conv_gradient;    /* of a struct reduce_conv */

/* One thing to reduce: of is handed to gradient and to run. */
struct trial {
	const void *of;
	gradient_function *gradient;
	void (*run)(struct reduce *r, const void *of);
	const char *name;
	size_t samples, floats, scratch;
};

/* Tries the kinds REDUCE_SUM to REDUCE_ROWS, added to what is there; first and samples as given. */
void check_trial(struct rng *rng, const struct trial *t, size_t first, size_t samples);

/* Standard normal, 64-byte aligned; not a number anywhere, and a guard behind. */
float *numbers(struct rng *r, size_t count);
float *scratch_of(size_t count);
void check_guard(const float *scratch, size_t count);

size_t draw(struct rng *r, uint32_t least, uint32_t most);

/* Matrices and convolutions of any layout; the data are to be freed, left or image first. */
struct reduce_factors draw_factors(struct rng *r, uint32_t most_positions, uint32_t most_width, float *data[2]);
struct reduce_side draw_side(struct rng *r, const struct reduce_factors *f, size_t width, float **data);
struct reduce_conv draw_conv(struct rng *r, const uint32_t most[3], uint32_t most_kernel);
void fill_conv(struct rng *r, struct reduce_conv *c, float *data[2]);

#endif

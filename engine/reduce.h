/*
 * reduce.h: what becomes of per-sample parameter gradients.
 *
 * Backward passes never store the gradient of a weight for each sample. An operator hands over the two factors that the
 * gradient is made of, and the reduction folds them into what the caller asked for:
 *
 *   REDUCE_SUM         out[p]  += sum_n g[n][p]            training
 *   REDUCE_SQUARE_SUM  out[p]  += sum_n g[n][p]^2          importance: diagonal empirical Fisher, exact per sample
 *                                                          (Foster et al., AAAI 2024, without its batch-mean shortcut)
 *   REDUCE_NORM        dots[n] += sum_p g[n][p]^2          squared gradient norm of each sample
 *
 * For a weight W [out, in] that acted at T positions, g[n] = B_n^T A_n with the activations A_n [T, in] and the
 * gradients B_n [T, out] of the loss with respect to the outputs. Dense layers have T = 1, convolutions T = oh * ow,
 * sequences T = length.
 *
 * Ownership: the caller owns every buffer and keeps them alive during the call. Nothing is allocated.
 * Threads: a reduction belongs to one thread at a time.
 */
#ifndef ENGINE_REDUCE_H
#define ENGINE_REDUCE_H

#include <stdbool.h>
#include <stddef.h>

enum reduce_kind { REDUCE_SUM, REDUCE_SQUARE_SUM, REDUCE_NORM };

/* The factors of one weight, or of a part of it, for a run of samples; row-major, borrowed. */
struct reduce_factors {
	const float *activations; /* [samples, positions, in], or [samples, in, positions] when position_last */
	const float *out_grads;   /* [samples, positions, out], or [samples, out, positions] */
	size_t samples, positions, in, out;
	bool position_last;
	float scale;         /* of every gradient */
	size_t first_sample; /* of the run, within dots */
	size_t at;           /* where the part [out, in] starts within the weight */
};

/* Gradients that each sample has already formed: a bias, a scale. */
struct reduce_rows {
	const float *rows; /* [samples, count] */
	size_t samples, count;
	float scale;
	size_t first_sample, at;
};

struct reduce {
	enum reduce_kind kind;
	float *out;   /* SUM, SQUARE_SUM: the parameter's floats */
	double *dots; /* NORM: [samples] */
	float *tile;  /* scratch of tile_size floats */
	size_t tile_size;
};

/* Floats of scratch that a weight [out, in] needs for any kind: a cache-sized tile, however many the samples. */
size_t reduce_scratch(size_t out, size_t in);

void reduce_add_factors(struct reduce *r, const struct reduce_factors *f);
void reduce_add_rows(struct reduce *r, const struct reduce_rows *f);

#endif

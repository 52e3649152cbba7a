/*
 * reduce.h: what becomes of per-sample parameter gradients.
 *
 * Backward passes never store the gradient of a weight for each sample. An operator hands over the factors that the
 * gradient is made of, and the reduction folds them into what the caller asked for; g[n] is sample n's gradient of one
 * weight, p runs over the weight's floats:
 *
 *   REDUCE_SUM         out[p]     += sum_n g[n][p]          training
 *   REDUCE_SQUARE_SUM  out[p]     += sum_n g[n][p]^2        importance: diagonal empirical Fisher, exact per sample
 *                                                           (Foster et al., AAAI 2024, without its batch-mean shortcut)
 *   REDUCE_NORM        dots[n]    += sum_p g[n][p]^2        squared gradient norm of each sample
 *   REDUCE_DOT         dots[n][k] += sum_p g[n][p] d_k[p]   inner product of each sample's gradient with directions
 *   REDUCE_ROWS        out[n][p]  += g[n][p]                laid out sample by sample: small or shared weights only
 *   REDUCE_MOMENTS     left += sum_n,t l l^T, right += sum_n,t r r^T: the Kronecker factors of K-FAC (Martens and
 *                      Grosse, ICML 2015; for convolutions Grosse and Martens, ICML 2016, before their division by T).
 *                      Rows (biases, scales) have no factors and are left out.
 *
 * For all but SUM and MOMENTS a weight must be handed over once and whole per sample: a sample's parts add up before
 * they are squared. (DOT and ROWS are linear and may be handed over in pieces.)
 *
 * Ownership: the caller owns every buffer and keeps it alive during the call. Nothing is allocated.
 * Threads: a reduction belongs to one thread at a time. Bits depend on shapes and the machine's vector level only.
 */
#ifndef ENGINE_REDUCE_H
#define ENGINE_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reduce_kind {
	REDUCE_SUM,
	REDUCE_SQUARE_SUM,
	REDUCE_NORM,
	REDUCE_DOT,
	REDUCE_ROWS,
	REDUCE_MOMENTS,
};

struct reduce {
	enum reduce_kind kind;
	size_t floats; /* of the weight */

	/* Of what is handed over, only samples first … first+samples-1 are taken; out and dots start at first. */
	size_t first, samples;

	float *out;                     /* SUM, SQUARE_SUM [floats]; ROWS [samples, floats] */
	double *dots;                   /* NORM [samples]; DOT [samples, direction_count] */
	const float *const *directions; /* DOT: direction_count times [floats] */
	size_t direction_count;
	float *left, *right; /* MOMENTS [rows, rows], [cols, cols] of the weight [rows, cols]; either may be NULL */

	float *scratch; /* as many floats as the operator announced in op_build.reduce_scratch */
};

/*
 * A matrix, or a part of one, that acted at T = outer * positions places of each sample:
 *   g[n][r][c] = scale * sum_o,t left(n, o, t)[r] right(n, o, t)[c],  stored at weight[at + r * ld + c]
 * where side(n, o, t)[j] lies at side.data[n * sample + o * outer + t * position + j * element].
 * One of position and element is 1 on each side, as a rule: [T, j] has element 1, [j, T] has position 1.
 * Dense [out, in]: left the output's gradient, right the activation. MatMul's [in, out]: the other way round.
 */
struct reduce_side {
	const float *data;
	size_t sample, outer, position, element; /* floats from one to the next */
};

struct reduce_factors {
	struct reduce_side left, right;
	size_t samples, outer, positions, rows, cols;
	float scale;
	size_t at, ld; /* ld 0: cols */
};

/* A 2-D convolution's weight [filters, channels / groups, kernel[0], kernel[1]]; 1-D has height 1. */
struct reduce_conv {
	const float *image;     /* [samples, channels, in[0], in[1]] */
	const float *out_grads; /* [samples, filters, out[0], out[1]] */
	size_t samples, channels, filters, groups;
	size_t in[2], out[2], kernel[2], stride[2], dilation[2], pad[2]; /* pad: before; what follows is implied */
};

/* Gradients that each sample has already formed: a bias, a scale, what is broadcast. */
struct reduce_rows {
	const float *rows; /* [samples, count] */
	size_t samples, count;
	float scale;
	size_t at;
};

/*
 * Rows of a table [count, width] that each sample looked up: an embedding. Place p = (o * samples + n) * inner + i of
 * sample n took the row rows[p] (counted from the end when negative; left out when there is no such row):
 *   g[n] = the sum over sample n's places of grads[p], each stored at weight[at + rows[p] * width]
 * Time and memory grow with the places, not with the table. MOMENTS: left is the diagonal matrix of how often each row
 * was taken.
 */
struct reduce_lookup {
	const int64_t *rows; /* [outer, samples, inner] */
	const float *grads;  /* [outer, samples, inner, width] */
	size_t samples, outer, inner, count, width;
	size_t at;
};

/* Floats of scratch that any kind needs; announced by infer. data pointers need not be set. */
size_t reduce_scratch_factors(const struct reduce_factors *f);
size_t reduce_scratch_conv(const struct reduce_conv *c);
size_t reduce_scratch_lookup(const struct reduce_lookup *l);

void reduce_add_factors(struct reduce *r, const struct reduce_factors *f);
void reduce_add_conv(struct reduce *r, const struct reduce_conv *c);
void reduce_add_rows(struct reduce *r, const struct reduce_rows *f);
void reduce_add_lookup(struct reduce *r, const struct reduce_lookup *l);

#endif

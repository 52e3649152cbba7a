/*
 * winograd_lanes.h: the bodies of the kernels, for the width of vectors that the including file defines: TARGET, VEC,
 * LANES, ROWS, and the operations V_…. Included once a level.
 *
 * Lane 4 l + k of a vector belongs to tile k * LANES / 4 + l: that is the order in which four vectors of four
 * neighbouring elements of each tile become four vectors of one element of each tile by transposing inside of 128 bits.
 */
#include "engine/winograd_internal.h"

#define INLINE static inline __attribute__((always_inline)) TARGET

enum { AHEAD = 2048 };      /* floats: weights come from beyond the second cache, one after the other */
enum { QUADS = LANES / 4 }; /* tiles of a vector of four elements each */

#define A2 (WINOGRAD_A * WINOGRAD_A)
#define B2 (WINOGRAD_B * WINOGRAD_B)

/* Rows of the basis, from a patch's six elements d. */
INLINE void to_base(const VEC d[WINOGRAD_PATCH], VEC t[WINOGRAD_PATCH])
{
	VEC even_a = V_FMA(V_SET(-B2), d[2], d[4]), odd_a = V_FMA(V_SET(-B2), d[1], d[3]);
	VEC even_b = V_FMA(V_SET(-A2), d[2], d[4]), odd_b = V_FMA(V_SET(-A2), d[1], d[3]);

	t[0] = V_FMA(V_SET(A2 * B2), d[0], V_FMA(V_SET(-(A2 + B2)), d[2], d[4]));
	t[1] = V_FMA(V_SET(WINOGRAD_A), odd_a, even_a);
	t[2] = V_FMA(V_SET(-WINOGRAD_A), odd_a, even_a);
	t[3] = V_FMA(V_SET(WINOGRAD_B), odd_b, even_b);
	t[4] = V_FMA(V_SET(-WINOGRAD_B), odd_b, even_b);
	t[5] = V_FMA(V_SET(A2 * B2), d[1], V_FMA(V_SET(-(A2 + B2)), d[3], d[5]));
}

/* A tile's four outputs from the basis. */
INLINE void from_base(const VEC m[WINOGRAD_PATCH], VEC y[WINOGRAD_TILE])
{
	VEC sum_a = V_ADD(m[1], m[2]), difference_a = V_SUB(m[1], m[2]);
	VEC sum_b = V_ADD(m[3], m[4]), difference_b = V_SUB(m[3], m[4]);

	y[0] = V_ADD(V_ADD(m[0], sum_a), sum_b);
	y[1] = V_FMA(V_SET(WINOGRAD_B), difference_b, V_MUL(V_SET(WINOGRAD_A), difference_a));
	y[2] = V_FMA(V_SET(B2), sum_b, V_MUL(V_SET(A2), sum_a));
	y[3] = V_FMA(V_SET(B2 * WINOGRAD_B), difference_b, V_FMA(V_SET(A2 * WINOGRAD_A), difference_a, m[5]));
}

/* Four neighbouring elements of each of QUADS tiles. */
INLINE VEC load_quads(const struct winograd_tiles *tiles, size_t first, const float *from)
{
	return tiles->neighbours ? V_LOAD(from + tiles->at[first]) : V_LOAD_QUADS(from, tiles->at + first);
}

/* Six elements of a row of every patch. */
INLINE void load_row(const struct winograd_tiles *tiles, const float *from, VEC d[WINOGRAD_PATCH])
{
	VEC v0 = load_quads(tiles, 0, from), v1 = load_quads(tiles, QUADS, from);
	VEC v2 = load_quads(tiles, 2 * QUADS, from), v3 = load_quads(tiles, 3 * QUADS, from);
	VEC low01 = V_UNPACK_LOW(v0, v1), low23 = V_UNPACK_LOW(v2, v3);
	VEC high01 = V_UNPACK_HIGH(v0, v1), high23 = V_UNPACK_HIGH(v2, v3);

	d[0] = V_LOW_HALVES(low01, low23);
	d[1] = V_HIGH_HALVES(low01, low23);
	d[2] = V_LOW_HALVES(high01, high23);
	d[3] = V_HIGH_HALVES(high01, high23);
	v0 = load_quads(tiles, 0, from + 4), v1 = load_quads(tiles, QUADS, from + 4);
	v2 = load_quads(tiles, 2 * QUADS, from + 4), v3 = load_quads(tiles, 3 * QUADS, from + 4);
	low01 = V_UNPACK_LOW(v0, v1), low23 = V_UNPACK_LOW(v2, v3);
	d[4] = V_LOW_HALVES(low01, low23);
	d[5] = V_HIGH_HALVES(low01, low23);
}

static TARGET void input(const struct winograd_tiles *tiles, const float *plane, float *to, size_t step)
{
	VEC rows[WINOGRAD_PATCH][WINOGRAD_PATCH], d[WINOGRAD_PATCH], t[WINOGRAD_PATCH];

	for (size_t i = 0; i < WINOGRAD_PATCH; i++) {
		load_row(tiles, plane + i * tiles->row, d);
		to_base(d, rows[i]);
	}
	for (size_t j = 0; j < WINOGRAD_PATCH; j++) {
		for (size_t i = 0; i < WINOGRAD_PATCH; i++)
			d[i] = rows[i][j];
		to_base(d, t);
		for (size_t i = 0; i < WINOGRAD_PATCH; i++)
			V_STORE(to + (i * WINOGRAD_PATCH + j) * step, t[i]);
	}
}

INLINE void store_quads(const struct winograd_tiles *tiles, size_t first, VEC v, float *to)
{
	if (tiles->neighbours)
		V_STORE_ANY(to + tiles->at[first], v);
	else
		V_STORE_QUADS(to, tiles->at + first, v);
}

/* One row of four outputs of every tile. */
INLINE void store_row(const struct winograd_tiles *tiles, const VEC y[WINOGRAD_TILE], float *to)
{
	VEC low01 = V_UNPACK_LOW(y[0], y[1]), low23 = V_UNPACK_LOW(y[2], y[3]);
	VEC high01 = V_UNPACK_HIGH(y[0], y[1]), high23 = V_UNPACK_HIGH(y[2], y[3]);

	store_quads(tiles, 0, V_LOW_HALVES(low01, low23), to);
	store_quads(tiles, QUADS, V_HIGH_HALVES(low01, low23), to);
	store_quads(tiles, 2 * QUADS, V_LOW_HALVES(high01, high23), to);
	store_quads(tiles, 3 * QUADS, V_HIGH_HALVES(high01, high23), to);
}

static TARGET void output(const struct winograd_tiles *tiles, const float *from, size_t step, float bias, float *plane)
{
	VEC rows[WINOGRAD_PATCH][WINOGRAD_TILE], m[WINOGRAD_PATCH], y[WINOGRAD_TILE],
	    columns[WINOGRAD_TILE][WINOGRAD_TILE];

	for (size_t i = 0; i < WINOGRAD_PATCH; i++) {
		for (size_t j = 0; j < WINOGRAD_PATCH; j++)
			m[j] = V_LOAD(from + (i * WINOGRAD_PATCH + j) * step);
		from_base(m, rows[i]);
	}
	for (size_t j = 0; j < WINOGRAD_TILE; j++) {
		for (size_t i = 0; i < WINOGRAD_PATCH; i++)
			m[i] = rows[i][j];
		from_base(m, columns[j]);
	}
	for (size_t i = 0; i < WINOGRAD_TILE; i++) {
		for (size_t j = 0; j < WINOGRAD_TILE; j++)
			y[j] = V_ADD(columns[j][i], V_SET(bias));
		store_row(tiles, y, plane + i * tiles->row);
	}
}

/* The first eight taps of eight rows, a tap of all rows after the other. */
INLINE void turn_taps(const float *const rows[8], size_t at, __m256 t[8])
{
	__m256 a[8], b[8];

#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		a[i] = _mm256_loadu_ps(rows[i] + at);
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
		t[i] = _mm256_permute2f128_ps(a[i], a[i + 4], 0x20);
		t[i + 4] = _mm256_permute2f128_ps(a[i], a[i + 4], 0x31);
	}
}

/* Eight rows are written, ROWS are meant: what is too much is overwritten by the next channel. */
static TARGET void taps(const struct winograd_taps *from, float *to)
{
	for (size_t d = 0; d < from->depth; d++) {
		__m256 t[8];
		float last[8];

		turn_taps(from->rows, d * from->channel, t);
#pragma GCC unroll 8
		for (int k = 0; k < 8; k++)
			_mm256_storeu_ps(to + (size_t)(from->flipped ? 8 - k : k) * from->step + d * ROWS, t[k]);
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			last[i] = from->rows[i][d * from->channel + 8];
		_mm256_storeu_ps(to + (size_t)(from->flipped ? 0 : 8) * from->step + d * ROWS, _mm256_loadu_ps(last));
	}
}

/* One dimension of the weights: three taps to six numbers. */
INLINE void weights_to_base(const VEC g[3], VEC t[WINOGRAD_PATCH])
{
	const float near = 1.0f / (2.0f * A2 * (A2 - B2)), far = 1.0f / (2.0f * B2 * (B2 - A2));
	VEC even_a = V_MUL(V_SET(near), V_FMA(V_SET(A2), g[2], g[0])), odd_a = V_MUL(V_SET(near * WINOGRAD_A), g[1]);
	VEC even_b = V_MUL(V_SET(far), V_FMA(V_SET(B2), g[2], g[0])), odd_b = V_MUL(V_SET(far * WINOGRAD_B), g[1]);

	t[0] = V_MUL(V_SET(1.0f / (A2 * B2)), g[0]);
	t[1] = V_ADD(even_a, odd_a);
	t[2] = V_SUB(even_a, odd_a);
	t[3] = V_ADD(even_b, odd_b);
	t[4] = V_SUB(even_b, odd_b);
	t[5] = g[2];
}

/* count may leave the last vector unfilled: what is written beyond is overwritten later or never read. */
static TARGET void weights(const float *taps, size_t tap_step, size_t count, float *to, size_t step)
{
	for (size_t at = 0; at < count; at += LANES) {
		VEC rows[3][WINOGRAD_PATCH], g[3], t[WINOGRAD_PATCH];

		for (size_t i = 0; i < 3; i++) {
			for (size_t j = 0; j < 3; j++)
				g[j] = V_LOAD(taps + (3 * i + j) * tap_step + at);
			weights_to_base(g, rows[i]);
		}
		for (size_t j = 0; j < WINOGRAD_PATCH; j++) {
			for (size_t i = 0; i < 3; i++)
				g[i] = rows[i][j];
			weights_to_base(g, t);
			for (size_t i = 0; i < WINOGRAD_PATCH; i++)
				V_STORE_ANY(to + (i * WINOGRAD_PATCH + j) * step + at, t[i]);
		}
	}
}

INLINE void multiply(const struct winograd_product *p, int vectors)
{
	const float *weights = p->weights, *patches = p->patches;
	VEC sum[ROWS][WINOGRAD_VECTORS];

#pragma GCC unroll 12
	for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 2
		for (int j = 0; j < vectors; j++)
			sum[i][j] = p->add ? V_LOAD(p->to + (i * vectors + j) * LANES) : V_SET(0.0f);
	for (size_t depth = p->depth; depth > 0; depth--) {
		VEC lanes[WINOGRAD_VECTORS];

#pragma GCC unroll 2
		for (int j = 0; j < vectors; j++)
			lanes[j] = V_LOAD(patches + j * LANES);
#pragma GCC unroll 12
		for (int i = 0; i < ROWS; i++) {
			VEC weight = V_SET(weights[i]);

#pragma GCC unroll 2
			for (int j = 0; j < vectors; j++)
				sum[i][j] = V_FMA(weight, lanes[j], sum[i][j]);
		}
		V_PREFETCH(weights + AHEAD);
		weights += ROWS;
		patches += vectors * LANES;
	}
#pragma GCC unroll 12
	for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 2
		for (int j = 0; j < vectors; j++)
			V_STORE(p->to + (i * vectors + j) * LANES, sum[i][j]);
}

static TARGET void multiply_1(const struct winograd_product *p)
{
	multiply(p, 1);
}

static TARGET void multiply_2(const struct winograd_product *p)
{
	multiply(p, 2);
}

#define KERNELS(level)                                                                                                 \
	{                                                                                                              \
		.name = level, .lanes = LANES, .rows = ROWS, .taps = taps, .weights = weights, .input = input,         \
		.multiply = { multiply_1, multiply_2 }, .output = output                                               \
	}

/* Tiles in plain C, for every machine: the definition that the others are held to. And the choice among them. */
#include <stdatomic.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/square_product_internal.h"

/* sum [TILE_ROWS, lanes] */
static void form(const struct tile_call *call, const struct tile_run *run, size_t lanes, float *sum)
{
	struct tile_part part = tile_part(call, run);

	for (size_t t = 0; t < part.lines * part.columns; t++) {
		size_t line = t / part.columns, column = t % part.columns;
		const float *left = part.left + line * call->left_line + column * call->left_column;
		const float *right = part.right + line * call->right_line + column * call->right_column;

		for (size_t i = 0; i < TILE_ROWS; i++)
			for (size_t first = 0; first < lanes; first += TILE_LANES)
				for (size_t j = 0; j < TILE_LANES; j++)
					sum[i * lanes + first + j] +=
					    left[i] * right[first / TILE_LANES * call->right_panel + j];
	}
}

static void form_all(const struct tile_call *call, size_t lanes, enum tile_mode mode, float *target)
{
	for (size_t k = 0; k < call->count; k++, target += TILE_ROWS * lanes) {
		float sum[TILE_FLOATS] = { 0 };

		form(call, &call->runs[k], lanes, sum);
		for (size_t i = 0; i < TILE_ROWS * lanes; i++) {
			float old = mode == TILE_SET ? 0.0f : target[i];

			target[i] = old + (mode == TILE_ADD_SQUARE ? sum[i] * sum[i] : sum[i]);
		}
	}
}

#define FORM(name, panels, mode)                                                                                       \
	static void name##_##panels(const struct tile_call *call, float *target)                                       \
	{                                                                                                              \
		form_all(call, (size_t)(panels)*TILE_LANES, mode, target);                                             \
	}
#define FORMS(name, mode) FORM(name, 1, mode) FORM(name, 2, mode) FORM(name, 3, mode)

FORMS(set, TILE_SET)
FORMS(add, TILE_ADD)
FORMS(add_square, TILE_ADD_SQUARE)

static void pack_columns(float *dst, size_t width, const float *src, size_t element, size_t positions)
{
	for (size_t t = 0; t < positions; t++)
		for (size_t j = 0; j < width; j++)
			dst[t * width + j] = src[j * element + t];
}

const struct tile_kernels tile_kernels_plain = {
	.name = "plain C",
	.run = { { set_1, set_2, set_3 }, { add_1, add_2, add_3 }, { add_square_1, add_square_2, add_square_3 } },
	.pack_columns = pack_columns,
};

/* ---- choice ---- */

const struct tile_kernels *tile_kernels_at(enum tile_level level)
{
	switch (level) {
#if defined(__x86_64__) && defined(__GNUC__)
	case TILE_AVX512:
		return __builtin_cpu_supports("avx512f") ? tile_kernels_avx512 : NULL;
	case TILE_AVX2:
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? tile_kernels_avx2 : NULL;
#endif
	case TILE_PLAIN:
		return &tile_kernels_plain;
	default:
		return NULL;
	}
}

static const struct tile_kernels *_Atomic chosen;

void tile_kernels_force(const struct tile_kernels *kernels)
{
	atomic_store(&chosen, kernels);
}

const struct tile_kernels *tile_kernels(void)
{
	const struct tile_kernels *k = atomic_load_explicit(&chosen, memory_order_acquire);

	for (int level = TILE_LEVELS - 1; !k && level >= 0; level--) {
		k = tile_kernels_at((enum tile_level)level);
		if (k)
			atomic_store_explicit(&chosen, k, memory_order_release);
	}
	return k;
}

/* ---- packing ---- */

enum { BLOCK = 16 }; /* positions whose rows are read in one go, for all panels */

/* Positions side by side: rows of elements. */
KERNEL static void pack_whole_rows(float *restrict dst, size_t width, const float *restrict src, size_t position,
				   size_t count)
{
	if (width == TILE_LANES)
		for (size_t t = 0; t < count; t++)
			memcpy(dst + t * TILE_LANES, src + t * position, TILE_LANES * sizeof(*dst));
	else
		for (size_t t = 0; t < count; t++)
			memcpy(dst + t * TILE_ROWS, src + t * position, TILE_ROWS * sizeof(*dst));
}

static void pack_any(const struct tile_pack *p, size_t width, const float *src, size_t count, float *dst)
{
	for (size_t t = 0; t < count; t++)
		for (size_t j = 0; j < p->width; j++)
			dst[t * p->width + j] = j < width ? src[t * p->position + j * p->element] : 0.0f;
}

static size_t width_at(const struct tile_pack *p, size_t first)
{
	return p->elements - first < p->width ? p->elements - first : p->width;
}

static void pack_rows(const struct tile_pack *p, const float *src, float *dst)
{
	for (size_t t = 0; t < p->positions; t += BLOCK) {
		size_t count = p->positions - t < BLOCK ? p->positions - t : BLOCK;
		float *to = dst + t * p->width;

		for (size_t first = 0; first < p->elements; first += p->width, to += p->panel) {
			const float *from = src + t * p->position + first;

			if (width_at(p, first) == p->width)
				pack_whole_rows(to, p->width, from, p->position, count);
			else
				pack_any(p, width_at(p, first), from, count, to);
		}
	}
}

static void pack_columns_of(const struct tile_kernels *k, const struct tile_pack *p, const float *src, float *dst)
{
	for (size_t first = 0; first < p->elements; first += p->width, dst += p->panel) {
		const float *from = src + first * p->element;

		if (p->position == 1 && width_at(p, first) == p->width)
			k->pack_columns(dst, p->width, from, p->element, p->positions);
		else
			pack_any(p, width_at(p, first), from, p->positions, dst);
	}
}

void tile_pack(const struct tile_kernels *k, const struct tile_pack *p, float *dst)
{
	for (size_t o = 0; o < p->outer_count; o++) {
		const float *src = p->src + o * p->outer;
		float *to = dst + o * p->positions * p->width;

		if (p->element == 1)
			pack_rows(p, src, to);
		else
			pack_columns_of(k, p, src, to);
	}
}

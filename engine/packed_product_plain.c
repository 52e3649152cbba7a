/* Tiles in plain C: the definition that the others are held to. And the choice among them. */
#include <stdatomic.h>

#include "engine/packed_product_internal.h"

static void form(const struct product_tile *t, size_t rows)
{
	for (size_t i = 0; i < rows; i++) {
		for (size_t j = 0; j < t->columns; j++) {
			const float *left = t->left + i * t->left_row;
			const float *right = t->right + j / PRODUCT_LANES * t->right_panel + j % PRODUCT_LANES;
			float sum = 0.0f;

			for (size_t k = 0; k < t->depth; k++)
				sum += left[k * t->left_step] * right[k * t->right_step];
			sum *= t->alpha;
			t->out[i * t->out_row + j] = t->start ? sum + t->beta * t->start[i * t->start_row + j] : sum;
		}
	}
}

#define FORM(rows)                                                                                                     \
	static void form_##rows(const struct product_tile *t)                                                          \
	{                                                                                                              \
		form(t, rows);                                                                                         \
	}

FORM(1)
FORM(2)

const struct product_kernels product_kernels_plain = {
	.name = "plain C",
	.rows = 2,
	.panels = 2,
	.form = { { NULL, form_1, form_2 }, { NULL, form_1, form_2 } },
};

/* ---- choice ---- */

const struct product_kernels *product_kernels_at(enum tile_level level)
{
	if (!tile_kernels_at(level))
		return NULL;
	return level == TILE_AVX512 ? product_kernels_avx512
	       : level == TILE_AVX2 ? product_kernels_avx2
				    : &product_kernels_plain;
}

static const struct product_kernels *_Atomic chosen;

void product_kernels_force(const struct product_kernels *kernels)
{
	atomic_store(&chosen, kernels);
}

const struct product_kernels *product_kernels(void)
{
	const struct product_kernels *k = atomic_load_explicit(&chosen, memory_order_acquire);

	for (int level = TILE_LEVELS - 1; !k && level >= 0; level--) {
		k = product_kernels_at((enum tile_level)level);
		if (k)
			atomic_store_explicit(&chosen, k, memory_order_release);
	}
	return k;
}

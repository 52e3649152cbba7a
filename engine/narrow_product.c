#include "engine/narrow_product.h"

#include <stdint.h>

#include "engine/narrow_product_internal.h"

static const struct narrow_kernels *forced;

const struct narrow_kernels *narrow_kernels(void)
{
	if (forced)
		return forced;
#if defined(__x86_64__) && defined(__GNUC__)
	if (narrow_kernels_avx512 && __builtin_cpu_supports("avx512f"))
		return narrow_kernels_avx512;
	if (narrow_kernels_avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return narrow_kernels_avx2;
#endif
	return NULL;
}

void narrow_kernels_force(const struct narrow_kernels *kernels)
{
	forced = kernels;
}

bool narrow_product_serves(size_t rows, size_t columns)
{
	return rows >= NARROW_MAX_ROWS && columns <= NARROW_PRODUCT_COLUMNS && narrow_kernels();
}

/* The shape that leaves the fewest lanes idle, the widest of those. */
static const struct narrow_shape *choose(const struct narrow_kernels *k, size_t columns)
{
	const struct narrow_shape *best = k->shapes;
	size_t least = SIZE_MAX;

	for (const struct narrow_shape *s = k->shapes; s->rows; s++) {
		size_t width = s->vectors * k->lanes, lanes = (columns + width - 1) / width * width;

		if (lanes < least) {
			least = lanes;
			best = s;
		}
	}
	return best;
}

/* What of a tile lies inside of the product. */
static void put(const struct narrow_product *p, const float *tile, size_t width, size_t row, size_t rows, size_t column)
{
	size_t columns = p->columns - column < width ? p->columns - column : width;

	for (size_t i = 0; i < rows; i++) {
		float bias = p->bias ? p->bias[row + i] : 0.0f;

		for (size_t j = 0; j < columns; j++)
			p->to[(row + i) * p->columns + column + j] = tile[i * width + j] + bias;
	}
}

void narrow_product_run(const struct narrow_product *p)
{
	const struct narrow_kernels *k = narrow_kernels();
	const struct narrow_shape *s = choose(k, p->columns);
	size_t width = s->vectors * k->lanes;
	float tile[NARROW_MAX_TILE];

	for (size_t row = 0; row < p->rows; row += s->rows) {
		/* The last rows are some of those before, once more. */
		size_t first = row + s->rows <= p->rows ? row : p->rows - s->rows;

		for (size_t column = 0; column < p->columns; column += width) {
			struct narrow_tile t = { .left = p->left + first * p->depth,
						 .right = p->right + column,
						 .depth = p->depth,
						 .right_row = p->columns,
						 .to = tile };

			s->run(&t);
			put(p, tile, width, first, s->rows, column);
		}
	}
}

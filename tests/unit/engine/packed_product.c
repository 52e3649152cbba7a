/* Products of every vector level against sums in double, over shapes drawn from a fixed seed. */
#include "engine/packed_product.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/packed_product_internal.h"

#define GUARD 12345.0f

/* Floats whose last one is followed by a page that nobody may read. */
struct fenced {
	float *data;
	char *pages;
	size_t size;
};

static struct fenced fenced_numbers(struct rng *r, size_t count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = count * sizeof(float);
	struct fenced f = { .size = (bytes + page - 1) / page * page + page };

	f.pages = mmap(NULL, f.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(f.pages != MAP_FAILED);
	cr_assert_eq(mprotect(f.pages + f.size - page, page, PROT_NONE), 0);
	f.data = (float *)(void *)(f.pages + f.size - page - bytes);
	for (size_t i = 0; i < count; i++)
		f.data[i] = (float)rng_normal(r);
	return f;
}

static void fenced_free(struct fenced *f)
{
	munmap(f->pages, f->size);
}

/* A product with its operands, and what it must come to. */
struct trial {
	struct blas_product p;
	struct fenced a, b;
	float *before, *panels; /* before: C as it was */
	float *bias;
	double *expected, *size; /* size: the sum of the terms' absolute values */
	size_t c_floats;
};

static size_t stored(size_t rows, size_t columns, size_t ld)
{
	return rows ? (rows - 1) * ld + columns : 0;
}

static void expect(struct trial *t, bool with_bias)
{
	const struct blas_product *p = &t->p;

	for (size_t i = 0; i < p->m; i++) {
		for (size_t j = 0; j < p->n; j++) {
			double start = with_bias           ? (double)t->bias[j]
				       : (p->beta != 0.0f) ? (double)p->beta * (double)t->before[i * p->ldc + j]
							   : 0.0;
			double sum = start, size = fabs(start);

			for (size_t k = 0; k < p->k; k++) {
				double term = (double)p->alpha *
					      (double)(p->trans_a ? p->a[k * p->lda + i] : p->a[i * p->lda + k]) *
					      (double)(p->trans_b ? p->b[j * p->ldb + k] : p->b[k * p->ldb + j]);

				sum += term;
				size += fabs(term);
			}
			t->expected[i * p->n + j] = sum;
			t->size[i * p->n + j] = size;
		}
	}
}

static void check_product(struct trial *t, const char *name, bool with_panels, bool with_bias)
{
	struct blas_product p = t->p;
	float *c = mem_try_alloc(t->c_floats + 1, sizeof(*c));

	memcpy(c, t->before, t->c_floats * sizeof(*c));
	for (size_t i = 0; p.beta == 0.0f && i < p.m; i++)
		for (size_t j = 0; j < p.n; j++)
			c[i * p.ldc + j] = NAN;
	p.c = c;
	p.b = with_panels ? NULL : p.b;
	packed_product_run(&p, with_panels ? t->panels : NULL, with_bias ? t->bias : NULL);
	for (size_t i = 0; i < p.m; i++)
		for (size_t j = 0; j < p.ldc && i * p.ldc + j < t->c_floats; j++) {
			double got = (double)c[i * p.ldc + j];
			size_t at = i * p.n + j;

			if (j >= p.n)
				cr_assert(got == (double)t->before[i * p.ldc + j], "%s wrote beside its rows", name);
			else
				cr_assert(fabs(got - t->expected[at]) <= 1e-6 * (t->size[at] + 1e-3),
					  "%s, [%zu, %zu, %zu]%s%s at %zu, %zu: %g is not %g", name, p.m, p.n, p.k,
					  with_panels ? ", panels" : "", with_bias ? ", bias" : "", i, j, got,
					  t->expected[at]);
		}
	mem_free(c);
}

static void check_levels(struct trial *t)
{
	for (int bias = 0; bias < 2; bias++) {
		expect(t, bias);
		for (int level = 0; level < TILE_LEVELS; level++) {
			const struct product_kernels *k = product_kernels_at((enum tile_level)level);

			if (!k)
				continue;
			product_kernels_force(k);
			check_product(t, k->name, false, bias);
			check_product(t, k->name, true, bias);
		}
		product_kernels_force(NULL);
	}
}

static void check_trial(struct rng *r, struct blas_product p)
{
	struct trial t = { .p = p };
	size_t floats = packed_product_floats(p.n, p.k);

	t.a = fenced_numbers(r, p.trans_a ? stored(p.k, p.m, p.lda) : stored(p.m, p.k, p.lda));
	t.b = fenced_numbers(r, p.trans_b ? stored(p.n, p.k, p.ldb) : stored(p.k, p.n, p.ldb));
	t.p.a = t.a.data;
	t.p.b = t.b.data;
	t.c_floats = stored(p.m, p.n, p.ldc);
	t.before = mem_try_alloc(t.c_floats + 1, sizeof(float));
	for (size_t i = 0; i < t.c_floats; i++)
		t.before[i] = (float)rng_normal(r);
	t.bias = mem_try_alloc(p.n + 1, sizeof(float));
	for (size_t i = 0; i < p.n; i++)
		t.bias[i] = (float)rng_normal(r);
	t.panels = mem_try_aligned(floats + 1, sizeof(float));
	for (size_t i = 0; i <= floats; i++)
		t.panels[i] = GUARD;
	packed_product_pack(&t.p, t.panels);
	cr_assert(t.panels[floats] == GUARD, "packing wrote behind its panels");
	t.expected = mem_try_alloc(p.m * p.n + 1, sizeof(double));
	t.size = mem_try_alloc(p.m * p.n + 1, sizeof(double));
	check_levels(&t);
	fenced_free(&t.a);
	fenced_free(&t.b);
	mem_free(t.before);
	mem_free(t.bias);
	mem_free(t.panels);
	mem_free(t.expected);
	mem_free(t.size);
}

static struct blas_product draw_product(struct rng *r, const uint32_t most[3])
{
	static const float factors[] = { 1.0f, 0.0f, -0.5f };
	struct blas_product p = { .m = 1 + rng_below(r, most[0]),
				  .n = 1 + rng_below(r, most[1]),
				  .k = 1 + rng_below(r, most[2]),
				  .trans_a = rng_below(r, 2),
				  .trans_b = rng_below(r, 2),
				  .alpha = rng_below(r, 2) ? 1.0f : 0.75f,
				  .beta = factors[rng_below(r, 3)] };

	p.lda = (p.trans_a ? p.m : p.k) + (rng_below(r, 2) ? rng_below(r, 5) : 0);
	p.ldb = (p.trans_b ? p.k : p.n) + (rng_below(r, 2) ? rng_below(r, 5) : 0);
	p.ldc = p.n + (rng_below(r, 2) ? rng_below(r, 5) : 0);
	return p;
}

static void check_drawn(const char *purpose, int rounds, const uint32_t most[3])
{
	struct rng r;

	rng_init(&r, 1, purpose);
	for (int i = 0; i < rounds; i++)
		check_trial(&r, draw_product(&r, most));
}

Test(packed_product, small)
{
	check_drawn("small", 300, (const uint32_t[]){ 12, 20, 20 });
}

Test(packed_product, tiles_and_rest)
{
	check_drawn("tiles and rest", 100, (const uint32_t[]){ 40, 120, 90 });
}

/* The summed index is taken in stretches. */
Test(packed_product, deep)
{
	check_drawn("deep", 20, (const uint32_t[]){ 30, 70, 900 });
}

/* Rows are taken in blocks. */
Test(packed_product, tall)
{
	check_drawn("tall", 10, (const uint32_t[]){ 1500, 40, 40 });
}

/* Rows of the left operand are packed too. */
Test(packed_product, transposed_left)
{
	struct rng r;

	rng_init(&r, 3, "transposed left");
	for (size_t i = 0; i < 8; i++) {
		struct blas_product p = draw_product(&r, (const uint32_t[]){ 420, 60, 300 });

		p.m += 130;
		p.n += 95;
		p.trans_a = true;
		p.lda = p.m + i % 2;
		p.ldb = p.trans_b ? p.k : p.n;
		p.ldc = p.n;
		check_trial(&r, p);
	}
}

Test(packed_product, every_height_and_width)
{
	struct rng r;

	rng_init(&r, 2, "heights and widths");
	for (size_t m = 1; m <= 20; m++)
		for (size_t n = 1; n <= 67; n += n < 18 ? 1 : 7)
			check_trial(&r, (struct blas_product){
					    .m = m, .n = n, .k = 5, .alpha = 1.0f, .lda = 5, .ldb = n, .ldc = n });
}

/* Nothing is summed: what is there is scaled, or the bias is all. */
Test(packed_product, empty_sums)
{
	float c[6] = { 1, 2, 3, 4, 5, 6 }, bias[3] = { 7, 8, 9 };
	struct blas_product p = { .c = c, .m = 2, .n = 3, .alpha = 1.0f, .beta = 2.0f };

	packed_product_run(&p, NULL, NULL);
	cr_assert(c[0] == 2.0f && c[5] == 12.0f);
	packed_product_run(&p, NULL, bias);
	cr_assert(c[0] == 7.0f && c[4] == 8.0f && c[5] == 9.0f);
	p.beta = 0.0f;
	packed_product_run(&p, NULL, NULL);
	cr_assert(c[0] == 0.0f && c[5] == 0.0f);
}

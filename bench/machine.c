/*
 * What one core can do at best: OpenBLAS on a product of 1024 x 1024 matrices, and fused multiply-adds in registers.
 */
#include <stdint.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/mem.h"
#include "base/rng.h"
#include "bench/job.h"
#include "engine/blas.h"

/* CHAINS sums are independent of one another: enough to hide the latency of an addition. */
enum { SIDE = 1024, ROUNDS = 1 << 21, CHAINS = 12 };

static int prepare_sgemm(struct job_work *w, struct exp_error *err)
{
	struct rng rng;

	(void)err;
	w->matrices = mem_try_aligned((size_t)3 * SIDE * SIDE, sizeof(float));
	if (!w->matrices)
		return EXP_EMEMORY;
	rng_init(&rng, 1, "matrices");
	for (size_t i = 0; i < (size_t)2 * SIDE * SIDE; i++)
		w->matrices[i] = (float)rng_uniform(&rng);
	w->samples = 2.0 * SIDE * SIDE * SIDE;
	blas_use_one_thread();
	return 0;
}

static int run_sgemm(struct job_work *w, size_t units, struct exp_error *err)
{
	const struct blas_product p = { .a = w->matrices,
					.b = w->matrices + SIDE * SIDE,
					.c = w->matrices + 2 * SIDE * SIDE,
					.m = SIDE,
					.n = SIDE,
					.k = SIDE,
					.alpha = 1 };

	(void)err;
	for (size_t i = 0; i < units; i++)
		blas_multiply(&p);
	return 0;
}

const struct job job_sgemm = { "sgemm", false, prepare_sgemm, run_sgemm, NULL, NULL };

/* Floats that one multiply-add of the widest kind takes; 0 where there is none. */
static size_t fma_width(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512f"))
		return 16;
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return 8;
#endif
	return 0;
}

#ifdef __x86_64__
__attribute__((target("avx512f"))) static float fma_avx512(float start)
{
	__m512 sums[CHAINS], factor = _mm512_set1_ps(0.5f), term = _mm512_set1_ps(1);

	for (size_t k = 0; k < CHAINS; k++)
		sums[k] = _mm512_set1_ps(start + (float)k);
	for (size_t i = 0; i < ROUNDS; i++)
#pragma GCC unroll 12
		for (size_t k = 0; k < CHAINS; k++)
			sums[k] = _mm512_fmadd_ps(sums[k], factor, term);
	for (size_t k = 1; k < CHAINS; k++)
		sums[0] = _mm512_add_ps(sums[0], sums[k]);
	return _mm512_reduce_add_ps(sums[0]);
}

__attribute__((target("avx2,fma"))) static float fma_avx2(float start)
{
	__m256 sums[CHAINS], factor = _mm256_set1_ps(0.5f), term = _mm256_set1_ps(1);

	for (size_t k = 0; k < CHAINS; k++)
		sums[k] = _mm256_set1_ps(start + (float)k);
	for (size_t i = 0; i < ROUNDS; i++)
#pragma GCC unroll 12
		for (size_t k = 0; k < CHAINS; k++)
			sums[k] = _mm256_fmadd_ps(sums[k], factor, term);
	for (size_t k = 1; k < CHAINS; k++)
		sums[0] = _mm256_add_ps(sums[0], sums[k]);
	return _mm256_cvtss_f32(sums[0]);
}
#endif

static int prepare_fma(struct job_work *w, struct exp_error *err)
{
	size_t width = fma_width();

	if (!width)
		return error_set(err, EXP_EUNSUPPORTED, "this processor has neither AVX-512 nor AVX2 with FMA");
	w->samples = 2.0 * (double)width * CHAINS * ROUNDS;
	return 0;
}

static int run_fma(struct job_work *w, size_t units, struct exp_error *err)
{
	float sum = 0;

	(void)w;
	(void)err;
#ifdef __x86_64__
	for (size_t i = 0; i < units; i++)
		sum = fma_width() == 16 ? fma_avx512(sum) : fma_avx2(sum);
#endif
	return sum >= 0 ? 0 : EXP_EINTERNAL;
}

const struct job job_fma = { "fma", false, prepare_fma, run_fma, NULL, NULL };

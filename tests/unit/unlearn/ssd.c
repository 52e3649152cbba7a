/* The arithmetic of selective synaptic dampening, against its definition written out with ratios. */
#include "unlearn/ssd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/rng.h"

enum { COUNT = 1000 };

/* Blocks without a graph: dampening looks at floats alone. */
struct blocks {
	float theta[COUNT], o[COUNT], f[COUNT];
	struct params params, all_sum, forget_sum;
	struct importance all, forget;
};

static void set_up(struct blocks *b, size_t count, uint64_t n, uint64_t forget)
{
	memset(b, 0, sizeof(*b));
	b->params = (struct params){ .values = b->theta, .count = count };
	b->all_sum = (struct params){ .values = b->o, .count = count };
	b->forget_sum = (struct params){ .values = b->f, .count = count };
	b->all = (struct importance){ &b->all_sum, n };
	b->forget = (struct importance){ &b->forget_sum, forget };
}

static void one(struct blocks *b, float theta, float o, float f, uint64_t n, uint64_t forget)
{
	set_up(b, 1, n, forget);
	b->theta[0] = theta;
	b->o[0] = o;
	b->f[0] = f;
}

static void fill(struct blocks *b, uint64_t seed)
{
	struct rng rng;

	cr_assert_eq(crypto_init(), 0);
	set_up(b, COUNT, 400, 5);
	rng_init(&rng, seed, "ssd");
	for (size_t i = 0; i < COUNT; i++) {
		b->theta[i] = (float)rng_normal(&rng);
		b->f[i] = (float)pow(rng_normal(&rng), 4);
		b->o[i] = b->f[i] + (float)(200 * pow(rng_normal(&rng), 2));
	}
}

Test(ssd, follows_the_definition)
{
	static struct blocks b, before;
	uint64_t selected, expected = 0;

	fill(&b, 1);
	before = b;
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 3, 1.5, &selected), 0);
	for (size_t i = 0; i < COUNT; i++) {
		double ratio = ((double)b.f[i] / 5) / ((double)b.o[i] / 400);
		double beta = ratio > 3 ? fmin(1.5 / ratio, 1) : 1;

		expected += ratio > 3;
		cr_assert_float_eq(b.theta[i], beta * (double)before.theta[i], 1e-6 * fabs((double)before.theta[i]));
	}
	cr_assert_eq(selected, expected);
	cr_assert_gt(selected, 10);
	cr_assert_lt(selected, COUNT / 2);
}

Test(ssd, selects_nothing_where_importances_agree)
{
	struct blocks b;
	uint64_t selected;

	one(&b, 2, 4, 4, 10, 10);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 1, 1, &selected), 0);
	cr_assert_eq(selected, 0, "a ratio of exactly alpha is not above it");
	cr_assert_eq(b.theta[0], 2);
}

Test(ssd, does_nothing_from_the_ceiling_on)
{
	static struct blocks b, before;
	uint64_t selected;

	fill(&b, 2);
	memcpy(b.o, b.f, sizeof(b.o));
	b.o[0] = nextafterf(b.f[0], 0); /* the sums were rounded in different orders */
	before = b;
	cr_assert_eq(ssd_alpha_ceiling(&b.all, &b.forget), 80);
	for (double alpha = 80; alpha < 1000; alpha *= 2) {
		cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, alpha, 1, &selected), 0);
		cr_assert_eq(selected, 0);
		cr_assert_eq(memcmp(b.theta, before.theta, sizeof(b.theta)), 0);
	}
}

Test(ssd, zeroes_what_only_the_forgotten_used)
{
	struct blocks b;
	uint64_t selected;

	one(&b, -3, 0, 1, 100, 1);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 10, 1, &selected), 0);
	cr_assert_eq(selected, 1);
	cr_assert_eq(b.theta[0], 0);
}

Test(ssd, leaves_alone_what_nobody_used)
{
	struct blocks b;
	uint64_t selected;

	one(&b, -3, 0, 0, 100, 1);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 10, 1, &selected), 0);
	cr_assert_eq(selected, 0);
	cr_assert_eq(b.theta[0], -3);
}

Test(ssd, shrinks_negative_weights_toward_zero)
{
	struct blocks b;

	one(&b, -3, 5, 1, 100, 1); /* ratio 20 */
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 10, 1, NULL), 0);
	cr_assert_float_eq(b.theta[0], -3.0 / 20, 1e-6);
}

Test(ssd, lets_no_weight_grow)
{
	static struct blocks b, before;

	fill(&b, 3);
	before = b;
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 1, 1000, NULL), 0);
	cr_assert_eq(memcmp(b.theta, before.theta, sizeof(b.theta)), 0, "lambda above every ratio changes nothing");
}

/* Wherever the vector that it falls into begins. */
Test(ssd, notices_one_bad_importance_anywhere)
{
	static const float bad[] = { NAN, -NAN, INFINITY, -INFINITY, -1e-30f };
	static struct blocks b;

	for (size_t i = 0; i < 100; i++) {
		fill(&b, 4);
		(i % 2 ? b.o : b.f)[i] = bad[i % 5];
		cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 3, 1, NULL), EXP_ENONFINITE, "place %zu", i);
		(i % 2 ? b.o : b.f)[i] = -0.0f;
		cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 3, 1, NULL), 0);
	}
}

Test(ssd, refuses_what_is_no_importance)
{
	struct blocks b;

	one(&b, 1, NAN, 1, 10, 1);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 2, 1, NULL), EXP_ENONFINITE);
	one(&b, 1, 1, -1, 10, 1);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 2, 1, NULL), EXP_ENONFINITE);
	one(&b, 1, INFINITY, 1, 10, 1);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 2, 1, NULL), EXP_ENONFINITE);
	one(&b, 1, 1, 1, 10, 0);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 2, 1, NULL), EXP_EINVAL);
	one(&b, 1, 1, 1, 10, 1);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 0, 1, NULL), EXP_EINVAL);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, NAN, 1, NULL), EXP_EINVAL);
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 2, 0, NULL), EXP_EINVAL);
	b.all_sum.count = 2;
	cr_assert_eq(ssd_dampen(&b.params, &b.all, &b.forget, 2, 1, NULL), EXP_EINVAL);
	cr_assert_eq(b.theta[0], 1, "a refused parameter touches nothing");
}

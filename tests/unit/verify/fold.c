/* Who is left out of which reference model. */
#include "verify/fold.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/digest.h"

enum { ROWS = 500, SUBJECTS = 60, FOLDS = 10 };

/* Subjects of very different sizes: subject s has about s rows. */
static void make_units(int32_t *units)
{
	int32_t s = 0, left = 1;

	for (size_t i = 0; i < ROWS; i++) {
		units[i] = s;
		if (--left == 0 && s < SUBJECTS - 1)
			left = ++s / 4 + 1;
	}
}

static void deal(uint64_t seed, size_t round, uint8_t *of, int32_t *units)
{
	struct fold_deal d = { units, ROWS, FOLDS, round, seed };

	cr_assert_eq(crypto_init(), 0);
	make_units(units);
	cr_assert_eq(fold_deal(&d, of, NULL), 0);
}

Test(fold, keeps_subjects_whole)
{
	uint8_t of[ROWS];
	int32_t units[ROWS];

	deal(1, 0, of, units);
	for (size_t i = 1; i < ROWS; i++)
		if (units[i] == units[i - 1])
			cr_assert_eq(of[i], of[i - 1]);
}

Test(fold, balances_rows)
{
	uint8_t of[ROWS];
	int32_t units[ROWS];
	size_t load[FOLDS] = { 0 };

	deal(2, 3, of, units);
	for (size_t i = 0; i < ROWS; i++) {
		cr_assert_lt(of[i], FOLDS);
		load[of[i]]++;
	}
	for (size_t f = 0; f < FOLDS; f++) {
		cr_assert_geq(load[f], ROWS / FOLDS - 10, "fold %zu has %zu rows", f, load[f]);
		cr_assert_leq(load[f], ROWS / FOLDS + 16);
	}
}

Test(fold, follows_seed_and_round)
{
	uint8_t a[ROWS], b[ROWS];
	int32_t units[ROWS];

	deal(3, 0, a, units);
	deal(3, 0, b, units);
	cr_assert_eq(memcmp(a, b, ROWS), 0);
	deal(3, 1, b, units);
	cr_assert_neq(memcmp(a, b, ROWS), 0);
	deal(4, 0, b, units);
	cr_assert_neq(memcmp(a, b, ROWS), 0);
}

Test(fold, refuses_fewer_subjects_than_folds)
{
	int32_t units[] = { 0, 1, 2, 2 };
	struct fold_deal d = { units, 4, 4, 0, 1 };
	struct exp_error err = { 0 };
	uint8_t of[4];

	cr_assert_eq(fold_deal(&d, of, &err), EXP_EINVAL);
	cr_assert_not_null(strstr(err.message, "3 subjects"));
	d.folds = 1;
	cr_assert_eq(fold_deal(&d, of, &err), EXP_EINVAL);
}

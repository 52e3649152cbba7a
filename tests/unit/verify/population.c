/* Lists of rows, and what a population must be. */
#include "verify/population.h"

#include <criterion/criterion.h>
#include <string.h>

static const size_t train[] = { 0, 2, 3, 7 }, heldout[] = { 1, 4 };
static const int32_t train_units[] = { 0, 1, 0, 2 }, heldout_units[] = { 0, 0 };
static const struct source source = { .rows = 8 };

static struct population whole(void)
{
	return (struct population){ &source, { train, 4 }, { heldout, 2 }, train_units, heldout_units };
}

Test(population, is_checked)
{
	static const size_t falling[] = { 3, 2 }, beyond[] = { 1, 8 }, shared[] = { 2, 5 };
	static const int32_t skipping[] = { 0, 2 };
	const struct {
		struct row_list list;
		const int32_t *units;
		int rc;
	} cases[] = {
		{ { falling, 2 }, heldout_units, EXP_EINVAL }, { { beyond, 2 }, heldout_units, EXP_ERANGE },
		{ { shared, 2 }, heldout_units, EXP_EINVAL },  { { heldout, 2 }, skipping, EXP_EINVAL },
		{ { heldout, 0 }, heldout_units, EXP_EINVAL },
	};
	struct population p = whole();

	cr_assert_eq(population_check(&p, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };

		p.heldout = cases[i].list;
		p.heldout_units = cases[i].units;
		cr_assert_eq(population_check(&p, &err), cases[i].rc, "case %zu", i);
		cr_assert_gt(strlen(err.message), 10);
	}
}

Test(population, counts_subjects)
{
	cr_assert_eq(population_units(train_units, 4), 3);
	cr_assert_eq(population_units(heldout_units, 2), 1);
	cr_assert_eq(population_units(NULL, 0), 0);
}

Test(population, splits_lists)
{
	static const size_t gone[] = { 2, 5, 7 };
	size_t out[4];

	cr_assert_eq(row_list_without((struct row_list){ train, 4 }, (struct row_list){ gone, 3 }, out), 2);
	cr_assert_eq(out[0], 0);
	cr_assert_eq(out[1], 3);
	cr_assert_eq(row_list_common((struct row_list){ train, 4 }, (struct row_list){ gone, 3 }, out), 2);
	cr_assert_eq(out[0], 2);
	cr_assert_eq(out[1], 7);
	cr_assert_eq(row_list_without((struct row_list){ train, 4 }, (struct row_list){ NULL, 0 }, out), 4);
}

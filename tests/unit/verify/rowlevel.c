/* The plain membership attack is stated only where it means something. */
#include "verify/rowlevel.h"

#include <criterion/criterion.h>

Test(rowlevel, is_silent_below_twenty_rows)
{
	float losses[100] = { 0 };
	struct rowlevel r;

	cr_assert_eq(rowlevel_auc(losses, 19, losses, 100, &r), 0);
	cr_assert(!r.stated);
	cr_assert_eq(rowlevel_auc(losses, 50, losses, 19, &r), 0);
	cr_assert(!r.stated);
	cr_assert_eq(rowlevel_auc(losses, 20, losses, 100, &r), 0);
	cr_assert(r.stated);
	cr_assert_eq(r.auc.estimate, 0.5, "equal losses are chance");
}

Test(rowlevel, low_losses_read_as_members)
{
	float forget[20], heldout[40];
	struct rowlevel r;

	for (int i = 0; i < 20; i++)
		forget[i] = (float)i / 100;
	for (int i = 0; i < 40; i++)
		heldout[i] = 0.1f + (float)i / 100;
	cr_assert_eq(rowlevel_auc(forget, 20, heldout, 40, &r), 0);
	cr_assert_gt(r.auc.estimate, 0.9);
	cr_assert_gt(r.auc.low, 0.5);
	cr_assert_eq(rowlevel_auc(heldout, 40, forget, 20, &r), 0);
	cr_assert_lt(r.auc.high, 0.5, "both sides identify");
}

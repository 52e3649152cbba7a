/* When exact work is due. */
#include "erasure/debt.h"

#include <criterion/criterion.h>

enum { HOUR = 3600 * 1000, DAY = 24 * HOUR };

static const int64_t now = 1000LL * DAY;

static struct debt owed(void)
{
	return (struct debt){
		.requests = 2, .oldest_ms = now - 2LL * DAY, .earliest_due_ms = now + 25LL * DAY, .retrain_seconds = 600
	};
}

Test(debt, falls_due_at_the_policys_term)
{
	struct debt d = owed();
	struct policy p;

	policy_default(&p);
	cr_assert_eq(debt_due_ms(&p, &d, now), now + 12LL * DAY);
}

Test(debt, falls_due_before_the_legal_deadline)
{
	struct debt d = owed();
	struct policy p;

	policy_default(&p);
	d.earliest_due_ms = now + 5LL * DAY;
	cr_assert_eq(debt_due_ms(&p, &d, now), now + 5LL * DAY - 6000 * 1000, "ten times ten minutes before");
	d.retrain_seconds = 1;
	cr_assert_eq(debt_due_ms(&p, &d, now), now + 5LL * DAY - HOUR, "an hour at the least");
}

Test(debt, falls_due_at_once_when_many_wait)
{
	struct debt d = owed();
	struct policy p;

	policy_default(&p);
	d.requests = 10;
	cr_assert_eq(debt_due_ms(&p, &d, now), now);
}

Test(debt, is_never_due_where_nothing_can_be_done)
{
	struct debt d = owed();
	struct policy p;

	policy_default(&p);
	d.retrain_seconds = 0;
	cr_assert_eq(debt_due_ms(&p, &d, now), INT64_MAX);
	d = owed();
	d.requests = 0;
	cr_assert_eq(debt_due_ms(&p, &d, now), INT64_MAX);
}

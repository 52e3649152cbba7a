#include "base/clock.h"

#include <criterion/criterion.h>

static int64_t parse(const char *text)
{
	int64_t ms = 0;

	cr_assert_eq(clock_parse(text, &ms), 0, "%s", text);
	return ms;
}

Test(clock, formats_and_parses_rfc3339)
{
	char text[CLOCK_RFC3339];

	cr_assert_str_eq(clock_format(0, text), "1970-01-01T00:00:00.000Z");
	cr_assert_str_eq(clock_format(-1, text), "1969-12-31T23:59:59.999Z");
	cr_assert_eq(parse("2026-11-23T13:51:07.042Z"), 1795441867042);
	cr_assert_eq(parse("2026-11-23T14:51:07.042+01:00"), 1795441867042);
	cr_assert_str_eq(clock_format(parse("2024-02-29T23:59:59Z"), text), "2024-02-29T23:59:59.000Z");
}

Test(clock, refuses_what_is_no_time)
{
	static const char *const bad[] = { "",
					   "2026",
					   "2026-13-01T00:00:00Z",
					   "2025-02-29T00:00:00Z",
					   "2026-11-23T25:00:00Z",
					   "2026-11-23T13:51:07",
					   "2026-11-23T13:51:07+1:00",
					   "2026-11-23T13:51:07Zx" };
	int64_t ms = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(clock_parse(bad[i], &ms), EXP_EPARSE, "%s", bad[i]);
	cr_assert_eq(ms, 7);
}

Test(clock, adds_calendar_months)
{
	cr_assert_eq(clock_add_months(parse("2026-01-31T10:00:00Z"), 1), parse("2026-02-28T10:00:00Z"));
	cr_assert_eq(clock_add_months(parse("2026-11-30T10:00:00Z"), 3), parse("2027-02-28T10:00:00Z"));
	cr_assert_eq(clock_add_months(parse("2026-12-15T10:00:00.5Z"), 1), parse("2027-01-15T10:00:00.500Z"));
}

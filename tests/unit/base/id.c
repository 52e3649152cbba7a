#include "base/id.h"

#include <criterion/criterion.h>
#include <string.h>

Test(id, uuids_are_valid_distinct_and_ordered)
{
	char before[ID_TEXT], id[ID_TEXT];

	id_new(before);
	for (int i = 0; i < 1000; i++) {
		id_new(id);
		cr_assert(id_is_valid(id));
		cr_assert_eq(id[14], '7');
		cr_assert_str_neq(id, before);
		cr_assert_leq(strncmp(before, id, 13), 0); /* the 48 bits of time */
		strcpy(before, id);
	}
	cr_assert_not(id_is_valid("0190163d-8694-739b-aea5-966c26f8ad9"));
	cr_assert_not(id_is_valid("0190163D-8694-739B-AEA5-966C26F8AD91"));
}

Test(id, names_are_safe_as_folders)
{
	static const char *good[] = { "a", "cps-wages-1985", "A.b_c-9", "0" };
	static const char *bad[] = { "", ".", "..", "-a", "_a", "a/b", "a b", "a\n", "../a", "ä", "a%2f" };
	char longest[65] = { 0 };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert(id_is_name(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_not(id_is_name(bad[i]), "%s", bad[i]);
	memset(longest, 'x', 63);
	cr_assert(id_is_name(longest));
	longest[63] = 'x';
	cr_assert_not(id_is_name(longest));
}

#include "base/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(error, carries_code_message_and_pointer)
{
	struct exp_error err = { 0 };

	cr_assert_eq(error_set_field(&err, EXP_EFIELD, "/subject", "%s is missing", "/subject"), EXP_EFIELD);
	cr_assert_str_eq(err.message, "/subject is missing");
	cr_assert_str_eq(err.pointer, "/subject");
	cr_assert_eq(error_wrap(&err, EXP_EIO, "dataset %d", 3), EXP_EFIELD);
	cr_assert_str_eq(err.message, "dataset 3: /subject is missing");
	cr_assert_eq(error_set(NULL, EXP_EIO, "unread"), EXP_EIO);
}

Test(error, numbers_and_slugs_are_unique)
{
	static const int codes[] = {
#define X(symbol, number, class, slug, sentence) symbol,
#include "base/error.def"
#undef X
	};
	size_t n = sizeof(codes) / sizeof(codes[0]);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			cr_assert_neq(codes[i], codes[j]);
			cr_assert_str_neq(error_slug(codes[i]), error_slug(codes[j]));
		}
	}
	cr_assert_eq(error_class(-9999), ERR_INTERNAL);
}

Test(error, translates_errno)
{
	struct exp_error err;

	errno = ENOSPC;
	cr_assert_eq(error_set_errno(&err, "write", "/x"), EXP_ENOSPACE);
	errno = ENOENT;
	cr_assert_eq(error_set_errno(&err, "open", "/x"), EXP_ENOTFOUND);
	cr_assert(strstr(err.message, "open /x"));
}

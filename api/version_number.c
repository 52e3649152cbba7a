#include "api/version_number.h"

#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 15 };

int version_number_parse(const char *text, int64_t *out, struct exp_error *err)
{
	size_t size = strlen(text);

	if (!size || size > DIGITS_MAX || text[0] == '0' || strspn(text, "0123456789") != size)
		return error_set(err, EXP_ENOTFOUND, "versions are numbers from 1");
	*out = strtoll(text, NULL, 10);
	return 0;
}

#include "storage/names_internal.h"

#include <string.h>

#include "base/check.h"

static int same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int names_find(const struct names *names, const char *text, int *value)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!same(names->items[i], text))
			continue;
		*value = (int)i;
		return 0;
	}
	return EXP_EINVAL;
}

const char *names_text(const struct names *names, int value)
{
	exp_require(value >= 0 && (size_t)value < names->count);
	return names->items[value];
}

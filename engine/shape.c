#include "engine/shape.h"

#include <stdio.h>
#include <string.h>

bool shape_try_count(const struct shape *s, size_t *count)
{
	size_t product = 1;

	for (size_t i = 0; i < s->rank; i++) {
		if (s->dims[i] > SHAPE_MAX_FLOATS || (s->dims[i] && product > SHAPE_MAX_FLOATS / s->dims[i]))
			return false;
		product *= s->dims[i];
	}
	*count = product;
	return true;
}

size_t shape_span(const struct shape *s, size_t from, size_t to)
{
	size_t product = 1;

	for (size_t i = from; i < to; i++)
		product *= s->dims[i];
	return product;
}

size_t shape_count(const struct shape *s)
{
	return shape_span(s, 0, s->rank);
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
	return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof(a->dims[0])) == 0;
}

char *shape_format(const struct shape *s, bool batched, char text[SHAPE_TEXT])
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < s->rank; i++) {
		const char *mark = i ? ", " : "[";

		if (i == 0 && batched && s->dims[0] == 1)
			used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "[N");
		else
			used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%s%zu", mark,
						 i == 0 && batched ? "N*" : "", s->dims[i]);
	}
	snprintf(text + used, SHAPE_TEXT - used, "%s", s->rank ? "]" : "[]");
	return text;
}

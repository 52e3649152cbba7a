#include "engine/shape.h"

#include <stdio.h>
#include <string.h>

bool shape_try_count(const struct shape *s, size_t *count)
{
	size_t product = 1, zeros = 0;

	for (size_t i = 0; i < s->rank; i++) {
		size_t d = s->dims[i];

		zeros += d == 0;
		if (d > SHAPE_MAX_COUNT || (d && product > SHAPE_MAX_COUNT / d))
			return false;
		product *= d ? d : 1;
	}
	*count = zeros ? 0 : product;
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

char *shape_format(const struct shape *s, char text[SHAPE_TEXT])
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < s->rank; i++)
		used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%zu", i ? ", " : "[", s->dims[i]);
	snprintf(text + used, SHAPE_TEXT - used, "%s", s->rank ? "]" : "[]");
	return text;
}

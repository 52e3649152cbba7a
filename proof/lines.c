#include "proof/lines_internal.h"

#include <string.h>

#include "proof/merkle.h"

bool lines_next(struct lines *l, struct line *out)
{
	const char *newline = l->at < l->end ? memchr(l->at, '\n', (size_t)(l->end - l->at)) : NULL;

	if (!newline)
		return false;
	*out = (struct line){ l->at, (size_t)(newline - l->at) };
	l->at = newline + 1;
	return true;
}

bool line_after(const struct line *line, const char *prefix, struct line *out)
{
	size_t size = strlen(prefix);

	if (line->size < size || memcmp(line->text, prefix, size) != 0)
		return false;
	*out = (struct line){ line->text + size, line->size - size };
	return true;
}

bool line_decimal(const struct line *line, uint64_t *out)
{
	uint64_t value = 0;

	if (!line->size || line->size > 19 || (line->size > 1 && line->text[0] == '0'))
		return false;
	for (size_t i = 0; i < line->size; i++) {
		if (line->text[i] < '0' || line->text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(line->text[i] - '0');
	}
	if (value >= MERKLE_SIZE_MAX)
		return false;
	*out = value;
	return true;
}

bool line_hash(const struct line *line, uint8_t out[DIGEST_SIZE])
{
	uint8_t bytes[DIGEST_SIZE];
	size_t size = sizeof(bytes);

	if (line->size != 44 || base64_decode(line->text, line->size, bytes, &size) || size != DIGEST_SIZE)
		return false;
	memcpy(out, bytes, DIGEST_SIZE);
	return true;
}

#include "dataset/csv.h"

#include <string.h>

enum ending { END_FIELD, END_RECORD };

int csv_init(struct csv *c, char *text, size_t size, struct exp_error *err)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (memchr(text, '\0', size))
		return error_set(err, EXP_EPARSE, "it holds a NUL byte, so it is not text");
	*c = (struct csv){ .at = text, .end = text + size, .line = 1 };
	*c->end = '\0';
	if (size >= 3 && !memcmp(text, mark, 3))
		c->at += 3;
	return 0;
}

bool csv_more(const struct csv *c)
{
	return c->at < c->end;
}

/* From behind the opening quote to behind the closing one; what is kept never overtakes what is read. */
static int take_quoted(struct csv *c, struct exp_error *err)
{
	size_t opened = c->line;
	char *to = c->at;

	for (; c->at < c->end; c->at++) {
		if (*c->at == '"' && *++c->at != '"') {
			*to = '\0';
			return 0;
		}
		if (*c->at == '\n')
			c->line++;
		*to++ = *c->at;
	}
	return error_set(err, EXP_EPARSE, "line %zu: a quote is opened and never closed", opened);
}

static int take_plain(struct csv *c, struct exp_error *err)
{
	c->at += strcspn(c->at, ",\"\r\n");
	if (*c->at == '"')
		return error_set(err, EXP_EPARSE,
				 "line %zu: a quote inside a field; put the whole field in quotes and double it",
				 c->line);
	return 0;
}

/* Puts a NUL where a plain field ended, which is behind or at a quoted one's. */
static int take_ending(struct csv *c, enum ending *ending, struct exp_error *err)
{
	char *here = c->at;

	*ending = *here == ',' ? END_FIELD : END_RECORD;
	if (c->at == c->end)
		return 0;
	if (*here == '\r' && here[1] == '\n')
		c->at++;
	else if (*here != ',' && *here != '\n')
		return error_set(err, EXP_EPARSE, "line %zu: %s", c->line,
				 *here == '\r' ? "a carriage return without a line feed"
					       : "text after a closing quote");
	if (*c->at++ == '\n')
		c->line++;
	*here = '\0';
	return 0;
}

int csv_next(struct csv *c, char **fields, size_t count, size_t *line, struct exp_error *err)
{
	enum ending ending = END_FIELD;
	size_t n = 0, first = c->line;

	for (; ending == END_FIELD; n++) {
		char *field = c->at;
		bool quoted = *field == '"';
		int rc;

		if (quoted)
			c->at = ++field;
		rc = quoted ? take_quoted(c, err) : take_plain(c, err);
		if (!rc)
			rc = take_ending(c, &ending, err);
		if (rc)
			return rc;
		if (n < count)
			fields[n] = field;
	}
	if (n != count)
		return error_set(err, EXP_EPARSE, "line %zu has %zu field%s instead of %zu", first, n,
				 n == 1 ? "" : "s", count);
	*line = first;
	return 0;
}

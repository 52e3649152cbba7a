#include "cli/timeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 256, COLUMNS = 78 };

void timeline_start(struct timeline *t, bool silent)
{
	*t = (struct timeline){ .start_ms = clock_monotonic_ms(),
				.told = json_object(),
				.is_silent = silent,
				.is_terminal = isatty(STDERR_FILENO) };
}

static double seconds_since(const struct timeline *t)
{
	return (double)(clock_monotonic_ms() - t->start_ms) / 1000;
}

void timeline_tell(struct timeline *t, const char *key, const char *format, ...)
{
	const char *before = json_string_value(json_object_get(t->told, key));
	char line[LINE_MAX_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (t->is_silent || (before && !strcmp(before, line)))
		return;
	json_object_set_new(t->told, key, json_string(line));
	timeline_progress(t, "");
	printf("%6.1f s  %s\n", seconds_since(t), line);
	fflush(stdout);
}

void timeline_progress(struct timeline *t, const char *text)
{
	if (t->is_silent || !t->is_terminal)
		return;
	if (*text)
		fprintf(stderr, "\r\033[K%6.1f s  %.*s", seconds_since(t), COLUMNS, text);
	else
		fprintf(stderr, "\r\033[K");
}

void timeline_end(struct timeline *t)
{
	timeline_progress(t, "");
	json_decref(t->told);
	t->told = NULL;
}

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const names[] = { "error", "warn", "info", "debug" };
static const int priorities[] = { 3, 4, 6, 7 };
static enum log_level threshold = LOG_INFO;
static _Thread_local const char *thread_scope;

void log_set_level(enum log_level level)
{
	threshold = level;
}

int log_parse_level(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return EXP_EINVAL;
}

void log_set_scope(const char *scope)
{
	thread_scope = scope;
}

static int write_head(char *line, size_t size, enum log_level level, const char *event)
{
	char time[CLOCK_RFC3339];
	int n;

	if (getenv("JOURNAL_STREAM"))
		n = snprintf(line, size, "<%d>level=%s event=%s", priorities[level], names[level], event);
	else
		n = snprintf(line, size, "ts=%s level=%s event=%s", clock_format(clock_now_ms(), time), names[level],
			     event);
	if (thread_scope)
		n += snprintf(line + n, size - (size_t)n, " scope=%s", thread_scope);
	return n;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
	char line[2048];
	size_t size = sizeof(line) - 1;
	va_list args;
	int n;

	if (level > threshold)
		return;
	n = write_head(line, size, level, event);
	if (format[0] && (size_t)n < size) {
		line[n++] = ' ';
		va_start(args, format);
		n += vsnprintf(line + n, size - (size_t)n, format, args);
		va_end(args);
	}
	if ((size_t)n >= size)
		n = (int)size - 1;
	for (int i = 0; i < n; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

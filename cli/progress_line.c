#include "cli/progress_line.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { INTERVAL_MS = 100 };

static bool report(void *arg, uint64_t done, uint64_t total)
{
	struct progress_line *p = arg;
	int64_t now;

	if (!p->is_terminal || total == 0)
		return false;
	now = clock_monotonic_ms();
	if (now - p->last_ms < INTERVAL_MS)
		return false;
	p->last_ms = now;
	fprintf(stderr, "\r%s %3.0f %%", p->what, 100 * (double)done / (double)total);
	fflush(stderr);
	return false;
}

void progress_line_start(struct progress_line *p, const char *what)
{
	*p = (struct progress_line){ .progress = { report, p },
				     .what = what,
				     .is_terminal = isatty(STDERR_FILENO) == 1 };
}

void progress_line_end(struct progress_line *p)
{
	if (p->is_terminal)
		fputs("\r\033[K", stderr);
}

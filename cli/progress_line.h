/*
 * progress_line.h: "training 43 %" on one line of standard error, when that is a terminal; nothing otherwise.
 *
 * Threads: the one that works.
 */
#ifndef CLI_PROGRESS_LINE_H
#define CLI_PROGRESS_LINE_H

#include "engine/accumulate.h"

struct progress_line {
	struct progress progress; /* hand &line.progress to the engine */
	const char *what;         /* borrowed */
	int64_t last_ms;
	bool is_terminal;
};

/* The struct must not move until progress_line_end. */
void progress_line_start(struct progress_line *p, const char *what);

/* Wipes the line. */
void progress_line_end(struct progress_line *p);

#endif

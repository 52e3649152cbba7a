/*
 * timeline.h: what is told of work that is followed: lasting lines with the seconds since the start on standard output,
 * and, on a terminal, one line of progress below them that is written over.
 *
 * Threads: one.
 */
#ifndef CLI_TIMELINE_H
#define CLI_TIMELINE_H

#include "base/json.h"

struct timeline {
	int64_t start_ms;
	json_t *told; /* by key, what was told last */
	bool is_silent, is_terminal;
};

/* silent: for --json, where only the end is printed. */
void timeline_start(struct timeline *t, bool silent);

/* A line about the thing called key, unless it says what was told of it last. */
void timeline_tell(struct timeline *t, const char *key, const char *format, ...) EXP_PRINTF(3, 4);

/* Writes the line of progress over; text is cut at a terminal's usual width. */
void timeline_progress(struct timeline *t, const char *text);

/* Wipes the line of progress. */
void timeline_end(struct timeline *t);

#endif

/*
 * clock.h: wall-clock and monotonic time, in milliseconds, and RFC 3339 text.
 *
 * Threads: any. Tests may replace the wall clock before threads start.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "base/error.h"

enum { CLOCK_RFC3339 = 32 }; /* bytes that hold any formatted time */

/* Milliseconds since the Unix epoch (UTC). */
int64_t clock_now_ms(void);

/* Monotonic milliseconds since an arbitrary start: for durations and leases, never stored. */
int64_t clock_monotonic_ms(void);

/* Replaces the wall clock; NULL restores the system's. Tests only. */
void clock_set_source(int64_t (*now_ms)(void));

/* "2026-11-23T13:51:07.042Z" into buf of CLOCK_RFC3339 bytes; returns buf. */
char *clock_format(int64_t ms, char *buf);

/* Parses an RFC 3339 time with any offset. EXP_EPARSE when it is not one. */
EXP_NODISCARD int clock_parse(const char *text, int64_t *ms);

/* ms moved forward by calendar months, in UTC, clamped to the last day of the month (31 January + 1 = 28 February). */
int64_t clock_add_months(int64_t ms, int months);

#endif

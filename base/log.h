/*
 * log.h: one line an event, to stderr: time, level, event name, key=value pairs (logfmt).
 *
 * Under systemd (JOURNAL_STREAM set) lines start with the <N> priority and leave the time to the journal.
 * Event names are stable, lower_snake_case. Values with spaces are the caller's to quote. NEVER a subject's identity,
 * row content, token or key: tests grep for canaries.
 *
 * Levels: error = someone must act; warn = we coped; info = state changes; debug = off by default, free when off.
 * Threads: any. A line is written with one write().
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above the level are dropped. Default LOG_INFO. Call before threads start. */
void log_set_level(enum log_level level);

/* "error", "warn", "info", "debug" to a level; EXP_EINVAL otherwise. */
EXP_NODISCARD int log_parse_level(const char *text, enum log_level *level);

/* A tag (a job or request id) put on every line of the calling thread as scope=…; NULL clears it. Borrowed, not copied.
 */
void log_set_scope(const char *scope);

void log_write(enum log_level level, const char *event, const char *format, ...) EXP_PRINTF(3, 4);

#define log_error(event, ...) log_write(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_write(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_write(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_DEBUG, event, __VA_ARGS__)

#endif

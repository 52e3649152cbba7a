/*
 * watch.h: long polling (RFC 7240, Prefer: wait=N) for GETs of things that change.
 *
 * With If-None-Match the answer waits until the ETag is another one, without it until the thing has come to its end.
 * When the time is over, it is answered as it is. At most WATCH_MAX_S seconds are granted; Preference-Applied says how
 * many. Threads: the call's HTTP thread.
 */
#ifndef API_WATCH_H
#define API_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "api/call.h"
#include "base/json.h"

enum { WATCH_MAX_S = 60 };

/* To be taken before the thing is read. */
uint64_t watch_begin(struct call *c);

/* Answers with value (taken over), or waits and has self look again: what a handler returns. */
int watch_reply(struct call *c, json_t *value, bool at_end, uint64_t generation, route_handler *self);

/* The seconds of "wait=N" in a Prefer header, at most WATCH_MAX_S; 0 without one. */
int watch_parse_prefer(const char *header);

#endif

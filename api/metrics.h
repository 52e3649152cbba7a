/*
 * metrics.h: counts and durations of calls by route, for /metrics. Labels are route templates, never paths.
 * Threads: any; counters are atomic.
 */
#ifndef API_METRICS_H
#define API_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "api/route.h"
#include "base/buf.h"

enum { METRICS_BUCKETS = 10, METRICS_STATUSES = 25 };

struct metrics_route {
	atomic_uint_fast64_t statuses[METRICS_STATUSES];
	atomic_uint_fast64_t buckets[METRICS_BUCKETS + 1]; /* not cumulative; the last is above all bounds */
	atomic_uint_fast64_t total_ms;
};

struct metrics {
	struct metrics_route routes[ROUTE_COUNT + 1]; /* the last: calls that fit no route */
};

/* route NULL: none fitted. */
void metrics_count(struct metrics *m, const struct route *route, unsigned status, int64_t duration_ms);

/* Prometheus' text format (version 0.0.4), appended to out. */
void metrics_write(const struct metrics *m, struct buf *out);

#endif

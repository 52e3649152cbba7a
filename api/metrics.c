#include "api/metrics.h"

#include <inttypes.h>

static const unsigned statuses[METRICS_STATUSES] = { 200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410,
						     413, 415, 417, 422, 429, 500, 501, 503, 504, 507, 505, 0 };

static const unsigned bounds_ms[METRICS_BUCKETS] = { 5, 10, 25, 50, 100, 250, 1000, 5000, 30000, 60000 };

void metrics_count(struct metrics *m, const struct route *route, unsigned status, int64_t duration_ms)
{
	struct metrics_route *r = &m->routes[route ? route_number(route) : ROUTE_COUNT];
	size_t s = 0, b = 0;

	while (statuses[s] && statuses[s] != status)
		s++;
	while (b < METRICS_BUCKETS && duration_ms > bounds_ms[b])
		b++;
	atomic_fetch_add(&r->statuses[s], 1);
	atomic_fetch_add(&r->buckets[b], 1);
	atomic_fetch_add(&r->total_ms, (uint64_t)duration_ms);
}

static void write_route(const struct metrics_route *r, const char *method, const char *path, struct buf *out)
{
	static const char name[] = "http_server_request_duration_seconds";
	uint64_t sum = 0;

	for (size_t b = 0; b < METRICS_BUCKETS; b++) {
		sum += atomic_load(&r->buckets[b]);
		buf_format(out, "%s_bucket{method=\"%s\",route=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, method, path,
			   bounds_ms[b] / 1000.0, sum);
	}
	sum += atomic_load(&r->buckets[METRICS_BUCKETS]);
	buf_format(out, "%s_bucket{method=\"%s\",route=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, method, path, sum);
	buf_format(out, "%s_sum{method=\"%s\",route=\"%s\"} %g\n", name, method, path,
		   (double)atomic_load(&r->total_ms) / 1000.0);
	buf_format(out, "%s_count{method=\"%s\",route=\"%s\"} %" PRIu64 "\n", name, method, path, sum);
}

static void write_statuses(const struct metrics_route *r, const char *method, const char *path, struct buf *out)
{
	for (size_t s = 0; s < METRICS_STATUSES; s++) {
		uint64_t n = atomic_load(&r->statuses[s]);

		if (n)
			buf_format(out,
				   "http_server_requests_total{method=\"%s\",route=\"%s\",status=\"%u\"} %" PRIu64 "\n",
				   method, path, statuses[s], n);
	}
}

static void write_each(const struct metrics *m, struct buf *out,
		       void (*write)(const struct metrics_route *r, const char *method, const char *path,
				     struct buf *out))
{
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		write(&m->routes[i], route_method_name(route_at(i)->method), route_at(i)->path, out);
	write(&m->routes[ROUTE_COUNT], "", "", out);
}

void metrics_write(const struct metrics *m, struct buf *out)
{
	buf_add_text(out, "# HELP http_server_requests_total Calls answered, by route and status.\n"
			  "# TYPE http_server_requests_total counter\n");
	write_each(m, out, write_statuses);
	buf_add_text(out, "# HELP http_server_request_duration_seconds Time from the first header to the answer.\n"
			  "# TYPE http_server_request_duration_seconds histogram\n");
	write_each(m, out, write_route);
}

#include <string.h>

#include "api/api_internal.h"
#include "base/clock.h"

enum { WRITER_STALL_MS = 30 * 1000 };

struct check {
	const char *name;
	bool (*passes)(struct api *a);
};

static bool daemon_ready(struct api *a)
{
	return api_is_ready(a);
}

/* With work in the queue, the writer shows signs of life. */
static bool writer_moves(struct api *a)
{
	struct store_health health;

	store_health(a->options.store, &health);
	return !health.queue_depth || clock_monotonic_ms() - health.progress_ms < WRITER_STALL_MS;
}

static bool store_reads(struct api *a)
{
	struct db *db;

	if (reader_take(a->options.store, &db, NULL))
		return false;
	reader_give(a->options.store, db);
	return true;
}

static const struct check checks[] = {
	{ "daemon", daemon_ready },
	{ "writer", writer_moves },
	{ "storage", store_reads },
};

int api_ready_get(struct call *c, struct exp_error *err)
{
	struct buf text = { 0 };
	bool ready = true;

	(void)err;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		bool passes = checks[i].passes(c->api);

		ready = ready && passes;
		if (call_query(c, "verbose"))
			buf_format(&text, "[%s] %s\n", passes ? "+" : "-", checks[i].name);
	}
	buf_add_text(&text, ready ? "ready\n" : "not ready\n");
	reply_bytes(c, ready ? 200 : 503, "text/plain; charset=utf-8", text.data, text.size);
	buf_fini(&text);
	return 0;
}

#include "api/watch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api_internal.h"

uint64_t watch_begin(struct call *c)
{
	return suspended_generation(&c->api->suspended);
}

int watch_parse_prefer(const char *header)
{
	while (header && *header) {
		header += strspn(header, " \t,;");
		if (!strncasecmp(header, "wait=", 5)) {
			unsigned long seconds;

			if (header[5] < '0' || header[5] > '9')
				return 0;
			seconds = strtoul(header + 5, NULL, 10);
			return seconds > WATCH_MAX_S ? WATCH_MAX_S : (int)seconds;
		}
		header += strcspn(header, ",;");
	}
	return 0;
}

static bool has_come(const struct call *c, const json_t *value, bool at_end)
{
	if (call_header(c, "If-None-Match"))
		return !reply_is_unchanged(c, value);
	return at_end;
}

int watch_reply(struct call *c, json_t *value, bool at_end, uint64_t generation, route_handler *self)
{
	int seconds = watch_parse_prefer(call_header(c, "Prefer"));

	if (seconds && !at_end && !has_come(c, value, at_end) && !c->is_expired) {
		int64_t deadline = c->started_ms + (int64_t)seconds * 1000;

		if (call_watch(c, generation, deadline, self) == CALL_SUSPENDED) {
			json_decref(value);
			return CALL_SUSPENDED;
		}
	}
	if (seconds)
		reply_header(c, "Preference-Applied", "wait=%d", seconds);
	reply_json_tagged(c, value);
	return 0;
}

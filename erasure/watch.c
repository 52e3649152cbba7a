#include "erasure/watch.h"

bool watch_report(const struct watch *watch, const char *stage, uint64_t done, uint64_t total)
{
	return watch && watch->report && watch->report(watch->arg, stage, done, total);
}

static bool forward(void *arg, uint64_t done, uint64_t total)
{
	const struct watch_stage *s = arg;

	return watch_report(s->watch, s->stage, done, total);
}

const struct progress *watch_stage_init(struct watch_stage *s, const struct watch *watch, const char *stage)
{
	*s = (struct watch_stage){ .watch = watch, .stage = stage, .progress = { forward, s } };
	return &s->progress;
}

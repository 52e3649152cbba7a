/*
 * watch.h: how long work is followed and stopped: a stage, how far it is, and the wish to cancel.
 */
#ifndef ERASURE_WATCH_H
#define ERASURE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/importance.h"

struct watch {
	/* Returning true cancels with EXP_ECANCELLED. stage is static text: "importance", "fidelity", "references",
	 * "scoring", "ssd", "retrain", "verifying", "refreshing". Called on the thread that runs the work. */
	bool (*report)(void *arg, const char *stage, uint64_t done, uint64_t total);
	void *arg;
};

/* One stage of a watch as the engine's progress; both stay the caller's and must outlive the call they are handed to.
 */
struct watch_stage {
	const struct watch *watch;
	const char *stage;
	struct progress progress;
};

const struct progress *watch_stage_init(struct watch_stage *s, const struct watch *watch, const char *stage);

/* True when the work shall stop. watch may be NULL. */
bool watch_report(const struct watch *watch, const char *stage, uint64_t done, uint64_t total);

#endif

/*
 * offload.h: a few threads for what blocks (imports, validation, large inference), with a bounded queue.
 * Threads: offload_submit from any; start and stop from one.
 */
#ifndef API_OFFLOAD_H
#define API_OFFLOAD_H

#include "api/call.h"
#include "base/thread.h"

enum { OFFLOAD_THREADS = 3, OFFLOAD_QUEUE = 64 };

struct offload_item {
	struct call *call;
	int (*work)(struct call *c, struct exp_error *err);
};

struct offload {
	struct lock lock;
	struct condition changed;
	struct offload_item queue[OFFLOAD_QUEUE];
	size_t first, count;
	bool is_stopping;
	struct thread threads[OFFLOAD_THREADS];
};

EXP_NODISCARD int offload_start(struct offload *o, struct exp_error *err);

/* The call comes back through call_return. EXP_EBUSY when the queue is full or stops. */
EXP_NODISCARD int offload_submit(struct offload *o, struct call *c, int (*work)(struct call *c, struct exp_error *err));

/* Ends after the work under way; what only waits comes back with EXP_EBUSY. */
void offload_stop(struct offload *o);
void offload_fini(struct offload *o);

#endif

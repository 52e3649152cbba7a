/*
 * suspend.h: connections that wait, and how they come back.
 *
 *   HTTP thread:   handler → call_write / call_offload / call_watch → CALL_SUSPENDED
 *   other side:    operation on the writer thread, work on an offload thread, or api_notify
 *   HTTP thread:   then(c), with c->result and c->error of what was waited for
 *
 * The connection is suspended FIRST and handed over then, since resuming one that is not suspended is undefined. Each
 * wait has a deadline of ours (libmicrohttpd's time-out sleeps while a connection does): when it passes, the call is
 * answered 503 and whatever still runs for it keeps its own reference. Before stop every connection is resumed.
 *
 * Threads: the call_… functions on the call's HTTP thread; the rest as said. LOCK_SUSPENDED guards the table.
 */
#ifndef API_SUSPEND_H
#define API_SUSPEND_H

#include "api/call.h"
#include "base/thread.h"
#include "storage/writer.h"

struct suspended {
	struct lock lock;
	struct condition changed;
	struct condition returned; /* handed_over fell, or the table emptied */
	struct call *first;
	size_t count, watching, watch_limit;
	size_t handed_over;  /* pieces of work that hold a reference */
	uint64_t generation; /* rises with every api_notify */
	uint64_t seen;       /* generation that watchers were woken for */
	bool is_stopping;
	struct thread timer;
};

EXP_NODISCARD int suspended_start(struct suspended *s, size_t watch_limit, struct exp_error *err);
/* Ends every watch, waits until all work has come back and the table is empty, ends the timer. */
void suspended_stop(struct suspended *s);
void suspended_fini(struct suspended *s);

/* Watchers look again. Any thread. */
void suspended_notify(struct suspended *s);

/* Calls that wait now. */
size_t suspended_count(struct suspended *s);

/* To be read before the state that a watch is about. */
uint64_t suspended_generation(struct suspended *s);

/*
 * Runs an operation on the writer, with the call as its argument. then() follows the commit; a failure is answered with
 * its error and then() does not run. CALL_SUSPENDED, or EXP_EBUSY once the server stops. What runs elsewhere uses the
 * call's state, json, args and who, never its connection (headers) or its reply.
 */
int call_write(struct call *c, int (*run)(struct txn *txn, void *call, struct exp_error *err), route_handler *then);

/* The same for work on the pool for blocking work, which may use writer_call. */
int call_offload(struct call *c, int (*work)(struct call *c, struct exp_error *err), route_handler *then);

/* Waits until something changed after generation, or until deadline_ms (monotonic): then() looks again; c->is_expired
 * tells that there is no more time. Returns 0, without suspending, when too many calls watch or the daemon stops. */
int call_watch(struct call *c, uint64_t generation, int64_t deadline_ms, route_handler *then);

/* For offload.c: the work is over. Any thread; drops the reference. */
void call_return(struct call *c, int result, const struct exp_error *err);

#endif

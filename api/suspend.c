/*
 * DESIGN. A call is in the table from the moment its connection is suspended until somebody resumes it; both happen
 * under LOCK_SUSPENDED together with the change of the list, so that a call is resumed exactly once, whoever comes
 * first: the work that it waits for, its deadline, or the stop. Work carries a reference of its own and is counted in
 * handed_over; when it returns to a call that has left the table already, it drops its reference and nothing else.
 *
 * Watches do not look at the database here. A notice raises the generation, the timer thread resumes all watchers, and
 * each looks for itself on its HTTP thread. A watcher names the generation that it read before it looked, so that a
 * change between the look and the wait wakes it at once.
 */
#include "api/suspend.h"

#include <microhttpd.h>

#include "api/api_internal.h"
#include "base/check.h"
#include "base/clock.h"

static void insert(struct suspended *s, struct call *c)
{
	c->is_waiting = true;
	c->previous = NULL;
	c->next = s->first;
	if (s->first)
		s->first->previous = c;
	s->first = c;
	s->count++;
	s->watching += c->is_watching;
}

static void take_out(struct suspended *s, struct call *c)
{
	if (c->previous)
		c->previous->next = c->next;
	else
		s->first = c->next;
	if (c->next)
		c->next->previous = c->previous;
	c->is_waiting = false;
	s->count--;
	s->watching -= c->is_watching;
}

/* The lock is held. The HTTP thread may run the call as soon as this returns. */
static void resume(struct suspended *s, struct call *c)
{
	struct MHD_Connection *connection = c->connection;

	take_out(s, c);
	MHD_resume_connection(connection);
	condition_broadcast(&s->returned);
}

static void suspend(struct call *c, int64_t deadline_ms, route_handler *then)
{
	struct suspended *s = &c->api->suspended;

	c->then = then;
	c->result = 0;
	c->error = (struct exp_error){ 0 };
	c->is_expired = false;
	c->deadline_ms = deadline_ms;
	MHD_suspend_connection(c->connection);
	insert(s, c);
	condition_signal(&s->changed);
}

/* False, without suspending, once the server stops. */
static bool hand_over(struct call *c, int64_t timeout_ms, route_handler *then)
{
	struct suspended *s = &c->api->suspended;
	bool may;

	lock_take(&s->lock);
	may = !s->is_stopping;
	if (may) {
		c->is_watching = false;
		s->handed_over++;
		call_ref(c);
		suspend(c, clock_monotonic_ms() + timeout_ms, then);
	}
	lock_release(&s->lock);
	return may;
}

void call_return(struct call *c, int result, const struct exp_error *err)
{
	struct suspended *s = &c->api->suspended;

	lock_take(&s->lock);
	if (c->is_waiting) {
		c->result = result;
		if (result && err)
			c->error = *err;
		resume(s, c);
	}
	lock_release(&s->lock);
	call_unref(c);
	lock_take(&s->lock);
	s->handed_over--;
	condition_broadcast(&s->returned);
	lock_release(&s->lock);
}

static void write_done(void *arg, int rc, const struct exp_error *err)
{
	call_return(arg, rc, err);
}

int call_write(struct call *c, int (*run)(struct txn *txn, void *call, struct exp_error *err), route_handler *then)
{
	struct exp_error busy = { 0 };
	int rc;

	if (!hand_over(c, API_WRITE_TIMEOUT_MS, then))
		return EXP_EBUSY;
	rc = writer_submit(c->api->options.store, run, write_done, c);
	if (rc)
		call_return(c, error_set(&busy, rc, "too many changes wait to be written; try again"), &busy);
	return CALL_SUSPENDED;
}

int call_offload(struct call *c, int (*work)(struct call *c, struct exp_error *err), route_handler *then)
{
	struct exp_error busy = { 0 };
	int rc;

	if (!hand_over(c, API_OFFLOAD_TIMEOUT_MS, then))
		return EXP_EBUSY;
	rc = offload_submit(&c->api->offload, c, work);
	if (rc)
		call_return(c, error_set(&busy, rc, "too much work of this kind waits already; try again"), &busy);
	return CALL_SUSPENDED;
}

int call_watch(struct call *c, uint64_t generation, int64_t deadline_ms, route_handler *then)
{
	struct suspended *s = &c->api->suspended;
	bool may;

	lock_take(&s->lock);
	may = !s->is_stopping && s->watching < s->watch_limit;
	if (may) {
		c->is_watching = true;
		suspend(c, deadline_ms, then);
		if (s->generation != generation)
			resume(s, c);
	}
	lock_release(&s->lock);
	return may ? CALL_SUSPENDED : 0;
}

uint64_t suspended_generation(struct suspended *s)
{
	uint64_t generation;

	lock_take(&s->lock);
	generation = s->generation;
	lock_release(&s->lock);
	return generation;
}

size_t suspended_count(struct suspended *s)
{
	size_t n;

	lock_take(&s->lock);
	n = s->count;
	lock_release(&s->lock);
	return n;
}

void suspended_notify(struct suspended *s)
{
	lock_take(&s->lock);
	s->generation++;
	condition_signal(&s->changed);
	lock_release(&s->lock);
}

static void resume_watchers(struct suspended *s, bool expired)
{
	struct call *next;

	for (struct call *c = s->first; c; c = next) {
		next = c->next;
		if (!c->is_watching)
			continue;
		c->is_expired = expired;
		resume(s, c);
	}
	s->seen = s->generation;
}

/* Resumes what is past its deadline; returns the milliseconds until the next one. */
static int64_t resume_expired(struct suspended *s)
{
	int64_t now = clock_monotonic_ms(), wait = API_STOP_TIMEOUT_MS;
	struct call *next;

	for (struct call *c = s->first; c; c = next) {
		next = c->next;
		if (c->deadline_ms > now) {
			wait = c->deadline_ms - now < wait ? c->deadline_ms - now : wait;
			continue;
		}
		c->is_expired = true;
		resume(s, c);
	}
	return wait;
}

static void run_timer(void *arg)
{
	struct suspended *s = arg;

	lock_take(&s->lock);
	while (!s->is_stopping) {
		int64_t wait = resume_expired(s);

		if (s->seen != s->generation)
			resume_watchers(s, false);
		else
			condition_wait_for(&s->changed, &s->lock, wait);
	}
	lock_release(&s->lock);
}

int suspended_start(struct suspended *s, size_t watch_limit, struct exp_error *err)
{
	int rc;

	lock_init(&s->lock, LOCK_SUSPENDED);
	condition_init(&s->changed);
	condition_init(&s->returned);
	s->watch_limit = watch_limit;
	rc = thread_start(&s->timer, "api-timer", run_timer, s);
	return rc ? error_set(err, rc, "no thread for the time-outs of connections") : 0;
}

void suspended_stop(struct suspended *s)
{
	lock_take(&s->lock);
	s->is_stopping = true;
	condition_signal(&s->changed);
	resume_watchers(s, true);
	while (s->handed_over || s->count)
		condition_wait(&s->returned, &s->lock);
	lock_release(&s->lock);
	thread_join(&s->timer);
}

void suspended_fini(struct suspended *s)
{
	condition_fini(&s->returned);
	condition_fini(&s->changed);
	lock_fini(&s->lock);
}

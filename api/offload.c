#include "api/offload.h"

#include "api/suspend.h"

static bool take(struct offload *o, struct offload_item *item)
{
	lock_take(&o->lock);
	while (!o->count && !o->is_stopping)
		condition_wait(&o->changed, &o->lock);
	if (o->count) {
		*item = o->queue[o->first];
		o->first = (o->first + 1) % OFFLOAD_QUEUE;
		o->count--;
		lock_release(&o->lock);
		return true;
	}
	lock_release(&o->lock);
	return false;
}

static bool stops(struct offload *o)
{
	bool stopping;

	lock_take(&o->lock);
	stopping = o->is_stopping;
	lock_release(&o->lock);
	return stopping;
}

static void run(void *arg)
{
	struct offload *o = arg;
	struct offload_item item;

	while (take(o, &item)) {
		struct exp_error err = { 0 };
		int rc = stops(o) ? error_set(&err, EXP_EBUSY, "the daemon is stopping") : item.work(item.call, &err);

		call_return(item.call, rc, &err);
	}
}

int offload_start(struct offload *o, struct exp_error *err)
{
	lock_init(&o->lock, LOCK_OFFLOAD);
	condition_init(&o->changed);
	for (size_t i = 0; i < OFFLOAD_THREADS; i++) {
		int rc = thread_start(&o->threads[i], "api-offload", run, o);

		if (rc) {
			offload_stop(o);
			return error_set(err, rc, "no thread for blocking work");
		}
	}
	return 0;
}

int offload_submit(struct offload *o, struct call *c, int (*work)(struct call *c, struct exp_error *err))
{
	int rc = EXP_EBUSY;

	lock_take(&o->lock);
	if (!o->is_stopping && o->count < OFFLOAD_QUEUE) {
		o->queue[(o->first + o->count++) % OFFLOAD_QUEUE] = (struct offload_item){ c, work };
		condition_signal(&o->changed);
		rc = 0;
	}
	lock_release(&o->lock);
	return rc;
}

void offload_stop(struct offload *o)
{
	lock_take(&o->lock);
	o->is_stopping = true;
	condition_broadcast(&o->changed);
	lock_release(&o->lock);
	for (size_t i = 0; i < OFFLOAD_THREADS; i++)
		thread_join(&o->threads[i]);
}

void offload_fini(struct offload *o)
{
	condition_fini(&o->changed);
	lock_fini(&o->lock);
}

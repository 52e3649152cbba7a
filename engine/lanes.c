#include "engine/lanes.h"

#include <sched.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/thread.h"
#include "engine/blas.h"

enum { SPINS = 2000 };

struct lane {
	struct lanes *lanes;
	struct thread thread;
	unsigned number;
};

struct turn {
	_Alignas(64) atomic_size_t passed; /* shards that have */
};

struct lanes {
	unsigned threads;
	size_t turns;
	struct turn *at;     /* [turns] */
	struct lane *others; /* [threads - 1] */

	struct lock lock;
	struct condition work, done;
	uint64_t calls;
	unsigned busy; /* others that have not finished the present call */
	bool stop;

	atomic_size_t next; /* shard to be taken */
	size_t shards;
	void (*run)(void *arg, unsigned lane, size_t shard);
	void *arg;
};

static void take_shards(struct lanes *l, unsigned lane)
{
	size_t shard;

	while ((shard = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed)) < l->shards)
		l->run(l->arg, lane, shard);
}

static void serve(void *arg)
{
	struct lane *lane = arg;
	struct lanes *l = lane->lanes;
	uint64_t seen = 0;

	blas_use_one_thread();
	lock_take(&l->lock);
	for (;;) {
		while (!l->stop && l->calls == seen)
			condition_wait(&l->work, &l->lock);
		if (l->stop)
			break;
		seen = l->calls;
		lock_release(&l->lock);
		take_shards(l, lane->number);
		lock_take(&l->lock);
		if (--l->busy == 0)
			condition_signal(&l->done);
	}
	lock_release(&l->lock);
}

static int start(struct lanes *l)
{
	for (unsigned i = 0; i + 1 < l->threads; i++) {
		int rc;

		l->others[i].lanes = l;
		l->others[i].number = i + 1;
		rc = thread_start(&l->others[i].thread, "engine", serve, &l->others[i]);
		if (rc)
			return rc;
	}
	return 0;
}

int lanes_new(unsigned threads, size_t turns, struct lanes **out, struct exp_error *err)
{
	struct lanes *l = mem_try_alloc(1, sizeof(*l));
	int rc = EXP_EMEMORY;

	if (l) {
		l->threads = threads ? threads : 1;
		l->turns = turns;
		lock_init(&l->lock, LOCK_POOL);
		condition_init(&l->work);
		condition_init(&l->done);
		l->at = mem_try_aligned(turns + 1, sizeof(*l->at));
		l->others = mem_try_alloc(l->threads, sizeof(*l->others));
		if (l->at && l->others)
			rc = start(l);
	}
	if (rc) {
		lanes_free(l);
		return error_set(err, rc, "not enough memory for %u threads", threads);
	}
	*out = l;
	return 0;
}

void lanes_free(struct lanes *l)
{
	if (!l)
		return;
	lock_take(&l->lock);
	l->stop = true;
	condition_broadcast(&l->work);
	lock_release(&l->lock);
	for (unsigned i = 0; l->others && i + 1 < l->threads; i++)
		thread_join(&l->others[i].thread);
	condition_fini(&l->work);
	condition_fini(&l->done);
	lock_fini(&l->lock);
	mem_free(l->at);
	mem_free(l->others);
	mem_free(l);
}

unsigned lanes_threads(const struct lanes *l)
{
	return l->threads;
}

static void call_others(struct lanes *l)
{
	lock_take(&l->lock);
	l->calls++;
	l->busy = l->threads - 1;
	condition_broadcast(&l->work);
	lock_release(&l->lock);
}

static void await_others(struct lanes *l)
{
	lock_take(&l->lock);
	while (l->busy > 0)
		condition_wait(&l->done, &l->lock);
	lock_release(&l->lock);
}

void lanes_run(struct lanes *l, size_t shards, void (*run)(void *arg, unsigned lane, size_t shard), void *arg)
{
	bool together = l->threads > 1 && shards > 1;

	l->run = run;
	l->arg = arg;
	l->shards = shards;
	atomic_store_explicit(&l->next, 0, memory_order_relaxed);
	for (size_t i = 0; i < l->turns; i++)
		atomic_store_explicit(&l->at[i].passed, 0, memory_order_relaxed);
	if (together)
		call_others(l);
	take_shards(l, 0);
	if (together)
		await_others(l);
}

/* The shard in front is at work on another processor, as a rule; if it is not, it gets this one. */
void lanes_wait(struct lanes *l, size_t shard, size_t turn)
{
	for (unsigned spins = 0; atomic_load_explicit(&l->at[turn].passed, memory_order_acquire) < shard; spins++)
		if (spins > SPINS)
			sched_yield();
}

void lanes_pass(struct lanes *l, size_t shard, size_t turn)
{
	atomic_store_explicit(&l->at[turn].passed, shard + 1, memory_order_release);
}

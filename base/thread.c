#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"

#ifdef EXPUNGE_STRICT
enum { HELD_MAX = 16 };
static _Thread_local enum lock_rank held[HELD_MAX];
static _Thread_local int held_count;

static void note_taken(enum lock_rank rank)
{
	exp_require(held_count < HELD_MAX);
	exp_require(held_count == 0 || held[held_count - 1] < rank);
	held[held_count++] = rank;
}

static void note_released(enum lock_rank rank)
{
	exp_require(held_count > 0 && held[held_count - 1] == rank);
	held_count--;
}
#else
static void note_taken(enum lock_rank rank)
{
	(void)rank;
}
static void note_released(enum lock_rank rank)
{
	(void)rank;
}
#endif

void lock_init(struct lock *l, enum lock_rank rank)
{
	exp_require(pthread_mutex_init(&l->mutex, NULL) == 0);
	l->rank = rank;
}

void lock_fini(struct lock *l)
{
	exp_require(pthread_mutex_destroy(&l->mutex) == 0);
}

void lock_take(struct lock *l)
{
	note_taken(l->rank);
	exp_require(pthread_mutex_lock(&l->mutex) == 0);
}

void lock_release(struct lock *l)
{
	note_released(l->rank);
	exp_require(pthread_mutex_unlock(&l->mutex) == 0);
}

void condition_init(struct condition *c)
{
	pthread_condattr_t attributes;

	exp_require(pthread_condattr_init(&attributes) == 0);
	exp_require(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	exp_require(pthread_cond_init(&c->cond, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
}

void condition_fini(struct condition *c)
{
	exp_require(pthread_cond_destroy(&c->cond) == 0);
}

void condition_wait(struct condition *c, struct lock *l)
{
	exp_require(pthread_cond_wait(&c->cond, &l->mutex) == 0);
}

bool condition_wait_for(struct condition *c, struct lock *l, int64_t timeout_ms)
{
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	rc = pthread_cond_timedwait(&c->cond, &l->mutex, &until);
	exp_require(rc == 0 || rc == ETIMEDOUT);
	return rc == 0;
}

void condition_signal(struct condition *c)
{
	pthread_cond_signal(&c->cond);
}

void condition_broadcast(struct condition *c)
{
	pthread_cond_broadcast(&c->cond);
}

static void *enter(void *arg)
{
	struct thread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	t->run(t->arg);
	return NULL;
}

int thread_start(struct thread *t, const char *name, void (*run)(void *arg), void *arg)
{
	sigset_t all, before;
	int rc;

	t->run = run;
	t->arg = arg;
	snprintf(t->name, sizeof(t->name), "%s", name);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&t->handle, NULL, enter, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->started = rc == 0;
	return rc ? EXP_EMEMORY : 0;
}

void thread_join(struct thread *t)
{
	if (t->started)
		exp_require(pthread_join(t->handle, NULL) == 0);
	t->started = false;
}

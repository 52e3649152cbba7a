/*
 * thread.h: threads, named mutexes with a rank, conditions. The only user of pthread.h.
 *
 * Locks are listed in lock.def and taken in rising rank, which builds with EXPUNGE_STRICT assert. They are never held
 * over a transaction, a callback or a BLAS call. Structs are the caller's; init/fini.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum lock_rank {
#define X(name, rank) name = (rank),
#include "base/lock.def"
#undef X
};

struct lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
};

struct condition {
	pthread_cond_t cond; /* on the monotonic clock */
};

struct thread {
	pthread_t handle;
	bool started;
	void (*run)(void *arg);
	void *arg;
	char name[16];
};

void lock_init(struct lock *l, enum lock_rank rank);
void lock_fini(struct lock *l);
void lock_take(struct lock *l);
void lock_release(struct lock *l);

void condition_init(struct condition *c);
void condition_fini(struct condition *c);
void condition_wait(struct condition *c, struct lock *l);
/* False when timeout_ms passed first. */
bool condition_wait_for(struct condition *c, struct lock *l, int64_t timeout_ms);
void condition_signal(struct condition *c);
void condition_broadcast(struct condition *c);

/* Starts run(arg) with all signals blocked; name (at most 15 characters) shows in ps and gdb. EXP_EMEMORY. */
EXP_NODISCARD int thread_start(struct thread *t, const char *name, void (*run)(void *arg), void *arg);

/* Waits for the end. A thread that never started is fine. */
void thread_join(struct thread *t);

#endif

#include "base/thread.h"

#include <criterion/criterion.h>

struct shared {
	struct lock lock;
	struct condition changed;
	int value;
};

static void add(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 1000; i++) {
		lock_take(&s->lock);
		s->value++;
		condition_broadcast(&s->changed);
		lock_release(&s->lock);
	}
}

Test(thread, locks_exclude_and_conditions_wake)
{
	struct shared s = { 0 };
	struct thread a, b;

	lock_init(&s.lock, LOCK_WORKERS);
	condition_init(&s.changed);
	cr_assert_eq(thread_start(&a, "a", add, &s), 0);
	cr_assert_eq(thread_start(&b, "b", add, &s), 0);
	lock_take(&s.lock);
	while (s.value < 2000)
		condition_wait(&s.changed, &s.lock);
	cr_assert_not(condition_wait_for(&s.changed, &s.lock, 5));
	lock_release(&s.lock);
	thread_join(&a);
	thread_join(&b);
	cr_assert_eq(s.value, 2000);
	condition_fini(&s.changed);
	lock_fini(&s.lock);
}

/*
 * Everything that threads share, at once: submitters, callers, readers, health, truncation. A plain program, because
 * Criterion does not run under ThreadSanitizer; the exit status is the verdict.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/events.h"
#include "storage/store.h"
#include "storage/writer.h"

enum { SUBMITTERS = 4, CALLERS = 2, READERS = 3, EACH = 150 };

static struct store *store;
static atomic_int done_count, failures, busy;
static atomic_bool stop;

static int run_append(struct txn *txn, void *arg, struct exp_error *err)
{
	struct stored_event event = { .kind = "stress" };

	(void)arg;
	return events_append(txn, &event, err);
}

static void append_done(void *arg, int rc, const struct exp_error *err)
{
	(void)arg;
	(void)err;
	atomic_fetch_add(rc ? &failures : &done_count, 1);
}

static void submit(void *arg)
{
	(void)arg;
	for (int i = 0; i < EACH; i++)
		while (writer_submit(store, run_append, append_done, NULL)) {
			atomic_fetch_add(&busy, 1);
			usleep(50);
		}
}

static void call(void *arg)
{
	(void)arg;
	for (int i = 0; i < EACH; i++) {
		int rc = writer_call(store, run_append, NULL, NULL);

		if (rc == EXP_EBUSY)
			i--;
		else
			append_done(NULL, rc, NULL);
	}
}

/* A snapshot's count never goes back. */
static void read_on(void *arg)
{
	int64_t last = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		struct stored_event_list list = { 0 };
		struct store_health health;
		struct db *db;

		if (reader_take(store, &db, NULL))
			continue;
		if (events_after(db, last, NULL, NULL, 100, &list, NULL))
			atomic_fetch_add(&failures, 1);
		reader_give(store, db);
		for (size_t i = 0; i < list.count; i++) {
			if (list.items[i].sequence != last + 1)
				atomic_fetch_add(&failures, 1);
			last = list.items[i].sequence;
		}
		stored_event_list_fini(&list);
		store_health(store, &health);
	}
}

static void truncate_now_and_then(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		int rc = store_truncate_wal(store, NULL);

		if (rc && rc != EXP_EBUSY)
			atomic_fetch_add(&failures, 1);
		usleep(20000);
	}
}

static void start(struct thread *threads, int count, void (*run)(void *))
{
	for (int i = 0; i < count; i++)
		if (thread_start(&threads[i], "stress", run, NULL))
			exit(2);
}

static void join(struct thread *threads, int count)
{
	for (int i = 0; i < count; i++)
		thread_join(&threads[i]);
}

int main(void)
{
	struct store_options options = { .readers = 2, .queue_capacity = 16, .group_max = 5 };
	struct thread writers[SUBMITTERS + CALLERS], others[READERS + 1];
	char folder[] = "/tmp/expunge-stress-XXXXXX";
	char *command;
	int wanted = (SUBMITTERS + CALLERS) * EACH;

	log_set_level(LOG_ERROR);
	if (crypto_init() || !mkdtemp(folder) || store_open(folder, &options, &store, NULL))
		return 2;
	start(writers, SUBMITTERS, submit);
	start(writers + SUBMITTERS, CALLERS, call);
	start(others, READERS, read_on);
	start(others + READERS, 1, truncate_now_and_then);
	join(writers, SUBMITTERS + CALLERS);
	atomic_store(&stop, true);
	join(others, READERS + 1);
	store_close(store);
	printf("done %d of %d, failures %d, busy %d\n", done_count, wanted, failures, busy);
	command = mem_format("rm -rf %s", folder);
	if (system(command))
		return 2;
	mem_free(command);
	return done_count == wanted && !failures ? 0 : 1;
}

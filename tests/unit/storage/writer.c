#include "storage/writer.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "fixture.h"
#include "storage/leaves.h"
#include "storage/outbox.h"

static void make_small(void)
{
	struct store_options options = { .max_pages = 90 };

	store_make_with(&options);
}

static void make_narrow(void)
{
	struct store_options options = { .queue_capacity = 4, .group_max = 2 };

	store_make_with(&options);
}

TestSuite(writer, .init = store_make, .fini = store_remove);
TestSuite(writer_small, .init = make_small, .fini = store_remove);
TestSuite(writer_narrow, .init = make_narrow, .fini = store_remove);
TestSuite(writer_crash, .init = folder_make, .fini = folder_remove);

/* An operation that puts a message with this topic and, if told, fails afterwards. */
struct put {
	char topic[DB_NAME];
	size_t padding; /* bytes of the body */
	int fail_with;
	int rc; /* what done got */
	bool message_given;
	atomic_int *finished;
};

static int run_put(struct txn *txn, void *arg, struct exp_error *err)
{
	struct put *put = arg;
	char *body = mem_alloc(put->padding + 1);
	int64_t id;
	int rc;

	memset(body, 'x', put->padding);
	rc = outbox_put(txn, put->topic, body, &id, err);
	mem_free(body);
	return rc ? rc : put->fail_with;
}

static void put_done(void *arg, int rc, const struct exp_error *err)
{
	struct put *put = arg;

	put->rc = rc;
	put->message_given = err->message[0] != '\0';
	atomic_fetch_add(put->finished, 1);
}

static void wait_for(atomic_int *finished, int count)
{
	while (atomic_load(finished) < count)
		usleep(100);
}

static size_t count_messages(void)
{
	struct stored_message_list list;
	struct db *db = read_begin();
	size_t count;

	OK(outbox_due(db, INT64_MAX, 1000, &list, err));
	count = list.count;
	stored_message_list_fini(&list);
	read_end(db);
	return count;
}

Test(writer, an_operation_that_fails_is_undone_alone)
{
	atomic_int finished = 0;
	struct put puts[5];
	struct store_health before, after;

	store_health(store, &before);
	tx_begin(); /* the five gather behind it */
	for (int i = 0; i < 5; i++) {
		puts[i] = (struct put){ .fail_with = i % 2 ? EXP_ECONFLICT : 0, .finished = &finished };
		strcpy(puts[i].topic, "t");
		cr_assert_eq(writer_submit(store, run_put, put_done, &puts[i]), 0);
	}
	tx_commit();
	wait_for(&finished, 5);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(puts[i].rc, i % 2 ? EXP_ECONFLICT : 0);
		cr_assert_eq(puts[i].message_given, i % 2 == 1);
	}
	cr_assert_eq(count_messages(), 3);
	store_health(store, &after);
	cr_assert_eq(after.operations - before.operations, 6);
	cr_assert_eq(after.groups - before.groups, 2);
}

Test(writer, a_failed_call_brings_its_message)
{
	atomic_int finished = 0;
	struct put put = { .finished = &finished };
	struct exp_error cause = { 0 };

	cr_assert_eq(writer_call(store, run_put, &put, &cause), EXP_EINVAL);
	cr_assert(strstr(cause.message, "name") != NULL, "%s", cause.message);
	cr_assert_eq(count_messages(), 0);
}

Test(writer_narrow, a_full_queue_says_busy_and_calls_nothing)
{
	atomic_int finished = 0;
	struct put puts[5];

	tx_begin();
	for (int i = 0; i < 5; i++) {
		puts[i] = (struct put){ .topic = "t", .finished = &finished };
		cr_assert_eq(writer_submit(store, run_put, put_done, &puts[i]), i < 4 ? 0 : EXP_EBUSY);
	}
	tx_commit();
	wait_for(&finished, 4);
	cr_assert_eq(count_messages(), 4);
}

enum { THREADS = 8, EACH = 200 };

static void submit_many(void *arg)
{
	atomic_int *failures = arg;

	for (int i = 0; i < EACH; i++) {
		atomic_int finished = 0;
		struct put put = { .topic = "t", .finished = &finished };

		if (writer_call(store, run_put, &put, NULL))
			atomic_fetch_add(failures, 1);
	}
}

static void read_many(void *arg)
{
	atomic_bool *stop = arg;

	while (!atomic_load(stop)) {
		struct stored_message_list list;
		struct db *db = read_begin();

		OK(outbox_due(db, INT64_MAX, 10, &list, err));
		stored_message_list_fini(&list);
		read_end(db);
	}
}

Test(writer, many_threads_share_transactions)
{
	struct thread threads[THREADS], reader;
	struct store_health health;
	atomic_int failures = 0;
	atomic_bool stop = false;
	int64_t last;

	cr_assert_eq(thread_start(&reader, "reader", read_many, &stop), 0);
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(thread_start(&threads[i], "submitter", submit_many, &failures), 0);
	for (int i = 0; i < THREADS; i++)
		thread_join(&threads[i]);
	atomic_store(&stop, true);
	thread_join(&reader);
	cr_assert_eq(failures, 0);
	OK(outbox_put(tx_begin(), "last", "{}", &last, err));
	tx_commit();
	cr_assert_eq(last, THREADS * EACH + 1);
	store_health(store, &health);
	cr_assert_lt(health.groups, health.operations);
}

Test(writer_small, a_full_disk_is_told_and_leaves_what_was_there)
{
	atomic_int finished = 0;
	struct put put = { .topic = "t", .padding = 20000, .finished = &finished };
	struct exp_error cause = { 0 };
	size_t kept = 0;
	int rc;

	while (!(rc = writer_call(store, run_put, &put, &cause)))
		kept++;
	cr_assert_eq(rc, EXP_ENOSPACE, "%s", cause.message);
	cr_assert_gt(kept, 0);
	cr_assert_eq(count_messages(), kept);
	store_reopen();
	cr_assert_eq(count_messages(), kept);
	put.padding = 10; /* the bound is gone: it goes on where it stopped */
	cr_assert_eq(writer_call(store, run_put, &put, NULL), 0);
	cr_assert_eq(count_messages(), kept + 1);
}

Test(writer_small, a_group_that_the_disk_cannot_hold_fails_without_a_trace)
{
	atomic_int finished = 0;
	struct put puts[6];
	size_t succeeded = 0;

	tx_begin();
	for (int i = 0; i < 6; i++) {
		puts[i] = (struct put){ .topic = "t", .padding = i == 3 ? 2000000 : 100, .finished = &finished };
		cr_assert_eq(writer_submit(store, run_put, put_done, &puts[i]), 0);
	}
	tx_commit();
	wait_for(&finished, 6);
	cr_assert_eq(puts[3].rc, EXP_ENOSPACE);
	for (int i = 0; i < 6; i++)
		succeeded += puts[i].rc == 0;
	cr_assert_geq(succeeded, 2);
	cr_assert_eq(count_messages(), succeeded);
}

Test(writer, when_the_commit_fails_nobody_is_told_of_success)
{
	atomic_int finished = 0;
	struct put puts[3];

	make_token("t1");
	tx_begin();
	for (int i = 0; i < 3; i++) {
		puts[i] = (struct put){ .topic = "t", .finished = &finished };
		cr_assert_eq(writer_submit(store, run_put, put_done, &puts[i]), 0);
	}
	stop_growth(true);
	tx_commit(); /* changes nothing, so it commits */
	wait_for(&finished, 3);
	stop_growth(false);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(puts[i].rc, EXP_EIO);
		cr_assert(puts[i].message_given);
	}
	cr_assert_eq(count_messages(), 0);
	cr_assert_eq(writer_call(store, run_put, &puts[0], NULL), 0);
	store_reopen();
	cr_assert_eq(count_messages(), 1);
}

/*
 * The crash test. A child appends leaves that carry their number and tells each acknowledged number through a pipe; it
 * is killed at a moment that the seed decides. Afterwards every number that was told must be there, none twice, in
 * order.
 */
struct append {
	uint8_t bytes[8];
	int fd;
};

static int run_append(struct txn *txn, void *arg, struct exp_error *err)
{
	struct append *a = arg;
	struct stored_leaf leaf = { .bytes = a->bytes, .size = sizeof(a->bytes), .type = "test" };
	int64_t index;

	return leaves_append(txn, &leaf, &index, err);
}

static void append_done(void *arg, int rc, const struct exp_error *err)
{
	struct append *a = arg;

	(void)err;
	if (!rc && write(a->fd, a->bytes, sizeof(a->bytes)) != sizeof(a->bytes))
		_exit(3);
	mem_free(a);
}

static void child(int fd, uint64_t first)
{
	if (store_open(folder, NULL, &store, NULL))
		_exit(2);
	for (uint64_t n = first;; n++) {
		struct append *a = mem_alloc(sizeof(*a));

		memcpy(a->bytes, &n, sizeof(n));
		a->fd = fd;
		while (writer_submit(store, run_append, append_done, a))
			usleep(100);
		if (n % 7 == 0)
			usleep(200);
	}
}

/* Runs a child for a while, kills it, and gives how many numbers it had been told were durable. */
static uint64_t run_and_kill(uint64_t first, useconds_t lifetime)
{
	uint64_t told = 0, n;
	int fds[2], status;
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		child(fds[1], first);
	close(fds[1]);
	usleep(lifetime);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	while (read(fds[0], &n, sizeof(n)) == sizeof(n)) {
		cr_assert_eq(n, first + told);
		told++;
	}
	close(fds[0]);
	return told;
}

/* Checks that leaves 0 … count - 1 carry their own numbers and returns count. */
static uint64_t check_leaves(void)
{
	struct stored_leaf_list list;
	struct db *db = read_begin();
	int64_t count;

	OK(leaves_count(db, &count, err));
	OK(leaves_read(db, 0, (size_t)count + 1, &list, err));
	cr_assert_eq(list.count, count);
	for (size_t i = 0; i < list.count; i++) {
		uint64_t n;

		memcpy(&n, list.items[i].bytes, sizeof(n));
		cr_assert_eq(n, i);
	}
	stored_leaf_list_fini(&list);
	read_end(db);
	return (uint64_t)count;
}

Test(writer_crash, what_was_acknowledged_survives_a_kill)
{
	uint64_t kept = 0, told = 0;
	struct rng r;

	rng_init(&r, 20261123, "kill");
	for (int round = 0; round < 8; round++) {
		uint64_t acknowledged = run_and_kill(kept, 2000 + rng_below(&r, 250000));

		told += acknowledged;
		OK(store_open(folder, NULL, &store, err));
		cr_assert_geq(check_leaves(), kept + acknowledged);
		kept = check_leaves();
		store_close(store);
	}
	cr_assert_gt(told, 0);
}

static void append_ended(void *arg, int rc, const struct exp_error *err)
{
	struct append *a = arg;

	(void)err;
	cr_assert_eq(rc, 0);
	mem_free(a);
}

Test(writer_crash, closing_runs_what_is_queued)
{
	OK(store_open(folder, NULL, &store, err));
	for (uint64_t n = 0; n < 100; n++) {
		struct append *a = mem_alloc(sizeof(*a));

		memcpy(a->bytes, &n, sizeof(n));
		cr_assert_eq(writer_submit(store, run_append, append_ended, a), 0);
	}
	store_close(store);
	OK(store_open(folder, NULL, &store, err));
	cr_assert_eq(check_leaves(), 100);
	store_close(store);
}

/*
 * writer.c: threads that write through the one writer, wait or not, while others read. Run under ThreadSanitizer; the
 * exit status is 1 when something was lost, and the sanitizer's own when it saw a race.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/datasets.h"
#include "storage/writer.h"

enum { WRITERS = 4, READERS = 2, NAMES = 50, NAME = 32 };

static struct store *store;
static atomic_bool stop;
static atomic_int done_calls;

struct entry {
	char name[NAME];
};

static int insert(struct txn *txn, void *arg, struct exp_error *err)
{
	const struct entry *e = arg;
	struct stored_dataset d = { .row_dims = (char[]){ "[1]" }, .rows = 1, .scale = 1, .classes = 2 };

	snprintf(d.name, sizeof(d.name), "%s", e->name);
	return datasets_insert(txn, &d, err);
}

static void count_done(void *arg, int rc, const struct exp_error *err)
{
	(void)err;
	exp_require(rc == 0);
	mem_free(arg);
	atomic_fetch_add(&done_calls, 1);
}

static struct entry *make_entry(size_t writer, int i)
{
	struct entry *e = mem_alloc(sizeof(*e));

	snprintf(e->name, sizeof(e->name), "w%zu-%d", writer, i);
	return e;
}

/* Every second name without waiting for it. */
static void write_often(void *arg)
{
	size_t writer = *(const size_t *)arg;

	for (int i = 0; i < NAMES; i++) {
		struct entry *e = make_entry(writer, i);

		if (i % 2) {
			exp_require(writer_submit(store, insert, count_done, e) == 0);
			continue;
		}
		exp_require(writer_call(store, insert, e, NULL) == 0);
		mem_free(e);
	}
}

static size_t count_datasets(void)
{
	struct stored_dataset_list list;
	struct db *db;
	size_t count;

	exp_require(reader_take(store, &db, NULL) == 0);
	exp_require(datasets_list(db, &list, NULL) == 0);
	reader_give(store, db);
	count = list.count;
	stored_dataset_list_fini(&list);
	return count;
}

static void read_often(void *arg)
{
	struct store_health health;
	size_t before = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		size_t now = count_datasets();

		exp_require(now >= before);
		before = now;
		store_health(store, &health);
	}
}

static void run(void)
{
	struct thread writers[WRITERS] = { 0 }, readers[READERS] = { 0 };
	size_t number[WRITERS];

	for (int i = 0; i < READERS; i++)
		exp_require(thread_start(&readers[i], "reader", read_often, NULL) == 0);
	for (size_t i = 0; i < WRITERS; i++) {
		number[i] = i;
		exp_require(thread_start(&writers[i], "writer", write_often, &number[i]) == 0);
	}
	for (int i = 0; i < WRITERS; i++)
		thread_join(&writers[i]);
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++)
		thread_join(&readers[i]);
}

int main(void)
{
	char folder[] = "/tmp/expunge-tsan-XXXXXX", *command;
	struct exp_error err = { 0 };
	size_t kept;

	exp_require(crypto_init() == 0 && mkdtemp(folder) != NULL);
	if (store_open(folder, NULL, &store, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	run();
	store_close(store);
	exp_require(store_open(folder, NULL, &store, &err) == 0);
	kept = count_datasets();
	store_close(store);
	command = mem_format("rm -rf %s", folder);
	exp_require(system(command) == 0);
	mem_free(command);
	printf("%zu datasets kept, %d calls back\n", kept, atomic_load(&done_calls));
	return kept != WRITERS * NAMES || atomic_load(&done_calls) != WRITERS * NAMES / 2;
}

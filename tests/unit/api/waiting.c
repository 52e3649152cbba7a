/*
 * Connections that wait: long polls that are woken, that end by themselves, that the stop lets go; and the parser of
 * Prefer.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "api/watch.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/requests.h"
#include "storage/writer.h"
#include "tests/unit/api/world.h"

static struct world w;

static void start(void)
{
	world_start(&w, NULL);
	world_add_dataset(&w);
	world_add_model(&w, NULL);
}

static void stop(void)
{
	world_stop(&w);
}

TestSuite(waiting, .init = start, .fini = stop);

Test(waiting, prefer)
{
	static const struct {
		const char *header;
		int seconds;
	} cases[] = {
		{ NULL, 0 },         { "", 0 },
		{ "wait=5", 5 },     { "respond-async, wait=7", 7 },
		{ "Wait=9;x=1", 9 }, { "wait=600", 60 },
		{ "wait", 0 },       { "wait=x", 0 },
		{ "wait=-1", 0 },    { "return=minimal", 0 },
		{ "await=3", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(watch_parse_prefer(cases[i].header), cases[i].seconds, "%s", cases[i].header);
}

struct poll {
	struct thread thread;
	char *path, *etag;
	struct answer answer;
};

static void poll_once(void *arg)
{
	struct poll *p = arg;

	p->answer = ask(&w, &(struct question){ .role = ROLE_SUBMITTER,
						.path = p->path,
						.timeout_s = 50,
						.headers = { "Prefer: wait=40", p->etag } });
}

static char *open_request(char id[ID_TEXT])
{
	char *body = world_claim(false, 0), *path;
	struct answer a = post(&w, ROLE_SUBMITTER, "/v1/deletion-requests", body);

	cr_assert_eq(a.status, 202);
	snprintf(id, ID_TEXT, "%s", answer_text(&a, "id"));
	path = mem_format("/v1/deletion-requests/%s", id);
	answer_fini(&a);
	mem_free(body);
	return path;
}

static int run_it(struct txn *txn, void *arg, struct exp_error *err)
{
	struct request_update update = { REQUEST_RUNNING, REQUEST_OUTCOME_UNSET, REQUEST_VERDICT_NONE, NULL };

	return requests_update(txn, arg, &update, err);
}

static int reject_it(struct txn *txn, void *arg, struct exp_error *err)
{
	struct request_update update = { REQUEST_REJECTED, REQUEST_OUTCOME_UNSET, REQUEST_VERDICT_NONE, "other" };

	return requests_update(txn, arg, &update, err);
}

static char *etag_of(const char *path)
{
	struct answer a = get(&w, ROLE_SUBMITTER, path);
	char *tag = answer_header(&a, "ETag"), *header = mem_format("If-None-Match: %s", tag);

	mem_free(tag);
	answer_fini(&a);
	return header;
}

/* Whether the poll suspends before or after the change: it must see it. */
Test(waiting, a_change_ends_the_wait)
{
	char id[ID_TEXT];
	struct poll p = { .path = open_request(id) };
	char *applied;

	p.etag = etag_of(p.path);
	cr_assert_eq(thread_start(&p.thread, "poll", poll_once, &p), 0);
	cr_assert_eq(writer_call(w.store, run_it, id, NULL), 0);
	api_notify(w.api);
	thread_join(&p.thread);
	cr_assert_eq(p.answer.status, 200);
	cr_assert_str_eq(answer_text(&p.answer, "status"), "running");
	applied = answer_header(&p.answer, "Preference-Applied");
	cr_assert_str_eq(applied, "wait=40");
	mem_free(applied);
	answer_fini(&p.answer);
	mem_free(p.path);
	mem_free(p.etag);
}

/* Notices that change nothing are not the end: without an ETag the wait is for the end of the request. */
Test(waiting, only_the_end_ends_it)
{
	char id[ID_TEXT];
	struct poll p = { .path = open_request(id) };

	cr_assert_eq(thread_start(&p.thread, "poll", poll_once, &p), 0);
	for (int i = 0; i < 20; i++)
		api_notify(w.api);
	cr_assert_eq(writer_call(w.store, reject_it, id, NULL), 0);
	api_notify(w.api);
	thread_join(&p.thread);
	cr_assert_eq(p.answer.status, 200);
	cr_assert_str_eq(answer_text(&p.answer, "status"), "rejected");
	answer_fini(&p.answer);
	mem_free(p.path);
}

Test(waiting, the_time_ends_it)
{
	char id[ID_TEXT], *path = open_request(id), *etag = etag_of(path);
	struct answer a =
	    ask(&w, &(struct question){ .role = ROLE_SUBMITTER, .path = path, .headers = { "Prefer: wait=1", etag } });

	cr_assert_eq(a.status, 304);
	answer_fini(&a);
	mem_free(path);
	mem_free(etag);
}

enum { POLLS = 24 };

static void await_waiting(int wanted)
{
	int waiting = 0;

	while (waiting < wanted) {
		struct answer a = get(&w, NOBODY, "/metrics");
		const char *line = strstr(a.body.data, "\nexpunge_http_waiting ");

		cr_assert(line != NULL);
		waiting = atoi(line + strlen("\nexpunge_http_waiting "));
		answer_fini(&a);
	}
}

/* The stop answers everybody who waits; libmicrohttpd would abort over a connection that stays suspended. */
Test(waiting, the_stop_ends_it)
{
	static struct poll polls[POLLS];
	char id[ID_TEXT], *path = open_request(id), *etag = etag_of(path);

	for (int i = 0; i < POLLS; i++) {
		polls[i].path = path;
		polls[i].etag = etag;
		cr_assert_eq(thread_start(&polls[i].thread, "poll", poll_once, &polls[i]), 0);
	}
	await_waiting(POLLS);
	world_restart(&w, NULL);
	for (int i = 0; i < POLLS; i++) {
		thread_join(&polls[i].thread);
		cr_assert_eq(polls[i].answer.status, 304, "%ld", polls[i].answer.status);
		answer_fini(&polls[i].answer);
	}
	mem_free(path);
	mem_free(etag);
}

/* Where there is no room to wait, the answer comes at once: the client's own 20 seconds would end this test otherwise.
 */
Test(waiting, the_table_has_an_end)
{
	struct api_options options = { .connection_limit = 3, .threads = 1 };
	char id[ID_TEXT], *path = open_request(id), *etag = etag_of(path);
	struct poll first = { .path = path, .etag = etag };
	struct answer a;

	world_restart(&w, &options);
	cr_assert_eq(thread_start(&first.thread, "poll", poll_once, &first), 0);
	await_waiting(1);
	a = ask(&w, &(struct question){ .role = ROLE_SUBMITTER, .path = path, .headers = { "Prefer: wait=40", etag } });
	cr_assert_eq(a.status, 304);
	answer_fini(&a);
	cr_assert_eq(writer_call(w.store, reject_it, id, NULL), 0);
	api_notify(w.api);
	thread_join(&first.thread);
	cr_assert_eq(first.answer.status, 200);
	answer_fini(&first.answer);
	mem_free(path);
	mem_free(etag);
}

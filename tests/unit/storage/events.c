#include "storage/events.h"

#include <string.h>

#include "fixture.h"
#include "storage/outbox.h"

TestSuite(events, .init = store_make, .fini = store_remove);

static void append(const char *job, const char *request, const char *kind)
{
	char data[] = "{\"done\":1}";
	struct stored_event event = { .data = data };

	strcpy(event.job, job);
	strcpy(event.request, request);
	strcpy(event.kind, kind);
	OK(events_append(tx_begin(), &event, err));
	tx_commit();
}

static size_t count_after(int64_t sequence, const char *job, const char *request)
{
	struct stored_event_list list;
	struct db *db = read_begin();
	size_t count;

	OK(events_after(db, sequence, job, request, 100, &list, err));
	for (size_t i = 1; i < list.count; i++)
		cr_assert_gt(list.items[i].sequence, list.items[i - 1].sequence);
	count = list.count;
	stored_event_list_fini(&list);
	read_end(db);
	return count;
}

Test(events, timelines_of_jobs_and_requests)
{
	struct stored_event_list list;
	struct db *db;

	append("j1", "", "claimed");
	append("j1", "r1", "verified");
	append("", "r1", "completed");
	append("j2", "", "claimed");
	cr_assert_eq(count_after(0, NULL, NULL), 4);
	cr_assert_eq(count_after(2, NULL, NULL), 2);
	cr_assert_eq(count_after(0, "j1", NULL), 2);
	cr_assert_eq(count_after(1, "j1", ""), 1);
	cr_assert_eq(count_after(0, "", "r1"), 2);
	cr_assert_eq(count_after(0, "j1", "r1"), 1);
	db = read_begin();
	OK(events_after(db, 0, NULL, NULL, 2, &list, err));
	cr_assert(list.count == 2 && !strcmp(list.items[0].kind, "claimed") && list.items[0].request[0] == '\0');
	cr_assert_str_eq(list.items[0].data, "{\"done\":1}");
	stored_event_list_fini(&list);
	FAILS(events_after(db, 0, NULL, NULL, 0, &list, err), EXP_EINVAL);
	read_end(db);
}

Test(events, sequence_numbers_are_not_used_again)
{
	test_now = 100;
	append("j", "", "a");
	append("j", "", "b");
	OK(events_sweep(tx_begin(), 101, err));
	tx_commit();
	cr_assert_eq(count_after(0, NULL, NULL), 0);
	append("j", "", "c");
	cr_assert_eq(count_after(2, NULL, NULL), 1);
}

Test(events, the_outbox_gives_what_is_due)
{
	struct stored_message_list list;
	int64_t first, second;
	struct db *db;

	test_now = 100;
	OK(outbox_put(tx_begin(), "request.completed", "{}", &first, err));
	tx_commit();
	test_now = 200;
	OK(outbox_put(tx_begin(), "request.completed", "{\"n\":2}", &second, err));
	tx_commit();
	OK(outbox_failed(tx_begin(), first, 500, err));
	tx_commit();
	db = read_begin();
	OK(outbox_due(db, 499, 10, &list, err));
	cr_assert(list.count == 1 && list.items[0].id == second);
	stored_message_list_fini(&list);
	OK(outbox_due(db, 500, 10, &list, err));
	cr_assert(list.count == 2 && list.items[1].attempts == 1);
	stored_message_list_fini(&list);
	read_end(db);
	OK(outbox_delivered(tx_begin(), first, err));
	tx_commit();
	db = read_begin();
	OK(outbox_due(db, 500, 10, &list, err));
	cr_assert_eq(list.count, 1);
	stored_message_list_fini(&list);
	read_end(db);
	OK(outbox_sweep(tx_begin(), 201, err));
	tx_commit();
	FAILS(outbox_delivered(tx_begin(), first, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
	FAILS(outbox_failed(tx_begin(), 99, 1, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

#include "storage/requests.h"

#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "storage/idempotency.h"
#include "storage/subjects.h"

static void make(void)
{
	store_make();
	make_token("t1");
}

TestSuite(requests, .init = make, .fini = store_remove);

static struct stored_request get(const char *id)
{
	struct stored_request request;
	struct db *db = read_begin();

	OK(requests_get(db, id, &request, err));
	read_end(db);
	return request;
}

static int update(const char *id, enum request_status status, enum request_outcome outcome, const char *reason)
{
	struct request_update u = { .status = status, .outcome = outcome, .reason = reason };

	return tx_end(requests_update(tx_begin(), id, &u, NULL));
}

Test(requests, the_three_axes_move_by_their_tables)
{
	char id[ID_TEXT];
	struct stored_request r;

	test_now = 1000;
	make_request(id, 5000);
	cr_assert_eq(get(id).change, 1);
	cr_assert_eq(get(id).leaf, -1);
	cr_assert_eq(update(id, REQUEST_ON_HOLD, 0, "identity unclear"), 0);
	cr_assert_str_eq(get(id).reason, "identity unclear");
	cr_assert_eq(update(id, REQUEST_QUEUED, 0, NULL), 0);
	cr_assert_str_eq(get(id).reason, "identity unclear");
	cr_assert_eq(update(id, REQUEST_RUNNING, REQUEST_OUTCOME_MITIGATED, ""), 0);
	test_now = 2000;
	cr_assert_eq(update(id, REQUEST_RUNNING, REQUEST_OUTCOME_UNSET, NULL), EXP_ECONFLICT);
	cr_assert_eq(update(id, REQUEST_RECEIVED, REQUEST_OUTCOME_MITIGATED, NULL), EXP_ECONFLICT);
	cr_assert_eq(update(id, REQUEST_COMPLETED, REQUEST_OUTCOME_MITIGATED, NULL), 0);
	test_now = 3000;
	cr_assert_eq(update(id, REQUEST_COMPLETED, REQUEST_OUTCOME_ERASED, NULL), 0);
	r = get(id);
	cr_assert_eq(r.completed_at, 2000);
	cr_assert_eq(r.updated_at, 3000);
	cr_assert_eq(r.change, 6);
	cr_assert_eq(r.outcome, REQUEST_OUTCOME_ERASED);
	cr_assert_str_eq(r.reason, "");
	cr_assert_eq(update("nobody", REQUEST_QUEUED, 0, NULL), EXP_ENOTFOUND);
}

Test(requests, a_reopened_request_has_a_clock_again)
{
	char id[ID_TEXT];

	make_request(id, 5000);
	cr_assert_eq(update(id, REQUEST_QUEUED, 0, NULL), 0);
	cr_assert_eq(update(id, REQUEST_FAILED, 0, "x"), 0);
	cr_assert_neq(get(id).completed_at, 0);
	cr_assert_eq(update(id, REQUEST_QUEUED, 0, NULL), 0);
	cr_assert_eq(get(id).completed_at, 0);
}

Test(requests, a_reason_that_is_too_long_is_refused)
{
	char id[ID_TEXT], reason[DB_REASON + 1];

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	make_request(id, 5000);
	cr_assert_eq(update(id, REQUEST_ON_HOLD, 0, reason), EXP_EINVAL);
	cr_assert_eq(get(id).change, 1);
}

/* Walks all pages of a filter and checks that they are the wanted ids, newest first, without a gap or a repeat. */
static void check_pages(struct request_filter f, char (*wanted)[ID_TEXT], size_t count)
{
	struct stored_request_page page;
	char token[DB_PAGE_TOKEN] = "";
	size_t seen = 0;

	do {
		struct db *db = read_begin();

		f.page_token = token;
		OK(requests_list(db, &f, &page, err));
		read_end(db);
		cr_assert_leq(page.count, f.page_size);
		for (size_t i = 0; i < page.count; i++, seen++)
			cr_assert(seen < count && !strcmp(page.items[i].id, wanted[count - 1 - seen]));
		strcpy(token, page.next);
		stored_request_page_fini(&page);
	} while (*token);
	cr_assert_eq(seen, count);
}

Test(requests, pages_are_complete_under_every_filter)
{
	enum { ALL = 23 };
	char all[ALL][ID_TEXT], odd[ALL][ID_TEXT], on_model[ALL][ID_TEXT];
	struct request_model touched = { .model = "m", .status = REQUEST_QUEUED };
	size_t odds = 0, touches = 0;

	make_dataset("d");
	make_model("m", "d");
	for (int i = 0; i < ALL; i++) {
		test_now = 1000 + i; /* ids are in order of time */
		make_request(all[i], 100 * (i + 1));
		if (i % 2) {
			cr_assert_eq(update(all[i], REQUEST_QUEUED, REQUEST_OUTCOME_EXEMPT, NULL), 0);
			strcpy(odd[odds++], all[i]);
		}
		if (i % 3 == 0) {
			OK(requests_set_model(tx_begin(), all[i], &touched, err));
			tx_commit();
			strcpy(on_model[touches++], all[i]);
		}
	}
	check_pages((struct request_filter){ .page_size = 5 }, all, ALL);
	check_pages((struct request_filter){ .page_size = 23 }, all, ALL);
	check_pages((struct request_filter){ .page_size = 4, .statuses = 1u << REQUEST_QUEUED }, odd, odds);
	check_pages((struct request_filter){ .page_size = 4, .outcomes = 1u << REQUEST_OUTCOME_EXEMPT }, odd, odds);
	check_pages((struct request_filter){ .page_size = 4, .verdicts = 1u << REQUEST_VERDICT_UTILITY }, odd, 0);
	check_pages((struct request_filter){ .page_size = 4,
					     .statuses = 1u << REQUEST_QUEUED | 1u << REQUEST_RECEIVED },
		    all, ALL);
	check_pages((struct request_filter){ .page_size = 3, .model = "m" }, on_model, touches);
	check_pages((struct request_filter){ .page_size = 3, .model = "x" }, on_model, 0);
	check_pages((struct request_filter){ .page_size = 3, .due_before = 901 }, all, 9);
	check_pages((struct request_filter){ .page_size = 3,
					     .model = "m",
					     .statuses = 1u << REQUEST_QUEUED,
					     .due_before = 500 },
		    &all[3], 1);
}

Test(requests, page_tokens_that_are_not_ours_are_refused)
{
	static const char *const tokens[] = { "x", "00", "zz000000000000000000000000000000",
					      "0000000000000000000000000000000" };
	struct stored_request_page page;
	struct db *db = read_begin();

	for (size_t i = 0; i < 4; i++) {
		struct request_filter f = { .page_token = tokens[i] };

		FAILS(requests_list(db, &f, &page, err), EXP_EINVAL);
	}
	FAILS(requests_list(db, &(struct request_filter){ .page_size = 501 }, &page, err), EXP_EINVAL);
	read_end(db);
}

Test(requests, the_summary_knows_what_is_overdue)
{
	char id[4][ID_TEXT];
	struct request_summary s;
	struct db *db = read_begin();

	OK(requests_summary(db, 100, &s, err));
	cr_assert(s.overdue == 0 && s.next_due_at == 0 && s.oldest_received_at == 0);
	read_end(db);
	for (int i = 0; i < 4; i++)
		make_request(id[i], 100 * (i + 1));
	cr_assert_eq(update(id[0], REQUEST_REJECTED, 0, "no"), 0);
	db = read_begin();
	OK(requests_summary(db, 301, &s, err));
	cr_assert_eq(s.overdue, 2);
	cr_assert_eq(s.next_due_at, 200);
	cr_assert_eq(s.oldest_received_at, 1);
	cr_assert(s.by_status[REQUEST_RECEIVED] == 3 && s.by_status[REQUEST_REJECTED] == 1);
	read_end(db);
	cr_assert_eq(update(id[1], REQUEST_QUEUED, 0, NULL), 0);
	cr_assert_eq(update(id[1], REQUEST_FAILED, 0, "why"), 0);
	db = read_begin();
	OK(requests_summary(db, 301, &s, err));
	cr_assert_eq(s.overdue, 2, "the law does not end where a method does");
	read_end(db);
}

Test(requests, subjects_are_linked_and_unlinked)
{
	char first[ID_TEXT], second[ID_TEXT];
	struct subject_list subjects;
	struct id_list requests;
	int64_t subject, again;
	struct db *db;

	test_now = 1;
	make_request(first, 10);
	test_now = 2;
	make_request(second, 10);
	OK(subjects_ensure(tx_begin(), hash_of(1), &subject, err));
	tx_commit();
	OK(subjects_ensure(tx_begin(), hash_of(1), &again, err));
	tx_commit();
	cr_assert_eq(subject, again);
	for (int i = 0; i < 2; i++) {
		OK(requests_link_subject(tx_begin(), i ? first : second, subject, err));
		tx_commit();
	}
	OK(requests_link_subject(tx_begin(), first, subject, err));
	tx_commit();
	FAILS(requests_link_subject(tx_begin(), first, subject + 1, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	db = read_begin();
	OK(requests_of_subject(db, subject, &requests, err));
	cr_assert(requests.count == 2 && !strcmp(requests.items[0], first) && !strcmp(requests.items[1], second));
	OK(requests_subjects(db, first, &subjects, err));
	cr_assert(subjects.count == 1 && subjects.items[0] == subject);
	id_list_fini(&requests);
	subject_list_fini(&subjects);
	read_end(db);
	OK(requests_unlink_subjects(tx_begin(), first, err));
	tx_commit();
	FAILS(subjects_delete(tx_begin(), subject, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	OK(requests_unlink_subjects(tx_begin(), second, err));
	tx_commit();
	OK(subjects_delete(tx_begin(), subject, err));
	tx_commit();
}

Test(requests, each_model_has_its_own_axes)
{
	char id[ID_TEXT], evidence[] = "{\"p\":5}";
	struct request_model m = { .model = "m", .status = REQUEST_RUNNING, .evidence = evidence };
	struct request_model_list list;
	int64_t change;
	struct db *db;

	make_dataset("d");
	make_model("m", "d");
	make_request(id, 10);
	OK(requests_set_model(tx_begin(), id, &m, err));
	tx_commit();
	m.status = REQUEST_COMPLETED;
	m.outcome = REQUEST_OUTCOME_ERASED;
	m.verdict = REQUEST_VERDICT_BY_CONSTRUCTION;
	OK(requests_set_model(tx_begin(), id, &m, err));
	tx_commit();
	m.status = REQUEST_RUNNING;
	FAILS(requests_set_model(tx_begin(), id, &m, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	strcpy(m.model, "x");
	FAILS(requests_set_model(tx_begin(), id, &m, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	db = read_begin();
	OK(requests_models(db, id, &list, err));
	cr_assert_eq(list.count, 1);
	cr_assert_eq(list.items[0].verdict, REQUEST_VERDICT_BY_CONSTRUCTION);
	cr_assert_str_eq(list.items[0].evidence, evidence);
	request_model_list_fini(&list);
	OK(requests_change(db, id, &change, err));
	cr_assert_eq(change, 3);
	read_end(db);
}

Test(requests, inserting_says_what_is_missing)
{
	struct stored_request r = { .identities = 1, .submitted_by = "t2", .leaf = -1 };

	id_new(r.id);
	FAILS(requests_insert(tx_begin(), &r, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	strcpy(r.submitted_by, "t1");
	r.status = REQUEST_COMPLETED;
	r.outcome = REQUEST_OUTCOME_NOT_FOUND;
	r.leaf = 0;
	OK(requests_insert(tx_begin(), &r, err));
	tx_commit();
	cr_assert_eq(get(r.id).leaf, 0);
	cr_assert_neq(get(r.id).completed_at, 0);
	FAILS(requests_insert(tx_begin(), &r, err), EXP_EEXISTS);
	tx_end(EXP_EEXISTS);
	OK(requests_set_leaf(tx_begin(), r.id, 12, err));
	tx_commit();
	cr_assert_eq(get(r.id).leaf, 12);
}

static int claim(const char *token, uint8_t key, uint8_t fingerprint, const char *request, bool *known, char *existing)
{
	struct idempotency_key k = { .expires_at = 2000 };

	strcpy(k.token, token);
	memcpy(k.key, hash_of(key), DB_HASH);
	memcpy(k.fingerprint, hash_of(fingerprint), DB_HASH);
	return tx_end(idempotency_claim(tx_begin(), &k, request, known, existing, NULL));
}

Test(requests, an_idempotency_key_answers_with_the_first_request)
{
	char existing[ID_TEXT] = "", a[ID_TEXT], b[ID_TEXT];
	bool known = true;

	id_new(a);
	id_new(b);
	test_now = 1000;
	cr_assert_eq(claim("t1", 1, 1, a, &known, existing), 0);
	cr_assert(!known && !*existing);
	cr_assert_eq(claim("t1", 1, 1, b, &known, existing), 0);
	cr_assert(known && !strcmp(existing, a));
	cr_assert_eq(claim("t1", 1, 2, b, &known, existing), EXP_EIDEMPOTENT);
	cr_assert_eq(claim("t2", 1, 2, b, &known, existing), 0);
	cr_assert(!known);
	test_now = 2000; /* expired: free again, for another body too */
	cr_assert_eq(claim("t1", 1, 2, b, &known, existing), 0);
	cr_assert(!known);
	OK(idempotency_sweep(tx_begin(), 2001, err));
	tx_commit();
	test_now = 1000;
	cr_assert_eq(claim("t1", 1, 3, b, &known, existing), 0);
	cr_assert(!known);
}

#include "storage/jobs.h"

#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "storage/attempts.h"

enum { LEASE_MS = 1000 };

static void make(void)
{
	store_make();
	test_now = 10000;
	make_token("t1");
	make_dataset("d");
	make_model("a", "d");
	make_model("b", "d");
}

TestSuite(jobs, .init = make, .fini = store_remove);

static char *enqueue(enum job_kind kind, const char *model, int64_t due_at, char id[ID_TEXT])
{
	struct job_new job = { .kind = kind, .model = model, .due_at = due_at };

	test_now++; /* ids in order */
	OK(jobs_enqueue(tx_begin(), &job, id, err));
	tx_commit();
	return id;
}

static struct stored_job get(const char *id)
{
	struct stored_job job;
	struct db *db = read_begin();

	OK(jobs_get(db, id, &job, err));
	read_end(db);
	return job;
}

static enum job_state state_of(const char *id)
{
	struct stored_job job = get(id);

	stored_job_fini(&job);
	return job.state;
}

/* Claims and checks that it is the job wanted; NULL: nothing may be claimable. */
static struct job_lease claim(const char *wanted)
{
	struct job_lease lease = { .job = "" };
	struct stored_job job;
	int rc = jobs_claim(tx_begin(), "worker", LEASE_MS, &job, NULL);

	tx_end(rc);
	if (!wanted) {
		cr_assert_eq(rc, EXP_ENOTFOUND);
		return lease;
	}
	cr_assert_eq(rc, 0);
	cr_assert_str_eq(job.id, wanted);
	job_lease_of(&job, &lease);
	stored_job_fini(&job);
	return lease;
}

static int move(const struct job_lease *lease, enum job_state from, enum job_state to)
{
	return tx_end(jobs_move(tx_begin(), lease, from, to, NULL));
}

static int publish(const struct job_lease *lease, int64_t version)
{
	return tx_end(jobs_publish(tx_begin(), lease, version, NULL));
}

/* Takes a claimed job forward to a state on the way of a deletion. */
static void advance(const struct job_lease *lease, enum job_state to)
{
	static const enum job_state way[] = { JOB_QUEUED,    JOB_SELECTING, JOB_UNLEARNING, JOB_VERIFYING, JOB_STAGED,
					      JOB_PUBLISHED, JOB_DRAINING,  JOB_ERASING,    JOB_DONE };

	for (size_t i = 0; way[i] != to; i++)
		cr_assert_eq(way[i + 1] == JOB_PUBLISHED ? publish(lease, 7) : move(lease, way[i], way[i + 1]), 0);
}

Test(jobs, earliest_due_date_first_and_those_without_one_last)
{
	char none[ID_TEXT], late[ID_TEXT], early[ID_TEXT];

	make_model("c", "d");
	enqueue(JOB_UNLEARN, "a", 0, none);
	enqueue(JOB_UNLEARN, "b", 900, late);
	enqueue(JOB_UNLEARN, "c", 800, early);
	claim(early);
	claim(late);
	claim(none);
	claim(NULL);
}

Test(jobs, a_model_has_one_job_at_a_time)
{
	char first[ID_TEXT], second[ID_TEXT], other[ID_TEXT];
	struct job_lease lease;

	enqueue(JOB_UNLEARN, "a", 100, first);
	enqueue(JOB_RETRAIN, "a", 200, second);
	enqueue(JOB_UNLEARN, "b", 300, other);
	lease = claim(first);
	claim(other);
	claim(NULL);
	advance(&lease, JOB_DRAINING);
	claim(NULL);
	cr_assert_eq(move(&lease, JOB_DRAINING, JOB_ERASING), 0);
	claim(NULL); /* erasing does not hold the model, but its lease does */
	cr_assert_eq(tx_end(jobs_release(tx_begin(), &lease, 5000, NULL)), 0);
	claim(second);
}

Test(jobs, a_dead_workers_state_keeps_the_model_even_without_a_lease)
{
	char first[ID_TEXT], second[ID_TEXT];
	struct job_lease lease;

	enqueue(JOB_UNLEARN, "a", 500, first);
	lease = claim(first);
	advance(&lease, JOB_DRAINING);
	enqueue(JOB_UNLEARN, "a", 100, second);
	test_now += LEASE_MS;
	claim(first); /* due later, but the model is its own */
	claim(NULL);
}

Test(jobs, registration_goes_before_the_deletions_that_queue_behind_it)
{
	char deletion[ID_TEXT], registration[ID_TEXT];
	struct job_lease lease;

	enqueue(JOB_UNLEARN, "a", 100, deletion);
	enqueue(JOB_REGISTER, "a", 0, registration);
	lease = claim(registration);
	claim(NULL);
	cr_assert_eq(move(&lease, JOB_QUEUED, JOB_SELECTING), 0);
	cr_assert_eq(move(&lease, JOB_SELECTING, JOB_DONE), 0);
	claim(deletion);
}

Test(jobs, a_lost_lease_is_reclaimed_and_fences_the_worker_that_had_it)
{
	char id[ID_TEXT];
	struct job_lease old, fresh;
	struct stored_job job;
	bool cancel;

	enqueue(JOB_UNLEARN, "a", 100, id);
	old = claim(id);
	advance(&old, JOB_VERIFYING);
	OK(jobs_checkpoint(tx_begin(), &old, "{\"epoch\":3}", err));
	tx_commit();
	test_now += LEASE_MS - 1;
	claim(NULL);
	OK(jobs_heartbeat(tx_begin(), &old, LEASE_MS, &cancel, err));
	tx_commit();
	test_now += LEASE_MS - 1;
	claim(NULL);
	test_now += 1;
	fresh = claim(id);
	cr_assert_eq(fresh.fence, old.fence + 1);
	job = get(id);
	cr_assert_eq(job.state, JOB_QUEUED);
	cr_assert_eq(job.attempt, 2);
	cr_assert_str_eq(job.checkpoint, "{\"epoch\":3}");
	stored_job_fini(&job);
	cr_assert_eq(move(&old, JOB_QUEUED, JOB_SELECTING), EXP_EFENCED);
	cr_assert_eq(tx_end(jobs_heartbeat(tx_begin(), &old, LEASE_MS, &cancel, NULL)), EXP_EFENCED);
	cr_assert_eq(tx_end(jobs_progress(tx_begin(), &old, "x", 1, 2, NULL)), EXP_EFENCED);
	cr_assert_eq(tx_end(jobs_checkpoint(tx_begin(), &old, "x", NULL)), EXP_EFENCED);
	cr_assert_eq(tx_end(jobs_fail(tx_begin(), &old, EXP_EIO, "x", NULL)), EXP_EFENCED);
	cr_assert_eq(tx_end(jobs_retry(tx_begin(), &old, 1, EXP_EIO, "x", NULL)), EXP_EFENCED);
	cr_assert_eq(tx_end(jobs_release(tx_begin(), &old, 1, NULL)), EXP_EFENCED);
	cr_assert_eq(publish(&old, 1), EXP_EFENCED);
	memcpy(old.id, fresh.id, sizeof(old.id)); /* the fence alone is enough to keep it out */
	cr_assert_eq(move(&old, JOB_QUEUED, JOB_SELECTING), EXP_EFENCED);
	cr_assert_eq(move(&fresh, JOB_QUEUED, JOB_SELECTING), 0);
}

Test(jobs, after_publication_a_reclaimed_job_goes_on_where_it_stood)
{
	char id[ID_TEXT];
	struct job_lease lease;
	struct stored_job job;

	enqueue(JOB_UNLEARN, "a", 100, id);
	lease = claim(id);
	advance(&lease, JOB_PUBLISHED);
	test_now += LEASE_MS;
	lease = claim(id);
	job = get(id);
	cr_assert_eq(job.state, JOB_PUBLISHED);
	cr_assert_eq(job.published_version, 7);
	stored_job_fini(&job);
	cr_assert_eq(publish(&lease, 8), EXP_ECONFLICT);
	cr_assert_eq(tx_end(jobs_fail(tx_begin(), &lease, EXP_EIO, "x", NULL)), EXP_ECONFLICT);
	cr_assert_eq(tx_end(jobs_retry(tx_begin(), &lease, 500, EXP_EIO, "disk", NULL)), 0);
	cr_assert_eq(state_of(id), JOB_PUBLISHED);
	claim(NULL);
	test_now += 500;
	lease = claim(id);
	cr_assert_eq(move(&lease, JOB_PUBLISHED, JOB_DRAINING), 0);
	cr_assert_eq(move(&lease, JOB_DRAINING, JOB_ERASING), 0);
	cr_assert_eq(move(&lease, JOB_ERASING, JOB_DONE), 0);
	cr_assert_eq(move(&lease, JOB_DONE, JOB_QUEUED), EXP_EFENCED);
	claim(NULL);
}

Test(jobs, moves_are_checked)
{
	char id[ID_TEXT];
	struct job_lease lease;

	enqueue(JOB_UNLEARN, "a", 100, id);
	lease = claim(id);
	cr_assert_eq(move(&lease, JOB_SELECTING, JOB_UNLEARNING), EXP_ECONFLICT);
	cr_assert_eq(move(&lease, JOB_QUEUED, JOB_STAGED), EXP_ECONFLICT);
	cr_assert_eq(move(&lease, JOB_QUEUED, JOB_FAILED), EXP_EINVAL);
	advance(&lease, JOB_STAGED);
	cr_assert_eq(move(&lease, JOB_STAGED, JOB_PUBLISHED), EXP_EINVAL);
	cr_assert_eq(state_of(id), JOB_STAGED);
}

Test(jobs, retries_count_and_releases_do_not)
{
	char id[ID_TEXT];
	struct job_lease lease;
	struct stored_job job;
	struct db *db;
	int64_t at;

	enqueue(JOB_UNLEARN, "a", 100, id);
	lease = claim(id);
	cr_assert_eq(move(&lease, JOB_QUEUED, JOB_SELECTING), 0);
	cr_assert_eq(tx_end(jobs_retry(tx_begin(), &lease, 300, EXP_EIO, "the disk is away", NULL)), 0);
	job = get(id);
	cr_assert_eq(job.state, JOB_QUEUED);
	cr_assert_eq(job.error_code, EXP_EIO);
	cr_assert_str_eq(job.error_message, "the disk is away");
	cr_assert_str_eq(job.lease, "");
	stored_job_fini(&job);
	claim(NULL);
	db = read_begin();
	OK(jobs_next_at(db, &at, err));
	cr_assert_eq(at, test_now + 300);
	read_end(db);
	test_now += 300;
	lease = claim(id);
	cr_assert_eq(tx_end(jobs_release(tx_begin(), &lease, 0, NULL)), 0);
	lease = claim(id);
	job = get(id);
	cr_assert_eq(job.attempt, 2);
	cr_assert_eq(job.fence, 3);
	stored_job_fini(&job);
	cr_assert_eq(tx_end(jobs_fail(tx_begin(), &lease, EXP_EINVAL, "no", NULL)), 0);
	cr_assert_eq(state_of(id), JOB_FAILED);
	db = read_begin();
	OK(jobs_next_at(db, &at, err));
	cr_assert_eq(at, 0);
	read_end(db);
}

Test(jobs, requests_coalesce_into_the_job_that_waits)
{
	char id[ID_TEXT], other[ID_TEXT], r[3][ID_TEXT], got[ID_TEXT] = "";
	struct id_list list;
	struct stored_job job;
	struct db *db;

	for (int i = 0; i < 3; i++)
		make_request(r[i], 1000 - 100 * i);
	FAILS(jobs_attach(tx_begin(), "a", JOB_UNLEARN, r[0], 1000, got, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
	enqueue(JOB_UNLEARN, "a", 1000, id);
	OK(jobs_bind(tx_begin(), id, r[0], err));
	tx_commit();
	enqueue(JOB_RETRAIN, "a", 1000, other);
	for (int i = 1; i < 3; i++) {
		OK(jobs_attach(tx_begin(), "a", JOB_UNLEARN, r[i], i == 1 ? 900 : 950, got, err));
		tx_commit();
		cr_assert_str_eq(got, id);
	}
	job = get(id);
	cr_assert_eq(job.due_at, 900);
	stored_job_fini(&job);
	db = read_begin();
	OK(jobs_requests(db, id, &list, err));
	cr_assert_eq(list.count, 3);
	id_list_fini(&list);
	read_end(db);
	FAILS(jobs_attach(tx_begin(), "b", JOB_UNLEARN, r[0], 1000, got, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
	claim(id);
	FAILS(jobs_attach(tx_begin(), "a", JOB_UNLEARN, r[0], 1000, got, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

Test(jobs, a_waiting_job_starts_earlier_but_never_later)
{
	struct job_new job = { .kind = JOB_RETRAIN, .model = "a", .not_before = 50000 };
	char id[ID_TEXT];
	struct stored_job got;

	OK(jobs_enqueue(tx_begin(), &job, id, err));
	tx_commit();
	OK(jobs_hasten(tx_begin(), id, 60000, err));
	tx_commit();
	OK(jobs_hasten(tx_begin(), id, 20000, err));
	tx_commit();
	got = get(id);
	cr_assert_eq(got.not_before, 20000);
	stored_job_fini(&got);
	claim(NULL);
	test_now = 20000;
	claim(id);
}

Test(jobs, a_cancelled_request_leaves_the_job_to_the_others)
{
	char id[ID_TEXT], r[2][ID_TEXT];
	struct stored_job job;

	make_request(r[0], 500);
	make_request(r[1], 800);
	enqueue(JOB_UNLEARN, "a", 500, id);
	for (int i = 0; i < 2; i++) {
		OK(jobs_bind(tx_begin(), id, r[i], err));
		tx_commit();
	}
	OK(jobs_unbind(tx_begin(), id, r[0], err));
	tx_commit();
	job = get(id);
	cr_assert_eq(job.due_at, 800);
	stored_job_fini(&job);
	FAILS(jobs_unbind(tx_begin(), id, r[0], err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
	OK(jobs_unbind(tx_begin(), id, r[1], err));
	tx_commit();
	cr_assert_eq(state_of(id), JOB_CANCELLED);
	claim(NULL);
}

Test(jobs, cancelling_waits_for_the_worker_that_has_the_job)
{
	char waiting[ID_TEXT], held[ID_TEXT];
	struct job_lease lease;
	bool done, cancel;

	enqueue(JOB_UNLEARN, "a", 100, waiting);
	OK(jobs_cancel(tx_begin(), waiting, &done, err));
	tx_commit();
	cr_assert(done);
	cr_assert_eq(state_of(waiting), JOB_CANCELLED);
	FAILS(jobs_cancel(tx_begin(), waiting, &done, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	enqueue(JOB_UNLEARN, "a", 100, held);
	lease = claim(held);
	OK(jobs_heartbeat(tx_begin(), &lease, LEASE_MS, &cancel, err));
	tx_commit();
	cr_assert(!cancel);
	OK(jobs_cancel(tx_begin(), held, &done, err));
	tx_commit();
	cr_assert(!done);
	OK(jobs_heartbeat(tx_begin(), &lease, LEASE_MS, &cancel, err));
	tx_commit();
	cr_assert(cancel);
	cr_assert_eq(move(&lease, JOB_QUEUED, JOB_CANCELLED), 0);
	FAILS(jobs_cancel(tx_begin(), "none", &done, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

Test(jobs, at_start_all_leases_are_over)
{
	char id[ID_TEXT];
	struct job_lease old;
	int64_t count;

	enqueue(JOB_UNLEARN, "a", 100, id);
	old = claim(id);
	advance(&old, JOB_UNLEARNING);
	store_reopen();
	claim(NULL);
	OK(jobs_expire_leases(tx_begin(), &count, err));
	tx_commit();
	cr_assert_eq(count, 1);
	claim(id);
	cr_assert_eq(state_of(id), JOB_QUEUED);
}

Test(jobs, lists_narrow_down)
{
	char id[6][ID_TEXT], request[ID_TEXT];
	struct stored_job_page page;
	struct job_filter f = { .model = "a", .page_size = 2 };
	int64_t counts[JOB_STATE_COUNT];
	struct db *db;

	make_request(request, 100);
	for (int i = 0; i < 6; i++)
		enqueue(i % 2 ? JOB_RETRAIN : JOB_UNLEARN, i < 3 ? "a" : "b", 100 + i, id[i]);
	OK(jobs_bind(tx_begin(), id[4], request, err));
	tx_commit();
	db = read_begin();
	OK(jobs_list(db, &f, &page, err));
	cr_assert(page.count == 2 && !strcmp(page.items[0].id, id[2]) && *page.next);
	f.page_token = page.next;
	{
		struct stored_job_page second;

		OK(jobs_list(db, &f, &second, err));
		cr_assert(second.count == 1 && !strcmp(second.items[0].id, id[0]) && !*second.next);
		stored_job_page_fini(&second);
	}
	stored_job_page_fini(&page);
	OK(jobs_list(db, &(struct job_filter){ .kinds = 1u << JOB_RETRAIN }, &page, err));
	cr_assert_eq(page.count, 3);
	stored_job_page_fini(&page);
	OK(jobs_list(db, &(struct job_filter){ .states = 1u << JOB_DONE }, &page, err));
	cr_assert_eq(page.count, 0);
	stored_job_page_fini(&page);
	OK(jobs_list(db, &(struct job_filter){ .request = request }, &page, err));
	cr_assert(page.count == 1 && !strcmp(page.items[0].id, id[4]));
	stored_job_page_fini(&page);
	OK(jobs_list(db, &(struct job_filter){ .request = request, .model = "a" }, &page, err));
	cr_assert_eq(page.count, 0);
	stored_job_page_fini(&page);
	OK(jobs_count(db, counts, err));
	cr_assert(counts[JOB_QUEUED] == 6 && counts[JOB_DONE] == 0);
	read_end(db);
}

Test(jobs, back_off_doubles_up_to_a_quarter_of_an_hour)
{
	for (int64_t attempt = 1; attempt < 40; attempt++) {
		int64_t base = attempt < 11 ? INT64_C(1000) << (attempt - 1) : 900000;
		int64_t wait;

		base = base > 900000 ? 900000 : base;
		wait = job_backoff_ms(attempt);
		cr_assert(wait >= base && wait <= base + base / 4, "attempt %d: %d", (int)attempt, (int)wait);
	}
}

Test(jobs, attempts_and_their_verdicts_are_kept)
{
	char id[ID_TEXT], request[ID_TEXT], evidence[] = "{\"z\":1}";
	struct attempt_verdict verdict = { .verdict = REQUEST_VERDICT_RESIDUAL, .evidence = evidence };
	struct attempt_verdict_list verdicts;
	struct stored_attempt_list list;
	struct job_lease lease, old;
	int64_t first, second;
	struct db *db;

	make_request(request, 100);
	strcpy(verdict.request, request);
	enqueue(JOB_UNLEARN, "a", 100, id);
	lease = claim(id);
	OK(attempts_start(tx_begin(), &lease, "ssd", "{}", &first, err));
	tx_commit();
	OK(attempts_add_verdict(tx_begin(), &lease, first, &verdict, err));
	tx_commit();
	FAILS(attempts_add_verdict(tx_begin(), &lease, first, &verdict, err), EXP_EEXISTS);
	tx_end(EXP_EEXISTS);
	FAILS(attempts_add_verdict(tx_begin(), &lease, first + 1, &verdict, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	OK(attempts_finish(tx_begin(), &lease, first, "{\"fail\":1}", 2.5, err));
	tx_commit();
	FAILS(attempts_finish(tx_begin(), &lease, first, "{}", 1, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	FAILS(attempts_finish(tx_begin(), &lease, 9, "{}", 1, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
	old = lease;
	test_now += LEASE_MS;
	lease = claim(id);
	FAILS(attempts_start(tx_begin(), &old, "ssd", "{}", &second, err), EXP_EFENCED);
	tx_end(EXP_EFENCED);
	OK(attempts_start(tx_begin(), &lease, "retrain", "{}", &second, err));
	tx_commit();
	cr_assert(first == 1 && second == 2);
	db = read_begin();
	OK(attempts_list(db, id, &list, err));
	cr_assert(list.count == 2 && !strcmp(list.items[0].method, "ssd") && list.items[0].finished_at);
	cr_assert_str_eq(list.items[0].summary, "{\"fail\":1}");
	cr_assert_float_eq(list.items[0].seconds, 2.5, 0);
	cr_assert(list.items[1].finished_at == 0 && !list.items[1].summary);
	OK(attempts_verdicts(db, id, first, &verdicts, err));
	cr_assert(verdicts.count == 1 && verdicts.items[0].verdict == REQUEST_VERDICT_RESIDUAL);
	stored_attempt_list_fini(&list);
	attempt_verdict_list_fini(&verdicts);
	read_end(db);
}

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "proof/receipt.h"
#include "storage/attempts.h"
#include "storage/dataset_rows.h"
#include "storage/models.h"
#include "storage/versions.h"
#include "storage/writer.h"
#include "tests/unit/workers/house.h"
#include "workers/settle.h"

#define SMALL                                                                                                          \
	"\"rounds\": 4, \"folds\": 4, \"fidelity_models\": 2, \"min_heldout\": 39, \"evidence_window_s\": 0, "         \
	"\"fidelity_accuracy_margin\": 1, \"fidelity_loss_ratio\": 100, \"fidelity_heldout_z\": 100, "                 \
	"\"retained_margin\": 0.1, \"loss_margin\": 1, \"heldout_margin\": 0.1"
#define EXACT_FIRST "{\"retrain_first_below_s\": 1000, " SMALL "}"
#define SSD_ALONE   "{\"ladder\": [\"ssd\"], \"min_power\": 1, \"retrain_first_below_s\": 0, " SMALL "}"
#define SSD_FIRST   "{\"retrain_first_below_s\": 0, \"exact_within_s\": 0, " SMALL "}"

static struct house h;

static int64_t live_version(void)
{
	struct stored_model model;
	struct db *db;
	int64_t version;

	cr_assert_eq(reader_take(h.store, &db, NULL), 0);
	cr_assert_eq(models_get(db, "occupation", &model, NULL), 0);
	reader_give(h.store, db);
	version = model.live_version;
	stored_model_fini(&model);
	return version;
}

static size_t rows_in(enum row_state state)
{
	struct row_map map = { 0 };
	struct db *db;
	size_t n = 0;

	cr_assert_eq(reader_take(h.store, &db, NULL), 0);
	cr_assert_eq(dataset_rows_map(db, "wages", &map, NULL), 0);
	reader_give(h.store, db);
	for (size_t i = 0; i < map.count; i++)
		n += map.state[i] == state;
	row_map_fini(&map);
	return n;
}

static void expect_erased(const char *id, enum request_verdict verdict)
{
	struct stored_request r = house_wait(&h, id, REQUEST_COMPLETED);

	cr_assert_eq(r.outcome, REQUEST_OUTCOME_ERASED, "%s", request_outcome_name(r.outcome));
	cr_assert_eq(r.verdict, verdict, "%s", request_verdict_name(r.verdict));
}

static void expect_receipt(const char *id)
{
	struct exp_error err = { 0 };
	struct buf text = { 0 };
	int rc = EXP_ENOTFOUND;

	for (int i = 0; i < 100 && rc == EXP_ENOTFOUND; i++) {
		usleep(50000);
		rc = audit_receipt(h.audit, id, &text, &err);
	}
	cr_assert_eq(rc, 0, "%s", err.message);
	cr_assert(strstr(text.data, "c2sp.org/tlog-proof@v1") == text.data);
	buf_fini(&text);
}

Test(jobs, exact_work_comes_first_where_it_is_quick, .timeout = 240)
{
	char one[ID_TEXT], two[ID_TEXT];

	house_make(&h, EXACT_FIRST);
	house_request(&h, "worker:w0001", one);
	house_request(&h, "worker:w0003", two);
	house_start(&h);
	expect_erased(one, REQUEST_VERDICT_BY_CONSTRUCTION);
	expect_erased(two, REQUEST_VERDICT_BY_CONSTRUCTION);
	house_settle(&h);
	cr_assert_eq(live_version(), 2);
	cr_assert_eq(rows_in(ROW_ERASED), 2);
	cr_assert_eq(rows_in(ROW_TOMBSTONED), 0);
	expect_receipt(one);
	house_stop(&h);
	house_remove(&h);
}

Test(jobs, whatever_ssd_achieves_exact_work_closes_it, .timeout = 240)
{
	char id[ID_TEXT];

	house_make(&h, SSD_FIRST);
	house_start(&h);
	house_request(&h, "worker:w0004", id);
	expect_erased(id, REQUEST_VERDICT_BY_CONSTRUCTION);
	house_settle(&h);
	cr_assert_geq(live_version(), 2);
	expect_receipt(id);
	house_stop(&h);
	house_remove(&h);
}

Test(jobs, heldout_rows_are_overwritten_without_unlearning, .timeout = 240)
{
	char id[ID_TEXT], again[ID_TEXT];
	struct stored_request r;

	house_make(&h, EXACT_FIRST);
	house_start(&h);
	house_request(&h, "worker:w0002", id);
	r = house_wait(&h, id, REQUEST_COMPLETED);
	cr_assert_eq(r.outcome, REQUEST_OUTCOME_ERASED);
	cr_assert_eq(r.verdict, REQUEST_VERDICT_NONE);
	house_settle(&h);
	cr_assert_eq(live_version(), 1);
	cr_assert_eq(rows_in(ROW_ERASED), 1);
	house_request(&h, "worker:w0002", again);
	r = house_wait(&h, again, REQUEST_COMPLETED);
	cr_assert_eq(r.outcome, REQUEST_OUTCOME_ALREADY_ERASED);
	house_stop(&h);
	house_remove(&h);
}

Test(jobs, a_stop_in_the_middle_is_taken_up_at_the_next_start, .timeout = 240)
{
	char id[ID_TEXT];

	house_make(&h, EXACT_FIRST);
	house_request(&h, "worker:w0001", id);
	for (int i = 0; i < 3; i++) {
		house_start(&h);
		usleep(300000);
		house_stop(&h);
	}
	house_start(&h);
	expect_erased(id, REQUEST_VERDICT_BY_CONSTRUCTION);
	house_settle(&h);
	cr_assert_eq(live_version(), 2);
	house_stop(&h);
	house_remove(&h);
}

static struct request_model look_at_model(const char *id)
{
	struct request_model_list list;
	struct request_model model;
	struct db *db;

	cr_assert_eq(reader_take(h.store, &db, NULL), 0);
	cr_assert_eq(requests_models(db, id, &list, NULL), 0);
	reader_give(h.store, db);
	cr_assert_eq(list.count, 1);
	model = list.items[0];
	model.evidence = NULL;
	request_model_list_fini(&list);
	return model;
}

static int settle_op(struct txn *txn, void *arg, struct exp_error *err)
{
	return settle_request(txn, arg, NULL, err);
}

/* What another model's job has to say of the request later does not open it again, nor undo that job. */
Test(jobs, a_request_that_failed_waits_for_a_person, .timeout = 240)
{
	char id[ID_TEXT];
	struct stored_request r;

	house_make(&h, SSD_ALONE);
	house_request(&h, "worker:w0001", id);
	house_start(&h);
	r = house_wait(&h, id, REQUEST_FAILED);
	cr_assert_str_eq(r.reason, "verification-failed");
	cr_assert_eq(r.outcome, REQUEST_OUTCOME_UNSET);
	cr_assert_neq(r.completed_at, 0);
	cr_assert_eq(look_at_model(id).status, REQUEST_FAILED);
	cr_assert_eq(live_version(), 1);
	cr_assert_eq(rows_in(ROW_TOMBSTONED), 1);
	cr_assert_eq(writer_call(h.store, settle_op, id, NULL), 0);
	cr_assert_eq(house_wait(&h, id, REQUEST_FAILED).change, r.change);
	house_stop(&h);
	house_remove(&h);
}

/* The third request ties together what the first two had kept apart. */
Test(jobs, overlapping_identities_are_one_person, .timeout = 240)
{
	char one[ID_TEXT], two[ID_TEXT], both[ID_TEXT];

	house_make(&h, EXACT_FIRST);
	house_request(&h, "worker:w0001", one);
	house_request(&h, "worker:w0003", two);
	house_request(&h, "worker:w0001 worker:w0003", both);
	house_start(&h);
	expect_erased(one, REQUEST_VERDICT_BY_CONSTRUCTION);
	expect_erased(two, REQUEST_VERDICT_BY_CONSTRUCTION);
	expect_erased(both, REQUEST_VERDICT_BY_CONSTRUCTION);
	house_settle(&h);
	cr_assert_eq(live_version(), 2);
	cr_assert_eq(rows_in(ROW_ERASED), 2);
	house_stop(&h);
	house_remove(&h);
}

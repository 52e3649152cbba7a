#include "storage/models.h"

#include <string.h>

#include "fixture.h"
#include "storage/policies.h"
#include "storage/versions.h"

TestSuite(models, .init = store_make, .fini = store_remove);

static struct stored_model get(const char *name)
{
	struct stored_model model;
	struct db *db = read_begin();

	OK(models_get(db, name, &model, err));
	read_end(db);
	return model;
}

static struct stored_version version_of(const char *model, int64_t number)
{
	struct stored_version version;
	struct db *db = read_begin();

	OK(versions_get(db, model, number, &version, err));
	read_end(db);
	return version;
}

static int64_t stage(const char *model, uint8_t hash, int64_t parent)
{
	int64_t version;

	OK(versions_stage(tx_begin(), model, hash_of(hash), parent, NULL, &version, err));
	tx_commit();
	return version;
}

static void publish(const char *model, int64_t version)
{
	OK(versions_publish(tx_begin(), model, version, err));
	tx_commit();
}

static void make_policy(uint8_t digest, int64_t version, char *body)
{
	struct stored_policy policy = { .name = "default", .version = version, .body = body };

	memcpy(policy.digest, hash_of(digest), DB_HASH);
	OK(policies_put(tx_begin(), &policy, err));
	tx_commit();
}

Test(models, policies_are_kept_under_their_digest)
{
	char one[] = "{\"a\":1}", two[] = "{\"a\":2}";
	struct stored_policy policy = { .name = "default", .version = 1, .body = two };
	struct stored_policy_list list;
	struct db *db;

	make_policy(1, 1, one);
	make_policy(1, 1, one);
	make_policy(2, 2, two);
	memcpy(policy.digest, hash_of(3), DB_HASH);
	FAILS(policies_put(tx_begin(), &policy, err), EXP_EEXISTS);
	tx_end(EXP_EEXISTS);
	db = read_begin();
	OK(policies_latest(db, "default", &policy, err));
	cr_assert_str_eq(policy.body, two);
	stored_policy_fini(&policy);
	OK(policies_get(db, hash_of(1), &policy, err));
	cr_assert_eq(policy.version, 1);
	stored_policy_fini(&policy);
	FAILS(policies_get(db, hash_of(9), &policy, err), EXP_ENOTFOUND);
	OK(policies_list(db, &list, err));
	cr_assert_eq(list.count, 2);
	stored_policy_list_fini(&list);
	read_end(db);
}

Test(models, a_model_needs_its_dataset_and_policy)
{
	char dims[] = "[4]";
	struct stored_model model = { .name = "m", .dataset = "d", .input_name = "x", .input_dims = dims };

	FAILS(models_insert(tx_begin(), &model, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	make_dataset("d");
	model.has_policy = true;
	FAILS(models_insert(tx_begin(), &model, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	model.has_policy = false;
	OK(models_insert(tx_begin(), &model, err));
	tx_commit();
	FAILS(models_insert(tx_begin(), &model, err), EXP_EEXISTS);
	tx_end(EXP_EEXISTS);
}

Test(models, what_jobs_find_out_is_kept)
{
	char body[] = "{}";
	struct stored_model_list list;
	struct stored_model m;
	int64_t generation;
	struct db *db;

	make_dataset("d");
	make_model("m", "d");
	make_policy(4, 1, body);
	OK(models_set_state(tx_begin(), "m", MODEL_DEGRADED, "references are stale", err));
	tx_commit();
	OK(models_set_findings(tx_begin(), "m", "not_exchangeable", 1.5, err));
	tx_commit();
	OK(models_set_policy(tx_begin(), "m", hash_of(4), err));
	tx_commit();
	OK(models_set_debt(tx_begin(), "m", 3, err));
	tx_commit();
	OK(models_next_generation(tx_begin(), "m", &generation, err));
	tx_commit();
	m = get("m");
	cr_assert_eq(m.state, MODEL_DEGRADED);
	cr_assert_str_eq(m.error, "references are stale");
	cr_assert_str_eq(m.capped, "not_exchangeable");
	cr_assert_float_eq(m.retrain_seconds, 1.5, 0);
	cr_assert(m.has_policy && m.policy[0] == 4);
	cr_assert_eq(m.debt, 3);
	cr_assert(m.generation == 1 && generation == 1);
	cr_assert_null(m.recipe);
	stored_model_fini(&m);
	db = read_begin();
	OK(models_list(db, "other", &list, err));
	cr_assert_eq(list.count, 0);
	OK(models_list(db, "d", &list, err));
	cr_assert_eq(list.count, 1);
	stored_model_list_fini(&list);
	OK(models_list(db, NULL, &list, err));
	cr_assert_eq(list.count, 1);
	stored_model_list_fini(&list);
	read_end(db);
	FAILS(models_set_debt(tx_begin(), "x", 3, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

Test(models, what_a_file_leaves_open_is_kept)
{
	char dims[] = "[4]", options[] = "{\"sizes\":{\"features\":4}}";
	struct stored_model model = {
		.name = "m", .dataset = "d", .input_name = "x", .input_dims = dims, .options = options
	};

	make_dataset("d");
	OK(models_insert(tx_begin(), &model, err));
	tx_commit();
	make_model("plain", "d");
	model = get("m");
	cr_assert_str_eq(model.options, "{\"sizes\":{\"features\":4}}");
	stored_model_fini(&model);
	model = get("plain");
	cr_assert_null(model.options);
	stored_model_fini(&model);
}

Test(models, publishing_drains_the_version_before)
{
	struct stored_model m;

	make_dataset("d");
	make_model("m", "d");
	cr_assert_eq(stage("m", 1, 0), 1);
	cr_assert_eq(stage("m", 2, 1), 2);
	test_now = 100;
	publish("m", 1);
	test_now = 200;
	publish("m", 2);
	m = get("m");
	cr_assert_eq(m.live_version, 2);
	stored_model_fini(&m);
	cr_assert_eq(version_of("m", 1).state, VERSION_DRAINING);
	cr_assert_eq(version_of("m", 1).published_at, 100);
	cr_assert_eq(version_of("m", 2).state, VERSION_LIVE);
	cr_assert_eq(version_of("m", 2).parent, 1);
	FAILS(versions_publish(tx_begin(), "m", 2, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	FAILS(versions_publish(tx_begin(), "m", 1, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	FAILS(versions_publish(tx_begin(), "m", 3, err), EXP_ENOTFOUND);
	tx_end(EXP_ENOTFOUND);
}

Test(models, versions_move_by_their_table)
{
	struct stored_version_list list;
	struct db *db;

	make_dataset("d");
	make_model("m", "d");
	stage("m", 1, 0);
	publish("m", 1);
	stage("m", 2, 1);
	FAILS(versions_move(tx_begin(), "m", 1, VERSION_DESTROYED, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	FAILS(versions_move(tx_begin(), "m", 2, VERSION_LIVE, err), EXP_EINVAL);
	tx_end(EXP_EINVAL);
	test_now = 300;
	OK(versions_move(tx_begin(), "m", 2, VERSION_DESTROYED, err));
	tx_commit();
	test_now = 400;
	OK(versions_move(tx_begin(), "m", 2, VERSION_DESTROYED, err));
	tx_commit();
	cr_assert_eq(version_of("m", 2).destroyed_at, 300);
	OK(versions_served(tx_begin(), "m", 1, 50, err));
	tx_commit();
	OK(versions_served(tx_begin(), "m", 1, 40, err));
	tx_commit();
	cr_assert_eq(version_of("m", 1).last_served_at, 50);
	db = read_begin();
	OK(versions_list(db, "m", &list, err));
	cr_assert_eq(list.count, 2);
	stored_version_list_fini(&list);
	OK(versions_in_state(db, VERSION_LIVE, &list, err));
	cr_assert(list.count == 1 && list.items[0].version == 1);
	stored_version_list_fini(&list);
	read_end(db);
}

Test(models, a_version_needs_model_parent_and_job)
{
	int64_t version = 77;
	struct db *db;

	make_dataset("d");
	make_model("m", "d");
	FAILS(versions_stage(tx_begin(), "x", hash_of(1), 0, NULL, &version, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	FAILS(versions_stage(tx_begin(), "m", hash_of(1), 5, NULL, &version, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	FAILS(versions_stage(tx_begin(), "m", hash_of(1), 0, "no-such-job", &version, err), EXP_ECONFLICT);
	tx_end(EXP_ECONFLICT);
	cr_assert_eq(version, 77);
	db = read_begin();
	FAILS(versions_get(db, "m", 1, &(struct stored_version){ 0 }, err), EXP_ENOTFOUND);
	read_end(db);
}

/*
 * load.c: what model/ takes from storage: which weights are needed, and which versions are live at start.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/stage.h"
#include "storage/datasets.h"
#include "storage/jobs.h"
#include "storage/models.h"
#include "storage/versions.h"
#include "storage/writer.h"
#include "tests/unit/model/fixture.h"

static struct fixture f;
static struct store *store;
static const char *options_of_models; /* as storage has them */

static void init(void)
{
	fixture_init(&f);
	cr_assert_eq(store_open(f.root, NULL, &store, NULL), 0);
}

static void fini(void)
{
	store_close(store);
	fixture_fini(&f);
}

TestSuite(load, .init = init, .fini = fini);

/* A version of a model to record; parent and state follow from the one before. */
struct record {
	const char *model;
	const char *sha256;
	int64_t version;
	enum version_state state;
};

static int ensure_model(struct txn *txn, const char *name, struct exp_error *err)
{
	struct stored_dataset d = { .name = "people",
				    .state = DATASET_READY,
				    .row_dims = (char[]){ "[4]" },
				    .rows = 1,
				    .scale = 1,
				    .classes = 3 };
	struct stored_model m = { .dataset = "people",
				  .state = MODEL_READY,
				  .classes = 3,
				  .input_name = "x",
				  .input_dims = (char[]){ "[4]" },
				  .options = (char *)(uintptr_t)options_of_models };
	int rc = datasets_insert(txn, &d, NULL);

	if (rc && rc != EXP_EEXISTS)
		return error_set(err, rc, "dataset");
	strcpy(m.name, name);
	rc = models_insert(txn, &m, NULL);
	return rc == EXP_EEXISTS ? 0 : rc;
}

static int insert_record(struct txn *txn, void *arg, struct exp_error *err)
{
	struct record *r = arg;
	struct job_new job = { .kind = JOB_UNLEARN, .model = r->model };
	uint8_t digest[DIGEST_SIZE];
	char id[ID_TEXT];
	int rc = hex_decode(r->sha256, digest, sizeof(digest));

	if (!rc)
		rc = ensure_model(txn, r->model, err);
	if (!rc)
		rc = jobs_enqueue(txn, &job, id, err);
	if (!rc)
		rc = versions_stage(txn, r->model, digest, 0, id, &r->version, err);
	if (!rc && r->state != VERSION_STAGED)
		rc = versions_publish(txn, r->model, r->version, err);
	if (!rc && r->state == VERSION_DESTROYED)
		rc = versions_move(txn, r->model, r->version, VERSION_DRAINING, err);
	if (!rc && r->state == VERSION_DESTROYED)
		rc = versions_move(txn, r->model, r->version, VERSION_DESTROYED, err);
	return rc;
}

static int64_t record(const char *model, const char *sha256, enum version_state state)
{
	struct record r = { .model = model, .sha256 = sha256, .state = state };
	struct exp_error err = { 0 };

	cr_assert_eq(writer_call(store, insert_record, &r, &err), 0, "%s", err.message);
	return r.version;
}

static const char *digest_of(char digit)
{
	static char text[DIGEST_HEX];

	memset(text, digit, sizeof(text) - 1);
	return text;
}

static bool needs(const char *model, int64_t version, char digit)
{
	struct weights_list list;
	bool found = false;
	struct db *db;

	cr_assert_eq(reader_take(store, &db, NULL), 0);
	cr_assert_eq(model_weights_needed(db, model, version, &list, NULL), 0);
	reader_give(store, db);
	for (size_t i = 0; i < list.count; i++)
		found = found || !strcmp(list.items[i].sha256, digest_of(digit));
	weights_list_fini(&list);
	return found;
}

Test(load, every_version_that_is_not_destroyed_needs_its_weights)
{
	int64_t draining;

	record("a", digest_of('1'), VERSION_DESTROYED);
	draining = record("a", digest_of('2'), VERSION_LIVE);
	record("a", digest_of('3'), VERSION_LIVE);
	record("a", digest_of('4'), VERSION_STAGED);
	cr_assert_not(needs(NULL, 0, '1'));
	cr_assert(needs(NULL, 0, '2'));
	cr_assert(needs(NULL, 0, '3'));
	cr_assert(needs(NULL, 0, '4'));
	cr_assert_not(needs("a", draining, '2'));
	cr_assert(needs("b", draining, '2'));
	record("b", digest_of('2'), VERSION_LIVE);
	cr_assert(needs("a", draining, '2'), "another model serves the same file");
}

static struct weights_id stage(int variant)
{
	struct params *p = fixture_params(&f, variant);
	struct stage_spec spec = { .data_folder = f.root, .model = "any", .params = p };
	struct exp_error err = { 0 };
	struct staged s;

	cr_assert_eq(model_stage(&spec, &s, &err), 0, "%s", err.message);
	snapshot_free(s.snapshot);
	params_free(p);
	return s.id;
}

Test(load, live_versions_are_served_after_a_start)
{
	struct weights_id one = stage(1), two = stage(2), three = stage(3);
	struct models *models = models_new(f.root);
	struct exp_error err = { 0 };
	struct snapshot *s;
	int64_t live;

	record("a", one.sha256, VERSION_LIVE);
	live = record("a", two.sha256, VERSION_LIVE);
	record("a", three.sha256, VERSION_STAGED);
	record("b", three.sha256, VERSION_LIVE);
	cr_assert_eq(models_load(models, store, &err), 0, "%s", err.message);
	cr_assert_eq(models_take(models, "a", 0, &s, NULL), 0);
	cr_assert_eq(s->version, live);
	cr_assert_str_eq(s->sha256, two.sha256);
	models_give(models, s);
	cr_assert_eq(models_take(models, "b", 0, &s, NULL), 0);
	models_give(models, s);
	models_free(models);
}

Test(load, a_version_is_read_with_its_models_options)
{
	struct weights_id one = stage(1);
	struct models *models = models_new(f.root);
	struct exp_error err = { 0 };
	struct snapshot *s;

	options_of_models = "{\"frozen\":[\"two.weight\"]}";
	record("a", one.sha256, VERSION_LIVE);
	options_of_models = NULL;
	record("b", one.sha256, VERSION_LIVE);
	cr_assert_eq(models_load(models, store, &err), 0, "%s", err.message);
	cr_assert_eq(models_take(models, "a", 0, &s, NULL), 0);
	cr_assert_eq(graph_parameter_count(s->graph), graph_parameter_count(f.golden.graph) - 1);
	models_give(models, s);
	cr_assert_eq(models_take(models, "b", 0, &s, NULL), 0);
	cr_assert_eq(graph_parameter_count(s->graph), graph_parameter_count(f.golden.graph));
	models_give(models, s);
	models_free(models);
}

Test(load, options_that_are_none_are_corrupt)
{
	struct weights_id one = stage(1);
	struct models *models = models_new(f.root);
	struct exp_error err = { 0 };

	options_of_models = "{\"frozen\":[7]}";
	record("a", one.sha256, VERSION_LIVE);
	cr_assert_eq(models_load(models, store, &err), EXP_ECORRUPT);
	cr_assert(strstr(err.message, "options of model a") != NULL, "%s", err.message);
	models_free(models);
}

Test(load, a_missing_file_stops_one_model_and_not_the_others)
{
	struct weights_id good = stage(1);
	struct models *models = models_new(f.root);
	struct exp_error err = { 0 };
	struct snapshot *s;

	record("a", digest_of('a'), VERSION_LIVE);
	record("b", good.sha256, VERSION_LIVE);
	cr_assert_eq(models_load(models, store, &err), EXP_ECORRUPT);
	cr_assert(strstr(err.message, "version 1 of model a: ") == err.message, "%s", err.message);
	cr_assert_eq(models_take(models, "a", 0, &s, NULL), EXP_ENOTFOUND);
	cr_assert_eq(models_take(models, "b", 0, &s, NULL), 0);
	models_give(models, s);
	models_free(models);
}

#include "tests/unit/workers/house.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/identity.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "dataset/import.h"
#include "erasure/policy.h"
#include "model/stage.h"
#include "storage/dataset_rows.h"
#include "storage/keys.h"
#include "storage/models.h"
#include "storage/policies.h"
#include "storage/tokens.h"
#include "storage/versions.h"
#include "storage/writer.h"

#define RECIPE                                                                                                         \
	"{\"optimizer\": \"adamw\", \"learning_rate\": 0.002, \"epochs\": 150, \"batch\": 64, \"weight_decay\": 0.01}"

static char *example(const char *name)
{
	return mem_format("%s/cps-wages-1985/%s", getenv("EXPUNGE_EXAMPLES"), name);
}

static void must(int rc, const struct exp_error *err)
{
	cr_assert_eq(rc, 0, "%s: %s", error_slug(rc), err->message);
}

static int lookup_op(struct txn *txn, void *arg, struct exp_error *err)
{
	return secrets_get_or_create(txn, "lookup", arg, 32, err);
}

static void open_storage(struct house *h)
{
	struct exp_error err = { 0 };

	must(store_open(h->folder, NULL, &h->store, &err), &err);
	must(writer_call(h->store, lookup_op, h->lookup, &err), &err);
	must(audit_open(h->store, h->folder, "test.example/log", &h->audit, &err), &err);
	h->models = models_new(h->folder);
	must(models_load(h->models, h->store, &err), &err);
}

static void import_wages(struct house *h)
{
	struct dataset_home home = { h->store, h->folder, h->lookup };
	struct dataset_spec spec = { .name = "wages",
				     .inputs = example("inputs.npy"),
				     .labels = example("labels.npy"),
				     .rows = example("rows.csv"),
				     .source = DATASET_IMPORTED };
	struct dataset_summary summary;
	struct exp_error err = { 0 };

	must(dataset_import(&home, &spec, &summary, &err), &err);
	mem_free((char *)spec.inputs);
	mem_free((char *)spec.labels);
	mem_free((char *)spec.rows);
}

struct registration {
	const char *policy;
	struct weights_id weights;
};

static int put_policy(struct txn *txn, const char *text, uint8_t digest[DIGEST_SIZE], struct exp_error *err)
{
	struct stored_policy stored = { .version = 1, .body = (char *)text };
	struct policy policy;
	json_t *json = NULL;

	cr_assert_eq(json_parse(text, strlen(text), &json, err), 0);
	cr_assert_eq(policy_from_json(json, "", &policy, err), 0, "%s", err->message);
	json_decref(json);
	policy_digest(&policy, digest);
	memcpy(stored.digest, digest, DIGEST_SIZE);
	snprintf(stored.name, sizeof(stored.name), "test");
	return policies_put(txn, &stored, err);
}

static int register_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct registration *g = arg;
	struct stored_token token = { .id = "t", .name = "test", .role = ROLE_ADMIN };
	struct stored_model model = { .name = "occupation",
				      .dataset = "wages",
				      .state = MODEL_REGISTERING,
				      .recipe = (char *)RECIPE,
				      .has_policy = true,
				      .classes = 6,
				      .input_name = "x",
				      .input_dims = (char *)"[]" };
	struct job_new job = { .kind = JOB_REGISTER, .model = "occupation" };
	uint8_t sha[DIGEST_SIZE];
	char id[ID_TEXT];
	int64_t version;
	int rc = tokens_insert(txn, &token, err);

	if (!rc)
		rc = put_policy(txn, g->policy, model.policy, err);
	if (!rc)
		rc = models_insert(txn, &model, err);
	if (!rc)
		rc = jobs_enqueue(txn, &job, id, err);
	if (!rc)
		rc = hex_decode(g->weights.sha256, sha, sizeof(sha));
	return rc ? rc : versions_stage(txn, "occupation", sha, 0, id, &version, err);
}

void house_make(struct house *h, const char *policy)
{
	struct registration g = { .policy = policy };
	char *path = example("model.onnx");
	struct exp_error err = { 0 };
	struct buf bytes = { 0 };
	struct staged staged;

	cr_assert_eq(crypto_init(), 0);
	log_set_level(LOG_WARN);
	snprintf(h->folder, sizeof(h->folder), "/tmp/expunge-house-XXXXXX");
	cr_assert(mkdtemp(h->folder) != NULL);
	open_storage(h);
	import_wages(h);
	must(file_read(path, 1 << 24, &bytes, &err), &err);
	must(model_stage_file(h->folder, "occupation", bytes.data, bytes.size, &staged, &err), &err);
	snapshot_free(staged.snapshot);
	g.weights = staged.id;
	must(writer_call(h->store, register_op, &g, &err), &err);
	buf_fini(&bytes);
	mem_free(path);
}

void house_start(struct house *h)
{
	struct workers_options options = { .data_folder = h->folder,
					   .workers = 2,
					   .trainers = 2,
					   .lease_ms = 30000,
					   .drain_timeout_ms = 1000,
					   .checkpoint_ms = 50 };
	struct exp_error err = { 0 };

	if (!h->store)
		open_storage(h);
	options.store = h->store;
	options.audit = h->audit;
	options.models = h->models;
	must(workers_start(&options, &h->workers, &err), &err);
}

void house_stop(struct house *h)
{
	workers_stop(h->workers);
	models_free(h->models);
	audit_close(h->audit);
	store_close(h->store);
	h->workers = NULL;
	h->store = NULL;
}

void house_remove(struct house *h)
{
	char *command = mem_format("rm -rf %s", h->folder);

	cr_assert_eq(system(command), 0);
	mem_free(command);
}

enum { IDENTITIES = 4 };

struct intake {
	struct stored_request request;
	uint8_t key[KEYS_SIZE], lookup[IDENTITIES][DIGEST_SIZE], subject[IDENTITIES][DIGEST_SIZE];
};

static int put_leaf(struct txn *txn, const struct intake *in, struct exp_error *err)
{
	json_t *subjects = json_array(),
	       *leaf = json_pack("{s:s, s:o, s:s}", "request", in->request.id, "subject", subjects, "regime", "gdpr");
	char hex[DIGEST_HEX];
	int rc;

	for (int64_t i = 0; i < in->request.identities; i++)
		json_array_append_new(subjects, json_string(hex_encode(in->subject[i], DIGEST_SIZE, hex)));
	rc = audit_append(txn, LEAF_REQUEST_RECEIVED, leaf, in->request.id, NULL, err);

	json_decref(leaf);
	return rc;
}

static int put_job(struct txn *txn, const struct intake *in, struct exp_error *err)
{
	struct request_model model = { .model = "occupation", .status = REQUEST_QUEUED };
	struct job_new job = { .kind = JOB_UNLEARN, .model = "occupation", .due_at = in->request.due_at };
	char id[ID_TEXT];
	int rc = requests_set_model(txn, in->request.id, &model, err);

	if (!rc)
		rc = jobs_attach(txn, "occupation", JOB_UNLEARN, in->request.id, in->request.due_at, id, err);
	if (rc != EXP_ENOTFOUND)
		return rc;
	rc = jobs_enqueue(txn, &job, id, err);
	return rc ? rc : jobs_bind(txn, id, in->request.id, err);
}

static int intake_op(struct txn *txn, void *arg, struct exp_error *err)
{
	struct intake *in = arg;
	int64_t subject, changed;
	int rc = keys_put(txn, in->request.id, in->key, err);

	if (!rc)
		rc = requests_insert(txn, &in->request, err);
	for (int64_t i = 0; !rc && i < in->request.identities; i++) {
		rc = subjects_ensure(txn, in->lookup[i], &subject, err);
		if (!rc)
			rc = requests_link_subject(txn, in->request.id, subject, err);
		if (!rc)
			rc = dataset_rows_tombstone(txn, subject, &changed, err);
	}
	if (!rc)
		rc = put_leaf(txn, in, err);
	return rc ? rc : put_job(txn, in, err);
}

static void add_identity(struct house *h, const char *text, struct intake *in)
{
	int64_t i = in->request.identities++;
	struct exp_error err = { 0 };
	struct identity identity;

	must(identity_parse(&identity, text, &err), &err);
	identity_hash(&identity, h->lookup, in->lookup[i]);
	identity_hash(&identity, in->key, in->subject[i]);
	identity_fini(&identity);
}

void house_request(struct house *h, const char *identities, char id[ID_TEXT])
{
	struct intake in = { .request = { .status = REQUEST_QUEUED, .submitted_by = "t", .leaf = -1 } };
	char *text = mem_strdup(identities), *rest = text, *one;
	struct exp_error err = { 0 };

	id_new(in.request.id);
	in.request.received_at = clock_now_ms();
	in.request.due_at = clock_add_months(in.request.received_at, 1);
	crypto_random(in.key, sizeof(in.key));
	while ((one = strsep(&rest, " ")))
		add_identity(h, one, &in);
	mem_free(text);
	must(writer_call(h->store, intake_op, &in, &err), &err);
	memcpy(id, in.request.id, ID_TEXT);
	if (h->workers)
		workers_wake(h->workers);
}

static struct stored_request look(struct house *h, const char *id)
{
	struct stored_request request;
	struct exp_error err = { 0 };
	struct db *db;

	must(reader_take(h->store, &db, &err), &err);
	must(requests_get(db, id, &request, &err), &err);
	reader_give(h->store, db);
	return request;
}

struct stored_request house_wait(struct house *h, const char *id, enum request_status status)
{
	struct stored_request request;

	for (int i = 0; i < 1200; i++) {
		request = look(h, id);
		if (request.status == status)
			return request;
		usleep(100000);
	}
	cr_assert_fail("the request is %s after two minutes", request_status_name(request.status));
	return request;
}

void house_settle(struct house *h)
{
	for (int i = 0; i < 1200; i++) {
		int64_t counts[JOB_STATE_COUNT], open = 0;
		struct exp_error err = { 0 };
		struct db *db;

		must(reader_take(h->store, &db, &err), &err);
		must(jobs_count(db, counts, &err), &err);
		reader_give(h->store, db);
		for (int s = 0; s < JOB_STATE_COUNT; s++)
			open += job_state_is_terminal((enum job_state)s) ? 0 : counts[s];
		if (!open)
			return;
		usleep(100000);
	}
	cr_assert_fail("jobs are unfinished after two minutes");
}

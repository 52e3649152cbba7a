#include "workers/record.h"

#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "proof/leaf.h"
#include "storage/keys.h"
#include "storage/leaves.h"

/* Appends a leaf and drops fields. */
static int record(struct txn *txn, enum leaf_type type, json_t *fields, const char *request, struct exp_error *err)
{
	int rc = audit_append(txn, type, fields, request, NULL, err);

	json_decref(fields);
	return rc;
}

static json_t *hex_json(const uint8_t digest[DIGEST_SIZE])
{
	char hex[DIGEST_HEX];

	return json_string(hex_encode(digest, DIGEST_SIZE, hex));
}

static json_t *digest_of_json(const json_t *value)
{
	uint8_t digest[DIGEST_SIZE];
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));

	sha256(text ? text : "", text ? strlen(text) : 0, digest);
	free(text);
	return hex_json(digest);
}

static json_t *request_ids(const struct selection *s)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < s->request_count; i++)
		json_array_append_new(ids, json_string(s->requests[i].request));
	return ids;
}

int record_started(struct txn *txn, const struct run *r, const struct selection *s, uint64_t seed,
		   struct exp_error *err)
{
	uint8_t commitment[DIGEST_SIZE];

	sha256(&seed, sizeof(seed), commitment);
	return record(txn, LEAF_JOB_STARTED,
		      json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "job", r->job.id, "kind", job_kind_name(r->job.kind),
				"model", r->job.model, "requests", request_ids(s), "policy_sha256",
				hex_json(s->policy_digest), "seed_sha256", hex_json(commitment)),
		      NULL, err);
}

int record_resolved(struct txn *txn, const struct selection *s, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->request_count; i++) {
		const struct group *g = &s->groups[s->requests[i].group];
		json_t *rows = json_pack("{s:I, s:I}", "train", (json_int_t)g->train.source.rows, "heldout",
					 (json_int_t)g->heldout_count);

		rc = record(txn, LEAF_SUBJECT_RESOLVED,
			    json_pack("{s:s, s:o, s:[s]}", "request", s->requests[i].request, "rows", rows, "datasets",
				      s->model.dataset),
			    s->requests[i].request, err);
	}
	return rc;
}

static void add_score(json_t *scores, const char *name, int64_t value)
{
	if (value != INT64_MIN)
		json_object_set_new(scores, name, json_integer(value));
}

static json_t *scores_json(const struct evidence_numbers *n)
{
	json_t *scores = json_object();

	add_score(scores, "z_ppm", n->z_ppm);
	add_score(scores, "p_ppm", n->p_hi_ppm);
	add_score(scores, "power_ppm", n->power_ppm);
	add_score(scores, "retained_before_ppm", n->retained_accuracy_before_ppm);
	add_score(scores, "retained_after_ppm", n->retained_accuracy_ppm);
	add_score(scores, "heldout_before_ppm", n->heldout_accuracy_before_ppm);
	add_score(scores, "heldout_after_ppm", n->heldout_accuracy_ppm);
	return scores;
}

enum verdict record_verdict(const struct erasure_attempt *a, size_t count)
{
	enum verdict worst = VERDICT_NONE;

	for (size_t i = 0; i < count; i++) {
		enum verdict v = a->findings[i].verdict;

		if (worst == VERDICT_NONE || verdict_is_fail(v) || (verdict_is_pass(worst) && !verdict_is_fail(worst)))
			worst = v;
		if (verdict_is_fail(worst))
			break;
	}
	return worst;
}

/* The finding that the record of an attempt over several people shows: the one with the largest z. */
static const struct erasure_finding *largest(const struct erasure_attempt *a, size_t count)
{
	const struct erasure_finding *best = &a->findings[0];

	for (size_t i = 1; i < count; i++)
		if (a->findings[i].numbers.z_ppm > best->numbers.z_ppm)
			best = &a->findings[i];
	return best;
}

static size_t finding_count(const struct record_attempt *a)
{
	size_t n = 0;

	for (size_t g = 0; g < a->selection->group_count; g++)
		n += a->indices[g] != SIZE_MAX;
	return n;
}

int record_attempted(struct txn *txn, const struct run *r, const struct record_attempt *a, struct exp_error *err)
{
	size_t count = finding_count(a);
	json_t *leaf =
	    json_pack("{s:s, s:I, s:s, s:o, s:s, s:o, s:o, s:s, s:s, s:o}", "job", r->job.id, "attempt",
		      (json_int_t)a->ordinal, "model", r->job.model, "requests", request_ids(a->selection), "method",
		      a->attempt->method->name, "params_sha256", digest_of_json(a->attempt->parameters),
		      "policy_sha256", hex_json(a->selection->policy_digest), "old_sha256", a->old_sha256, "verdict",
		      verdict_names[record_verdict(a->attempt, count)], "scores",
		      scores_json(&largest(a->attempt, count)->numbers));

	if (a->new_sha256)
		json_object_set_new(leaf, "new_sha256", json_string(a->new_sha256));
	return record(txn, LEAF_JOB_ATTEMPTED, leaf, NULL, err);
}

int record_published(struct txn *txn, const struct run *r, const struct record_attempt *a, int64_t version,
		     struct exp_error *err)
{
	return record(txn, LEAF_MODEL_PUBLISHED,
		      json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:o}", "model", r->job.model, "version",
				(json_int_t)version, "old_sha256", a->old_sha256, "new_sha256", a->new_sha256, "job",
				r->job.id, "method", a->attempt->method->name, "requests", request_ids(a->selection)),
		      NULL, err);
}

int record_destroyed(struct txn *txn, const struct run *r, int64_t version, const char *sha256_hex,
		     struct exp_error *err)
{
	return record(txn, LEAF_MODEL_DESTROYED,
		      json_pack("{s:s, s:I, s:s}", "model", r->job.model, "version", (json_int_t)version, "sha256",
				sha256_hex),
		      NULL, err);
}

int record_rows_erased(struct txn *txn, const char *dataset, const char *request, const struct row_counts *rows,
		       struct exp_error *err)
{
	return record(txn, LEAF_ROWS_ERASED,
		      json_pack("{s:s, s:[s], s:{s:I, s:I}}", "dataset", dataset, "requests", request, "rows", "train",
				(json_int_t)rows->train, "heldout", (json_int_t)rows->heldout),
		      request, err);
}

json_t *record_model_part(const struct run *r, const struct record_attempt *a, size_t group, int64_t version)
{
	const struct erasure_finding *f = &a->attempt->findings[a->indices[group]];

	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "model", r->job.model, "version",
			 (json_int_t)version, "old_sha256", a->old_sha256, "new_sha256", a->new_sha256, "method",
			 a->attempt->method->name, "params_sha256", digest_of_json(a->attempt->parameters),
			 "policy_sha256", hex_json(a->selection->policy_digest), "verdict", verdict_names[f->verdict],
			 "scores", scores_json(&f->numbers));
}

/* The subject hashes stand in the leaf that recorded the receipt; the identities themselves were never kept. */
static int subject_hashes(struct txn *txn, const char *request, json_t **out, struct exp_error *err)
{
	struct stored_leaf_list leaves = { 0 };
	struct leaf leaf;
	int rc = leaves_of_request(txn_db(txn), request, &leaves, err);

	if (rc)
		return rc;
	rc = leaves.count ? leaf_check(leaves.items[0].bytes, leaves.items[0].size, &leaf, err)
			  : error_set(err, EXP_ECORRUPT, "the request has no leaf");
	stored_leaf_list_fini(&leaves);
	if (rc)
		return rc;
	*out = json_incref(json_object_get(leaf.body, "subject"));
	leaf_fini(&leaf);
	return 0;
}

static int key_commitment(struct txn *txn, const char *request, json_t **out, struct exp_error *err)
{
	uint8_t key[KEYS_SIZE], digest[DIGEST_SIZE];
	int rc = keys_get(txn, request, key, err);

	if (rc)
		return rc;
	sha256(key, sizeof(key), digest);
	sodium_memzero(key, sizeof(key));
	*out = hex_json(digest);
	return 0;
}

int record_completed(struct txn *txn, const struct record_completion *c, struct exp_error *err)
{
	json_t *subject = NULL, *key = NULL, *leaf;
	int rc = subject_hashes(txn, c->request, &subject, err);

	if (!rc)
		rc = key_commitment(txn, c->request, &key, err);
	if (rc) {
		json_decref(subject);
		return rc;
	}
	leaf = json_pack("{s:s, s:o, s:o, s:s, s:s, s:O, s:{s:I, s:I}, s:s}", "request", c->request, "subject", subject,
			 "key_sha256", key, "status", request_status_name(c->status), "verdict",
			 request_verdict_name(c->verdict), "models", c->models, "rows", "train", (json_int_t)c->train,
			 "heldout", (json_int_t)c->heldout, "scope", "operator-originals-not-covered");
	if (c->outcome != REQUEST_OUTCOME_UNSET)
		json_object_set_new(leaf, "outcome", json_string(request_outcome_name(c->outcome)));
	if (c->reason[0])
		json_object_set_new(leaf, "reason", json_string(c->reason));
	return record(txn, LEAF_REQUEST_COMPLETED, leaf, c->request, err);
}

static const char *fidelity_name(const struct selection *s)
{
	if (!s->has_recipe)
		return "no_recipe";
	return s->calibration.exchangeable ? "exchangeable" : "not_exchangeable";
}

/* What is frozen is not unlearned: the record commits to it. */
static void add_options(json_t *leaf, const char *stored)
{
	json_t *options;

	if (!stored || json_parse(stored, strlen(stored), &options, NULL))
		return;
	json_object_set_new(leaf, "options_sha256", digest_of_json(options));
	json_decref(options);
}

int record_registered(struct txn *txn, const struct run *r, const struct selection *s, const char *sha256_hex,
		      struct exp_error *err)
{
	json_t *leaf = json_pack("{s:s, s:i, s:s, s:s, s:o, s:s}", "model", r->job.model, "version", 1, "sha256",
				 sha256_hex, "dataset", s->model.dataset, "policy_sha256", hex_json(s->policy_digest),
				 "fidelity", fidelity_name(s));

	if (s->has_recipe) {
		json_t *recipe = recipe_to_json(&s->recipe);

		json_object_set_new(leaf, "recipe_sha256", digest_of_json(recipe));
		json_decref(recipe);
	}
	add_options(leaf, s->model.options);
	return record(txn, LEAF_MODEL_REGISTERED, leaf, NULL, err);
}

#include "proof/ledger.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "proof/keymap_internal.h"

/* What was once said is kept as digests of its words, one after the other: facts are only ever looked up. */
struct request_state {
	enum { OPEN, COMPLETED, STOPPED } end;
	bool key_destroyed;
	char *subject; /* canonical list */
	struct buf facts;
};

struct model_state {
	int64_t version;         /* live */
	char sha256[DIGEST_HEX]; /* its weights */
	struct buf facts;
};

struct ledger {
	struct keymap requests, models;
	struct keymap recorded; /* policies by digest, data sets by name: nothing but their presence */
	struct ledger_counts counts;
};

struct ledger *ledger_new(void)
{
	struct ledger *l = mem_alloc(sizeof(*l));

	keymap_init(&l->requests, sizeof(struct request_state));
	keymap_init(&l->models, sizeof(struct model_state));
	keymap_init(&l->recorded, sizeof(char));
	return l;
}

static void release_request(void *value)
{
	struct request_state *r = value;

	mem_free(r->subject);
	buf_fini(&r->facts);
}

static void release_model(void *value)
{
	buf_fini(&((struct model_state *)value)->facts);
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	keymap_fini(&l->requests, release_request);
	keymap_fini(&l->models, release_model);
	keymap_fini(&l->recorded, NULL);
	mem_free(l);
}

/* Digest of words, each with its NUL, so that no two lists of words run together; the last argument is NULL. */
static void digest_words(uint8_t out[DIGEST_SIZE], va_list words)
{
	struct digest d;
	const char *word;

	digest_init(&d);
	while ((word = va_arg(words, const char *)) != NULL)
		digest_add(&d, word, strlen(word) + 1);
	digest_final(&d, out);
}

__attribute__((sentinel)) static void add_fact(struct buf *facts, ...)
{
	uint8_t fact[DIGEST_SIZE];
	va_list words;

	va_start(words, facts);
	digest_words(fact, words);
	va_end(words);
	buf_add(facts, fact, sizeof(fact));
}

__attribute__((sentinel)) static bool has_fact(const struct buf *facts, ...)
{
	uint8_t fact[DIGEST_SIZE];
	va_list words;

	va_start(words, facts);
	digest_words(fact, words);
	va_end(words);
	for (size_t at = 0; at < facts->size; at += DIGEST_SIZE)
		if (!memcmp(facts->data + at, fact, DIGEST_SIZE))
			return true;
	return false;
}

static const char *text(const json_t *object, const char *field)
{
	const char *value = json_string_value(json_object_get(object, field));

	return value ? value : "";
}

static int64_t integer(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

struct number {
	char text[24];
};

static struct number number_text(int64_t value)
{
	struct number n;

	snprintf(n.text, sizeof(n.text), "%lld", (long long)value);
	return n;
}

static int need_open(struct ledger *l, const char *id, struct request_state **out, struct exp_error *err)
{
	struct request_state *r = keymap_get(&l->requests, id);

	if (!r)
		return error_set(err, EXP_EVERIFY, "request %s was never received", id);
	if (r->end != OPEN)
		return error_set(err, EXP_EVERIFY, "request %s was closed before", id);
	*out = r;
	return 0;
}

/* A job that was under way when a request was cancelled still lists it. */
static int need_uncompleted(struct ledger *l, const char *id, struct request_state **out, struct exp_error *err)
{
	struct request_state *r = keymap_get(&l->requests, id);

	if (r && r->end == STOPPED) {
		*out = r;
		return 0;
	}
	return need_open(l, id, out, err);
}

static char *subject_of(const struct leaf *leaf)
{
	const json_t *subject = json_object_get(leaf->body, "subject");
	struct buf out = { 0 };

	if (!subject)
		return NULL;
	json_write(subject, false, &out);
	return buf_take(&out);
}

static int take_received(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	const char *id = leaf_text(leaf, "request");
	struct request_state *r = NULL;

	if (keymap_get(&l->requests, id))
		return error_set(err, EXP_EVERIFY, "request %s was received before", id);
	r = keymap_put(&l->requests, id);
	r->subject = subject_of(leaf);
	l->counts.requests++;
	return 0;
}

static int check_subject(const struct request_state *r, const struct leaf *leaf, struct exp_error *err)
{
	char *subject = subject_of(leaf);
	bool same = !subject || !strcmp(subject, r->subject);

	mem_free(subject);
	if (!same)
		return error_set(err, EXP_EVERIFY, "request %s has another subject than when it was received",
				 leaf_text(leaf, "request"));
	return 0;
}

static int take_closed(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	struct request_state *r = NULL;
	int rc = need_open(l, leaf_text(leaf, "request"), &r, err);

	if (!rc)
		rc = check_subject(r, leaf, err);
	if (rc)
		return rc;
	r->end = STOPPED;
	if (leaf->type == LEAF_REQUEST_REJECTED)
		l->counts.rejected++;
	else
		l->counts.cancelled++;
	return 0;
}

static int take_resolved(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	struct request_state *r = NULL;
	int rc = need_open(l, leaf_text(leaf, "request"), &r, err);

	return rc ? rc : check_subject(r, leaf, err);
}

static int take_key_destroyed(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	const char *id = leaf_text(leaf, "request");
	struct request_state *r = keymap_get(&l->requests, id);

	if (!r || r->end == OPEN)
		return error_set(err, EXP_EVERIFY, "the key of request %s is destroyed before the request is closed",
				 id);
	if (r->key_destroyed)
		return error_set(err, EXP_EVERIFY, "the key of request %s was destroyed before", id);
	r->key_destroyed = true;
	return 0;
}

static int need_policy(const struct ledger *l, const json_t *body, struct exp_error *err)
{
	const char *policy = text(body, "policy_sha256");

	if (*policy && !keymap_get(&l->recorded, policy))
		return error_set(err, EXP_EVERIFY, "policy %s was not recorded before it was used", policy);
	return 0;
}

static int need_model(struct ledger *l, const char *name, struct model_state **out, struct exp_error *err)
{
	struct model_state *m = keymap_get(&l->models, name);

	if (!m)
		return error_set(err, EXP_EVERIFY, "model %s was not registered before", name);
	*out = m;
	return 0;
}

/* Runs take on each request that the leaf lists. */
static int for_requests(struct ledger *l, const struct leaf *leaf,
			void (*take)(struct request_state *r, const json_t *body), struct exp_error *err)
{
	json_t *id;
	size_t i;

	json_array_foreach(json_object_get(leaf->body, "requests"), i, id) {
		struct request_state *r;
		int rc = need_uncompleted(l, json_string_value(id), &r, err);

		if (rc)
			return rc;
		take(r, leaf->body);
	}
	return 0;
}

static void note_nothing(struct request_state *r, const json_t *body)
{
	(void)r;
	(void)body;
}

static bool is_fail(const json_t *object)
{
	return !strncmp(text(object, "verdict"), "fail/", 5);
}

/* The verdict of an attempt is the worst among its requests: a failed one supports nobody's completion. */
static void note_attempt(struct request_state *r, const json_t *body)
{
	if (!is_fail(body))
		add_fact(&r->facts, "attempted", text(body, "model"), text(body, "method"), text(body, "params_sha256"),
			 text(body, "policy_sha256"), NULL);
}

static void note_publication(struct request_state *r, const json_t *body)
{
	struct number version = number_text(integer(body, "version"));

	add_fact(&r->facts, "published", text(body, "model"), version.text, text(body, "new_sha256"), NULL);
	add_fact(&r->facts, "replaced", text(body, "model"), text(body, "old_sha256"), NULL);
}

static void note_erasure(struct request_state *r, const json_t *body)
{
	(void)body;
	add_fact(&r->facts, "rows erased", NULL);
}

static int take_job(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	int rc = need_policy(l, leaf->body, err);

	if (rc)
		return rc;
	return for_requests(l, leaf, leaf->type == LEAF_JOB_ATTEMPTED ? note_attempt : note_nothing, err);
}

static void set_live(struct model_state *m, int64_t version, const char *sha256)
{
	struct number n = number_text(version);

	m->version = version;
	memcpy(m->sha256, sha256, sizeof(m->sha256));
	add_fact(&m->facts, "version", n.text, sha256, NULL);
}

static int check_version(const struct model_state *m, const json_t *body, struct exp_error *err)
{
	if (integer(body, "version") > m->version)
		return 0;
	return error_set(err, EXP_EVERIFY, "version %lld of model %s does not follow version %lld",
			 (long long)integer(body, "version"), text(body, "model"), (long long)m->version);
}

static int take_registered(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	struct model_state *m = keymap_get(&l->models, leaf_text(leaf, "model"));
	int rc = need_policy(l, leaf->body, err);

	if (!rc && m)
		rc = check_version(m, leaf->body, err);
	if (rc)
		return rc;
	if (!m)
		l->counts.models++;
	m = keymap_put(&l->models, leaf_text(leaf, "model"));
	set_live(m, integer(leaf->body, "version"), leaf_text(leaf, "sha256"));
	return 0;
}

static int take_published(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	struct model_state *m = NULL;
	int rc = need_model(l, leaf_text(leaf, "model"), &m, err);

	if (!rc)
		rc = check_version(m, leaf->body, err);
	if (!rc && strcmp(m->sha256, leaf_text(leaf, "old_sha256")) != 0)
		rc = error_set(err, EXP_EVERIFY, "model %s was changed from weights %s, but %s were live",
			       leaf_text(leaf, "model"), leaf_text(leaf, "old_sha256"), m->sha256);
	if (!rc)
		rc = for_requests(l, leaf, note_publication, err);
	if (rc)
		return rc;
	set_live(m, integer(leaf->body, "version"), leaf_text(leaf, "new_sha256"));
	l->counts.publications++;
	return 0;
}

static int take_destroyed(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	struct number version = number_text(integer(leaf->body, "version"));
	const char *name = leaf_text(leaf, "model");
	struct model_state *m = NULL;
	int rc = need_model(l, name, &m, err);

	if (rc)
		return rc;
	if (!has_fact(&m->facts, "version", version.text, leaf_text(leaf, "sha256"), NULL))
		return error_set(err, EXP_EVERIFY, "model %s never had these weights as version %s", name,
				 version.text);
	if (integer(leaf->body, "version") == m->version)
		return error_set(err, EXP_EVERIFY, "version %s of model %s is destroyed while it is live", version.text,
				 name);
	if (has_fact(&m->facts, "destroyed", version.text, NULL))
		return error_set(err, EXP_EVERIFY, "version %s of model %s was destroyed before", version.text, name);
	add_fact(&m->facts, "destroyed", version.text, NULL);
	return 0;
}

static int take_rows_erased(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	if (!keymap_get(&l->recorded, leaf_text(leaf, "dataset")))
		return error_set(err, EXP_EVERIFY, "data set %s was not registered before rows of it were erased",
				 leaf_text(leaf, "dataset"));
	return for_requests(l, leaf, note_erasure, err);
}

static int take_recorded(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	const char *field = leaf->type == LEAF_POLICY_RECORDED ? "policy_sha256" : "dataset";

	(void)err;
	keymap_put(&l->recorded, leaf_text(leaf, field));
	return 0;
}

static int check_model_entry(const struct request_state *r, const char *id, const json_t *entry, struct exp_error *err)
{
	struct number version = number_text(integer(entry, "version"));
	const char *model = text(entry, "model");

	if (is_fail(entry))
		return error_set(err, EXP_EVERIFY, "request %s is completed on model %s with the verdict %s", id, model,
				 text(entry, "verdict"));
	if (!has_fact(&r->facts, "attempted", model, text(entry, "method"), text(entry, "params_sha256"),
		      text(entry, "policy_sha256"), NULL))
		return error_set(
		    err, EXP_EVERIFY,
		    "request %s is completed by %s on model %s, but no job.attempted with that method, these "
		    "parameters and policy that did not fail came before",
		    id, text(entry, "method"), model);
	if (!has_fact(&r->facts, "published", model, version.text, text(entry, "new_sha256"), NULL))
		return error_set(
		    err, EXP_EVERIFY,
		    "request %s is completed by version %s of model %s, but no model.published of it came before", id,
		    version.text, model);
	if (!has_fact(&r->facts, "replaced", model, text(entry, "old_sha256"), NULL))
		return error_set(err, EXP_EVERIFY, "request %s did not replace weights %s of model %s", id,
				 text(entry, "old_sha256"), model);
	return 0;
}

static int check_models(const struct request_state *r, const struct leaf *leaf, struct exp_error *err)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(leaf->body, "models"), i, entry) {
		int rc = check_model_entry(r, leaf_text(leaf, "request"), entry, err);

		if (rc)
			return rc;
	}
	return 0;
}

static int check_outcome(const struct request_state *r, const struct leaf *leaf, struct exp_error *err)
{
	const char *id = leaf_text(leaf, "request"), *outcome = text(leaf->body, "outcome");
	const json_t *rows = json_object_get(leaf->body, "rows");
	int64_t train = integer(rows, "train"), all = train + integer(rows, "heldout");
	bool erased = !strcmp(outcome, "erased"), claims = erased || !strcmp(outcome, "mitigated");

	if (!*outcome && !strcmp(leaf_text(leaf, "status"), "completed"))
		return error_set(err, EXP_EVERIFY, "request %s is completed without an outcome", id);
	if (claims && train && !json_array_size(json_object_get(leaf->body, "models")))
		return error_set(
		    err, EXP_EVERIFY,
		    "request %s is completed as %s with %lld rows that were trained on, but names no model", id,
		    outcome, (long long)train);
	if (erased && all && !has_fact(&r->facts, "rows erased", NULL))
		return error_set(err, EXP_EVERIFY, "request %s is completed as erased, but no rows.erased came before",
				 id);
	if (!strcmp(outcome, "not_found") && all)
		return error_set(err, EXP_EVERIFY, "request %s is completed as not_found, but has %lld rows", id,
				 (long long)all);
	return 0;
}

static int take_completed(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	struct request_state *r = NULL;
	int rc = need_open(l, leaf_text(leaf, "request"), &r, err);

	if (!rc)
		rc = check_subject(r, leaf, err);
	if (!rc)
		rc = check_outcome(r, leaf, err);
	if (!rc)
		rc = check_models(r, leaf, err);
	if (rc)
		return rc;
	if (!strcmp(leaf_text(leaf, "status"), "completed")) {
		r->end = COMPLETED;
		l->counts.completed++;
	}
	return 0;
}

static int (*const take[LEAF_TYPE_COUNT])(struct ledger *l, const struct leaf *leaf, struct exp_error *err) = {
	[LEAF_REQUEST_RECEIVED] = take_received,   [LEAF_REQUEST_REJECTED] = take_closed,
	[LEAF_REQUEST_CANCELLED] = take_closed,    [LEAF_REQUEST_COMPLETED] = take_completed,
	[LEAF_SUBJECT_RESOLVED] = take_resolved,   [LEAF_JOB_STARTED] = take_job,
	[LEAF_JOB_ATTEMPTED] = take_job,           [LEAF_MODEL_REGISTERED] = take_registered,
	[LEAF_MODEL_PUBLISHED] = take_published,   [LEAF_MODEL_DESTROYED] = take_destroyed,
	[LEAF_ROWS_ERASED] = take_rows_erased,     [LEAF_POLICY_RECORDED] = take_recorded,
	[LEAF_DATASET_REGISTERED] = take_recorded, [LEAF_KEY_DESTROYED] = take_key_destroyed,
};

int ledger_add(struct ledger *l, const struct leaf *leaf, struct exp_error *err)
{
	return take[leaf->type](l, leaf, err);
}

void ledger_count(const struct ledger *l, struct ledger_counts *out)
{
	*out = l->counts;
}

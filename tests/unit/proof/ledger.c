#include "proof/ledger.h"

#include <criterion/criterion.h>
#include <string.h>

#include "sample_log.h"

#define FIRST  "01995b5e-7c00-7000-8000-000000000001"
#define SECOND "01995b5e-7c00-7000-8000-000000000002"

static struct sample_log story;

/* Leaves 0 … 2 set the scene, 3 … 9 are the first request, 10 … 16 the second. */
enum { RECEIVED = 3, RESOLVED, ATTEMPTED, PUBLISHED, DESTROYED, ROWS_ERASED, COMPLETED, NEXT };

static void tell_story(void)
{
	const uint8_t first[DIGEST_KEY_SIZE] = { 1 }, second[DIGEST_KEY_SIZE] = { 2 };
	struct identity ada, bob;

	sample_log_init(&story);
	cr_assert_eq(identity_parse(&ada, "email:ada@example.com", NULL), 0);
	cr_assert_eq(identity_parse(&bob, "email:bob@example.com", NULL), 0);
	sample_log_erase(&story, FIRST, first, &ada);
	sample_log_erase(&story, SECOND, second, &bob);
	identity_fini(&ada);
	identity_fini(&bob);
}

static void forget_story(void)
{
	sample_log_fini(&story);
}

TestSuite(ledger, .init = tell_story, .fini = forget_story);

static int add(struct ledger *l, const struct buf *bytes, struct exp_error *err)
{
	struct leaf leaf;
	int rc;

	cr_assert_eq(leaf_check(bytes->data, bytes->size, &leaf, NULL), 0);
	rc = ledger_add(l, &leaf, err);
	leaf_fini(&leaf);
	return rc;
}

static int run_order(const size_t *order, size_t count, struct exp_error *err)
{
	struct ledger *l = ledger_new();
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++)
		rc = add(l, &story.leaves[order[i]], err);
	ledger_free(l);
	return rc;
}

Test(ledger, the_true_story_holds)
{
	struct ledger *l = ledger_new();
	struct ledger_counts counts;

	for (size_t i = 0; i < story.count; i++)
		cr_assert_eq(add(l, &story.leaves[i], NULL), 0, "leaf %zu", i);
	ledger_count(l, &counts);
	cr_assert_eq(counts.requests, 2);
	cr_assert_eq(counts.completed, 2);
	cr_assert_eq(counts.models, 1);
	cr_assert_eq(counts.publications, 2);
	ledger_free(l);
}

/* Leaving one leaf out breaks the story, unless nothing rests on it; the last one is only an end. */
Test(ledger, what_is_missing_is_named)
{
	static const char *const says[] = {
		"policy",
		"data set people was not registered",
		"model wages was not registered",
		"was never received",
		NULL,
		"no job.attempted",
		"is destroyed while it is live",
		NULL,
		"no rows.erased",
		NULL,
	};

	for (size_t missing = 0; missing < NEXT; missing++) {
		size_t order[NEXT], count = 0;
		struct exp_error err = { 0 };

		for (size_t i = 0; i < NEXT; i++)
			if (i != missing)
				order[count++] = i;
		cr_assert_eq(run_order(order, count, &err), says[missing] ? EXP_EVERIFY : 0, "without %zu", missing);
		if (says[missing])
			cr_assert(strstr(err.message, says[missing]) != NULL, "without %zu: %s", missing, err.message);
	}
}

Test(ledger, repetitions_and_afterthoughts_are_refused)
{
	static const struct {
		size_t again;
		const char *says;
	} cases[] = {
		{ RECEIVED, "was received before" },   { RESOLVED, "was closed before" },
		{ ATTEMPTED, "was closed before" },    { PUBLISHED, "does not follow" },
		{ DESTROYED, "was destroyed before" }, { ROWS_ERASED, "was closed before" },
		{ COMPLETED, "was closed before" },    { 2, "does not follow" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t order[NEXT + 1] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, cases[i].again };
		struct exp_error err = { 0 };

		cr_assert_eq(run_order(order, NEXT + 1, &err), EXP_EVERIFY, "again %zu", cases[i].again);
		cr_assert(strstr(err.message, cases[i].says) != NULL, "again %zu: %s", cases[i].again, err.message);
	}
}

Test(ledger, a_completion_without_a_publication_is_refused)
{
	size_t order[] = { 0, 1, 2, RECEIVED, RESOLVED, ATTEMPTED, ROWS_ERASED, COMPLETED };
	struct exp_error err = { 0 };

	cr_assert_eq(run_order(order, 8, &err), EXP_EVERIFY);
	cr_assert(strstr(err.message, "no model.published") != NULL, "%s", err.message);
}

/* The second request starts from the weights that the first one left. */
Test(ledger, publications_form_a_chain)
{
	size_t order[] = { 0, 1, 2, 10, 11, 12, 13 };
	struct exp_error err = { 0 };

	cr_assert_eq(run_order(order, 7, &err), EXP_EVERIFY);
	cr_assert(strstr(err.message, "were live") != NULL, "%s", err.message);
}

/* The story so far, then one more leaf. */
static int follow(size_t so_far, enum leaf_type type, json_t *fields, struct exp_error *err)
{
	size_t order[SAMPLE_LEAVES_MAX];
	int rc;

	story.count = so_far;
	buf_fini(&story.leaves[so_far]);
	memset(&story.leaves[so_far], 0, sizeof(story.leaves[so_far]));
	sample_log_add(&story, type, fields);
	for (size_t i = 0; i <= so_far; i++)
		order[i] = i;
	rc = run_order(order, so_far + 1, err);
	for (size_t i = so_far + 1; i < 17; i++) {
		buf_fini(&story.leaves[i]);
		memset(&story.leaves[i], 0, sizeof(story.leaves[i]));
	}
	return rc;
}

static json_t *completion(const char *outcome, int train, int heldout)
{
	struct leaf leaf;
	json_t *fields;

	cr_assert_eq(leaf_check(story.leaves[COMPLETED].data, story.leaves[COMPLETED].size, &leaf, NULL), 0);
	fields = json_deep_copy(leaf.body);
	leaf_fini(&leaf);
	json_object_del(fields, "v");
	json_object_del(fields, "type");
	json_object_del(fields, "time");
	json_object_del(fields, "pad");
	json_object_set_new(fields, "outcome", json_string(outcome));
	json_object_set_new(fields, "rows", json_pack("{s:i, s:i}", "train", train, "heldout", heldout));
	return fields;
}

static json_t *without_models(json_t *fields)
{
	json_object_set_new(fields, "models", json_array());
	return fields;
}

Test(ledger, a_person_without_rows_needs_no_job)
{
	cr_assert_eq(follow(RESOLVED, LEAF_REQUEST_COMPLETED, without_models(completion("not_found", 0, 0)), NULL), 0);
}

Test(ledger, not_found_with_rows_is_refused)
{
	cr_assert_eq(follow(RESOLVED, LEAF_REQUEST_COMPLETED, without_models(completion("not_found", 0, 1)), NULL),
		     EXP_EVERIFY);
}

Test(ledger, rows_that_were_trained_on_need_a_model)
{
	struct exp_error err = { 0 };

	cr_assert_eq(follow(COMPLETED, LEAF_REQUEST_COMPLETED, without_models(completion("mitigated", 1, 0)), &err),
		     EXP_EVERIFY);
	cr_assert(strstr(err.message, "names no model") != NULL);
}

Test(ledger, held_out_rows_alone_need_no_model)
{
	cr_assert_eq(follow(COMPLETED, LEAF_REQUEST_COMPLETED, without_models(completion("erased", 0, 4)), NULL), 0);
}

static json_t *with_entry(const char *name, json_t *value)
{
	json_t *fields = completion("erased", 3, 0);

	json_object_set_new(json_array_get(json_object_get(fields, "models"), 0), name, value);
	return fields;
}

Test(ledger, a_failed_verdict_completes_nothing)
{
	struct exp_error err = { 0 };

	cr_assert_eq(follow(COMPLETED, LEAF_REQUEST_COMPLETED, with_entry("verdict", json_string("fail/residual")),
			    &err),
		     EXP_EVERIFY);
	cr_assert(strstr(err.message, "fail/residual") != NULL, "%s", err.message);
}

Test(ledger, other_parameters_than_the_attempts_are_refused)
{
	cr_assert_eq(follow(COMPLETED, LEAF_REQUEST_COMPLETED,
			    with_entry("params_sha256", json_string(sample_digest("x"))), NULL),
		     EXP_EVERIFY);
}

static json_t *attempt(const char *verdict)
{
	return json_pack("{s:s, s:i, s:s, s:[s], s:s, s:s, s:s, s:s, s:{}}", "job", FIRST, "attempt", 1, "model",
			 "wages", "requests", FIRST, "method", "retrain", "params_sha256", sample_digest("params"),
			 "policy_sha256", sample_digest("policy"), "verdict", verdict, "scores");
}

Test(ledger, a_failed_attempt_supports_no_completion)
{
	json_t *fields = attempt("fail/utility");
	struct exp_error err = { 0 };
	size_t order[NEXT];

	buf_fini(&story.leaves[ATTEMPTED]);
	memset(&story.leaves[ATTEMPTED], 0, sizeof(story.leaves[ATTEMPTED]));
	cr_assert_eq(leaf_build(LEAF_JOB_ATTEMPTED, 0, fields, &story.leaves[ATTEMPTED], NULL), 0);
	json_decref(fields);
	for (size_t i = 0; i < NEXT; i++)
		order[i] = i;
	cr_assert_eq(run_order(order, NEXT, &err), EXP_EVERIFY);
	cr_assert(strstr(err.message, "that did not fail") != NULL, "%s", err.message);
}

Test(ledger, a_job_under_way_may_list_a_cancelled_request)
{
	cr_assert_eq(follow(RESOLVED, LEAF_REQUEST_CANCELLED, json_pack("{s:s}", "request", FIRST), NULL), 0);
	cr_assert_eq(follow(RESOLVED + 1, LEAF_JOB_ATTEMPTED, attempt("pass/consistent"), NULL), 0);
}

Test(ledger, other_weights_than_the_published_are_refused)
{
	cr_assert_eq(follow(COMPLETED, LEAF_REQUEST_COMPLETED,
			    with_entry("new_sha256", json_string(sample_digest("x"))), NULL),
		     EXP_EVERIFY);
}

Test(ledger, other_weights_than_the_replaced_are_refused)
{
	cr_assert_eq(follow(COMPLETED, LEAF_REQUEST_COMPLETED,
			    with_entry("old_sha256", json_string(sample_digest("x"))), NULL),
		     EXP_EVERIFY);
}

Test(ledger, another_subject_is_refused)
{
	json_t *fields = completion("erased", 3, 0);

	json_object_set_new(fields, "subject", json_pack("[s]", sample_digest("bob")));
	cr_assert_eq(follow(COMPLETED, LEAF_REQUEST_COMPLETED, fields, NULL), EXP_EVERIFY);
}

Test(ledger, a_key_is_destroyed_only_after_the_end)
{
	cr_assert_eq(follow(NEXT, LEAF_KEY_DESTROYED, json_pack("{s:s}", "request", FIRST), NULL), 0);
	cr_assert_eq(follow(COMPLETED, LEAF_KEY_DESTROYED, json_pack("{s:s}", "request", FIRST), NULL), EXP_EVERIFY);
}

Test(ledger, live_weights_are_not_destroyed)
{
	cr_assert_eq(follow(NEXT, LEAF_MODEL_DESTROYED,
			    json_pack("{s:s, s:i, s:s}", "model", "wages", "version", 2, "sha256",
				      sample_digest("weights 2")),
			    NULL),
		     EXP_EVERIFY);
}

Test(ledger, rejected_and_cancelled_are_ends)
{
	struct exp_error err = { 0 };

	cr_assert_eq(follow(RESOLVED, LEAF_REQUEST_REJECTED,
			    json_pack("{s:s, s:s}", "request", FIRST, "reason", "no_match"), NULL),
		     0);
	cr_assert_eq(follow(RESOLVED + 1, LEAF_REQUEST_CANCELLED, json_pack("{s:s}", "request", FIRST), &err),
		     EXP_EVERIFY);
	cr_assert(strstr(err.message, "was closed before") != NULL);
}

Test(ledger, a_partial_completion_may_be_taken_up_again)
{
	json_t *fields = completion("mitigated", 3, 0);

	json_object_set_new(fields, "status", json_string("partially_completed"));
	cr_assert_eq(follow(COMPLETED, LEAF_REQUEST_COMPLETED, fields, NULL), 0);
	fields = json_pack("{s:s, s:s}", "request", FIRST, "reason", "by_operator");
	cr_assert_eq(follow(COMPLETED + 1, LEAF_REQUEST_CANCELLED, fields, NULL), 0);
}

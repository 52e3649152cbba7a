/* The policy: defaults, precise errors, one digest for one meaning. */
#include "erasure/policy.h"

#include <criterion/criterion.h>
#include <string.h>

#include "unlearn/ssd.h"

static int parse(const char *text, struct policy *p, struct exp_error *err)
{
	json_t *json = NULL;
	int rc;

	cr_assert_eq(crypto_init(), 0);
	cr_assert_eq(json_parse(text, strlen(text), &json, NULL), 0, "%s", text);
	rc = policy_from_json(json, "/policy", p, err);
	json_decref(json);
	return rc;
}

Test(policy, an_empty_object_is_the_default)
{
	struct policy p, standard;
	uint8_t a[DIGEST_SIZE], b[DIGEST_SIZE];

	cr_assert_eq(parse("{}", &p, NULL), 0);
	policy_default(&standard);
	policy_digest(&p, a);
	policy_digest(&standard, b);
	cr_assert_eq(memcmp(a, b, sizeof(a)), 0);
	cr_assert_eq(p.rungs, 2);
	cr_assert_str_eq(p.ladder[0]->name, "ssd");
	cr_assert_eq(p.alpha, 0.025);
	cr_assert_eq(p.rounds, 16);
	cr_assert(!p.mitigated_may_complete && !p.publish_inconclusive);
	cr_assert(!(p.statistics >> p.search_statistic & 1));
}

Test(policy, errors_name_the_field)
{
	static const struct {
		const char *text, *pointer;
	} cases[] = {
		{ "{\"alpha\": 0}", "/policy/alpha" },
		{ "{\"alpha\": \"small\"}", "/policy/alpha" },
		{ "{\"ladders\": []}", "/policy/ladders" },
		{ "{\"ladder\": []}", "/policy/ladder" },
		{ "{\"ladder\": [\"ssd\", \"magic\"]}", "/policy/ladder/1" },
		{ "{\"ladder\": [\"ssd\", \"ssd\"]}", "/policy/ladder/1" },
		{ "{\"ladder\": [7]}", "/policy/ladder/0" },
		{ "{\"statistics\": [\"gradient\", \"mood\"]}", "/policy/statistics/1" },
		{ "{\"statistics\": []}", "/policy/statistics" },
		{ "{\"statistics\": [\"confidence\"]}", "/policy/statistics" },
		{ "{\"search_statistic\": \"gradient\", \"statistics\": [\"neighbours\"]}",
		  "/policy/search_statistic" },
		{ "{\"folds\": 1}", "/policy/folds" },
		{ "{\"min_power\": 1.5}", "/policy/min_power" },
		{ "{\"publish_inconclusive\": 1}", "/policy/publish_inconclusive" },
		{ "{\"pseudo_subjects\": 38}", "/policy/pseudo_subjects" },
		{ "{\"alpha\": 0.001}", "/policy/pseudo_subjects" },
	};
	struct policy p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };

		cr_assert_eq(parse(cases[i].text, &p, &err), EXP_EFIELD, "%s", cases[i].text);
		cr_assert_str_eq(err.pointer, cases[i].pointer, "%s: %s", cases[i].text, err.pointer);
	}
}

Test(policy, survives_its_own_json)
{
	struct policy p, back;
	uint8_t a[DIGEST_SIZE], b[DIGEST_SIZE];
	json_t *json;

	cr_assert_eq(parse("{\"name\": \"strict\", \"version\": 4, \"ladder\": [\"retrain\"], \"alpha\": 0.01, "
			   "\"statistics\": [\"finetuned\"], \"mitigated_may_complete\": true}",
			   &p, NULL),
		     0);
	json = policy_to_json(&p);
	cr_assert_eq(policy_from_json(json, "", &back, NULL), 0);
	policy_digest(&p, a);
	policy_digest(&back, b);
	cr_assert_eq(memcmp(a, b, sizeof(a)), 0);
	cr_assert_eq(back.statistics, 1u << STATISTIC_FINETUNED);
	cr_assert_eq(back.rungs, 1);
	json_decref(json);
}

Test(policy, every_field_changes_the_digest)
{
	static const char *const changes[] = { "{\"alpha\": 0.024999}",      "{\"version\": 2}",
					       "{\"ladder\": [\"ssd\"]}",    "{\"statistics\": [\"gradient\"]}",
					       "{\"guard_margin\": 0.02}",   "{\"publish_inconclusive\": true}",
					       "{\"evidence_window_s\": 1}", "{\"name\": \"Default\"}" };
	uint8_t standard[DIGEST_SIZE], changed[DIGEST_SIZE];
	struct policy p;

	cr_assert_eq(parse("{}", &p, NULL), 0);
	policy_digest(&p, standard);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		cr_assert_eq(parse(changes[i], &p, NULL), 0);
		policy_digest(&p, changed);
		cr_assert_neq(memcmp(standard, changed, sizeof(changed)), 0, "%s", changes[i]);
	}
}

Test(policy, the_leaf_holds_integers_alone)
{
	struct policy p;
	json_t *leaf;
	const char *name;
	json_t *value;

	policy_default(&p);
	leaf = policy_to_leaf(&p);
	json_object_foreach(leaf, name, value)
		cr_assert(!json_is_real(value), "%s", name);
	cr_assert_eq(json_integer_value(json_object_get(leaf, "alpha_ppm")), 25000);
	json_decref(leaf);
}

Test(policy, alpha_is_split_over_approximate_attempts)
{
	struct policy p;

	policy_default(&p);
	cr_assert_eq(policy_attempt_alpha(&p), 0.025);
	p.ladder[2] = &ssd_method; /* as a second approximate method would */
	p.rungs = 3;
	cr_assert_eq(policy_attempt_alpha(&p), 0.0125);
}

Test(policy, too_few_heldout_subjects_are_refused)
{
	struct exp_error err = { 0 };
	struct policy p;

	policy_default(&p);
	cr_assert_eq(policy_check_heldout(&p, 39, &err), 0);
	cr_assert_eq(policy_check_heldout(&p, 38, &err), EXP_EINVAL);
	cr_assert_not_null(strstr(err.message, "39 are needed"), "%s", err.message);
	p.alpha = 0.01;
	cr_assert_eq(policy_check_heldout(&p, 98, &err), EXP_EINVAL);
	cr_assert_eq(policy_check_heldout(&p, 99, &err), 0);
}

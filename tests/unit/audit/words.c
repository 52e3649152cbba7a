/*
 * proof/ and storage/ do not know each other, so each has its own lists of outcomes, verdicts, regimes and kinds. Here
 * they meet: every word of storage must fit into a leaf.
 */
#include <criterion/criterion.h>

#include "proof/leaf.h"
#include "storage/job_state.h"
#include "storage/request_state.h"

#define REQUEST "01995b5e-7c00-7000-8000-000000000001"
#define HASH    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static int build(enum leaf_type type, json_t *fields)
{
	struct buf b = { 0 };
	int rc = leaf_build(type, 0, fields, &b, NULL);

	json_decref(fields);
	buf_fini(&b);
	return rc;
}

static int complete(const char *status, const char *outcome, const char *verdict)
{
	return build(LEAF_REQUEST_COMPLETED,
		     json_pack("{s:s, s:[s], s:s, s:s, s:s, s:s, s:[], s:{s:i, s:i}, s:s}", "request", REQUEST,
			       "subject", HASH, "key_sha256", HASH, "status", status, "outcome", outcome, "verdict",
			       verdict, "models", "rows", "train", 0, "heldout", 0, "scope",
			       "operator-originals-not-covered"));
}

Test(words, outcomes_and_verdicts)
{
	for (int outcome = 1; outcome < REQUEST_OUTCOME_COUNT; outcome++)
		cr_assert_eq(complete("completed", request_outcome_name((enum request_outcome)outcome), "none"), 0);
	for (int verdict = 0; verdict < REQUEST_VERDICT_COUNT; verdict++)
		cr_assert_eq(complete("completed", "erased", request_verdict_name((enum request_verdict)verdict)), 0);
	cr_assert_eq(complete(request_status_name(REQUEST_COMPLETED), "erased", "none"), 0);
	cr_assert_eq(complete(request_status_name(REQUEST_PARTIAL), "erased", "none"), 0);
	cr_assert_eq(complete(request_status_name(REQUEST_RUNNING), "erased", "none"), EXP_EFIELD);
}

Test(words, regimes)
{
	for (int regime = 0; regime < REGIME_COUNT; regime++)
		cr_assert_eq(build(LEAF_REQUEST_RECEIVED, json_pack("{s:s, s:[s], s:s}", "request", REQUEST, "subject",
								    HASH, "regime", regime_name((enum regime)regime))),
			     0);
}

Test(words, kinds_of_jobs)
{
	for (int kind = 0; kind < JOB_KIND_COUNT; kind++)
		cr_assert_eq(build(LEAF_JOB_STARTED, json_pack("{s:s, s:s, s:s}", "job", REQUEST, "kind",
							       job_kind_name((enum job_kind)kind), "model", "m")),
			     0);
}

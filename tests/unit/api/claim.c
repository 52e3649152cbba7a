#include "api/subject_claim.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "base/identity.h"

static const uint8_t lookup[DIGEST_KEY_SIZE] = { 1 }, request[DIGEST_KEY_SIZE] = { 2 };
static const struct claim_keys keys = { lookup, request };
static const int64_t now = 1800000000000; /* 2027-01-15T08:00:00Z */

static int parse(const char *text, struct subject_claim *claim, struct exp_error *err)
{
	json_t *body = NULL;
	int rc;

	cr_assert_eq(json_parse(text, strlen(text), &body, err), 0, "%s", text);
	*err = (struct exp_error){ 0 };
	rc = subject_claim_parse(body, &keys, now, claim, err);
	json_decref(body);
	return rc;
}

#define ONE "\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"Ada@example.org \"}]}"

Test(claim, hashes_the_canonical_identity)
{
	struct subject_claim claim;
	struct exp_error err;
	uint8_t wanted[DIGEST_SIZE];

	cr_assert_eq(parse("{" ONE ",\"reason\":\"consent_withdrawn\",\"request_id\":\"R-1\"}", &claim, &err), 0);
	cr_assert_eq(claim.count, 1);
	hmac_sha256(lookup,
		    "email\x1f"
		    "ada@example.org",
		    21, wanted);
	cr_assert_eq(memcmp(claim.lookup[0], wanted, DIGEST_SIZE), 0);
	hmac_sha256(request,
		    "email\x1f"
		    "ada@example.org",
		    21, wanted);
	cr_assert_eq(memcmp(claim.leaf[0], wanted, DIGEST_SIZE), 0);
	cr_assert_str_eq(claim.reason, "consent_withdrawn");
	cr_assert_str_eq(claim.reference, "R-1");
}

Test(claim, counts_the_law_s_days)
{
	static const struct {
		const char *regime, *received, *due;
	} cases[] = {
		{ "gdpr", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00.000Z" },
		{ "gdpr", "2026-11-15T00:00:00+02:00", "2026-12-14T22:00:00.000Z" },
		{ "ccpa", "2026-01-31T10:00:00Z", "2026-03-17T10:00:00.000Z" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct subject_claim claim;
		struct exp_error err;
		char body[512], text[CLOCK_RFC3339];

		snprintf(body, sizeof(body), "{\"regime\":\"%s\",\"received_at\":\"%s\"," ONE "}", cases[i].regime,
			 cases[i].received);
		cr_assert_eq(parse(body, &claim, &err), 0, "%s", err.message);
		cr_assert_str_eq(clock_format(claim.due_at, text), cases[i].due);
	}
}

Test(claim, one_identity_counts_once)
{
	struct subject_claim claim;
	struct exp_error err;

	cr_assert_eq(parse("{\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"a@b\"},"
			   "{\"type\":\"email\",\"value\":\" A@B\"},{\"type\":\"phone\",\"value\":\"1\"}]}}",
			   &claim, &err),
		     0);
	cr_assert_eq(claim.count, 2);
}

Test(claim, names_the_field_at_fault_and_quotes_nothing)
{
	static const struct {
		const char *body, *pointer;
		int code;
	} cases[] = {
		{ "[]", "", EXP_EFIELD },
		{ "{}", "/subject", EXP_EFIELD },
		{ "{\"subject\":[]}", "/subject", EXP_EFIELD },
		{ "{\"subject\":{}}", "/subject/identities", EXP_EFIELD },
		{ "{\"subject\":{\"identities\":[]}}", "/subject/identities", EXP_EFIELD },
		{ "{\"subject\":{\"identities\":[\"canary\"]}}", "/subject/identities/0", EXP_EFIELD },
		{ "{\"subject\":{\"identities\":[{\"type\":\"email\"}]}}", "/subject/identities/0/value", EXP_EFIELD },
		{ "{\"subject\":{\"identities\":[{\"value\":\"canary\"}]}}", "/subject/identities/0/type", EXP_EFIELD },
		{ "{\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":7}]}}", "/subject/identities/0/value",
		  EXP_EFIELD },
		{ "{\"subject\":{\"identities\":[{\"type\":\"email\",\"value\":\"\"}]}}", "/subject/identities/0",
		  EXP_EINVAL },
		{ "{\"subject\":{\"identities\":[{\"type\":\"E mail\",\"value\":\"canary\"}]}}",
		  "/subject/identities/0", EXP_EINVAL },
		{ "{\"subject\":{\"identities\":[{\"type\":\"a\",\"value\":\"b\",\"canary@x\":1}]}}",
		  "/subject/identities/0", EXP_EFIELD },
		{ "{\"canary@example.org\":1," ONE "}", "", EXP_EFIELD },
		{ "{\"subjects\":1," ONE "}", "/subjects", EXP_EFIELD },
		{ "{\"regime\":\"lgpd\"," ONE "}", "/regime", EXP_EFIELD },
		{ "{\"received_at\":\"yesterday\"," ONE "}", "/received_at", EXP_EFIELD },
		{ "{\"received_at\":\"2099-01-01T00:00:00Z\"," ONE "}", "/received_at", EXP_ERANGE },
		{ "{\"reason\":\"the canary asked\"," ONE "}", "/reason", EXP_EFIELD },
		{ "{\"request_id\":5," ONE "}", "/request_id", EXP_EFIELD },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct subject_claim claim;
		struct exp_error err;

		cr_assert_eq(parse(cases[i].body, &claim, &err), cases[i].code, "%s: %s", cases[i].body, err.message);
		cr_assert_str_eq(err.pointer, cases[i].pointer, "%s", cases[i].body);
		cr_assert(!strstr(err.message, "canary"), "%s", err.message);
	}
}

Test(claim, at_most_sixteen)
{
	struct subject_claim claim;
	struct exp_error err;
	char body[2048] = "{\"subject\":{\"identities\":[";

	for (int i = 0; i < 17; i++)
		snprintf(body + strlen(body), sizeof(body) - strlen(body), "%s{\"type\":\"n\",\"value\":\"%d\"}",
			 i ? "," : "", i);
	strcat(body, "]}}");
	cr_assert_eq(parse(body, &claim, &err), EXP_EFIELD);
	cr_assert_str_eq(err.pointer, "/subject/identities");
}

#include "proof/receipt.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "sample_log.h"

#define REQUEST "01995b5e-7c00-7000-8000-000000000001"

static struct sample_log story;
static struct identity ada, bob;
static struct buf file;
static const uint8_t k[DIGEST_KEY_SIZE] = { 1, 2, 3 };

enum { COMPLETED = 9 };

static void issue(void)
{
	struct receipt r;

	sample_log_init(&story);
	cr_assert_eq(identity_parse(&ada, "email:ada@example.com", NULL), 0);
	cr_assert_eq(identity_parse(&bob, "email:bob@example.com", NULL), 0);
	sample_log_erase(&story, REQUEST, k, &ada);
	sample_log_erase(&story, "01995b5e-7c00-7000-8000-000000000002", k, &bob);
	sample_log_receipt(&story, COMPLETED, REQUEST, k, &r);
	receipt_build(&r, &file);
	receipt_fini(&r);
}

static void throw_away(void)
{
	sample_log_fini(&story);
	identity_fini(&ada);
	identity_fini(&bob);
	buf_fini(&file);
}

TestSuite(receipt, .init = issue, .fini = throw_away);

static int verify(const char *bytes, size_t size, const struct identity *who, struct receipt_report *report,
		  struct exp_error *err)
{
	struct receipt r;
	int rc = receipt_parse(bytes, size, &r, err);

	if (rc)
		return rc;
	rc = receipt_verify(&r, &story.key, who, report, err);
	receipt_fini(&r);
	return rc;
}

Test(receipt, verifies_with_and_without_the_identity)
{
	struct receipt_report report;
	struct exp_error err = { 0 };

	cr_assert_eq(verify(file.data, file.size, NULL, &report, &err), 0, "%s", err.message);
	cr_assert_eq(report.steps[RECEIPT_KEY], RECEIPT_GOOD);
	cr_assert_eq(report.steps[RECEIPT_IDENTITY], RECEIPT_SKIPPED);
	cr_assert_eq(report.checkpoint.head.size, story.count);
	cr_assert_eq(verify(file.data, file.size, &ada, &report, NULL), 0);
	cr_assert_eq(report.steps[RECEIPT_IDENTITY], RECEIPT_GOOD);
}

Test(receipt, has_the_lines_of_a_tlog_proof)
{
	static const char header[] = "c2sp.org/tlog-proof@v1\nextra ";

	cr_assert_eq(strncmp(file.data, header, strlen(header)), 0);
	cr_assert(strstr(file.data, "\nindex 9\n") != NULL);
	cr_assert(strstr(file.data, "\n\nlog.example/expunge\n17\n") != NULL);
	cr_assert_eq(strstr(file.data, "ada"), NULL);
}

/* No identity is needed for this: the leaf commits to k. */
Test(receipt, every_changed_bit_is_refused_and_named)
{
	for (size_t i = 0; i < file.size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct receipt_report report;
			struct exp_error err = { 0 };

			file.data[i] = (char)(file.data[i] ^ 1 << bit);
			cr_assert_lt(verify(file.data, file.size, NULL, &report, &err), 0, "byte %zu, bit %d", i, bit);
			cr_assert(err.message[0], "byte %zu, bit %d", i, bit);
			file.data[i] = (char)(file.data[i] ^ 1 << bit);
		}
	}
}

Test(receipt, every_truncation_is_refused)
{
	struct receipt_report report;

	for (size_t size = 0; size < file.size; size++)
		cr_assert_lt(verify(file.data, size, NULL, &report, NULL), 0, "cut to %zu bytes", size);
}

Test(receipt, what_is_put_behind_it_is_refused)
{
	struct receipt_report report;

	buf_add_text(&file, "x\n");
	cr_assert_eq(verify(file.data, file.size, NULL, &report, NULL), EXP_EPARSE);
}

Test(receipt, another_identity_is_refused_at_its_step)
{
	struct receipt_report report;
	struct exp_error err = { 0 };

	cr_assert_eq(verify(file.data, file.size, &bob, &report, &err), EXP_EVERIFY);
	cr_assert_eq(report.steps[RECEIPT_KEY], RECEIPT_GOOD);
	cr_assert_eq(report.steps[RECEIPT_IDENTITY], RECEIPT_BAD);
	cr_assert(strstr(err.message, "identity") != NULL);
	cr_assert_eq(strstr(err.message, "bob"), NULL);
}

Test(receipt, another_log_key_is_refused_at_the_signature)
{
	struct receipt_report report;
	uint8_t seed[NOTE_SEED_SIZE] = { 99 };

	cr_assert_eq(note_key_init(&story.key, "log.example/expunge", seed, NULL), 0);
	cr_assert_eq(verify(file.data, file.size, NULL, &report, NULL), EXP_EVERIFY);
	cr_assert_eq(report.steps[RECEIPT_SIGNATURE], RECEIPT_BAD);
	cr_assert_eq(report.steps[RECEIPT_LEAF], RECEIPT_NOT_REACHED);
}

/* Each row spoils one part of an honest receipt and says which step must notice. */
enum spoiled { SPOIL_INDEX, SPOIL_PROOF, SPOIL_REQUEST, SPOIL_KEY, SPOIL_LEAF_TYPE, SPOIL_LEAF_BYTES, SPOIL_COUNT };

static void spoil(struct receipt *r, enum spoiled what)
{
	switch (what) {
	case SPOIL_INDEX:
		r->index = 8;
		break;
	case SPOIL_PROOF:
		r->proof.count--;
		break;
	case SPOIL_REQUEST:
		r->request[ID_TEXT - 2] = '2';
		break;
	case SPOIL_KEY:
		r->key[31] ^= 1;
		break;
	case SPOIL_LEAF_TYPE:
		receipt_fini(r);
		sample_log_receipt(&story, COMPLETED - 1, REQUEST, k, r);
		break;
	default:
		r->leaf.data[10] = '1';
	}
}

Test(receipt, the_step_that_fails_is_the_one_that_is_wrong)
{
	static const enum receipt_step expected[SPOIL_COUNT] = {
		[SPOIL_INDEX] = RECEIPT_INCLUSION, [SPOIL_PROOF] = RECEIPT_INCLUSION, [SPOIL_REQUEST] = RECEIPT_REQUEST,
		[SPOIL_KEY] = RECEIPT_KEY,         [SPOIL_LEAF_TYPE] = RECEIPT_LEAF,  [SPOIL_LEAF_BYTES] = RECEIPT_LEAF,
	};

	for (int what = 0; what < SPOIL_COUNT; what++) {
		struct receipt_report report;
		struct buf bytes = { 0 };
		struct receipt r;

		sample_log_receipt(&story, COMPLETED, REQUEST, k, &r);
		spoil(&r, (enum spoiled)what);
		receipt_build(&r, &bytes);
		cr_assert_lt(verify(bytes.data, bytes.size, NULL, &report, NULL), 0, "%d", what);
		for (int step = 0; step < RECEIPT_STEP_COUNT; step++)
			cr_assert_eq(report.steps[step] == RECEIPT_BAD, step == (int)expected[what], "%d: %s", what,
				     receipt_step_name((enum receipt_step)step));
		receipt_fini(&r);
		buf_fini(&bytes);
	}
}

/* Puts another extra line, with other white space or another member, into the file. */
static int with_extra(const char *json, struct exp_error *err)
{
	char *encoded = base64_encode(json, strlen(json));
	char *bytes = mem_format("c2sp.org/tlog-proof@v1\nextra %s\n%s", encoded, strstr(file.data, "index "));
	struct receipt_report report;
	int rc = verify(bytes, strlen(bytes), NULL, &report, err);

	mem_free(encoded);
	mem_free(bytes);
	return rc;
}

Test(receipt, the_extra_line_has_one_form)
{
	char *leaf = base64_encode(story.leaves[COMPLETED].data, story.leaves[COMPLETED].size);
	char hex[DIGEST_HEX], *good, *spaced, *more;

	hex_encode(k, sizeof(k), hex);
	good = mem_format("{\"k\":\"%s\",\"leaf\":\"%s\",\"request_id\":\"" REQUEST "\",\"v\":1}", hex, leaf);
	spaced = mem_format("{\"k\":\"%s\", \"leaf\":\"%s\",\"request_id\":\"" REQUEST "\",\"v\":1}", hex, leaf);
	more = mem_format("{\"k\":\"%s\",\"leaf\":\"%s\",\"request_id\":\"" REQUEST "\",\"v\":1,\"w\":0}", hex, leaf);
	cr_assert_eq(with_extra(good, NULL), 0);
	cr_assert_eq(with_extra(spaced, NULL), EXP_EPARSE);
	cr_assert_eq(with_extra(more, NULL), EXP_EFIELD);
	cr_assert_eq(with_extra("", NULL), EXP_EPARSE);
	cr_assert_eq(with_extra("{}", NULL), EXP_EFIELD);
	mem_free(leaf);
	mem_free(good);
	mem_free(spaced);
	mem_free(more);
}

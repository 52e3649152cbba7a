#include "proof/leaf.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

#define REQUEST "01995b5e-7c00-7000-8000-000000000001"
#define HASH    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER   "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const int64_t noon = 1795435200000;

static int build(enum leaf_type type, const char *fields, struct buf *out, struct exp_error *err)
{
	json_t *json = NULL;
	int rc;

	cr_assert_eq(json_parse(fields, strlen(fields), &json, NULL), 0, "%s", fields);
	rc = leaf_build(type, noon, json, out, err);
	json_decref(json);
	return rc;
}

static const char received[] = "{\"request\":\"" REQUEST "\",\"subject\":[\"" HASH "\"],\"regime\":\"gdpr\"}";

Test(leaf, is_canonical_and_fills_its_bucket)
{
	static const char start[] = "{\"pad\":\"000";
	static const char rest[] = "\",\"regime\":\"gdpr\",\"request\":\"" REQUEST "\",\"subject\":[\"" HASH
				   "\"],\"time\":\"2026-11-23T12:00:00.000Z\",\"type\":\"request.received\",\"v\":1}";
	struct buf b = { 0 };
	struct leaf leaf;

	cr_assert_eq(build(LEAF_REQUEST_RECEIVED, received, &b, NULL), 0);
	cr_assert_eq(b.size, 256);
	cr_assert_eq(strncmp(b.data, start, strlen(start)), 0, "%s", b.data);
	cr_assert_str_eq(strstr(b.data, rest), rest);
	cr_assert_eq(leaf_check(b.data, b.size, &leaf, NULL), 0);
	cr_assert_eq(leaf.type, LEAF_REQUEST_RECEIVED);
	cr_assert_str_eq(leaf_text(&leaf, "request"), REQUEST);
	cr_assert_eq(leaf_text(&leaf, "subject"), NULL);
	leaf_fini(&leaf);
	buf_fini(&b);
}

Test(leaf, the_field_at_fault_is_named)
{
	static const struct {
		enum leaf_type type;
		const char *fields, *pointer;
	} cases[] = {
		{ LEAF_KEY_DESTROYED, "{}", "/request" },
		{ LEAF_KEY_DESTROYED, "{\"request\":1}", "/request" },
		{ LEAF_KEY_DESTROYED, "{\"request\":\"01995B5E-7c00-7000-8000-000000000001\"}", "/request" },
		{ LEAF_KEY_DESTROYED, "{\"request\":\"" REQUEST "\",\"email\":\"ada@example.com\"}", "/email" },
		{ LEAF_KEY_DESTROYED, "{\"request\":\"" REQUEST "\",\"note\":1.5}", "/note" },
		{ LEAF_REQUEST_RECEIVED, "{\"request\":\"" REQUEST "\",\"subject\":\"" HASH "\",\"regime\":\"gdpr\"}",
		  "/subject" },
		{ LEAF_REQUEST_RECEIVED, "{\"request\":\"" REQUEST "\",\"subject\":[\"ada\"],\"regime\":\"gdpr\"}",
		  "/subject/0" },
		{ LEAF_REQUEST_RECEIVED,
		  "{\"request\":\"" REQUEST "\",\"subject\":[\"" HASH "\",\"" HASH "\"],\"regime\":\"gdpr\"}",
		  "/subject/1" },
		{ LEAF_REQUEST_RECEIVED, "{\"request\":\"" REQUEST "\",\"subject\":[],\"regime\":\"gdp\"}", "/regime" },
		{ LEAF_REQUEST_RECEIVED, "{\"request\":\"" REQUEST "\",\"subject\":[],\"regime\":\"gdpr|ccpa\"}",
		  "/regime" },
		{ LEAF_REQUEST_RECEIVED, "{\"request\":\"" REQUEST "\",\"subject\":[],\"regime\":\"\"}", "/regime" },
		{ LEAF_REQUEST_RECEIVED,
		  "{\"request\":\"" REQUEST "\",\"subject\":[],\"regime\":\"gdpr\",\"due\":\"2026-11-23\"}", "/due" },
		{ LEAF_REQUEST_RECEIVED,
		  "{\"request\":\"" REQUEST
		  "\",\"subject\":[],\"regime\":\"gdpr\",\"due\":\"2026-11-23T13:00:00.000+01:00\"}",
		  "/due" },
		{ LEAF_DATASET_REGISTERED,
		  "{\"dataset\":\"ada@example.com\",\"sha256\":\"" HASH "\",\"rows\":{\"train\":1,\"heldout\":0}}",
		  "/dataset" },
		{ LEAF_DATASET_REGISTERED,
		  "{\"dataset\":\"d\",\"sha256\":\"" HASH "\",\"rows\":{\"train\":-1,\"heldout\":0}}", "/rows/train" },
		{ LEAF_DATASET_REGISTERED, "{\"dataset\":\"d\",\"sha256\":\"" HASH "\",\"rows\":{\"train\":1}}",
		  "/rows/heldout" },
		{ LEAF_DATASET_REGISTERED,
		  "{\"dataset\":\"d\",\"sha256\":\"" HASH "\",\"rows\":{\"train\":1,\"heldout\":0,\"who\":1}}",
		  "/rows/who" },
		{ LEAF_DATASET_REGISTERED, "{\"dataset\":\"d\",\"sha256\":\"" HASH "\",\"rows\":[]}", "/rows" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };
		struct buf b = { 0 };

		cr_assert_eq(build(cases[i].type, cases[i].fields, &b, &err), EXP_EFIELD, "%s", cases[i].fields);
		cr_assert_str_eq(err.pointer, cases[i].pointer, "%s", cases[i].fields);
		cr_assert_eq(b.size, 0);
	}
}

#define ENTRY(extra)                                                                                                   \
	"{\"model\":\"m\",\"version\":2,\"old_sha256\":\"" HASH "\",\"new_sha256\":\"" OTHER                           \
	"\",\"method\":\"ssd\",\"params_sha256\":\"" HASH "\",\"policy_sha256\":\"" HASH                               \
	"\",\"verdict\":\"pass/consistent\",\"scores\":{" extra "}}"
#define COMPLETED(extra)                                                                                               \
	"{\"request\":\"" REQUEST "\",\"subject\":[\"" HASH "\"],\"key_sha256\":\"" HASH                               \
	"\",\"status\":\"completed\",\"outcome\":\"mitigated\",\"verdict\":\"pass/consistent\",\"models\":[" ENTRY(    \
	    extra) "],\"rows\":{\"train\":1,\"heldout\":0},\"scope\":\"operator-originals-not-covered\"}"

Test(leaf, scores_are_bounded_integers)
{
	static const char *const bad[] = {
		COMPLETED("\"p_ppm\":1000001"), COMPLETED("\"p_ppm\":-1"),    COMPLETED("\"z_ppm\":9007199254740992"),
		COMPLETED("\"z_ppm\":0.5"),     COMPLETED("\"z_ppm\":\"1\""), COMPLETED("\"row_scores\":1"),
	};
	struct buf b = { 0 };

	cr_assert_eq(build(LEAF_REQUEST_COMPLETED, COMPLETED("\"z_ppm\":-2500000,\"p_ppm\":1000000"), &b, NULL), 0);
	cr_assert_eq(b.size, 1024);
	buf_fini(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(build(LEAF_REQUEST_COMPLETED, bad[i], &b, NULL), EXP_EFIELD, "%s", bad[i]);
}

Test(leaf, common_fields_are_not_the_callers)
{
	static const char *const bad[] = { "v\":1", "type\":\"key.destroyed\"", "time\":\"2026-11-23T12:00:00.000Z\"",
					   "pad\":\"\"" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *fields = mem_format("{\"request\":\"" REQUEST "\",\"%s}", bad[i]);
		struct buf b = { 0 };

		cr_assert_eq(build(LEAF_KEY_DESTROYED, fields, &b, NULL), EXP_EFIELD);
		mem_free(fields);
	}
}

static json_t *many_requests(int count)
{
	json_t *list = json_array();

	for (int i = 0; i < count; i++) {
		char *id = mem_format("01995b5e-7c00-7000-8000-%012d", i);

		json_array_append_new(list, json_string(id));
		mem_free(id);
	}
	return json_pack("{s:s, s:o, s:{s:i, s:i}}", "dataset", "d", "requests", list, "rows", "train", count,
			 "heldout", 0);
}

Test(leaf, lists_and_sizes_are_bounded)
{
	static const int counts[] = { 0, 4, 20, 400, 1024 };
	static const size_t sizes[] = { 256, 512, 1024, 16384, 65535 };
	json_t *fields = many_requests(1025);
	struct buf b = { 0 };

	cr_assert_eq(leaf_build(LEAF_ROWS_ERASED, noon, fields, &b, NULL), EXP_EFIELD);
	json_decref(fields);
	for (size_t i = 0; i < 5; i++) {
		struct leaf leaf;

		fields = many_requests(counts[i]);
		cr_assert_eq(leaf_build(LEAF_ROWS_ERASED, noon, fields, &b, NULL), 0);
		cr_assert_eq(b.size, sizes[i], "%d requests: %zu bytes", counts[i], b.size);
		cr_assert_eq(leaf_check(b.data, b.size, &leaf, NULL), 0);
		leaf_fini(&leaf);
		buf_fini(&b);
		b = (struct buf){ 0 };
		json_decref(fields);
	}
}

Test(leaf, a_leaf_above_the_limit_is_refused)
{
	json_t *fields =
	    json_pack("{s:s, s:[s], s:s, s:s, s:s, s:s, s:{s:i, s:i}, s:s}", "request", REQUEST, "subject", HASH,
		      "key_sha256", HASH, "status", "completed", "outcome", "erased", "verdict", "pass/by_construction",
		      "rows", "train", 1, "heldout", 0, "scope", "operator-originals-not-covered");
	json_t *models = json_array(), *entry = NULL;
	struct buf b = { 0 };

	cr_assert_eq(json_parse(ENTRY(""), strlen(ENTRY("")), &entry, NULL), 0);
	for (int i = 0; i < 300; i++)
		json_array_append(models, entry);
	json_object_set_new(fields, "models", models);
	cr_assert_eq(leaf_build(LEAF_REQUEST_COMPLETED, noon, fields, &b, NULL), EXP_ELIMIT);
	cr_assert_eq(b.size, 0);
	json_decref(entry);
	json_decref(fields);
}

/* Every way of writing the same leaf with other bytes. */
Test(leaf, foreign_bytes_must_be_ours_to_the_byte)
{
	struct buf b = { 0 };
	char *copy;
	struct leaf leaf;

	cr_assert_eq(build(LEAF_REQUEST_RECEIVED, received, &b, NULL), 0);
	copy = mem_format(" %s", b.data);
	cr_assert_eq(leaf_check(copy, b.size + 1, &leaf, NULL), EXP_EVERIFY);
	mem_free(copy);
	copy = mem_format("{\"pad\":\"%s", b.data + 9);
	cr_assert_eq(leaf_check(copy, b.size - 1 + 0, &leaf, NULL), EXP_EVERIFY, "one zero less");
	mem_free(copy);
	copy = mem_strdup(b.data);
	memcpy(strstr(copy, "\"pad\":\"0"), "\"pad\":\"1", 8);
	cr_assert_eq(leaf_check(copy, b.size, &leaf, NULL), EXP_EFIELD);
	mem_free(copy);
	for (size_t size = 0; size < b.size; size++)
		cr_assert_lt(leaf_check(b.data, size, &leaf, NULL), 0);
	cr_assert_eq(leaf_check("[]", 2, &leaf, NULL), EXP_EFIELD);
	cr_assert_eq(leaf_check("{\"type\":\"request.other\"}", 24, &leaf, NULL), EXP_EFIELD);
	buf_fini(&b);
}

Test(leaf, a_text_with_a_nul_inside_is_refused)
{
	json_t *fields = json_pack("{s:s#}", "request", REQUEST "\0x", 38);
	struct buf b = { 0 };

	cr_assert_eq(leaf_build(LEAF_KEY_DESTROYED, noon, fields, &b, NULL), EXP_EFIELD);
	json_decref(fields);
}

Test(leaf, names_and_types_are_each_others_inverse)
{
	enum leaf_type back;

	for (int type = 0; type < LEAF_TYPE_COUNT; type++) {
		cr_assert_eq(leaf_type_parse(leaf_type_name((enum leaf_type)type), &back), 0);
		cr_assert_eq((int)back, type);
	}
	cr_assert_eq(leaf_type_parse("request", &back), EXP_EINVAL);
}

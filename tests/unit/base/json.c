#include "base/json.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

struct person {
	char name[8];
	int64_t age;
	double weight;
	bool alive;
	int colour;
	char *note;
};

static const char *const colours[] = { "red", "green", NULL };

#define AT(member) offsetof(struct person, member)
static const struct json_field fields[] = {
	{ .name = "name", .kind = JSON_FIELD_TEXT, .required = true, .offset = AT(name), .size = 8 },
	{ .name = "age", .kind = JSON_FIELD_INT, .offset = AT(age), .min = 0, .max = 150 },
	{ .name = "weight", .kind = JSON_FIELD_NUMBER, .offset = AT(weight) },
	{ .name = "alive", .kind = JSON_FIELD_BOOL, .offset = AT(alive) },
	{ .name = "colour", .kind = JSON_FIELD_ENUM, .offset = AT(colour), .names = colours },
	{ .name = "note", .kind = JSON_FIELD_STRING, .offset = AT(note) },
};

static int fill(const char *text, struct person *p, struct exp_error *err)
{
	json_t *json = NULL;
	int rc = json_parse(text, strlen(text), &json, err);

	if (rc)
		return rc;
	rc = json_fill(json, "", fields, sizeof(fields) / sizeof(fields[0]), p, err);
	json_decref(json);
	return rc;
}

Test(json, fills_a_struct)
{
	struct person p = { .age = -1 };

	cr_assert_eq(fill("{\"name\":\"Ada\",\"weight\":61,\"alive\":true,\"colour\":\"green\",\"note\":\"x\"}", &p,
			  NULL),
		     0);
	cr_assert_str_eq(p.name, "Ada");
	cr_assert_eq(p.age, -1);
	cr_assert_float_eq(p.weight, 61, 0);
	cr_assert_eq(p.colour, 1);
	cr_assert_str_eq(p.note, "x");
	mem_free(p.note);
}

Test(json, names_the_field_at_fault)
{
	static const struct {
		const char *text, *pointer;
	} cases[] = {
		{ "{}", "/name" },
		{ "{\"name\":1}", "/name" },
		{ "{\"name\":\"longer than it\"}", "/name" },
		{ "{\"name\":\"a\\u0000b\"}", "/name" },
		{ "{\"name\":\"a\",\"age\":151}", "/age" },
		{ "{\"name\":\"a\",\"age\":1.5}", "/age" },
		{ "{\"name\":\"a\",\"colour\":\"blue\"}", "/colour" },
		{ "{\"name\":\"a\",\"extra\":0}", "/extra" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };
		struct person p = { 0 };

		cr_assert_lt(fill(cases[i].text, &p, &err), 0, "%s", cases[i].text);
		if (err.code == EXP_EFIELD)
			cr_assert_str_eq(err.pointer, cases[i].pointer);
	}
}

Test(json, parsing_is_strict)
{
	static const char *const bad[] = { "", "{", "{} x", "{\"a\":1,\"a\":2}", "[1,]", "{'a':1}", "\"\xff\"", "nul" };
	char deep[200];
	json_t *json;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(json_parse(bad[i], strlen(bad[i]), &json, NULL), EXP_EPARSE, "%s", bad[i]);
	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	cr_assert_eq(json_parse(deep, sizeof(deep), &json, NULL), EXP_EPARSE);
}

Test(json, canonical_form_sorts_and_refuses_reals)
{
	const char *text = "{ \"b\": [1, \"x\\/\\u00e9\"], \"a\": null }";
	struct buf out = { 0 };
	json_t *json = NULL;

	cr_assert_eq(json_parse(text, strlen(text), &json, NULL), 0);
	cr_assert_eq(json_canonical(json, &out, NULL), 0);
	cr_assert_str_eq(out.data, "{\"a\":null,\"b\":[1,\"x/\xc3\xa9\"]}");
	json_object_set_new(json, "c", json_real(1.5));
	cr_assert_eq(json_canonical(json, &out, NULL), EXP_EINVAL);
	json_decref(json);
	buf_fini(&out);
}

Test(json, a_nul_byte_is_no_end)
{
	json_t *json = NULL;

	cr_assert_eq(json_parse("123", 4, &json, NULL), EXP_EPARSE);
	cr_assert_eq(json_parse("123\0", 3, &json, NULL), 0);
	json_decref(json);
}

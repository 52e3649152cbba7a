#include "engine/recipe.h"

#include <criterion/criterion.h>
#include <string.h>

static int parse(const char *text, struct recipe *r, struct exp_error *err)
{
	json_t *json = NULL;
	int rc = json_parse(text, strlen(text), &json, err);

	cr_assert_eq(rc, 0, "%s", text);
	rc = recipe_from_json(json, "/recipe", r, err);
	json_decref(json);
	return rc;
}

#define REQUIRED "\"learning_rate\":0.1,\"epochs\":2,\"batch\":8"

Test(recipe, has_the_defaults_of_pytorch)
{
	struct recipe r;

	cr_assert_eq(parse("{\"optimizer\":\"adamw\"," REQUIRED "}", &r, NULL), 0);
	cr_assert(r.optimizer == RECIPE_ADAMW && r.initialization == RECIPE_PYTORCH_DEFAULT);
	cr_assert(r.learning_rate == 0.1 && r.epochs == 2 && r.batch == 8 && r.seed == 1);
	cr_assert(r.weight_decay == 0.01 && r.beta1 == 0.9 && r.beta2 == 0.999 && r.epsilon == 1e-8);
	cr_assert_eq(parse("{\"optimizer\":\"sgd\"," REQUIRED "}", &r, NULL), 0);
	cr_assert(r.optimizer == RECIPE_SGD && r.weight_decay == 0 && r.momentum == 0);
	cr_assert_eq(parse("{\"optimizer\":\"adamw\",\"weight_decay\":0," REQUIRED "}", &r, NULL), 0);
	cr_assert_eq(r.weight_decay, 0);
}

Test(recipe, survives_a_round_trip)
{
	struct recipe a, b;
	json_t *json, *again;

	cr_assert_eq(parse("{\"optimizer\":\"sgd\",\"momentum\":0.85,\"weight_decay\":5e-4,\"seed\":9007199254740991,"
			   "\"initialization\":\"file\",\"drop_last\":true," REQUIRED "}",
			   &a, NULL),
		     0);
	json = recipe_to_json(&a);
	cr_assert_eq(json_object_size(json), 12);
	cr_assert_eq(recipe_from_json(json, "", &b, NULL), 0);
	again = recipe_to_json(&b);
	cr_assert(b.drop_last && b.momentum == 0.85 && b.seed == 9007199254740991);
	cr_assert(json_equal(json, again));
	json_decref(json);
	json_decref(again);
}

/* Digests of recipes stand in audit logs: the text of one that uses nothing new must not change by a byte. */
Test(recipe, is_written_as_ever_when_it_uses_nothing_new)
{
	struct buf text = { 0 };
	struct recipe r;
	json_t *json;

	cr_assert_eq(
	    parse("{\"optimizer\":\"sgd\",\"decay\":\"all\",\"label_smoothing\":0,\"nesterov\":false,\"schedule\":{"
		  "\"kind\":\"constant\"}," REQUIRED "}",
		  &r, NULL),
	    0);
	json = recipe_to_json(&r);
	json_write(json, false, &text);
	cr_assert_str_eq(
	    text.data,
	    "{\"optimizer\":\"sgd\",\"learning_rate\":0.10000000000000001,\"epochs\":2,\"batch\":8,\"seed\":1,"
	    "\"weight_decay\":0.0,\"momentum\":0.0,\"beta1\":0.90000000000000002,"
	    "\"beta2\":0.999,\"epsilon\":1e-8,\"drop_last\":false,"
	    "\"initialization\":\"pytorch_default\"}");
	json_decref(json);
	buf_fini(&text);
}

Test(recipe, says_what_it_uses_beyond_that)
{
	static const char *const texts[] = {
		"{\"optimizer\":\"sgd\",\"momentum\":0.5,\"nesterov\":true,\"decay\":\"weights\",\"clip_norm\":"
		"2," REQUIRED "}",
		"{\"optimizer\":\"adam\",\"clip_value\":0.5,\"label_smoothing\":0.25," REQUIRED "}",
		"{\"optimizer\":\"sgd\",\"nesterov\":true,\"schedule\":{\"kind\":\"one_cycle\"}," REQUIRED "}",
		"{\"optimizer\":\"adam\",\"schedule\":{\"kind\":\"constant\",\"warmup\":3}," REQUIRED "}",
		"{\"optimizer\":\"adam\",\"start\":[{\"parameters\":\"a\",\"normal\":1},{\"parameters\":\"b\","
		"\"uniform\":2},{"
		"\"parameters\":\"c\",\"constant\":-3}]," REQUIRED "}",
	};
	static const size_t more[] = { 3, 2, 2, 1, 1 };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct recipe a, b;
		json_t *json, *again;

		cr_assert_eq(parse(texts[i], &a, NULL), 0, "%s", texts[i]);
		json = recipe_to_json(&a);
		cr_assert_eq(json_object_size(json), 12 + more[i], "%s", texts[i]);
		cr_assert_eq(recipe_from_json(json, "", &b, NULL), 0);
		again = recipe_to_json(&b);
		cr_assert(json_equal(json, again));
		json_decref(json);
		json_decref(again);
	}
}

Test(recipe, the_first_rule_that_matches_counts)
{
	struct recipe r;

	cr_assert_eq(parse("{\"optimizer\":\"sgd\",\"start\":[{\"parameters\":\"*.embedding.*\",\"normal\":0.5},{"
			   "\"parameters\":\"*."
			   "weight\",\"uniform\":2},{\"parameters\":\"cls\",\"constant\":-3}]," REQUIRED "}",
			   &r, NULL),
		     0);
	cr_assert_eq(recipe_find_start(&r, "text.embedding.weight"), &r.starts[0]);
	cr_assert_eq(recipe_find_start(&r, "fc.weight"), &r.starts[1]);
	cr_assert_eq(recipe_find_start(&r, "cls")->size, -3);
	cr_assert_eq(recipe_find_start(&r, "cls")->distribution, RECIPE_VALUE);
	cr_assert_null(recipe_find_start(&r, "clss"));
}

Test(recipe, names_the_field_at_fault)
{
	static const struct {
		const char *text, *pointer;
	} cases[] = {
		{ "{" REQUIRED "}", "/recipe/optimizer" },
		{ "{\"optimizer\":\"lion\"," REQUIRED "}", "/recipe/optimizer" },
		{ "{\"optimizer\":\"sgd\",\"epochs\":1,\"batch\":1}", "/recipe/learning_rate" },
		{ "{\"optimizer\":\"sgd\",\"learning_rate\":0,\"epochs\":1,\"batch\":1}", "/recipe/learning_rate" },
		{ "{\"optimizer\":\"sgd\",\"learning_rate\":1,\"epochs\":0,\"batch\":1}", "/recipe/epochs" },
		{ "{\"optimizer\":\"sgd\",\"learning_rate\":1,\"epochs\":1,\"batch\":0}", "/recipe/batch" },
		{ "{\"optimizer\":\"sgd\",\"learning_rate\":1,\"epochs\":1,\"batch\":1.5}", "/recipe/batch" },
		{ "{\"optimizer\":\"sgd\",\"momentum\":1," REQUIRED "}", "/recipe/momentum" },
		{ "{\"optimizer\":\"sgd\",\"seed\":-1," REQUIRED "}", "/recipe/seed" },
		{ "{\"optimizer\":\"sgd\",\"lr\":1," REQUIRED "}", "/recipe/lr" },
		{ "{\"optimizer\":\"sgd\",\"nesterov\":1," REQUIRED "}", "/recipe/nesterov" },
		{ "{\"optimizer\":\"sgd\",\"nesterov\":true," REQUIRED "}", "/recipe/nesterov" },
		{ "{\"optimizer\":\"adam\",\"momentum\":0.9,\"nesterov\":true," REQUIRED "}", "/recipe/nesterov" },
		{ "{\"optimizer\":\"sgd\",\"decay\":\"biases\"," REQUIRED "}", "/recipe/decay" },
		{ "{\"optimizer\":\"sgd\",\"clip_norm\":0," REQUIRED "}", "/recipe/clip_norm" },
		{ "{\"optimizer\":\"sgd\",\"clip_value\":-1," REQUIRED "}", "/recipe/clip_value" },
		{ "{\"optimizer\":\"sgd\",\"clip_value\":1,\"clip_norm\":1," REQUIRED "}", "/recipe/clip_value" },
		{ "{\"optimizer\":\"sgd\",\"label_smoothing\":1.1," REQUIRED "}", "/recipe/label_smoothing" },
		{ "{\"optimizer\":\"sgd\",\"start\":{}," REQUIRED "}", "/recipe/start" },
		{ "{\"optimizer\":\"sgd\",\"start\":[{\"normal\":1}]," REQUIRED "}", "/recipe/start/0/parameters" },
		{ "{\"optimizer\":\"sgd\",\"start\":[{\"parameters\":\"*\"}]," REQUIRED "}", "/recipe/start/0" },
		{ "{\"optimizer\":\"sgd\",\"start\":[{\"parameters\":\"*\",\"normal\":1,\"constant\":0}]," REQUIRED "}",
		  "/recipe/start/0" },
		{ "{\"optimizer\":\"sgd\",\"start\":[{\"parameters\":\"a\",\"normal\":1},{\"parameters\":\"b\","
		  "\"uniform\":-1}]," REQUIRED "}",
		  "/recipe/start/1/uniform" },
		{ "{\"optimizer\":\"sgd\",\"schedule\":\"cosine\"," REQUIRED "}", "/recipe/schedule" },
		{ "{\"optimizer\":\"sgd\",\"schedule\":{\"kind\":\"step\"}," REQUIRED "}",
		  "/recipe/schedule/step_size" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };
		struct recipe r;

		cr_assert_eq(parse(cases[i].text, &r, &err), EXP_EFIELD, "%s", cases[i].text);
		cr_assert_str_eq(err.pointer, cases[i].pointer, "%s", cases[i].text);
	}
}

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

Test(recipe, names_the_field_at_fault)
{
	static const struct {
		const char *text, *pointer;
	} cases[] = {
		{ "{" REQUIRED "}", "/recipe/optimizer" },
		{ "{\"optimizer\":\"adam\"," REQUIRED "}", "/recipe/optimizer" },
		{ "{\"optimizer\":\"sgd\",\"epochs\":1,\"batch\":1}", "/recipe/learning_rate" },
		{ "{\"optimizer\":\"sgd\",\"learning_rate\":0,\"epochs\":1,\"batch\":1}", "/recipe/learning_rate" },
		{ "{\"optimizer\":\"sgd\",\"learning_rate\":1,\"epochs\":0,\"batch\":1}", "/recipe/epochs" },
		{ "{\"optimizer\":\"sgd\",\"learning_rate\":1,\"epochs\":1,\"batch\":0}", "/recipe/batch" },
		{ "{\"optimizer\":\"sgd\",\"learning_rate\":1,\"epochs\":1,\"batch\":1.5}", "/recipe/batch" },
		{ "{\"optimizer\":\"sgd\",\"momentum\":1," REQUIRED "}", "/recipe/momentum" },
		{ "{\"optimizer\":\"sgd\",\"seed\":-1," REQUIRED "}", "/recipe/seed" },
		{ "{\"optimizer\":\"sgd\",\"lr\":1," REQUIRED "}", "/recipe/lr" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exp_error err = { 0 };
		struct recipe r;

		cr_assert_eq(parse(cases[i].text, &r, &err), EXP_EFIELD, "%s", cases[i].text);
		cr_assert_str_eq(err.pointer, cases[i].pointer, "%s", cases[i].text);
	}
}

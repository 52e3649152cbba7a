#include "engine/recipe.h"

#include <stddef.h>

#include "base/file.h"

enum { FILE_LIMIT = 1 << 16 };

static const char *const optimizers[] = { [RECIPE_SGD] = "sgd", [RECIPE_ADAMW] = "adamw", NULL };
static const char *const initializations[] = {
	[RECIPE_PYTORCH_DEFAULT] = "pytorch_default", [RECIPE_FILE] = "file", NULL
};

/* Seeds stay below 2^53 so that any JSON reader keeps them exactly. */
#define SEED_MAX     9007199254740992.0
#define JUST_BELOW_1 0.9999999999
#define AT(member)   .offset = offsetof(struct recipe, member)

static const struct json_field fields[] = {
	{ "optimizer", JSON_FIELD_ENUM, true, AT(optimizer), .names = optimizers },
	{ "learning_rate", JSON_FIELD_NUMBER, true, AT(learning_rate), .min = 1e-12, .max = 1e3 },
	{ "epochs", JSON_FIELD_INT, true, AT(epochs), .min = 1, .max = 1e6 },
	{ "batch", JSON_FIELD_INT, true, AT(batch), .min = 1, .max = 65536 },
	{ "seed", JSON_FIELD_INT, false, AT(seed), .min = 0, .max = SEED_MAX },
	{ "weight_decay", JSON_FIELD_NUMBER, false, AT(weight_decay), .min = 0, .max = 1e3 },
	{ "momentum", JSON_FIELD_NUMBER, false, AT(momentum), .min = 0, .max = JUST_BELOW_1 },
	{ "beta1", JSON_FIELD_NUMBER, false, AT(beta1), .min = 0, .max = JUST_BELOW_1 },
	{ "beta2", JSON_FIELD_NUMBER, false, AT(beta2), .min = 0, .max = JUST_BELOW_1 },
	{ "epsilon", JSON_FIELD_NUMBER, false, AT(epsilon), .min = 1e-30, .max = 1 },
	{ "drop_last", JSON_FIELD_BOOL, false, AT(drop_last) },
	{ "initialization", JSON_FIELD_ENUM, false, AT(initialization), .names = initializations },
};

int recipe_from_json(const json_t *json, const char *base, struct recipe *out, struct exp_error *err)
{
	struct recipe r = { .weight_decay = -1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .seed = 1 };
	int rc = json_fill(json, base, fields, sizeof(fields) / sizeof(fields[0]), &r, err);

	if (rc)
		return rc;
	if (r.weight_decay < 0)
		r.weight_decay = r.optimizer == RECIPE_ADAMW ? 0.01 : 0;
	*out = r;
	return 0;
}

int recipe_load_file(const char *path, struct recipe *out, struct exp_error *err)
{
	struct buf text = { 0 };
	json_t *json = NULL;
	int rc = file_read(path, FILE_LIMIT, &text, err);

	if (rc)
		return rc;
	rc = json_parse(text.data ? text.data : "", text.size, &json, err);
	if (!rc)
		rc = recipe_from_json(json, "", out, err);
	if (rc)
		rc = error_wrap(err, rc, "%s", path);
	json_decref(json);
	buf_fini(&text);
	return rc;
}

json_t *recipe_to_json(const struct recipe *r)
{
	return json_pack("{s:s, s:f, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:b, s:s}", "optimizer",
			 optimizers[r->optimizer], "learning_rate", r->learning_rate, "epochs", (json_int_t)r->epochs,
			 "batch", (json_int_t)r->batch, "seed", (json_int_t)r->seed, "weight_decay", r->weight_decay,
			 "momentum", r->momentum, "beta1", r->beta1, "beta2", r->beta2, "epsilon", r->epsilon,
			 "drop_last", r->drop_last, "initialization", initializations[r->initialization]);
}

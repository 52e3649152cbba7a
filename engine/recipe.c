#include "engine/recipe.h"

#include <fnmatch.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/file.h"

enum { FILE_LIMIT = 1 << 16, POINTER = 96 };

static const char *const optimizers[] = {
	[RECIPE_SGD] = "sgd", [RECIPE_ADAMW] = "adamw", [RECIPE_ADAM] = "adam", NULL
};
static const char *const initializations[] = {
	[RECIPE_PYTORCH_DEFAULT] = "pytorch_default", [RECIPE_FILE] = "file", NULL
};
static const char *const decays[] = { [RECIPE_DECAY_ALL] = "all", [RECIPE_DECAY_WEIGHTS] = "weights", NULL };

/* A recipe as it is read: the schedule is filled by its own table. */
struct draft {
	struct recipe recipe; /* first, so that offsets agree */
	json_t *schedule, *start;
};

/* One rule of start; a distribution that is not named stays NAN. */
struct start_draft {
	char parameters[sizeof(((struct recipe_start *)0)->parameters)];
	double sizes[3]; /* by enum recipe_distribution */
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
	{ "nesterov", JSON_FIELD_BOOL, false, AT(nesterov) },
	{ "decay", JSON_FIELD_ENUM, false, AT(decay), .names = decays },
	{ "clip_norm", JSON_FIELD_NUMBER, false, AT(clip_norm), .min = 1e-12, .max = 1e12 },
	{ "clip_value", JSON_FIELD_NUMBER, false, AT(clip_value), .min = 1e-12, .max = 1e12 },
	{ "label_smoothing", JSON_FIELD_NUMBER, false, AT(label_smoothing), .min = 0, .max = 1 },
	{ "schedule", JSON_FIELD_OBJECT, false, .offset = offsetof(struct draft, schedule) },
	{ "start", JSON_FIELD_ARRAY, false, .offset = offsetof(struct draft, start) },
};

#define SIZE_OF(distribution) .offset = offsetof(struct start_draft, sizes) + (distribution) * sizeof(double)

static const struct json_field start_fields[] = {
	{ "parameters", JSON_FIELD_TEXT, true, .offset = offsetof(struct start_draft, parameters),
	  .size = sizeof(((struct start_draft *)0)->parameters) },
	{ "normal", JSON_FIELD_NUMBER, false, SIZE_OF(RECIPE_NORMAL), .min = 0, .max = 1e6 },
	{ "uniform", JSON_FIELD_NUMBER, false, SIZE_OF(RECIPE_UNIFORM), .min = 0, .max = 1e6 },
	{ "constant", JSON_FIELD_NUMBER, false, SIZE_OF(RECIPE_VALUE), .min = -1e6, .max = 1e6 },
};
static const char *const distributions[] = {
	[RECIPE_NORMAL] = "normal", [RECIPE_UNIFORM] = "uniform", [RECIPE_VALUE] = "constant"
};

static int fault(const char *base, const char *name, const char *what, struct exp_error *err)
{
	char pointer[POINTER];

	snprintf(pointer, sizeof(pointer), "%s/%s", base, name);
	return error_set_field(err, EXP_EFIELD, pointer, "%s %s", pointer, what);
}

/* What no single field can tell. */
static int check(const struct recipe *r, const char *base, struct exp_error *err)
{
	bool is_cycled = r->schedule.kind == SCHEDULE_ONE_CYCLE && r->schedule.cycle_momentum;

	if (r->nesterov && r->optimizer != RECIPE_SGD)
		return fault(base, "nesterov", "is for sgd only", err);
	if (r->nesterov && r->momentum == 0 && !is_cycled)
		return fault(base, "nesterov", "needs a momentum above 0", err);
	if (r->clip_norm > 0 && r->clip_value > 0)
		return fault(base, "clip_value", "and clip_norm exclude each other", err);
	return 0;
}

static int read_start(const json_t *json, const char *base, struct recipe_start *out, struct exp_error *err)
{
	struct start_draft d = { .sizes = { NAN, NAN, NAN } };
	size_t named = 0;
	int rc = json_fill(json, base, start_fields, sizeof(start_fields) / sizeof(start_fields[0]), &d, err);

	if (rc)
		return rc;
	snprintf(out->parameters, sizeof(out->parameters), "%s", d.parameters);
	for (int k = RECIPE_NORMAL; k <= RECIPE_VALUE; k++) {
		if (isnan(d.sizes[k]))
			continue;
		out->distribution = k;
		out->size = d.sizes[k];
		named++;
	}
	if (named != 1)
		return error_set_field(err, EXP_EFIELD, base, "%s needs one of normal, uniform and constant", base);
	return 0;
}

static int read_starts(const json_t *array, const char *base, struct recipe *r, struct exp_error *err)
{
	json_t *item;
	size_t i;

	if (json_array_size(array) > RECIPE_STARTS)
		return fault(base, "start", "has more than 16 rules", err);
	json_array_foreach((json_t *)array, i, item) {
		char pointer[POINTER];
		int rc;

		snprintf(pointer, sizeof(pointer), "%s/start/%zu", base, i);
		rc = read_start(item, pointer, &r->starts[i], err);
		if (rc)
			return rc;
	}
	r->start_count = (int64_t)json_array_size(array);
	return 0;
}

const struct recipe_start *recipe_find_start(const struct recipe *r, const char *parameter)
{
	for (int64_t i = 0; i < r->start_count; i++)
		if (fnmatch(r->starts[i].parameters, parameter, 0) == 0)
			return &r->starts[i];
	return NULL;
}

int recipe_from_json(const json_t *json, const char *base, struct recipe *out, struct exp_error *err)
{
	struct draft d = { .recipe = { .weight_decay = -1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .seed = 1 } };
	int rc = json_fill(json, base, fields, sizeof(fields) / sizeof(fields[0]), &d, err);

	if (!rc && d.schedule) {
		char pointer[POINTER];

		snprintf(pointer, sizeof(pointer), "%s/schedule", base);
		rc = schedule_from_json(d.schedule, pointer, &d.recipe.schedule, err);
	}
	if (!rc && d.start)
		rc = read_starts(d.start, base, &d.recipe, err);
	if (!rc)
		rc = check(&d.recipe, base, err);
	if (rc)
		return rc;
	if (d.recipe.weight_decay < 0)
		d.recipe.weight_decay = d.recipe.optimizer == RECIPE_ADAMW ? 0.01 : 0;
	*out = d.recipe;
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

static json_t *write_starts(const struct recipe *r)
{
	json_t *array = json_array();

	for (int64_t i = 0; i < r->start_count; i++)
		json_array_append_new(array, json_pack("{s:s, s:f}", "parameters", r->starts[i].parameters,
						       distributions[r->starts[i].distribution], r->starts[i].size));
	return array;
}

static void add_later_fields(const struct recipe *r, json_t *json)
{
	if (r->nesterov)
		json_object_set_new(json, "nesterov", json_true());
	if (r->decay != RECIPE_DECAY_ALL)
		json_object_set_new(json, "decay", json_string(decays[r->decay]));
	if (r->clip_norm > 0)
		json_object_set_new(json, "clip_norm", json_real(r->clip_norm));
	if (r->clip_value > 0)
		json_object_set_new(json, "clip_value", json_real(r->clip_value));
	if (r->label_smoothing > 0)
		json_object_set_new(json, "label_smoothing", json_real(r->label_smoothing));
	if (r->schedule.kind != SCHEDULE_CONSTANT || r->schedule.warmup)
		json_object_set_new(json, "schedule", schedule_to_json(&r->schedule));
	if (r->start_count)
		json_object_set_new(json, "start", write_starts(r));
}

json_t *recipe_to_json(const struct recipe *r)
{
	json_t *json =
	    json_pack("{s:s, s:f, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:b, s:s}", "optimizer",
		      optimizers[r->optimizer], "learning_rate", r->learning_rate, "epochs", (json_int_t)r->epochs,
		      "batch", (json_int_t)r->batch, "seed", (json_int_t)r->seed, "weight_decay", r->weight_decay,
		      "momentum", r->momentum, "beta1", r->beta1, "beta2", r->beta2, "epsilon", r->epsilon, "drop_last",
		      r->drop_last, "initialization", initializations[r->initialization]);

	add_later_fields(r, json);
	return json;
}

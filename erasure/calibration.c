/* struct calibration as JSON. What is not known is absent. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "erasure/calibrate.h"

/* The struct's plain numbers under JSON's types. */
struct parts {
	bool has_recipe, exchangeable;
	double retrain_seconds, negative_control, positive_control;
	int64_t references, heldout_subjects, train_rows, heldout_rows, control_subjects;
	char capped[160];
	json_t *served, *band, *heldout_z;
};

#define PART(name, kind, required)                                                                                     \
	{                                                                                                              \
#name, kind, required, offsetof(struct parts, name), 0, 0, 0, NULL                                     \
	}

static const struct json_field fields[] = {
	PART(has_recipe, JSON_FIELD_BOOL, true),
	PART(exchangeable, JSON_FIELD_BOOL, true),
	PART(retrain_seconds, JSON_FIELD_NUMBER, true),
	PART(negative_control, JSON_FIELD_NUMBER, false),
	PART(positive_control, JSON_FIELD_NUMBER, false),
	PART(references, JSON_FIELD_INT, true),
	PART(heldout_subjects, JSON_FIELD_INT, true),
	PART(train_rows, JSON_FIELD_INT, true),
	PART(heldout_rows, JSON_FIELD_INT, true),
	PART(control_subjects, JSON_FIELD_INT, true),
	{ "capped", JSON_FIELD_TEXT, true, offsetof(struct parts, capped), 160, 0, 0, NULL },
	PART(served, JSON_FIELD_OBJECT, true),
	PART(band, JSON_FIELD_OBJECT, false),
	PART(heldout_z, JSON_FIELD_OBJECT, true),
};

static void set_known(json_t *object, const char *name, double value)
{
	if (!isnan(value))
		json_object_set_new(object, name, json_real(value));
}

json_t *calibration_to_json(const struct calibration *c)
{
	json_t *z = json_object();
	json_t *object =
	    json_pack("{s:b, s:b, s:f, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o}", "has_recipe", c->has_recipe,
		      "exchangeable", c->exchangeable, "retrain_seconds", c->retrain_seconds, "references",
		      (json_int_t)c->references, "heldout_subjects", (json_int_t)c->heldout_subjects, "train_rows",
		      (json_int_t)c->train_rows, "heldout_rows", (json_int_t)c->heldout_rows, "control_subjects",
		      (json_int_t)c->control_subjects, "capped", c->capped, "served", behaviour_to_json(&c->served),
		      "heldout_z", z);

	for (size_t s = 0; s < STATISTICS; s++)
		set_known(z, statistic_names[s], c->heldout_z[s]);
	set_known(object, "negative_control", c->negative_control);
	set_known(object, "positive_control", c->positive_control);
	if (c->band.models)
		json_object_set_new(object, "band", band_to_json(&c->band));
	return object;
}

static int read_z(const json_t *object, double z[STATISTICS], struct exp_error *err)
{
	struct json_field each[STATISTICS];

	for (size_t s = 0; s < STATISTICS; s++) {
		z[s] = NAN;
		each[s] = (struct json_field){ .name = statistic_names[s],
					       .kind = JSON_FIELD_NUMBER,
					       .offset = s * sizeof(double) };
	}
	return json_fill(object, "/heldout_z", each, STATISTICS, z, err);
}

static void copy_parts(const struct parts *p, struct calibration *c)
{
	c->has_recipe = p->has_recipe;
	c->exchangeable = p->exchangeable;
	c->retrain_seconds = p->retrain_seconds;
	c->negative_control = p->negative_control;
	c->positive_control = p->positive_control;
	c->references = (size_t)p->references;
	c->heldout_subjects = (size_t)p->heldout_subjects;
	c->train_rows = (size_t)p->train_rows;
	c->heldout_rows = (size_t)p->heldout_rows;
	c->control_subjects = (size_t)p->control_subjects;
	snprintf(c->capped, sizeof(c->capped), "%s", p->capped);
}

int calibration_from_json(const json_t *json, struct calibration *out, struct exp_error *err)
{
	struct parts parts = { .negative_control = NAN, .positive_control = NAN };
	struct calibration c = { 0 };
	int rc = json_fill(json, "", fields, sizeof(fields) / sizeof(fields[0]), &parts, err);

	if (!rc)
		rc = behaviour_from_json(parts.served, "/served", &c.served, err);
	if (!rc && parts.band)
		rc = band_from_json(parts.band, "/band", &c.band, err);
	if (!rc)
		rc = read_z(parts.heldout_z, c.heldout_z, err);
	if (rc)
		return rc;
	copy_parts(&parts, &c);
	*out = c;
	return 0;
}

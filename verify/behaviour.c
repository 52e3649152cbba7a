#include "verify/behaviour.h"

#include <math.h>

#include "base/mem.h"
#include "engine/evaluate.h"

int predictions_of(struct session *s, const struct params *p, const struct source *source, struct row_list rows,
		   struct predictions *out, struct exp_error *err)
{
	struct predictions made = { .count = rows.count };
	struct evaluation wanted = { 0 };
	struct source_subset subset;
	int rc;

	made.classes = mem_try_alloc(rows.count, sizeof(*made.classes));
	made.labels = mem_try_alloc(rows.count, sizeof(*made.labels));
	made.losses = mem_try_alloc(rows.count, sizeof(*made.losses));
	wanted.predictions = made.classes;
	wanted.labels = made.labels;
	wanted.losses = made.losses;
	source_subset_init(&subset, source, rows.index, rows.count);
	if (made.classes && made.labels && made.losses)
		rc = evaluate(s, p, &subset.source, &wanted, err);
	else
		rc = error_set(err, EXP_EMEMORY, "no memory for the predictions of %zu rows", rows.count);
	if (rc)
		predictions_fini(&made);
	else
		*out = made;
	return rc;
}

void predictions_fini(struct predictions *p)
{
	mem_free(p->classes);
	mem_free(p->labels);
	mem_free(p->losses);
	*p = (struct predictions){ 0 };
}

double predictions_accuracy(const struct predictions *p)
{
	size_t right = 0;

	for (size_t i = 0; i < p->count; i++)
		right += p->classes[i] == p->labels[i];
	return p->count ? (double)right / (double)p->count : 0;
}

double predictions_loss(const struct predictions *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->count; i++)
		sum += (double)p->losses[i];
	return p->count ? sum / (double)p->count : 0;
}

double predictions_churn(const struct predictions *a, const struct predictions *b)
{
	size_t changed = 0;

	for (size_t i = 0; i < a->count; i++)
		changed += a->classes[i] != b->classes[i];
	return a->count ? (double)changed / (double)a->count : 0;
}

struct behaviour behaviour_of(const struct predictions *trained, const struct predictions *before,
			      const struct predictions *heldout)
{
	return (struct behaviour){
		.accuracy = predictions_accuracy(trained),
		.loss = predictions_loss(trained),
		.churn = predictions_churn(trained, before),
		.heldout_accuracy = predictions_accuracy(heldout),
		.heldout_loss = predictions_loss(heldout),
	};
}

enum { NUMBERS = 5 };

static const struct json_field number_fields[NUMBERS] = {
	{ "accuracy", JSON_FIELD_NUMBER, true, offsetof(struct behaviour, accuracy), 0, 0, 1, NULL },
	{ "loss", JSON_FIELD_NUMBER, true, offsetof(struct behaviour, loss), 0, 0, 1e300, NULL },
	{ "churn", JSON_FIELD_NUMBER, true, offsetof(struct behaviour, churn), 0, 0, 1, NULL },
	{ "heldout_accuracy", JSON_FIELD_NUMBER, true, offsetof(struct behaviour, heldout_accuracy), 0, 0, 1, NULL },
	{ "heldout_loss", JSON_FIELD_NUMBER, true, offsetof(struct behaviour, heldout_loss), 0, 0, 1e300, NULL },
};

static double *number(struct behaviour *b, size_t i)
{
	return (double *)((char *)b + number_fields[i].offset);
}

void band_add(struct band *band, const struct behaviour *b)
{
	struct behaviour one = *b;

	for (size_t i = 0; i < NUMBERS; i++) {
		double *low = number(&band->low, i), *high = number(&band->high, i), value = *number(&one, i);

		*low = band->models ? fmin(*low, value) : value;
		*high = band->models ? fmax(*high, value) : value;
	}
	band->models++;
}

json_t *behaviour_to_json(const struct behaviour *b)
{
	struct behaviour one = *b;
	json_t *object = json_object();

	for (size_t i = 0; i < NUMBERS; i++)
		json_object_set_new(object, number_fields[i].name, json_real(*number(&one, i)));
	return object;
}

int behaviour_from_json(const json_t *json, const char *base, struct behaviour *out, struct exp_error *err)
{
	return json_fill(json, base, number_fields, NUMBERS, out, err);
}

json_t *band_to_json(const struct band *b)
{
	return json_pack("{s:o, s:o, s:I}", "low", behaviour_to_json(&b->low), "high", behaviour_to_json(&b->high),
			 "models", (json_int_t)b->models);
}

struct band_parts {
	json_t *low, *high;
	int64_t models;
};

int band_from_json(const json_t *json, const char *base, struct band *out, struct exp_error *err)
{
	static const struct json_field fields[] = {
		{ "low", JSON_FIELD_OBJECT, true, offsetof(struct band_parts, low), 0, 0, 0, NULL },
		{ "high", JSON_FIELD_OBJECT, true, offsetof(struct band_parts, high), 0, 0, 0, NULL },
		{ "models", JSON_FIELD_INT, true, offsetof(struct band_parts, models), 0, 0, 1e9, NULL },
	};
	struct band_parts parts = { 0 };
	struct band made = { 0 };
	int rc = json_fill(json, base, fields, sizeof(fields) / sizeof(fields[0]), &parts, err);

	if (!rc)
		rc = behaviour_from_json(parts.low, base, &made.low, err);
	if (!rc)
		rc = behaviour_from_json(parts.high, base, &made.high, err);
	if (rc)
		return rc;
	made.models = (size_t)parts.models;
	*out = made;
	return 0;
}

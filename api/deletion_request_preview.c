#include <string.h>

#include "api/api_internal.h"
#include "api/render.h"
#include "api/subject_claim.h"
#include "base/clock.h"
#include "storage/dataset_rows.h"
#include "storage/models.h"

struct preview {
	struct subject_claim claim;
	json_t *datasets; /* name → {train, heldout} */
};

static void state_free(void *state)
{
	json_decref(((struct preview *)state)->datasets);
	sodium_memzero(state, sizeof(struct preview));
}

static void add_to(json_t *counts, const char *field, int64_t n)
{
	json_object_set_new(counts, field, json_integer(json_integer_value(json_object_get(counts, field)) + n));
}

static void add_counts(json_t *datasets, const struct row_counts *c)
{
	json_t *counts = json_object_get(datasets, c->dataset);

	if (!counts) {
		counts = json_object();
		json_object_set_new(datasets, c->dataset, counts);
	}
	add_to(counts, "train", c->train);
	add_to(counts, "heldout", c->heldout);
}

static int count_subject(struct db *db, const uint8_t lookup[DIGEST_SIZE], json_t *datasets, struct exp_error *err)
{
	struct row_counts_list list;
	int64_t subject;
	int rc = subjects_find(db, lookup, &subject, err);

	if (rc == EXP_ENOTFOUND)
		return 0;
	if (!rc)
		rc = dataset_rows_count(db, subject, &list, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++)
		add_counts(datasets, &list.items[i]);
	row_counts_list_fini(&list);
	return 0;
}

struct totals {
	json_t *models;
	double seconds;
	bool is_measured; /* every model's retraining was */
};

static int add_models(struct db *db, const char *dataset, json_t *counts, struct totals *t, struct exp_error *err)
{
	struct stored_model_list list;
	int rc = models_list(db, dataset, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < list.count; i++) {
		const struct stored_model *m = &list.items[i];

		if (m->state == MODEL_FAILED)
			continue;
		json_array_append_new(t->models,
				      json_pack("{s:s, s:s, s:O, s:O, s:o}", "model", m->name, "dataset", dataset,
						"train", json_object_get(counts, "train"), "heldout",
						json_object_get(counts, "heldout"), "estimated_seconds",
						m->retrain_seconds > 0 ? json_real(m->retrain_seconds) : json_null()));
		t->seconds += m->retrain_seconds;
		t->is_measured = t->is_measured && m->retrain_seconds > 0;
	}
	stored_model_list_fini(&list);
	return 0;
}

static json_t *render(const json_t *datasets, const struct totals *t)
{
	json_t *list = json_array(), *counts;
	json_int_t train = 0, heldout = 0;
	const char *name;

	json_object_foreach((json_t *)datasets, name, counts) {
		json_t *item = json_pack("{s:s}", "dataset", name);

		json_object_update(item, counts);
		json_array_append_new(list, item);
		train += json_integer_value(json_object_get(counts, "train"));
		heldout += json_integer_value(json_object_get(counts, "heldout"));
	}
	return json_pack("{s:{s:I, s:I, s:o}, s:O, s:o}", "matched", "train", train, "heldout", heldout, "datasets",
			 list, "models", t->models, "estimated_seconds",
			 t->is_measured ? json_real(t->seconds) : json_null());
}

static int build(struct call *c, struct db *db, json_t **out, struct exp_error *err)
{
	struct preview *p = c->state;
	struct totals t = { .models = json_array(), .is_measured = true };
	const char *name;
	json_t *counts;
	int rc = 0;

	p->datasets = json_object();
	for (size_t i = 0; !rc && i < p->claim.count; i++)
		rc = count_subject(db, p->claim.lookup[i], p->datasets, err);
	json_object_foreach(p->datasets, name, counts)
		if (!rc)
			rc = add_models(db, name, counts, &t, err);
	if (!rc)
		*out = render(p->datasets, &t);
	json_decref(t.models);
	return rc;
}

int api_deletion_request_preview(struct call *c, struct exp_error *err)
{
	struct preview *p = call_state_new(c, sizeof(*p), state_free);
	const uint8_t unused[DIGEST_KEY_SIZE] = { 0 };
	struct claim_keys keys = { c->api->lookup_key, unused };
	json_t *json;
	int rc = subject_claim_parse(c->json, &keys, clock_now_ms(), &p->claim, err);

	if (!rc)
		rc = render_read(c, build, &json, err);
	if (!rc)
		reply_json(c, 200, json);
	return rc;
}

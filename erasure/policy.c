#include "erasure/policy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "erasure/sweep.h"
#include "verify/fold.h"

/* The policy and the parts of its JSON that are not plain numbers. The policy comes first: offsets are the same. */
struct draft {
	struct policy policy;
	json_t *ladder, *statistics;
};

#define FIELD(name, kind, member, low, high)                                                                           \
	{                                                                                                              \
		name, kind, false, offsetof(struct policy, member), 0, low, high, NULL                                 \
	}
#define NUMBER(name, member, low, high) FIELD(name, JSON_FIELD_NUMBER, member, low, high)
#define COUNT(name, member, low, high)  FIELD(name, JSON_FIELD_INT, member, low, high)
#define FLAG(name, member)              FIELD(name, JSON_FIELD_BOOL, member, 0, 0)

static const struct json_field fields[] = {
	{ "name", JSON_FIELD_TEXT, false, offsetof(struct policy, name), POLICY_NAME, 0, 0, NULL },
	COUNT("version", version, 1, 1e9),
	{ "ladder", JSON_FIELD_ARRAY, false, offsetof(struct draft, ladder), 0, 0, 0, NULL },
	NUMBER("retrain_first_below_s", retrain_first_below_s, 0, 1e9),
	NUMBER("alpha", alpha, 0.000001, 0.5),
	NUMBER("min_power", min_power, 0, 1),
	NUMBER("min_pass_p", min_pass_p, 0, 0.9),
	COUNT("min_heldout", min_heldout, 1, 1e6),
	COUNT("pseudo_subjects", pseudo_subjects, 1, 10000),
	COUNT("rounds", rounds, 3, 1000),
	COUNT("folds", folds, 2, FOLD_MAX),
	{ "statistics", JSON_FIELD_ARRAY, false, offsetof(struct draft, statistics), 0, 0, 0, NULL },
	{ "search_statistic", JSON_FIELD_ENUM, false, offsetof(struct policy, search_statistic), 0, 0, 0,
	  statistic_names },
	COUNT("neighbours", neighbours, 1, 1000),
	NUMBER("neighbour_spread", neighbour_spread, 0.000001, 100),
	NUMBER("finetune_epochs", finetune_epochs, 0.000001, 1000),
	COUNT("fidelity_models", fidelity_models, 1, 100),
	NUMBER("fidelity_accuracy_margin", fidelity.accuracy_margin, 0, 1),
	NUMBER("fidelity_loss_ratio", fidelity.loss_ratio, 1, 1000),
	NUMBER("fidelity_heldout_z", fidelity.heldout_z, 0, 1000),
	NUMBER("retained_margin", utility.retained_margin, 0, 1),
	NUMBER("loss_margin", utility.loss_margin, 0, 1000),
	NUMBER("heldout_margin", utility.heldout_margin, 0, 1),
	NUMBER("class_margin", utility.class_margin, 0, 1),
	NUMBER("guard_margin", utility.guard_margin, 0, 1),
	COUNT("guard_rows", guard_rows, 1, 1e9),
	COUNT("sweep_points", sweep_points, 1, SWEEP_MAX_POINTS),
	COUNT("refresh_rows", refresh_rows, 1, 1e9),
	NUMBER("evidence_window_s", evidence_window_s, 0, 1e9),
	NUMBER("exact_within_s", exact_within_s, 0, 1e9),
	COUNT("exact_after_requests", exact_after_requests, 1, 1e9),
	FLAG("mitigated_may_complete", mitigated_may_complete),
	FLAG("publish_inconclusive", publish_inconclusive),
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]), DAY = 86400 };

void policy_default(struct policy *p)
{
	*p = (struct policy){
		.name = "default",
		.version = 1,
		.ladder = { method_find("ssd"), method_find("retrain") },
		.rungs = 2,
		.retrain_first_below_s = 2,
		.alpha = 0.025,
		.min_power = 0.5,
		.min_pass_p = 0.1,
		.min_heldout = 39,
		.pseudo_subjects = 200,
		.rounds = 16,
		.folds = 10,
		.statistics = 1 << STATISTIC_GRADIENT | 1 << STATISTIC_NEIGHBOURS | 1 << STATISTIC_FINETUNED,
		.search_statistic = STATISTIC_CONFIDENCE,
		.neighbours = 8,
		.neighbour_spread = 0.1,
		.finetune_epochs = 0.25,
		.fidelity_models = 3,
		.fidelity = { .accuracy_margin = 0.05, .loss_ratio = 1.5, .heldout_z = 1 },
		.utility = { .retained_margin = 0.03,
			     .loss_margin = 0.05,
			     .heldout_margin = 0.03,
			     .class_margin = 0.1,
			     .guard_margin = 0.01 },
		.guard_rows = 2000,
		.sweep_points = 24,
		.refresh_rows = 512,
		.evidence_window_s = 7 * DAY,
		.exact_within_s = 14 * DAY,
		.exact_after_requests = 10,
	};
}

static const void *member(const struct policy *p, size_t i)
{
	return (const char *)p + fields[i].offset;
}

static double to_millionth(double value)
{
	return round(value * 1e6) / 1e6;
}

static void round_numbers(struct policy *p)
{
	for (size_t i = 0; i < FIELDS; i++) {
		double *value = (double *)((char *)p + fields[i].offset);

		if (fields[i].kind == JSON_FIELD_NUMBER)
			*value = to_millionth(*value);
	}
}

static int parse_rung(const json_t *value, const char *pointer, struct policy *p, struct exp_error *err)
{
	const char *name = json_string_value(value);
	const struct method *m = name ? method_find(name) : NULL;

	if (!m)
		return error_set_field(err, EXP_EFIELD, pointer, "%s is not the name of an unlearning method", pointer);
	if (m->class == METHOD_SUPPRESSION)
		return error_set_field(err, EXP_EFIELD, pointer, "%s only suppresses and cannot close an erasure",
				       name);
	for (size_t i = 0; i < p->rungs; i++)
		if (p->ladder[i] == m)
			return error_set_field(err, EXP_EFIELD, pointer, "%s is in the ladder twice", name);
	p->ladder[p->rungs++] = m;
	return 0;
}

static int parse_ladder(const json_t *array, const char *base, struct policy *p, struct exp_error *err)
{
	char pointer[96];
	size_t count = json_array_size(array);
	int rc = 0;

	snprintf(pointer, sizeof(pointer), "%s/ladder", base);
	if (count == 0 || count > POLICY_MAX_RUNGS)
		return error_set_field(err, EXP_EFIELD, pointer, "a ladder has 1 to %d methods", POLICY_MAX_RUNGS);
	p->rungs = 0;
	for (size_t i = 0; !rc && i < count; i++) {
		snprintf(pointer, sizeof(pointer), "%s/ladder/%zu", base, i);
		rc = parse_rung(json_array_get(array, i), pointer, p, err);
	}
	return rc;
}

static int find_statistic(const char *name)
{
	for (int s = 0; s < STATISTICS; s++)
		if (name && strcmp(statistic_names[s], name) == 0)
			return s;
	return -1;
}

static int parse_statistics(const json_t *array, const char *base, struct policy *p, struct exp_error *err)
{
	char pointer[96];

	p->statistics = 0;
	for (size_t i = 0; i < json_array_size(array); i++) {
		int s = find_statistic(json_string_value(json_array_get(array, i)));

		snprintf(pointer, sizeof(pointer), "%s/statistics/%zu", base, i);
		if (s < 0)
			return error_set_field(err, EXP_EFIELD, pointer, "%s is not the name of a statistic", pointer);
		p->statistics |= 1u << s;
	}
	return 0;
}

/* What several fields must keep between them. */
static int check_whole(const struct policy *p, const char *base, struct exp_error *err)
{
	char pointer[96];

	snprintf(pointer, sizeof(pointer), "%s/search_statistic", base);
	if (p->search_statistic != STATISTIC_CONFIDENCE)
		return error_set_field(err, EXP_EFIELD, pointer, "searches can optimise confidence only");
	snprintf(pointer, sizeof(pointer), "%s/statistics", base);
	if (!p->statistics)
		return error_set_field(err, EXP_EFIELD, pointer, "a verdict needs at least one statistic");
	if (p->statistics >> p->search_statistic & 1)
		return error_set_field(err, EXP_EFIELD, pointer,
				       "%s is what the search optimises; the verdict must not use it",
				       statistic_names[p->search_statistic]);
	snprintf(pointer, sizeof(pointer), "%s/pseudo_subjects", base);
	if (subject_smallest_p((size_t)p->pseudo_subjects) > policy_attempt_alpha(p))
		return error_set_field(err, EXP_EFIELD, pointer,
				       "%lld pseudo-subjects cannot reach an attempt's alpha of %g; at least %.0f can",
				       (long long)p->pseudo_subjects, policy_attempt_alpha(p),
				       ceil(1 / policy_attempt_alpha(p) - 1 - 1e-9));
	return 0;
}

int policy_from_json(const json_t *json, const char *base, struct policy *out, struct exp_error *err)
{
	struct draft draft = { 0 };
	int rc;

	policy_default(&draft.policy);
	rc = json_fill(json, base, fields, FIELDS, &draft, err);
	if (!rc && draft.ladder)
		rc = parse_ladder(draft.ladder, base, &draft.policy, err);
	if (!rc && draft.statistics)
		rc = parse_statistics(draft.statistics, base, &draft.policy, err);
	round_numbers(&draft.policy);
	if (!rc)
		rc = check_whole(&draft.policy, base, err);
	if (!rc)
		*out = draft.policy;
	return rc;
}

static json_t *ladder_to_json(const struct policy *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->rungs; i++)
		json_array_append_new(array, json_string(p->ladder[i]->name));
	return array;
}

static json_t *statistics_to_json(const struct policy *p)
{
	json_t *array = json_array();

	for (size_t s = 0; s < STATISTICS; s++)
		if (p->statistics >> s & 1)
			json_array_append_new(array, json_string(statistic_names[s]));
	return array;
}

static json_t *field_to_json(const struct policy *p, size_t i)
{
	const void *at = member(p, i);

	switch (fields[i].kind) {
	case JSON_FIELD_TEXT:
		return json_string(at);
	case JSON_FIELD_INT:
		return json_integer(*(const int64_t *)at);
	case JSON_FIELD_NUMBER:
		return json_real(*(const double *)at);
	case JSON_FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	case JSON_FIELD_ENUM:
		return json_string(fields[i].names[*(const int *)at]);
	default:
		return fields[i].offset == offsetof(struct draft, ladder) ? ladder_to_json(p) : statistics_to_json(p);
	}
}

json_t *policy_to_json(const struct policy *p)
{
	json_t *object = json_object();

	for (size_t i = 0; i < FIELDS; i++)
		json_object_set_new(object, fields[i].name, field_to_json(p, i));
	return object;
}

json_t *policy_to_leaf(const struct policy *p)
{
	json_t *object = json_object();
	char name[64];

	for (size_t i = 0; i < FIELDS; i++) {
		if (fields[i].kind != JSON_FIELD_NUMBER) {
			json_object_set_new(object, fields[i].name, field_to_json(p, i));
			continue;
		}
		snprintf(name, sizeof(name), "%s_ppm", fields[i].name);
		json_object_set_new(object, name, json_integer(llround(*(const double *)member(p, i) * 1e6)));
	}
	return object;
}

void policy_digest(const struct policy *p, uint8_t out[DIGEST_SIZE])
{
	json_t *leaf = policy_to_leaf(p);
	struct buf text = { 0 };
	int rc = json_canonical(leaf, &text, NULL);

	exp_require(rc == 0);
	sha256(text.data, text.size, out);
	buf_fini(&text);
	json_decref(leaf);
}

double policy_attempt_alpha(const struct policy *p)
{
	size_t approximate = 0;

	for (size_t i = 0; i < p->rungs; i++)
		approximate += p->ladder[i]->class == METHOD_APPROXIMATE;
	return approximate ? p->alpha / (double)approximate : p->alpha;
}

int policy_check_heldout(const struct policy *p, size_t heldout_subjects, struct exp_error *err)
{
	double needed = fmax((double)p->min_heldout, ceil(1 / policy_attempt_alpha(p) - 1 - 1e-9));

	if ((double)heldout_subjects < needed)
		return error_set(
		    err, EXP_EINVAL,
		    "%zu held-out subjects cannot calibrate a test at alpha %g; %.0f are needed: move more "
		    "subjects to the heldout split or raise alpha",
		    heldout_subjects, policy_attempt_alpha(p), needed);
	return 0;
}

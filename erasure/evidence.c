#include "erasure/evidence.h"

#include <math.h>

#include "base/buf.h"
#include "engine/identity.h"

const char *const evidence_number_names[EVIDENCE_NUMBERS] = {
	"before_z_ppm",
	"before_p_hi_ppm",
	"before_p_lo_ppm",
	"z_ppm",
	"p_hi_ppm",
	"p_lo_ppm",
	"worst_row_z_ppm",
	"power_ppm",
	"false_alarm_ppm",
	"alpha_ppm",
	"auc_ppm",
	"retained_accuracy_before_ppm",
	"retained_accuracy_ppm",
	"churn_ppm",
	"heldout_accuracy_before_ppm",
	"heldout_accuracy_ppm",
	"rows",
	"references",
	"pseudo_subjects",
};

_Static_assert(sizeof(struct evidence_numbers) == EVIDENCE_NUMBERS * sizeof(int64_t), "one name a number");

static json_t *interval_json(const struct interval *i)
{
	return json_pack("{s:f, s:f, s:f}", "estimate", i->estimate, "low", i->low, "high", i->high);
}

static json_t *by_statistic_json(const struct subject_result *r)
{
	json_t *object = json_object();

	for (size_t s = 0; s < STATISTICS; s++)
		json_object_set_new(object, statistic_names[s],
				    json_pack("{s:f, s:f, s:f}", "z", r->z[s], "value", r->mean[s], "references",
					      r->reference[s]));
	return object;
}

static json_t *result_json(const struct subject_result *r)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:b, s:b, s:o}", "z", r->z_hi, "z_low", -r->z_lo, "p_residual",
			 r->p_hi, "p_over_forgotten", r->p_lo, "worst_row_z", r->worst_row, "residual", r->residual,
			 "over_forgotten", r->over_forgotten, "by_statistic", by_statistic_json(r));
}

static json_t *statistics_json(unsigned statistics)
{
	json_t *array = json_array();

	for (size_t s = 0; s < STATISTICS; s++)
		if (statistics >> s & 1)
			json_array_append_new(array, json_string(statistic_names[s]));
	return array;
}

static void add_frame(json_t *object, const struct evidence *e)
{
	const struct subject_frame *f = e->frame;

	json_object_set_new(object, "rows", json_integer((json_int_t)f->rows));
	json_object_set_new(object, "references", json_integer((json_int_t)f->out_models));
	json_object_set_new(object, "pseudo_subjects", json_integer((json_int_t)(f->sets - 1)));
	json_object_set_new(object, "pseudo_subjects_disjoint", json_integer((json_int_t)f->disjoint));
	json_object_set_new(object, "pseudo_subjects_worth", json_integer((json_int_t)f->worth));
	json_object_set_new(object, "class_matched", json_boolean(f->class_matched));
	json_object_set_new(object, "alpha", json_real(e->alpha));
	json_object_set_new(object, "statistics", statistics_json(f->limits.statistics));
	json_object_set_new(object, "search_statistic", json_string(statistic_names[e->policy->search_statistic]));
	if (f->refused)
		json_object_set_new(object, "refused", json_string(f->reason));
}

static void add_tests(json_t *object, const struct evidence *e)
{
	if (e->frame)
		add_frame(object, e);
	if (!e->frame || e->frame->refused)
		return;
	if (e->controls) {
		json_object_set_new(object, "power", json_real(e->controls->power));
		json_object_set_new(object, "false_alarm", json_real(e->controls->false_alarm));
	}
	if (e->before)
		json_object_set_new(object, "before", result_json(e->before));
	if (e->after)
		json_object_set_new(object, "after", result_json(e->after));
}

static json_t *auc_json(const struct rowlevel *r)
{
	return json_pack("{s:f, s:f, s:f}", "auc", r->auc.estimate, "low", r->auc.low, "high", r->auc.high);
}

static void add_row_level(json_t *object, const struct evidence *e)
{
	const struct rowlevel *before = e->row_before, *after = e->row_after;

	if (!before || !after || !before->stated || !after->stated)
		return;
	json_object_set_new(object, "row_level",
			    json_pack("{s:o, s:o, s:I, s:I}", "before", auc_json(before), "after", auc_json(after),
				      "rows", (json_int_t)after->rows, "heldout", (json_int_t)after->heldout));
}

static json_t *utility_json(const struct utility *u, const struct band *band)
{
	json_t *object =
	    json_pack("{s:b, s:s, s:o, s:o, s:o, s:o}", "pass", u->pass, "reason", u->reason, "before",
		      behaviour_to_json(&u->before), "after", behaviour_to_json(&u->after), "retained_change",
		      interval_json(&u->retained_change), "heldout_change", interval_json(&u->heldout_change));

	if (u->worst_class >= 0)
		json_object_set_new(object, "worst_class",
				    json_pack("{s:i, s:o}", "class", u->worst_class, "change",
					      interval_json(&u->worst_class_change)));
	if (band)
		json_object_set_new(object, "band", band_to_json(band));
	return object;
}

json_t *evidence_to_json(const struct evidence *e)
{
	json_t *object = json_pack("{s:s, s:s}", "verdict", verdict_names[e->verdict], "reason", e->reason);
	struct buf engine = { 0 };

	engine_identity(&engine);
	json_object_set_new(object, "engine", json_stringn((const char *)engine.data, engine.size));
	buf_fini(&engine);
	add_tests(object, e);
	add_row_level(object, e);
	if (e->utility)
		json_object_set_new(object, "utility", utility_json(e->utility, e->band));
	return object;
}

/* z is unbounded; beyond a million it says no more. */
static int64_t to_ppm(double value)
{
	return isnan(value) ? INT64_MIN : llround(fmin(fmax(value, -1e6), 1e6) * 1e6);
}

static void add_test_numbers(const struct evidence *e, struct evidence_numbers *n)
{
	if (e->before) {
		n->before_z_ppm = to_ppm(e->before->z_hi);
		n->before_p_hi_ppm = to_ppm(e->before->p_hi);
		n->before_p_lo_ppm = to_ppm(e->before->p_lo);
	}
	if (e->after) {
		n->z_ppm = to_ppm(e->after->z_hi);
		n->p_hi_ppm = to_ppm(e->after->p_hi);
		n->p_lo_ppm = to_ppm(e->after->p_lo);
		n->worst_row_z_ppm = to_ppm(e->after->worst_row);
	}
	if (e->controls) {
		n->power_ppm = to_ppm(e->controls->power);
		n->false_alarm_ppm = to_ppm(e->controls->false_alarm);
	}
	n->alpha_ppm = to_ppm(e->alpha);
	n->references = (int64_t)e->frame->out_models;
	n->pseudo_subjects = (int64_t)e->frame->sets - 1;
}

void evidence_to_numbers(const struct evidence *e, struct evidence_numbers *out)
{
	struct evidence_numbers n;

	for (size_t i = 0; i < EVIDENCE_NUMBERS; i++)
		((int64_t *)&n)[i] = INT64_MIN;
	if (e->frame)
		n.rows = (int64_t)e->frame->rows;
	if (e->frame && !e->frame->refused)
		add_test_numbers(e, &n);
	if (e->row_after && e->row_after->stated)
		n.auc_ppm = to_ppm(e->row_after->auc.estimate);
	if (e->utility) {
		n.retained_accuracy_before_ppm = to_ppm(e->utility->before.accuracy);
		n.retained_accuracy_ppm = to_ppm(e->utility->after.accuracy);
		n.churn_ppm = to_ppm(e->utility->after.churn);
		n.heldout_accuracy_before_ppm = to_ppm(e->utility->before.heldout_accuracy);
		n.heldout_accuracy_ppm = to_ppm(e->utility->after.heldout_accuracy);
	}
	*out = n;
}

/* Evidence: one table of numbers, nothing invented where nothing was measured. */
#include "erasure/evidence.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct policy policy;

static struct evidence measured(struct subject_frame *frame, struct subject_result *r, struct subject_controls *c)
{
	policy_default(&policy);
	*frame = (struct subject_frame){ .rows = 3, .sets = 101, .out_models = 16, .class_matched = true };
	frame->limits.statistics = policy.statistics;
	*r = (struct subject_result){ .z_hi = 2.5, .z_lo = -1.25, .p_hi = 0.01, .p_lo = 1, .worst_row = 1e9 };
	*c = (struct subject_controls){ .power = 0.75, .false_alarm = 1.0 / 16 };
	return (struct evidence){ .verdict = VERDICT_RESIDUAL,
				  .reason = "still there",
				  .policy = &policy,
				  .alpha = 0.025,
				  .frame = frame,
				  .before = r,
				  .after = r,
				  .controls = c };
}

Test(evidence, numbers_are_millionths)
{
	struct subject_frame frame;
	struct subject_result r;
	struct subject_controls c;
	struct evidence e = measured(&frame, &r, &c);
	struct evidence_numbers n;

	evidence_to_numbers(&e, &n);
	cr_assert_eq(n.z_ppm, 2500000);
	cr_assert_eq(n.p_hi_ppm, 10000);
	cr_assert_eq(n.p_lo_ppm, 1000000);
	cr_assert_eq(n.power_ppm, 750000);
	cr_assert_eq(n.false_alarm_ppm, 62500);
	cr_assert_eq(n.worst_row_z_ppm, 1000000000000, "cut at a million");
	cr_assert_eq(n.references, 16);
	cr_assert_eq(n.pseudo_subjects, 100);
	cr_assert_eq(n.auc_ppm, INT64_MIN, "not measured");
	cr_assert_eq(n.heldout_accuracy_ppm, INT64_MIN);
}

Test(evidence, names_go_with_numbers)
{
	struct subject_frame frame;
	struct subject_result r;
	struct subject_controls c;
	struct evidence e = measured(&frame, &r, &c);
	struct evidence_numbers n;
	const int64_t *values = (const int64_t *)&n;

	evidence_to_numbers(&e, &n);
	for (size_t i = 0; i < EVIDENCE_NUMBERS; i++) {
		const char *name = evidence_number_names[i];

		if (strcmp(name, "power_ppm") == 0)
			cr_assert_eq(values[i], n.power_ppm);
		else if (strcmp(name, "before_p_lo_ppm") == 0)
			cr_assert_eq(values[i], n.before_p_lo_ppm);
		else if (strcmp(name, "heldout_accuracy_ppm") == 0)
			cr_assert_eq(values[i], n.heldout_accuracy_ppm);
		else if (strcmp(name, "pseudo_subjects") == 0)
			cr_assert_eq(values[i], n.pseudo_subjects);
	}
}

Test(evidence, json_says_what_was_measured)
{
	struct subject_frame frame;
	struct subject_result r;
	struct subject_controls c;
	struct evidence e = measured(&frame, &r, &c);
	json_t *json = evidence_to_json(&e);

	cr_assert_str_eq(json_string_value(json_object_get(json, "verdict")), "fail/residual");
	cr_assert_eq(json_number_value(json_object_get(json_object_get(json, "after"), "p_residual")), 0.01);
	cr_assert_eq(json_number_value(json_object_get(json_object_get(json, "after"), "z_low")), 1.25);
	cr_assert_eq(json_array_size(json_object_get(json, "statistics")), 3);
	cr_assert_null(json_object_get(json, "row_level"));
	cr_assert_null(json_object_get(json, "utility"));
	json_decref(json);
}

Test(evidence, a_refused_test_has_no_numbers)
{
	struct subject_frame frame;
	struct subject_result r;
	struct subject_controls c;
	struct evidence e = measured(&frame, &r, &c);
	struct evidence_numbers n;
	json_t *json;

	frame.refused = true;
	snprintf(frame.reason, sizeof(frame.reason), "too few held-out subjects");
	json = evidence_to_json(&e);
	evidence_to_numbers(&e, &n);
	cr_assert_str_eq(json_string_value(json_object_get(json, "refused")), "too few held-out subjects");
	cr_assert_null(json_object_get(json, "after"));
	cr_assert_eq(n.p_hi_ppm, INT64_MIN);
	cr_assert_eq(n.rows, 3);
	json_decref(json);
}

/*
 * evidence.h: what an attempt's verification found for one request, as JSON for people and as integers for the leaf.
 *
 * JSON schema (reals allowed; a field that does not apply is absent):
 *
 *   {"verdict": "pass/consistent", "reason": "…",
 *    "rows": 1, "references": 16, "pseudo_subjects": 200, "pseudo_subjects_disjoint": 134,
 *    "pseudo_subjects_worth": 200, "class_matched": true,
 *    "alpha": 0.025, "statistics": ["gradient", …], "search_statistic": "confidence",
 *    "power": 0.93, "false_alarm": 0.0,
 *    "before": {"z": 2.8, "z_low": -1.9, "p_residual": 0.005, "p_over_forgotten": 1.0, "worst_row_z": 2.8,
 *               "residual": true, "over_forgotten": false,
 *               "by_statistic": {"confidence": {"z": 2.2, "value": 4.1, "references": 0.3}, …}},
 *    "after": {… the same …},
 *    "row_level": {"before": {"auc": 0.71, "low": 0.60, "high": 0.80}, "after": {…}, "rows": 25, "heldout": 134},
 *    "utility": {"pass": true, "reason": "", "before": {"accuracy": 0.92, "loss": 0.3, "churn": 0, …}, "after": {…},
 *                "retained_change": {"estimate": -0.01, "low": -0.02, "high": 0.0}, "heldout_change": {…},
 *                "worst_class": {"class": 3, "change": {…}}, "band": {"low": {…}, "high": {…}, "models": 163}}}
 *
 * "before" is the unchanged model in the same test; for exact work both are diagnostics.
 */
#ifndef ERASURE_EVIDENCE_H
#define ERASURE_EVIDENCE_H

#include "erasure/policy.h"
#include "verify/rowlevel.h"
#include "verify/verdict.h"

/* Parts per million (counts as they are); INT64_MIN where a number does not apply. */
struct evidence_numbers {
	int64_t before_z_ppm, before_p_hi_ppm, before_p_lo_ppm;
	int64_t z_ppm, p_hi_ppm, p_lo_ppm, worst_row_z_ppm;
	int64_t power_ppm, false_alarm_ppm, alpha_ppm;
	int64_t auc_ppm;
	int64_t retained_accuracy_before_ppm, retained_accuracy_ppm, churn_ppm;
	int64_t heldout_accuracy_before_ppm, heldout_accuracy_ppm;
	int64_t rows, references, pseudo_subjects;
};

enum { EVIDENCE_NUMBERS = 19 };

/* The struct as a table of names, for leaf builders and printers: names[i] goes with ((int64_t *)numbers)[i]. */
extern const char *const evidence_number_names[EVIDENCE_NUMBERS];

/* All that is known of one request under one attempt. Parts that were not measured are NULL. */
struct evidence {
	enum verdict verdict;
	const char *reason;
	const struct policy *policy;
	double alpha;
	const struct subject_frame *frame;
	const struct subject_result *before, *after;
	const struct subject_controls *controls;
	const struct rowlevel *row_before, *row_after;
	const struct utility *utility;
	const struct band *band;
};

json_t *evidence_to_json(const struct evidence *e); /* new reference */
void evidence_to_numbers(const struct evidence *e, struct evidence_numbers *out);

#endif

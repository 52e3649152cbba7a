/*
 * policy.h: the rules of verification and escalation, fixed before a job runs and hashed into its record.
 *
 * Written as JSON; every field may be left out. Shares and thresholds are kept to the millionth, so that the digest is
 * over integers.
 *
 *   {"name": "default", "version": 1, "ladder": ["ssd", "retrain"], "retrain_first_below_s": 2, "alpha": 0.025, …}
 */
#ifndef ERASURE_POLICY_H
#define ERASURE_POLICY_H

#include "base/digest.h"
#include "base/json.h"
#include "unlearn/method.h"
#include "verify/fidelity.h"
#include "verify/subject_test.h"
#include "verify/utility.h"

enum { POLICY_MAX_RUNGS = 8, POLICY_NAME = 64 };

struct policy {
	char name[POLICY_NAME];
	int64_t version;
	const struct method *ladder[POLICY_MAX_RUNGS];
	size_t rungs;
	double retrain_first_below_s; /* measured retraining below this: exact is the first and only rung */

	double alpha; /* one-sided, for all approximate attempts together */
	double min_power;
	double min_pass_p; /* an approximate pass needs a p of residual membership of at least this */
	int64_t min_heldout, pseudo_subjects;
	int64_t rounds, folds;
	unsigned statistics;  /* of the verdict, bits 1 << enum statistic */
	int search_statistic; /* enum statistic; never among statistics */
	int64_t neighbours;
	double neighbour_spread, finetune_epochs;
	int64_t fidelity_models;
	struct fidelity_limits fidelity;
	struct utility_limits utility;

	int64_t guard_rows;   /* most retained and most held-out rows that a search looks at; the verdict sees all */
	int64_t sweep_points; /* of a closed loop's geometric grid */
	int64_t refresh_rows; /* retained rows that refresh the importance after an approximate attempt */

	double evidence_window_s;     /* rows are overwritten this long after publication */
	double exact_within_s;        /* debt: exact work follows within this time of the mitigation … */
	int64_t exact_after_requests; /* … or when this many mitigated requests wait, whichever is first */
	bool mitigated_may_complete;  /* an approximate pass may complete a request where exact work cannot be done */
	bool publish_inconclusive;    /* an approximate attempt without any verdict of pass or fail may be published */
};

void policy_default(struct policy *p);

/* The default changed by the fields of json. EXP_EFIELD names the field by its pointer below base. */
EXP_NODISCARD int policy_from_json(const json_t *json, const char *base, struct policy *out, struct exp_error *err);
json_t *policy_to_json(const struct policy *p); /* new reference, every field present */

/* SHA-256 of the canonical JSON in which every real is an integer of millionths under its name with "_ppm". */
void policy_digest(const struct policy *p, uint8_t out[DIGEST_SIZE]);
json_t *policy_to_leaf(const struct policy *p); /* that JSON; new reference */

/* Alpha of one approximate attempt: split evenly over the ladder's approximate rungs. */
double policy_attempt_alpha(const struct policy *p);

/* EXP_EINVAL when a model with so many held-out subjects could never be flagged under the policy (the smallest
 * attainable p exceeds an attempt's alpha), saying how many are needed. */
EXP_NODISCARD int policy_check_heldout(const struct policy *p, size_t heldout_subjects, struct exp_error *err);

#endif

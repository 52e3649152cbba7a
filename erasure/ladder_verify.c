#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "erasure/ladder_internal.h"

static bool can_test(const struct ladder *l)
{
	return l->job->scores && l->job->recipe && scores_complete(l->job->scores);
}

/* The fine-tune of a tested model draws its rows by the job's seed; references drew theirs by their own. */
static int score_model(struct ladder *l, const struct params *p, struct exp_error *err)
{
	const struct erasure_job *job = l->job;
	struct reference_scorer how = { job->scores, job->population->source, job->recipe };
	struct scored_model model = { p, l->retained, job->seed };

	return reference_score(l->session, &how, &model, l->scored, l->tested, err);
}

static int init_frame(struct ladder *l, struct ladder_request *r, struct exp_error *err)
{
	const struct policy *policy = l->job->policy;
	const struct population *p = l->job->population;
	struct subject_limits limits = {
		.alpha = policy_attempt_alpha(policy),
		.statistics = policy->statistics,
		.pseudo_subjects = (size_t)policy->pseudo_subjects,
		.min_heldout = (size_t)policy->min_heldout,
	};
	struct subject_rows rows = { r->rows, p->heldout, population_units(p->heldout_units, p->heldout.count) };
	int rc = subject_frame_init(&r->frame, l->job->scores, &rows, &limits, l->job->seed, err);

	if (rc)
		return rc;
	r->has_frame = true;
	subject_controls(&r->frame, &r->controls);
	subject_test(&r->frame, l->tested, &r->before);
	return 0;
}

static int row_level(struct ladder *l, const struct params *p, const struct ladder_request *r,
		     const struct predictions *heldout, struct rowlevel *out, struct exp_error *err)
{
	struct predictions forget = { 0 };
	int rc = predictions_of(l->session, p, l->job->population->source, r->rows, &forget, err);

	if (!rc && rowlevel_auc(forget.losses, forget.count, heldout->losses, heldout->count, out))
		rc = error_set(err, EXP_EMEMORY, "no memory for the row-level attack");
	predictions_fini(&forget);
	return rc;
}

int ladder_verify_before(struct ladder *l, struct exp_error *err)
{
	int rc = 0;

	if (watch_report(l->job->watch, "scoring", 0, l->job->request_count))
		return error_set(err, EXP_ECANCELLED, "%s", error_sentence(EXP_ECANCELLED));
	if (can_test(l)) {
		l->tested = mem_try_alloc(l->job->scores->columns, STATISTICS * sizeof(*l->tested));
		rc = l->tested ? score_model(l, l->job->live, err)
			       : error_set(err, EXP_EMEMORY, "no memory for the live model's scores");
	}
	for (size_t i = 0; !rc && i < l->job->request_count; i++) {
		struct ladder_request *r = &l->requests[i];

		r->rows = l->job->requests[i];
		if (can_test(l))
			rc = init_frame(l, r, err);
		if (!rc)
			rc = row_level(l, l->job->live, r, &l->heldout_before, &r->row_before, err);
		if (!rc && watch_report(l->job->watch, "scoring", i + 1, l->job->request_count))
			rc = error_set(err, EXP_ECANCELLED, "%s", error_sentence(EXP_ECANCELLED));
	}
	return rc;
}

/* Why the verdict is what it is, in a sentence with numbers. */
static void explain(const struct ladder *l, const struct ladder_request *r, const struct subject_result *after,
		    const struct erasure_attempt *a, struct erasure_finding *f)
{
	const struct calibration *c = l->job->calibration;
	const struct policy *policy = l->job->policy;
	double alpha = policy_attempt_alpha(policy);
	size_t size = sizeof(f->reason);

	switch (f->verdict) {
	case VERDICT_UTILITY:
		snprintf(f->reason, size, "%s", a->utility.reason);
		break;
	case VERDICT_NOT_EXCHANGEABLE:
		snprintf(f->reason, size, "%s", c && c->capped[0] ? c->capped : "there are no reference models");
		break;
	case VERDICT_RESIDUAL:
		snprintf(f->reason, size, "still treated as seen: z %.2f, p %.4f <= %.4f", after->z_hi, after->p_hi,
			 alpha);
		break;
	case VERDICT_OVER_FORGOTTEN:
		snprintf(f->reason, size, "conspicuously unlike unseen rows: z %.2f, p %.4f <= %.4f", -after->z_lo,
			 after->p_lo, alpha);
		break;
	case VERDICT_UNDERPOWERED:
		if (r->frame.refused)
			snprintf(f->reason, size, "%s", r->frame.reason);
		else
			snprintf(f->reason, size,
				 "the test finds %.0f %% of models that saw the person; %.0f %% are wanted",
				 100 * r->controls.power, 100 * policy->min_power);
		break;
	case VERDICT_NO_EVIDENCE:
		if (!r->before.residual)
			snprintf(f->reason, size, "the unchanged model would not have been flagged either: p %.4f",
				 r->before.p_hi);
		else
			snprintf(f->reason, size, "moved too little to tell: p %.4f, unchanged %.4f, wanted %.4f",
				 after->p_hi, r->before.p_hi, policy->min_pass_p);
		break;
	case VERDICT_PASS_CONSISTENT:
		snprintf(f->reason, size, "like models that never saw them: z %.2f, p %.4f; unchanged: z %.2f, p %.4f",
			 after->z_hi, after->p_hi, r->before.z_hi, r->before.p_hi);
		break;
	case VERDICT_PASS_BY_CONSTRUCTION:
		snprintf(f->reason, size, "trained again on the retained rows alone");
		break;
	default:
		break;
	}
}

static enum verdict judge(const struct ladder *l, const struct ladder_request *r, const struct subject_result *after,
			  const struct erasure_attempt *a)
{
	struct verdict_input in = {
		.utility = &a->utility,
		.exchangeable = l->job->calibration && l->job->calibration->exchangeable,
		.frame = r->has_frame ? &r->frame : NULL,
		.before = &r->before,
		.after = after,
		.controls = &r->controls,
		.min_power = l->job->policy->min_power,
		.min_pass_p = l->job->policy->min_pass_p,
	};

	return a->method->class == METHOD_EXACT ? verdict_exact(&a->utility) : verdict_approximate(&in);
}

static int find(struct ladder *l, size_t request, const struct params *params, const struct predictions *heldout,
		struct erasure_attempt *a, struct exp_error *err)
{
	const struct ladder_request *r = &l->requests[request];
	struct erasure_finding *f = &a->findings[request];
	struct subject_result after = { .p_hi = 1, .p_lo = 1 };
	struct rowlevel row_after = { 0 };
	struct evidence e = {
		.reason = f->reason,
		.policy = l->job->policy,
		.alpha = policy_attempt_alpha(l->job->policy),
		.frame = r->has_frame ? &r->frame : NULL,
		.before = r->has_frame ? &r->before : NULL,
		.after = r->has_frame ? &after : NULL,
		.controls = r->has_frame ? &r->controls : NULL,
		.row_before = &r->row_before,
		.row_after = &row_after,
		.utility = &a->utility,
		.band = l->band,
	};
	int rc = row_level(l, params, r, heldout, &row_after, err);

	if (rc)
		return rc;
	if (r->has_frame)
		subject_test(&r->frame, l->tested, &after);
	f->verdict = e.verdict = judge(l, r, &after, a);
	explain(l, r, &after, a, f);
	f->evidence = evidence_to_json(&e);
	evidence_to_numbers(&e, &f->numbers);
	return 0;
}

static int verify(struct ladder *l, const struct params *params, struct erasure_attempt *a, struct exp_error *err)
{
	const struct population *p = l->job->population;
	struct predictions retained = { 0 }, heldout = { 0 };
	struct utility_input in = { &l->retained_before,
				    &retained,
				    &l->heldout_before,
				    &heldout,
				    l->band,
				    graph_classes(session_graph(l->session)),
				    a->method->class == METHOD_EXACT };
	int rc = predictions_of(l->session, params, p->source, l->retained, &retained, err);

	if (!rc)
		rc = predictions_of(l->session, params, p->source, p->heldout, &heldout, err);
	if (!rc)
		utility_judge(&in, &l->job->policy->utility, &a->utility);
	if (!rc && l->tested)
		rc = score_model(l, params, err);
	for (size_t i = 0; !rc && i < l->job->request_count; i++) {
		rc = find(l, i, params, &heldout, a, err);
		if (!rc && watch_report(l->job->watch, "verifying", i + 1, l->job->request_count))
			rc = error_set(err, EXP_ECANCELLED, "%s", error_sentence(EXP_ECANCELLED));
	}
	predictions_fini(&retained);
	predictions_fini(&heldout);
	return rc;
}

int ladder_verify(struct ladder *l, const struct params *params, struct erasure_attempt *a, struct exp_error *err)
{
	int64_t start = clock_monotonic_ms();
	int rc;

	a->findings = mem_alloc(l->job->request_count * sizeof(*a->findings));
	rc = verify(l, params, a, err);
	a->verify_seconds = (double)(clock_monotonic_ms() - start) / 1000;
	return rc;
}

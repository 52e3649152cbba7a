/* Utility and verdicts: the order of decisions, and what a collapsed or unchanged model gets. */
#include "verify/verdict.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ROWS = 400, HELDOUT = 150, CLASSES = 4 };

static int32_t labels[ROWS], before[ROWS], after[ROWS], held_before[HELDOUT], held_after[HELDOUT];
static float losses_before[ROWS], losses_after[ROWS];

static const struct utility_limits limits = { 0.03, 0.05, 0.01, 0.1, 0.01 };

/* 95 % right on retained rows, 60 % on held-out rows; after is before until a test spoils it. */
static void set_up(void)
{
	for (int i = 0; i < ROWS; i++) {
		labels[i] = i % CLASSES;
		before[i] = after[i] = i % 20 == 7 ? (i + 1) % CLASSES : i % CLASSES;
		losses_before[i] = losses_after[i] = 0.3f;
	}
	for (int i = 0; i < HELDOUT; i++)
		held_before[i] = held_after[i] = i % 5 < 3 ? i % CLASSES : (i + 1) % CLASSES;
}

static struct utility judge_as(const struct band *band, bool is_exact)
{
	struct predictions rb = { before, labels, losses_before, ROWS }, ra = { after, labels, losses_after, ROWS };
	struct predictions hb = { held_before, labels, losses_before, HELDOUT };
	struct predictions ha = { held_after, labels, losses_after, HELDOUT };
	struct utility_input in = { &rb, &ra, &hb, &ha, band, CLASSES, is_exact };
	struct utility u;

	utility_judge(&in, &limits, &u);
	return u;
}

static struct utility judge(const struct band *band)
{
	return judge_as(band, false);
}

static struct band honest_band(void)
{
	struct behaviour a = { 0.94, 0.25, 0.05, 0.58, 1.5 }, b = { 0.97, 0.35, 0.08, 0.63, 1.9 };
	struct band band = { 0 };

	band_add(&band, &a);
	band_add(&band, &b);
	return band;
}

Test(utility, an_unchanged_model_is_worth_serving)
{
	struct band band = honest_band();
	struct utility u;

	set_up();
	u = judge(&band);
	cr_assert(u.pass, "%s", u.reason);
	cr_assert(utility_guard(&u, &limits));
	cr_assert_float_eq(u.after.accuracy, 0.95, 1e-9);
	cr_assert_float_eq(u.after.churn, 0, 1e-9);
}

Test(utility, a_collapsed_model_is_not)
{
	struct band band = honest_band();
	struct utility u;

	set_up();
	memset(after, 0, sizeof(after));
	memset(held_after, 0, sizeof(held_after));
	u = judge(&band);
	cr_assert(!u.pass);
	cr_assert_not_null(strstr(u.reason, "retained accuracy"));
	u = judge(NULL);
	cr_assert(!u.pass, "not without a band either");
}

/* The trap of a held-out-only guard: held-out accuracy rises while retained rows fall. */
Test(utility, retained_rows_count_even_where_heldout_rows_gain)
{
	struct band band = honest_band();
	struct utility u;

	set_up();
	for (int i = 0; i < ROWS; i += 8)
		after[i] = (labels[i] + 1) % CLASSES;
	for (int i = 0; i < HELDOUT; i++)
		held_after[i] = labels[i];
	u = judge(&band);
	cr_assert_gt(u.heldout_change.estimate, 0.3);
	cr_assert(!u.pass);
	cr_assert_not_null(strstr(u.reason, "retained accuracy"));
}

Test(utility, one_class_may_not_collapse)
{
	struct band band = honest_band();
	struct utility u;

	set_up();
	band.low.accuracy = band.low.heldout_accuracy = 0;
	band.high.churn = 1;
	for (int i = 0; i < HELDOUT; i++)
		if (labels[i] == 2)
			held_after[i] = 3;
	for (int i = 0; i < HELDOUT; i++) /* so that held-out accuracy as a whole stays */
		if (labels[i] != 2 && i % 5 == 3)
			held_after[i] = labels[i];
	u = judge(&band);
	cr_assert_eq(u.worst_class, 2);
	cr_assert(!u.pass);
	cr_assert_not_null(strstr(u.reason, "class"));
}

Test(utility, loss_and_churn_stay_in_the_band)
{
	struct band band = honest_band();
	struct utility u;

	set_up();
	for (int i = 0; i < ROWS; i++)
		losses_after[i] = 0.5f;
	u = judge(&band);
	cr_assert(!u.pass);
	cr_assert_not_null(strstr(u.reason, "loss"));
	set_up();
	band.low.accuracy = 0.5;
	for (int i = 0; i < ROWS; i += 5)
		after[i] = (after[i] + 1) % CLASSES;
	u = judge(&band);
	cr_assert(!u.pass);
	cr_assert_not_null(strstr(u.reason, "predictions changed"));
}

/* One lucky draw may not make every later one a failure; below the band it is one all the same. */
Test(utility, exact_work_is_judged_by_the_band_and_not_by_the_draw_before)
{
	struct band band = honest_band();

	set_up();
	band.low.heldout_accuracy = 0.3;
	for (int i = 0; i < HELDOUT; i++)
		if (i % 5 == 0)
			held_after[i] = (labels[i] + 1) % CLASSES;
	cr_assert(!judge_as(&band, false).pass);
	cr_assert(judge_as(&band, true).pass, "%s", judge_as(&band, true).reason);
	cr_assert(!judge_as(NULL, true).pass, "without a band there is only the draw before");
	band.low.heldout_accuracy = 0.42;
	band.high.heldout_accuracy = 0.44;
	cr_assert(judge_as(&band, true).pass, "two hundredths below a band of that width");
	band.low.heldout_accuracy = 0.55;
	band.high.heldout_accuracy = 0.57;
	cr_assert(!judge_as(&band, true).pass);
}

Test(utility, the_guard_is_stricter_than_the_verdict)
{
	struct band band = honest_band();
	struct utility u;

	set_up();
	for (int i = 0; i < 6; i++)
		after[i] = (labels[i] + 1) % CLASSES;
	u = judge(&band);
	cr_assert(u.pass, "%s", u.reason);
	cr_assert(!utility_guard(&u, &limits), "1.5 points are more than one");
}

/* A case that passes; each test spoils one thing, and what comes first in the order wins. */
struct whole {
	struct utility utility;
	struct subject_frame frame;
	struct subject_result before, after;
	struct subject_controls controls;
	struct verdict_input in;
};

static void passing(struct whole *w)
{
	*w = (struct whole){ .utility = { .pass = true },
			     .before = { .residual = true, .p_hi = 0.005 },
			     .after = { .p_hi = 0.4, .p_lo = 0.6 },
			     .controls = { .power = 0.9 } };
	w->in = (struct verdict_input){ &w->utility, true, &w->frame, &w->before, &w->after, &w->controls, 0.5, 0.1 };
}

Test(verdict, decides_in_order)
{
	struct whole w;

	passing(&w);
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_PASS_CONSISTENT);
	w.before.residual = false;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_NO_EVIDENCE);
	w.controls.power = 0.49;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_UNDERPOWERED);
	w.after.over_forgotten = true;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_OVER_FORGOTTEN);
	w.after.residual = true;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_RESIDUAL);
	w.in.exchangeable = false;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_NOT_EXCHANGEABLE);
	w.utility.pass = false;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_UTILITY);
}

Test(verdict, stepping_over_the_line_is_no_pass)
{
	struct whole w;

	passing(&w);
	w.after.p_hi = 0.0999;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_NO_EVIDENCE);
	w.after.p_hi = 0.1;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_PASS_CONSISTENT);
}

Test(verdict, without_references_nothing_passes)
{
	struct whole w;

	passing(&w);
	w.in.frame = NULL;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_NOT_EXCHANGEABLE);
	passing(&w);
	w.frame.refused = true;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_UNDERPOWERED);
	passing(&w);
	w.controls.power = 0.0 / 1;
	cr_assert_eq(verdict_approximate(&w.in), VERDICT_UNDERPOWERED);
}

/* Whatever else is true: a model that is tested and behaves as before is flagged in both or in neither. */
Test(verdict, a_no_op_never_passes)
{
	for (int bits = 0; bits < 16; bits++) {
		struct whole w;

		passing(&w);
		w.before.residual = bits & 1;
		w.before.over_forgotten = bits & 2;
		w.after = w.before;
		w.controls.power = bits & 4 ? 1 : 0;
		w.in.exchangeable = bits & 8;
		cr_assert(!verdict_is_pass(verdict_approximate(&w.in)));
	}
}

Test(verdict, exact_work_is_judged_by_utility_alone)
{
	struct utility u = { .pass = true };

	cr_assert_eq(verdict_exact(&u), VERDICT_PASS_BY_CONSTRUCTION);
	u.pass = false;
	cr_assert_eq(verdict_exact(&u), VERDICT_UTILITY);
}

Test(verdict, names_are_those_of_the_api)
{
	cr_assert_str_eq(verdict_names[VERDICT_PASS_BY_CONSTRUCTION], "pass/by_construction");
	cr_assert_str_eq(verdict_names[VERDICT_NOT_EXCHANGEABLE], "inconclusive/not_exchangeable");
	cr_assert_str_eq(verdict_names[VERDICT_OVER_FORGOTTEN], "fail/over_forgotten");
	cr_assert_null(verdict_names[VERDICTS]);
	for (int v = 0; v < VERDICTS; v++) {
		cr_assert_eq(verdict_is_pass(v), strncmp(verdict_names[v], "pass/", 5) == 0);
		cr_assert_eq(verdict_is_fail(v), strncmp(verdict_names[v], "fail/", 5) == 0);
	}
}

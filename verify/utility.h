/*
 * utility.h: is the model still worth serving? Judged before any test of forgetting, because a collapsed model passes
 * those.
 *
 * Compared are the versions before and after, on retained rows (training rows that stay) and held-out rows:
 *   - retained accuracy, loss and churn inside the band that honest retraining spans, widened by margins
 *   - held-out accuracy inside the band and, for an edit, its paired interval not wholly below -heldout_margin
 *   - no class collapses: no paired interval of a class's recall, corrected for the number of classes, lies wholly
 *     below -class_margin, on retained and on held-out rows
 *
 * Exact work is a fresh draw from honest training: the band says how far two draws lie apart, and a fall against the
 * one that happened to be live is no fault of the new one. An edit has no such excuse.
 *
 * A held-out-only check would be blind: dampening can raise held-out accuracy while retained rows fall by 20 points.
 */
#ifndef VERIFY_UTILITY_H
#define VERIFY_UTILITY_H

#include "verify/behaviour.h"
#include "verify/interval.h"

struct utility_limits {
	double retained_margin; /* accuracy and churn beyond the band */
	double loss_margin;     /* nats beyond the band */
	double heldout_margin, class_margin;
	double guard_margin; /* utility_guard: largest fall of either accuracy, as a point estimate */
};

struct utility {
	bool pass;
	char reason[160]; /* the first check that failed, or "" */
	struct behaviour before, after;
	struct interval retained_change, heldout_change; /* of accuracy, paired, 95 % */
	int worst_class; /* by the upper end of its recall's interval; -1 when no class has rows */
	struct interval worst_class_change;
	bool banded; /* a band was there to judge by */
};

/* The four of one comparison; before and after on the same rows. */
struct utility_input {
	const struct predictions *retained_before, *retained_after, *heldout_before, *heldout_after;
	const struct band *band; /* NULL: retained rows are judged by the guard's margin instead */
	size_t classes;
	bool is_exact; /* after was trained by the recipe */
};

void utility_judge(const struct utility_input *in, const struct utility_limits *limits, struct utility *out);

/* The stricter rule of a search: utility passes, and neither accuracy falls by more than guard_margin. */
bool utility_guard(const struct utility *u, const struct utility_limits *limits);

#endif

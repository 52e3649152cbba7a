#include "verify/utility.h"

#include <math.h>
#include <stdio.h>

static const double CONFIDENCE = 0.95;

/* Correctness before and after on the same rows, of one class or (class < 0) of all. */
static struct interval change(const struct predictions *before, const struct predictions *after, int class,
			      double confidence, size_t *rows)
{
	size_t gained = 0, lost = 0, n = 0;

	for (size_t i = 0; i < before->count; i++) {
		bool was = before->classes[i] == before->labels[i], is = after->classes[i] == after->labels[i];

		if (class >= 0 && before->labels[i] != class)
			continue;
		gained += is && !was;
		lost += was && !is;
		n++;
	}
	if (rows)
		*rows = n;
	return interval_paired(gained, lost, n, confidence);
}

static void consider_class(struct utility *u, const struct predictions *before, const struct predictions *after,
			   int class, double confidence)
{
	size_t rows;
	struct interval i = change(before, after, class, confidence, &rows);

	if (rows == 0 || (u->worst_class >= 0 && i.high >= u->worst_class_change.high))
		return;
	u->worst_class = class;
	u->worst_class_change = i;
}

/* 95 % for all classes on both sets of rows together (Bonferroni). */
static void find_worst_class(const struct utility_input *in, struct utility *u)
{
	double confidence = 1 - (1 - CONFIDENCE) / (2 * (double)in->classes);

	u->worst_class = -1;
	for (size_t c = 0; c < in->classes; c++) {
		consider_class(u, in->retained_before, in->retained_after, (int)c, confidence);
		consider_class(u, in->heldout_before, in->heldout_after, (int)c, confidence);
	}
}

/* One line of the judgement: what must not be exceeded, and by what. */
struct check {
	bool fails;
	const char *what;
	double value, bound;
};

static bool first_failure(const struct check *checks, size_t count, struct utility *u)
{
	for (size_t i = 0; i < count; i++) {
		if (!checks[i].fails)
			continue;
		snprintf(u->reason, sizeof(u->reason), "%s: %.4f, allowed %.4f", checks[i].what, checks[i].value,
			 checks[i].bound);
		return true;
	}
	return false;
}

/* slack: by how many of its own widths the band is widened. */
static bool leaves_band(const struct band *band, const struct utility_limits *limits, double slack, struct utility *u)
{
	const struct behaviour *low = &band->low, *high = &band->high;
	double accuracy = low->accuracy - slack * (high->accuracy - low->accuracy) - limits->retained_margin;
	double loss = high->loss + slack * (high->loss - low->loss) + limits->loss_margin;
	double churn = high->churn + slack * (high->churn - low->churn) + limits->retained_margin;
	double heldout =
	    low->heldout_accuracy - slack * (high->heldout_accuracy - low->heldout_accuracy) - limits->heldout_margin;
	const struct check checks[] = {
		{ u->after.accuracy < accuracy, "retained accuracy fell", u->after.accuracy, accuracy },
		{ !(u->after.loss <= loss), "retained loss rose", u->after.loss, loss },
		{ u->after.churn > churn, "too many retained predictions changed", u->after.churn, churn },
		{ u->after.heldout_accuracy < heldout, "held-out accuracy fell", u->after.heldout_accuracy, heldout },
	};

	return first_failure(checks, sizeof(checks) / sizeof(checks[0]), u);
}

static bool falls(const struct utility_limits *limits, bool is_exact, struct utility *u)
{
	bool is_draw = is_exact && u->banded;
	const struct check checks[] = {
		{ !u->banded && u->retained_change.estimate < -limits->guard_margin, "retained accuracy changed",
		  u->retained_change.estimate, -limits->guard_margin },
		{ !is_draw && u->heldout_change.high < -limits->heldout_margin, "held-out accuracy changed by at most",
		  u->heldout_change.high, -limits->heldout_margin },
		{ u->worst_class >= 0 && u->worst_class_change.high < -limits->class_margin,
		  "the recall of a class changed by at most", u->worst_class_change.high, -limits->class_margin },
	};

	return first_failure(checks, sizeof(checks) / sizeof(checks[0]), u);
}

void utility_judge(const struct utility_input *in, const struct utility_limits *limits, struct utility *out)
{
	struct utility u = { .banded = in->band && in->band->models };

	u.before = behaviour_of(in->retained_before, in->retained_before, in->heldout_before);
	u.after = behaviour_of(in->retained_after, in->retained_before, in->heldout_after);
	u.retained_change = change(in->retained_before, in->retained_after, -1, CONFIDENCE, NULL);
	u.heldout_change = change(in->heldout_before, in->heldout_after, -1, CONFIDENCE, NULL);
	find_worst_class(in, &u);
	u.pass =
	    !(u.banded && leaves_band(in->band, limits, in->is_exact ? 1 : 0, &u)) && !falls(limits, in->is_exact, &u);
	*out = u;
}

bool utility_guard(const struct utility *u, const struct utility_limits *limits)
{
	return u->pass && u->retained_change.estimate >= -limits->guard_margin &&
	       u->heldout_change.estimate >= -limits->guard_margin;
}

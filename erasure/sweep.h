/*
 * sweep.h: the closed loop that finds SSD's alpha for one set of rows.
 *
 * Alpha falls geometrically from N/n, where nothing is selected. At each point the dampened model is scored by a
 * callback; points that it does not admit (the utility guard) are passed over; the admitted point whose distance to the
 * target is least is taken, the unchanged model included. lambda is 1. A run of inadmissible points longer than the
 * slack ends the sweep: stronger dampening does not heal a model.
 */
#ifndef ERASURE_SWEEP_H
#define ERASURE_SWEEP_H

#include "unlearn/ssd.h"

/* distance: how far the model's behaviour on the forget rows is from what is wanted, >= 0. */
struct sweep_score {
	double distance;
	bool admitted;
};

struct sweep {
	const struct params *live;
	const struct importance *all, *forget;
	size_t points; /* of the grid, from N/n down to 1 */
	int (*score)(void *arg, const struct params *p, struct sweep_score *out, struct exp_error *err);
	void *arg;
	const struct progress *progress; /* in points */
};

struct sweep_choice {
	double alpha, distance, start_distance; /* start: of the unchanged model */
	uint64_t selected;
	size_t tried, admitted;
};

/* *choice->alpha is N/n (a no-op) when no admitted point comes nearer than the unchanged model. p receives the chosen
 * weights. */
EXP_NODISCARD int sweep_run(const struct sweep *s, struct params *p, struct sweep_choice *choice,
			    struct exp_error *err);

#endif

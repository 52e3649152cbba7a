/*
 * sweep.h: the closed loop that finds SSD's alpha for one set of rows.
 *
 * Alpha falls geometrically from N/n, where nothing is selected, to 1. At each point the dampened model is scored by a
 * callback; points that it does not admit (the utility guard) are passed over; of the rest the one with the least
 * distance to the target is taken, the unchanged model included. lambda is 1.
 *
 * Threads: points are scored on up to `threads` threads, each with a session of its own; the choice does not depend on
 * their number.
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
	size_t points; /* of the grid, at most SWEEP_MAX_POINTS */
	size_t batch;  /* of the sessions that score gets */
	size_t threads;
	int (*score)(void *arg, struct session *s, const struct params *p, struct sweep_score *out,
		     struct exp_error *err);
	void *arg;                       /* used by all threads at once: read only */
	const struct progress *progress; /* in points; may be NULL */
};

enum { SWEEP_MAX_POINTS = 256 };

struct sweep_choice {
	double alpha, distance, start_distance; /* start: of the unchanged model */
	uint64_t selected;
	size_t admitted; /* points of the grid */
};

/* alpha of a grid's point 0 … points; point 0 is N/n. */
double sweep_alpha(const struct sweep *s, size_t point);

/* alpha is N/n (a no-op) when no admitted point comes nearer than the unchanged model. EXP_EINVAL (points,
 * importances), EXP_ECANCELLED, EXP_EMEMORY, what score reports. */
EXP_NODISCARD int sweep_run(const struct sweep *s, struct sweep_choice *out, struct exp_error *err);

#endif

/*
 * debt.h: when exact work is due for what has only been mitigated.
 */
#ifndef ERASURE_DEBT_H
#define ERASURE_DEBT_H

#include "erasure/policy.h"

/* What waits for exact work on one model. Times are milliseconds as in base/clock.h. */
struct debt {
	size_t requests;         /* mitigated or left open by an approximate publication */
	int64_t oldest_ms;       /* when the oldest of them was published */
	int64_t earliest_due_ms; /* the earliest legal deadline among them */
	double retrain_seconds;  /* measured at registration; 0: no recipe, nothing can be due */
};

/* The moment at which a retraining job should be started: the first of the policy's term after the oldest, the legal
 * deadline less ten times the measured retraining (at least an hour), or now when exact_after_requests wait. INT64_MAX
 * when nothing waits or nothing can be done. */
int64_t debt_due_ms(const struct policy *p, const struct debt *d, int64_t now_ms);

#endif

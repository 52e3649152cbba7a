#include "erasure/debt.h"

static const double RESERVE_FACTOR = 10;
static const double RESERVE_LEAST_S = 3600;

int64_t debt_due_ms(const struct policy *p, const struct debt *d, int64_t now_ms)
{
	double reserve = d->retrain_seconds * RESERVE_FACTOR;
	int64_t term, deadline;

	if (d->requests == 0 || d->retrain_seconds <= 0)
		return INT64_MAX;
	if ((int64_t)d->requests >= p->exact_after_requests)
		return now_ms;
	reserve = reserve > RESERVE_LEAST_S ? reserve : RESERVE_LEAST_S;
	term = d->oldest_ms + (int64_t)(p->exact_within_s * 1000);
	deadline = d->earliest_due_ms - (int64_t)(reserve * 1000);
	return term < deadline ? term : deadline;
}

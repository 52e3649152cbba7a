#include "verify/rowlevel.h"

#include "base/mem.h"

/* A low loss speaks for membership. */
static void negate(const float *losses, size_t n, double *scores)
{
	for (size_t i = 0; i < n; i++)
		scores[i] = -(double)losses[i];
}

int rowlevel_auc(const float *forget_losses, size_t n, const float *heldout_losses, size_t m, struct rowlevel *out)
{
	struct rowlevel made = { .rows = n, .heldout = m };
	double *scores;
	int rc;

	if (n < ROWLEVEL_MIN_ROWS || m < ROWLEVEL_MIN_ROWS) {
		*out = made;
		return 0;
	}
	scores = mem_try_alloc(n + m, sizeof(*scores));
	if (!scores)
		return EXP_EMEMORY;
	negate(forget_losses, n, scores);
	negate(heldout_losses, m, scores + n);
	rc = interval_auc(scores, n, scores + n, m, 0.95, &made.auc);
	mem_free(scores);
	if (rc)
		return rc;
	made.stated = true;
	*out = made;
	return 0;
}

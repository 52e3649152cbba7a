/*
 * rowlevel.h: the plain membership attack that stands beside the subject test: can a loss threshold tell the forgotten
 * rows from rows that were never seen? Only stated for 20 rows and more; below, an area under the curve means nothing.
 */
#ifndef VERIFY_ROWLEVEL_H
#define VERIFY_ROWLEVEL_H

#include <stdbool.h>

#include "verify/interval.h"

enum { ROWLEVEL_MIN_ROWS = 20 };

struct rowlevel {
	bool stated;
	size_t rows, heldout;
	struct interval auc; /* low loss reads as member; 0.5 is chance, both sides identify */
};

EXP_NODISCARD int rowlevel_auc(const float *forget_losses, size_t n, const float *heldout_losses, size_t m,
			       struct rowlevel *out);

#endif
